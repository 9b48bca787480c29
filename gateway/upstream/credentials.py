"""How a request proves to an upstream whose it is, without ever showing it in a repr or a key."""

import base64
import hashlib
from dataclasses import dataclass, field

PUBLIC = "public-auth-token"


@dataclass(frozen=True, slots=True)
class Credential:
    """The value of an `Authorization` header, and every secret in it. An empty value sends none."""

    header: str = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False, default=())
    is_public: bool = False

    @property
    def fingerprint(self) -> str:
        """Tells credentials apart in cache keys; 16 hexadecimal digits that do not lead back."""
        return hashlib.blake2b(self.header.encode(), digest_size=8).hexdigest()


def bearer(token: str) -> Credential:
    """Prism's API key, or a Scenario user's JWT."""
    return Credential(f"Bearer {token}", (token,))


def basic(key: str, secret: str) -> Credential:
    """Scenario's API key and secret."""
    pair = base64.b64encode(f"{key}:{secret}".encode()).decode()
    return Credential(f"Basic {pair}", (key, secret, pair))


def public() -> Credential:
    """Scenario's credential for public assets: one literal word, for its two reading routes only."""
    return Credential(PUBLIC, is_public=True)


def brought(header: str) -> Credential:
    """What a client brings of its own, as it stands in an `Authorization` header."""
    if header == PUBLIC:
        return public()
    scheme, _, token = header.rpartition(" ")
    pair = _decoded(token).split(":", 1) if scheme.lower() == "basic" else []
    return Credential(header, (token, *pair))


def _decoded(pair: str) -> str:
    try:
        return base64.b64decode(pair).decode()
    except ValueError:  # which the upstream will say
        return ""
