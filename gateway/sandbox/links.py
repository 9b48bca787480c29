"""Which of the made-up assets are linked to which of the made-up scans, by a tag, as their owners would link them."""

from collections.abc import Collection, Iterable

from gateway.sandbox import drift
from gateway.sandbox.auth import PROJECT_ID
from gateway.scenario import wire

PREFIX = "prism-scan:"


def linked(assets: Iterable[wire.Asset], scan_ids: Collection[str]) -> dict[str, wire.Asset]:
    """Link three of the first project's assets to each scan: two old ones and a new one."""
    own = [
        asset
        for asset in assets
        if asset["ownerId"] == PROJECT_ID and "deletedAt" not in asset and not asset["id"].startswith(drift.PREFIX)
    ]
    places = {scan_id: (number, number + len(scan_ids), -1 - number) for number, scan_id in enumerate(scan_ids)}
    return {
        asset["id"]: {**asset, "tags": [*asset["tags"], f"{PREFIX}{scan_id}"]}
        for scan_id, its in places.items()
        for asset in (own[place] for place in its)
    }
