"""Opaque tokens that say where a page ended, good for the same filter only."""

import base64
import hmac
from typing import TypeAlias

import msgspec

from gateway.sandbox.errors import documented
from gateway.sandbox.signing import SECRET

# The sort value and the id of the last asset of a page.
Position: TypeAlias = tuple[str, str]

SEAL_LENGTH = 12


def token_after(position: Position, fingerprint: str) -> str:
    """The token for what comes after a position."""
    content = msgspec.json.encode(position)
    return base64.urlsafe_b64encode(seal(content, fingerprint) + content).decode()


def position_of(token: str, fingerprint: str) -> Position:
    """Where a token's page ended; 400 when it is none of ours, or another filter's."""
    try:
        sealed = base64.b64decode(token, altchars=b"-_", validate=True)
    except ValueError:
        raise invalid() from None
    content = sealed[SEAL_LENGTH:]
    if not hmac.compare_digest(sealed[:SEAL_LENGTH], seal(content, fingerprint)):
        raise invalid()
    position: Position = msgspec.json.decode(content, type=Position)
    return position


def seal(content: bytes, fingerprint: str) -> bytes:
    """What ties a position to its filter."""
    return hmac.digest(SECRET, content + fingerprint.encode(), "sha256")[:SEAL_LENGTH]


def invalid() -> Exception:
    """The refusal of a token."""
    return documented(400, 'Invalid "paginationToken"')
