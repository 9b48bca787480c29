"""Who issues tokens: real keys, and a JWK Set behind a real URL on loopback that counts who asks for it."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, SECP384R1, SECP521R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from starlette.types import Receive, Scope, Send

from gateway.serving import listen, serving, url_of
from tests.world import NOON

ISSUER = "https://issuer.example/"
AUDIENCE = "scan-gateway"
RSA_KEY, OTHER_RSA_KEY = (generate_rsa(65_537, 2_048) for _ in range(2))
KEYS: Mapping[str, Any] = {
    "rsa": RSA_KEY,
    "p256": generate_private_key(SECP256R1()),
    "p384": generate_private_key(SECP384R1()),
    "p521": generate_private_key(SECP521R1()),
    "ed": Ed25519PrivateKey.generate(),
}
ALGORITHM = {"rsa": "RS256", "p256": "ES256", "p384": "ES384", "p521": "ES512", "ed": "EdDSA"}


def pem_of(key: Any) -> bytes:
    """The public half of a key."""
    pem: bytes = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return pem


def jwk_of(id_: str, key: Any = None, **more: Any) -> dict[str, Any]:
    """The public half of a key, by default of the one with this id, as a member of a JWK Set."""
    public = (key or KEYS[id_]).public_key()
    writer = RSAAlgorithm if isinstance(public, RSAPublicKey) else OKPAlgorithm if id_ == "ed" else ECAlgorithm
    return {**writer.to_jwk(public, as_dict=True), "kid": id_, **more}


def claims(**changed: Any) -> dict[str, Any]:
    """What a good token says at noon; None takes a claim away."""
    good = {"iss": ISSUER, "aud": AUDIENCE, "sub": "user-1", "scope": "openid *", "exp": NOON + 3_600, "iat": NOON}
    return {name: value for name, value in {**good, **changed}.items() if value is not None}


def token(id_: str = "rsa", algorithm: str | None = None, key: Any = None, **changed: Any) -> str:
    """Sign a token by a key."""
    return signed(claims(**changed), {"kid": id_}, algorithm or ALGORITHM[id_], key or KEYS[id_])


def signed(said: dict[str, Any], header: dict[str, Any], algorithm: str, key: Any) -> str:
    return jwt.encode(said, key, algorithm, {name: value for name, value in header.items() if value is not None})


@dataclass
class Document:
    """What the URL answers: a JWK Set, or what a test wants instead; `fetches` counts who asked."""

    keys: list[dict[str, Any]]
    fetches: int = 0
    status: int = 200
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes | None = None
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)
    is_asked: asyncio.Event = field(default_factory=asyncio.Event)
    url: str = ""

    def __post_init__(self) -> None:
        self.may_answer.set()

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        self.fetches += 1
        self.is_asked.set()
        await self.may_answer.wait()
        body = json.dumps({"keys": self.keys}).encode() if self.body is None else self.body
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def published(*keys: dict[str, Any]) -> AsyncIterator[Document]:
    """Serve a JWK Set."""
    document = Document(list(keys) or [jwk_of(id_) for id_ in KEYS])
    with listen("127.0.0.1", 0, "nothing") as listener:
        document.url = f"{url_of(listener)}/jwks"
        async with serving((document, listener)):
            yield document


def by_tokens(**given: Any) -> dict[str, Any]:
    """Settings of a gateway that lets in whose token this issuer signed."""
    return {
        "gateway_auth": "jwt",
        "gateway_jwt_issuer": ISSUER,
        "gateway_jwt_audience": AUDIENCE,
        "gateway_jwt_leeway": 0,
        **given,
    }
