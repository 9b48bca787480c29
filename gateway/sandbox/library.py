"""Scenario's assets as they are held: who may read one, who has locked it, and how it is shown."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from random import Random

from gateway.sandbox import assets, drift, errors
from gateway.sandbox.moments import iso, key
from gateway.sandbox.signing import CloudFront
from gateway.scenario import wire

EMBEDDING_LENGTH = 16


@dataclass(frozen=True, slots=True)
class Lock:
    """Who holds an asset, until a moment in epoch seconds."""

    lock_id: str
    expires_at: float


@dataclass(frozen=True, slots=True)
class Indexed:
    """The tags that search knows an asset by, until a moment in epoch seconds."""

    tags: list[str]
    until: float


@dataclass(frozen=True, slots=True)
class View:
    """How an asset is asked for: original file, embedding, details of the quality gate, and by which project."""

    project_id: str | None
    original: bool
    embedding: bool = False
    details: bool = False


class Library:
    """All assets by id; `assets` holds no signed URLs, `show` puts them in."""

    def __init__(
        self,
        seed: int,
        clock: Callable[[], float],
        cdn: CloudFront,
        url: str,
        *,
        drifts: bool,
        index_seconds: float,
    ) -> None:
        self._clock = clock
        self._cdn = cdn
        self._url = url
        self._rng = Random(f"locks {seed}")
        self._locks: dict[str, Lock] = {}
        self._index_seconds = index_seconds
        self._indexed: dict[str, Indexed] = {}
        self.assets = dict(assets.generate(seed, clock()))
        if drifts:
            self.assets |= drift.assets(ordinary(self.assets))

    def find(self, asset_id: str, project_id: str | None) -> wire.Asset:
        """An asset that a project may read: 404 when there is none, 403 when it is another's private one."""
        asset = self.assets.get(asset_id)
        if asset is None or "deletedAt" in asset:
            raise errors.documented(404, f"Asset {asset_id} not found")
        if not readable(asset, project_id):
            raise errors.documented(403, f"Asset {asset_id} is not available to this project")
        return asset

    def own(self, asset_id: str, project_id: str | None) -> wire.Asset:
        """An asset that a project may change."""
        asset = self.find(asset_id, project_id)
        if asset["ownerId"] != project_id:
            raise errors.documented(403, f"Asset {asset_id} is not available to this project")
        return asset

    def lock(self, asset_id: str, expires_at: float) -> str:
        """Take an asset and say under which lock id; 409 while someone holds it."""
        if self._held(asset_id):
            raise errors.coded(409, "ASSET_LOCKED", f"Asset {asset_id} is locked")
        self._locks[asset_id] = Lock(key(self._rng, "lock_"), expires_at)
        return self._locks[asset_id].lock_id

    def unlock(self, asset_id: str, lock_id: str | None, *, force: bool) -> None:
        """Give an asset back; 409 for another lock's id unless forced, nothing where no lock is."""
        lock = self._held(asset_id)
        if lock and not force and lock.lock_id != lock_id:
            raise errors.coded(409, "LOCK_MISMATCH", f"Asset {asset_id} is held by another lock")
        self._locks.pop(asset_id, None)

    def change_tags(self, asset: wire.Asset, asked: wire.TagsBody) -> wire.TagsAnswer:
        """Give an asset tags and take some; 409 where strict and nothing would change by one of them."""
        has, now = asset["tags"], self._clock()
        added = [tag for tag in dict.fromkeys(asked.get("add", [])) if tag not in has]
        deleted = [tag for tag in dict.fromkeys(asked.get("delete", [])) if tag in has]
        if asked.get("strict") and (added, deleted) != (asked.get("add", []), asked.get("delete", [])):
            raise errors.documented(409, "A tag is there already, or was not found")
        known = self._indexed.get(asset["id"])
        before = known.tags if known and known.until > now else has
        self._indexed[asset["id"]] = Indexed(before, now + self._index_seconds)
        kept = [tag for tag in has if tag not in deleted]
        self.assets[asset["id"]] = {**asset, "tags": [*kept, *added], "updatedAt": iso(now)}
        return {"added": added, "deleted": deleted}

    def indexed(self, project_id: str, *, public: bool) -> Iterator[wire.Asset]:
        """What search goes through: a project's own assets, or everyone's public ones, with the tags it knows."""
        now = self._clock()
        for asset in self.assets.values():
            is_meant = asset["privacy"] == "public" if public else asset["ownerId"] == project_id
            if is_meant and "deletedAt" not in asset:
                known = self._indexed.get(asset["id"])
                yield {**asset, "tags": known.tags} if known and known.until > now else asset

    def show(self, asset: wire.Asset, view: View) -> wire.Asset:
        """An asset as it is answered: signed, and with no more than was asked for."""
        if asset["id"] == drift.BARE:
            return drift.stripped(asset)
        shown = asset.copy()
        self._address(shown, original=view.original)
        lock = self._held(asset["id"])
        if lock:
            shown["metadata"] = {**shown["metadata"], "lockExpiresAt": iso(lock.expires_at)}
        if "qualityGate" in shown and not (view.details and asset["ownerId"] == view.project_id):
            gate = shown["qualityGate"].copy()
            gate.pop("details", None)
            shown["qualityGate"] = gate
        if view.embedding and asset["kind"] == "image":
            shown["embedding"] = embedding(asset["id"])
        return shown

    def _address(self, asset: wire.Asset, *, original: bool) -> None:
        asset["url"] = self.url(asset["id"], original=original)
        asset["thumbnail"] = self._thumbnail(asset["thumbnail"]["assetId"])
        if "preview" in asset:
            asset["preview"] = self._image(asset["preview"]["assetId"])
        if "firstFrame" in asset and "lastFrame" in asset:
            asset["firstFrame"] = self._image(asset["firstFrame"]["assetId"])
            asset["lastFrame"] = self._image(asset["lastFrame"]["assetId"])
        if "originalFileUrl" in asset:
            asset["originalFileUrl"] = self.url(asset["id"], original=True)
        if "thumbnail" in asset["metadata"]:
            thumbnail = self._thumbnail(asset["metadata"]["thumbnail"]["assetId"])
            asset["metadata"] = {**asset["metadata"], "thumbnail": thumbnail}

    def url(self, asset_id: str, *, original: bool) -> str:
        """The signed address of an asset's file."""
        return self._cdn.sign(f"/cdn/{'assets' if original else 'assets-transform'}/{asset_id}")

    def _image(self, asset_id: str) -> wire.AssetImage:
        return {"assetId": asset_id, "url": self.url(asset_id, original=False)}

    def _thumbnail(self, asset_id: str) -> wire.AssetImage:
        return {"assetId": asset_id, "url": f"{self._url}/cdn/thumbnails/{asset_id}"}

    def _held(self, asset_id: str) -> Lock | None:
        lock = self._locks.get(asset_id)
        return lock if lock and lock.expires_at > self._clock() else None


def readable(asset: wire.Asset, project_id: str | None) -> bool:
    """Whether a project, or the public token (None), may read an asset: its own, public ones, and unlisted by id."""
    if project_id is None:
        return asset["privacy"] == "public"
    return asset["ownerId"] == project_id or asset["privacy"] in ("public", "unlisted")


def ordinary(held: dict[str, wire.Asset]) -> wire.Asset:
    """A private picture with a model and a quality gate, of the first project."""
    return next(
        asset
        for asset in held.values()
        if asset["privacy"] == "private" and {"qualityGate", "outputIndex"} <= asset.keys() and "deletedAt" not in asset
    )


def embedding(asset_id: str) -> list[float]:
    """A vector of an asset's own."""
    return [round(byte / 255, 4) for byte in sha256(asset_id.encode()).digest()[:EMBEDDING_LENGTH]]
