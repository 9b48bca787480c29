"""API keys in a file, as `gateway key new` makes them."""

from datetime import datetime
from pathlib import Path
from typing import Any

from gateway.auth.api_keys import keep_key, new_key
from gateway.auth.caller import DEFAULT_TENANT

ASSET = '{ asset(assetId: "asset_1") { assetId } }'


def made_in(path: Path, *scopes: str, expires: datetime | None = None) -> str:
    """Make a key, keep it in a file, and give it."""
    key, stored = new_key("a test's", scopes or ("*",), DEFAULT_TENANT, None, expires)
    keep_key(path, stored)
    return key


def content_of(path: Path) -> bytes:
    return path.read_bytes()


def rewrite(path: Path, content: bytes | None) -> None:
    """Let a file hold this, or be gone."""
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)


def by_keys_in(path: Path) -> dict[str, Any]:
    """Settings of a gateway that lets in who bears a key in a file."""
    return {"gateway_auth": "api-key", "gateway_api_keys": path}


def bearing(credential: str) -> dict[str, str]:
    return {"authorization": f"Bearer {credential}"}
