"""Tokens (JWT): whose they are, by signature and claims.

PyJWT verifies a signature by the key's own algorithms, never by what the token says of itself, and nothing in a token
says where a key is. Times are compared here, so that they go by the gateway's one clock.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jwt

from gateway.auth.caller import DEFAULT_TENANT, Caller
from gateway.auth.key_sources import KeySource
from gateway.auth.scopes import SCOPES
from gateway.auth.signing_keys import ALGORITHMS, SigningKey
from gateway.errors import Forbidden, Unauthenticated
from gateway.lexer import SURROGATE

LATEST = 10**12  # seconds; no time that is meant comes after it

NO_TOKEN = "This is no token (JWT) that can be read."  # noqa: S105 - a message
OTHER_ALGORITHM = "The token must be signed as its key is for: by RS…, PS…, ES… or EdDSA."
OTHER_KEY = "The token is not signed by a key that is known here."
OTHER_AUDIENCE = "The token is meant for another audience."
OTHER_ISSUER = "The token comes from another issuer."
EXPIRED = "The token has expired."
TOO_EARLY = "The token is not valid yet."


@dataclass(frozen=True, slots=True)
class Expected:
    """What a token must say: who issued it, for whom, and when, within `leeway` seconds; `longest` is in bytes."""

    issuer: str
    audiences: frozenset[str]
    leeway: float
    longest: int


@dataclass(frozen=True, slots=True)
class ClaimNames:
    """In which claims a token says what; without the name of one, nothing is read."""

    subject: str = "sub"
    scopes: str = "scope"
    tenant: str | None = None
    owner: str | None = None


class Tokens:
    """Verifies tokens by keys from somewhere."""

    kind = "a token (JWT)"

    def __init__(self, keys: KeySource, expected: Expected, names: ClaimNames, clock: Callable[[], float]) -> None:
        self._keys = keys
        self._expected = expected
        self._names = names
        self._clock = clock

    async def verify(self, credential: str) -> Caller:
        """Give whose a token is."""
        if len(credential) > self._expected.longest:
            raise Unauthenticated(f"A token may have {self._expected.longest:,} bytes at most.")
        id_, algorithm = _header(credential)
        key = _for(algorithm, await self._keys.find(id_))
        claims = self._claims(credential, key)
        return self._caller(claims, key, self._end(claims))

    def look_again(self) -> None:
        """See whether there are other keys."""
        self._keys.look_again()

    def reload(self) -> None:
        """Get the keys again."""
        self._keys.reload()

    async def close(self) -> None:
        """End a fetch that is under way."""
        await self._keys.close()

    def _claims(self, token: str, key: SigningKey) -> dict[str, Any]:
        options: Any = {
            "require": ["exp", "iss", "aud", self._names.subject],
            "verify_exp": False,
            "verify_nbf": False,
            "verify_iat": False,
        }
        expected = self._expected
        try:
            return jwt.decode(
                token,
                key.public,
                sorted(key.algorithms),
                options,
                audience=expected.audiences,
                issuer=expected.issuer,
            )
        except jwt.MissingRequiredClaimError as error:
            raise Unauthenticated(f"The token has no claim `{error.claim}`.") from None
        except jwt.InvalidAudienceError:
            raise Unauthenticated(OTHER_AUDIENCE) from None
        except jwt.InvalidIssuerError:
            raise Unauthenticated(OTHER_ISSUER) from None
        except jwt.InvalidSignatureError:
            raise Unauthenticated(OTHER_KEY) from None
        except jwt.PyJWTError:
            raise Unauthenticated(NO_TOKEN) from None

    def _end(self, claims: Mapping[str, Any]) -> float:
        """Give when a token ends, where it has begun and not ended."""
        now, leeway = self._clock(), self._expected.leeway
        end = _moment(claims, "exp") + leeway
        if now >= end:
            raise Unauthenticated(EXPIRED)
        if "nbf" in claims and now + leeway < _moment(claims, "nbf"):
            raise Unauthenticated(TOO_EARLY)
        return end

    def _caller(self, claims: Mapping[str, Any], key: SigningKey, end: float) -> Caller:
        names = self._names
        subject = _text(claims, names.subject)
        if subject is None:
            raise Unauthenticated(f"The token has no claim `{names.subject}`.")
        scopes = frozenset(SCOPES).intersection(_words(claims, names.scopes))
        if not scopes:
            raise Forbidden(f"The token has no scope of this gateway in its claim `{names.scopes}`.")
        owner = None if names.owner is None else _text(claims, names.owner)
        return Caller(f"user:{subject}", self._tenant(claims), scopes, owner, end, key.warrant)

    def _tenant(self, claims: Mapping[str, Any]) -> str:
        if self._names.tenant is None:
            return DEFAULT_TENANT
        tenant = _text(claims, self._names.tenant)
        if tenant is None:
            raise Forbidden(f"The token names no tenant in its claim `{self._names.tenant}`.")
        return tenant


def _header(token: str) -> tuple[str | None, str]:
    """Read which key a token means, and by which algorithm; nothing else that stands beside them is heeded."""
    try:
        header = jwt.get_unverified_header(token)
    except jwt.PyJWTError:
        raise Unauthenticated(NO_TOKEN) from None
    if "crit" in header:
        raise Unauthenticated(NO_TOKEN)  # it must not be taken by who does not know what stands there
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise Unauthenticated(OTHER_ALGORITHM)
    return header.get("kid"), algorithm


def _for(algorithm: str, keys: list[SigningKey]) -> SigningKey:
    """Choose the one key that a token means and may be signed with."""
    if not keys:
        raise Unauthenticated(OTHER_KEY)
    fitting = [key for key in keys if algorithm in key.algorithms]
    if not fitting:
        raise Unauthenticated(OTHER_ALGORITHM)
    if len(fitting) > 1:
        raise Unauthenticated("The token must say by `kid` which key it is signed with.")
    return fitting[0]


def _moment(claims: Mapping[str, Any], name: str) -> float:
    value = claims[name]
    if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < LATEST:
        return float(value)
    raise Unauthenticated(f"The token's claim `{name}` is no time.")


def _text(claims: Mapping[str, Any], name: str) -> str | None:
    """Read a text that is not empty, and can be written."""
    value = claims.get(name)
    return value if isinstance(value, str) and value and not SURROGATE.search(value) else None


def _words(claims: Mapping[str, Any], name: str) -> frozenset[str]:
    """Read words from a text with spaces between them, or from a list."""
    value = claims.get(name)
    words = value.split() if isinstance(value, str) else value if isinstance(value, list) else []
    return frozenset(word for word in words if isinstance(word, str))
