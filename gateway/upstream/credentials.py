"""How a request proves to an upstream whose it is, without ever showing it in a repr or a key."""

import base64
import hashlib
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Credential:
    """The value of an `Authorization` header, and every secret in it."""

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
    return Credential("public-auth-token", is_public=True)
