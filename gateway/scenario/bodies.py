"""Assets taken out of what Scenario answers: out of an object, or of a list in an order of its own."""

from collections.abc import Sequence
from typing import Any

import msgspec


class _Member(msgspec.Struct):
    id: str


class _Identified(msgspec.Struct):
    id: Any = None
    jobId: Any = None  # noqa: N815 - Scenario's own spelling


class _AssetAnswer(msgspec.Struct):
    asset: msgspec.Raw


def with_id(key: str, id_: str, body: bytes) -> bytes:
    """Give a document that lacks its own id the one that it was asked by; every other stays as it came.

    Raises what UNREADABLE names.
    """
    if isinstance(getattr(msgspec.json.decode(body, type=_Identified), key), str):
        return body
    return msgspec.json.encode({**msgspec.json.decode(body), key: id_})


def asset_of(asset_id: str, body: bytes) -> bytes:
    """Take the asset out of the answer of the route for one."""
    return with_id("id", asset_id, bytes(msgspec.json.decode(body, type=_AssetAnswer).asset))


def members_by_id(assets: Sequence[msgspec.Raw]) -> dict[str, bytes]:
    """Index assets by their own ids; one without an id is left out, as nobody can ask for it."""
    return {id_: bytes(asset) for asset in assets if (id_ := member_id(asset)) is not None}


def member_id(asset: msgspec.Raw) -> str | None:
    """The id of an asset in a list; None when it has none."""
    try:
        return msgspec.json.decode(asset, type=_Member).id
    except msgspec.MsgspecError:
        return None
