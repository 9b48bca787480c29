"""Assets that the official client does not know: newer values, missing keys, a number for a string."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any, TypeAlias, cast

from gateway.scenario import wire

Change: TypeAlias = Callable[[Any], object]

PREFIX = "asset_drift_"
BARE = f"{PREFIX}bare"

# What is done to an ordinary asset; the result is `asset_drift_<name>`.
CHANGES: dict[str, Change] = {
    "seed_number": lambda asset: asset["metadata"].update(seed=1_234_567_890),
    "kind": lambda asset: (asset.update(kind="hologram"), asset["metadata"].update(kind="hologram")),
    "type": lambda asset: (asset.update(source="txt2hologram"), asset["metadata"].update(type="txt2hologram")),
    "status": lambda asset: asset.update(status="archived"),
    "privacy": lambda asset: asset.update(privacy="team"),
    "edit_capability": lambda asset: asset["editCapabilities"].append("TELEPORT"),
    "model_type": lambda asset: asset["metadata"].update(modelType="sd-xl"),
    "date": lambda asset: asset.update(updatedAt="yesterday"),
    "null_size": lambda asset: asset["properties"].update(size=None),
    "new_keys": lambda asset: (asset.update(aura="blue"), asset["metadata"].update(aura=7)),
    "renamed_gate": lambda asset: (asset.pop("qualityGate"), asset.update(slopGuard={"verdict": "pass"})),
    "bare": lambda _: None,
}


def assets(ordinary: wire.Asset) -> dict[str, wire.Asset]:
    """One asset for each change, otherwise like an ordinary one."""
    changed = {}
    for name, change in CHANGES.items():
        asset = deepcopy(ordinary)
        asset["id"] = f"{PREFIX}{name}"
        change(asset)
        changed[asset["id"]] = asset
    return changed


def stripped(asset: wire.Asset) -> wire.Asset:
    """The least that a public client has been seen to survive: id, kind, and metadata's kind and type."""
    metadata: wire.AssetMetadata = {"kind": asset["kind"], "type": asset["metadata"]["type"]}
    return cast("wire.Asset", {"id": asset["id"], "kind": asset["kind"], "metadata": metadata})
