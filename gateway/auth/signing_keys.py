"""The public keys that tokens are verified with: each with the algorithms of its type, and no others."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import jwt
import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from gateway.auth.caller import Warrant
from gateway.auth.watched_file import BadKeysError

PublicKey = RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey

MIN_RSA_BITS = 2_048
RSA = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
BY_CURVE = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
ED25519 = frozenset({"EdDSA"})
ALGORITHMS = RSA | ED25519 | frozenset(BY_CURVE.values())
KEY_TYPES = ("RSA", "EC", "OKP")


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A public key. One without an `id` is meant where none is that a token names.

    Tokens are good for as long as the `warrant` holds.
    """

    id: str | None
    public: PublicKey = field(repr=False)
    algorithms: frozenset[str]
    warrant: Warrant = field(default_factory=Warrant, compare=False, repr=False)


def read_keys(content: bytes) -> tuple[SigningKey, ...]:
    """Read a public key in PEM, or a JWK Set. Raises BadKeysError where no token can be verified with it."""
    return read_jwks(content) if content.lstrip().startswith(b"{") else (_read_pem(content),)


def read_jwks(content: bytes) -> tuple[SigningKey, ...]:
    """Read the keys of a JWK Set that are meant for signatures of a kind that is taken; at least one.

    Secret keys and weak ones are left out like all others. Raises BadKeysError where none is left.
    """
    try:
        members = msgspec.json.decode(content, type=_Jwks).keys
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise BadKeysError("this is no JWK Set.") from None
    keys = tuple(key for member in members if (key := _read_jwk(member)) is not None)
    if not keys:
        raise BadKeysError("the JWK Set has no public key for signatures by RS, PS, ES or EdDSA.")
    return keys


def matching(keys: Sequence[SigningKey], id_: str | None) -> list[SigningKey]:
    """Give those that a token may mean, which names one or none: the named, or else those without a name."""
    if id_ is None:
        return list(keys)
    return [key for key in keys if key.id == id_] or [key for key in keys if key.id is None]


def succeed(before: Sequence[SigningKey], after: Iterable[SigningKey]) -> tuple[SigningKey, ...]:
    """Put keys in the place of others: of those who are gone the warrant ends, of those who stay it stays."""
    kept = tuple(next((old for old in before if old == new), new) for new in after)
    for old in before:
        old.warrant.holds = old in kept
    return kept


class _Jwks(msgspec.Struct):
    keys: list[dict[str, Any]]


def _read_pem(content: bytes) -> SigningKey:
    try:
        key = _key_of(load_pem_public_key(content), None)
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if key is None:
        raise BadKeysError("this is no public key in PEM, RSA of 2,048 bits or more, P-256, P-384, P-521 or Ed25519.")
    return key


def _read_jwk(member: dict[str, Any]) -> SigningKey | None:
    if member.get("kty") not in KEY_TYPES or "d" in member or not _is_for_verifying(member):
        return None
    id_, algorithm = member.get("kid"), member.get("alg")
    try:
        key = _key_of(jwt.PyJWK(member).key, id_ if isinstance(id_, str) else None)
    except (jwt.PyJWTError, UnsupportedAlgorithm):
        return None
    if key is None or algorithm is None:
        return key
    return replace(key, algorithms=key.algorithms & {algorithm}) if algorithm in key.algorithms else None


def _is_for_verifying(member: Mapping[str, Any]) -> bool:
    """Whether a key says so, or nothing, of what it is for and by which algorithm; a null says nothing."""
    use, operations = member.get("use"), member.get("key_ops")
    may_verify = operations is None or (isinstance(operations, list) and "verify" in operations)
    return use in (None, "sig") and may_verify and member.get("alg") in (None, *ALGORITHMS)


def _key_of(public: object, id_: str | None) -> SigningKey | None:
    match public:
        case RSAPublicKey() if public.key_size >= MIN_RSA_BITS:
            return SigningKey(id_, public, RSA)
        case EllipticCurvePublicKey() if public.curve.name in BY_CURVE:
            return SigningKey(id_, public, frozenset({BY_CURVE[public.curve.name]}))
        case Ed25519PublicKey():
            return SigningKey(id_, public, ED25519)
        case _:
            return None
