"""Tokens that nobody should take: forged, confused, stale, odd and huge."""

import base64
import hmac
import json
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from tests.auth.issuer import KEYS, RSA_KEY, claims, jwk_of, pem_of, signed, token
from tests.world import NOON

ATTACKER = generate_private_key(65_537, 2_048)
PUBLIC = pem_of(RSA_KEY)
GOOD = token()


def encoded(part: Any) -> str:
    """A part of a token; what is bytes as it is."""
    content = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def put_together(header: Any, said: Any, signature: bytes = b"") -> str:
    return ".".join(encoded(part) for part in (header, said, signature))


def by_hmac(key: bytes, algorithm: str = "HS256") -> str:
    """Sign as if a public key were a secret."""
    said = f"{encoded({'alg': algorithm, 'typ': 'JWT', 'kid': 'rsa'})}.{encoded(claims())}"
    return f"{said}.{encoded(hmac.digest(key, said.encode(), algorithm.replace('HS', 'sha')))}"


def naming(**header: Any) -> str:
    """Sign by a key of the attacker's, saying something else beside in the header."""
    return signed(claims(), {"kid": "rsa", **header}, "RS256", ATTACKER)


def of_key(id_: Any) -> str:
    """Sign by a key of the attacker's under some id, which PyJWT would refuse to write were it no text."""
    header = {"alg": "RS256", "kid": id_}
    return put_together(header, claims(), b"\1" * 256)


def forged(jku: str) -> dict[str, tuple[str, ...]]:
    """Each attack with its Authorization headers; `jku` is where the attacker's keys are."""
    swapped = GOOD.split(".")
    swapped[1] = encoded(claims(sub="admin"))
    tokens = {
        "no algorithm": put_together({"alg": "none"}, claims()),
        "no algorithm, in other letters": put_together({"alg": "nOnE", "kid": "rsa"}, claims()),
        "no algorithm, with a signature": put_together({"alg": "none", "kid": "rsa"}, claims(), b"x" * 256),
        "an algorithm that is none": put_together({"alg": ["RS256"], "kid": "rsa"}, claims(), b"x" * 256),
        "no word of an algorithm": put_together({"kid": "rsa"}, claims(), b"x" * 256),
        "the public key as a secret": by_hmac(PUBLIC),
        "the public key as a long secret": by_hmac(PUBLIC, "HS512"),
        "the public JWK as a secret": by_hmac(json.dumps(jwk_of("rsa")).encode()),
        "an empty secret": by_hmac(b""),
        "another key's algorithm": signed(claims(), {"kid": "rsa"}, "ES256", KEYS["p256"]),
        "another key's id": signed(claims(), {"kid": "p256"}, "RS256", ATTACKER),
        "a signature of zeros": put_together({"alg": "ES256", "kid": "p256"}, claims(), bytes(64)),
        "a path as a key's id": of_key("../../../../dev/null"),
        "a file as a key's id": of_key("file:///etc/passwd"),
        "a URL as a key's id": of_key(jku),
        "SQL as a key's id": of_key("rsa' UNION SELECT 'key' -- "),
        "a command as a key's id": of_key("rsa|/usr/bin/id"),
        "a null byte in a key's id": of_key("rsa\0"),
        "a key's id of 5 kB": of_key("x" * 5_000),
        "a key's id that is a number": of_key(1),
        "a key's id that is a list": of_key(["rsa"]),
        "a key of the attacker's": naming(),
        "a key in the token": naming(jwk=jwk_of("rsa", ATTACKER)),
        "a certificate in the token": naming(x5c=["MIIB"]),
        "a URL of keys in the token": naming(jku=jku),
        "a URL of certificates in the token": naming(x5u=jku),
        "something critical": signed(claims(), {"kid": "rsa", "crit": ["exp"], "exp": 1}, "RS256", RSA_KEY),
        "a payload apart": put_together({"alg": "RS256", "kid": "rsa", "b64": False, "crit": ["b64"]}, b"", b"x" * 256),
        "expired": token(exp=NOON - 1),
        "not yet valid": token(nbf=NOON + 60),
        "without an end": token(exp=None),
        "ending at infinity": token(exp=float("inf")),
        "for another audience": token(aud="other"),
        "for no audience": token(aud=None),
        "from another issuer": token(iss="https://attacker.example/"),
        "other claims under a good signature": ".".join(swapped),
        "no signature": ".".join(swapped[:2]) + ".",
        "two parts": ".".join(swapped[:2]),
        "five parts": ".".join([*swapped, *swapped[:2]]),
        "7,000 dots": "." * 7_000,
        "a header of brackets": f"{encoded(b'[' * 5_000)}.e30.e30",
        "a header of objects in each other": encoded(b'{"a":' * 1_000) + ".e30.e30",
        "a token of 60 kB": token(more="x" * 45_000),
        "60 kB of letters": "a" * 60_000,
    }
    headers = {name: (f"Bearer {one}",) for name, one in tokens.items()}
    return headers | {
        "two headers": (f"Bearer {GOOD}", f"Bearer {token(sub='other')}"),
        "a header twice": (f"Bearer {GOOD}", f"Bearer {GOOD}"),
        "two tokens": (f"Bearer {GOOD} {GOOD}",),
        "two tokens and a comma": (f"Bearer {GOOD},Bearer {GOOD}",),
        "a good token by another scheme": (f"Basic {GOOD}",),
        "spaces": (f"Bearer {' ' * 60_000}",),
    }
