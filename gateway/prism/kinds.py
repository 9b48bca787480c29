"""The kinds of document that Prism answers with, and how long each stays true."""

from collections.abc import Iterable
from typing import Annotated, Any

import msgspec

from gateway.cache.document import Document, Kind, Lifetime, part_of
from gateway.cache.expiry import expires_at, first_expiry
from gateway.cache.flight import DocumentOrError
from gateway.cache.freshness import Freshness
from gateway.errors import UpstreamRateLimited, UpstreamTimeout, UpstreamUnavailable

STAGES = ("captureData", "body", "fittedBody", "measurement")
MOVING_STATUSES = ("CREATED", "PROCESSING")
FINAL_STATUSES = ("READY", "FAILED")
NOTHING = b"null"
EVERY_SCAN_HAS = ("previewImage", "model")
STOPPING = (UpstreamUnavailable, UpstreamTimeout, UpstreamRateLimited)

_Url = Annotated[str, msgspec.Meta(pattern="^https?://")]


def stages_are_ready(*stages: object) -> bool:
    """Whether every stage has succeeded."""
    return stages.count("succeeded") == len(stages)


def stages_are_final(*stages: object) -> bool:
    """Whether no stage can change any more: all have succeeded, or one has failed and none is under way.

    Stages follow each other, so what comes after a failure never starts.
    """
    if stages_are_ready(*stages):
        return True
    return "failed" in stages and have_ended(stages)


class _Record(msgspec.Struct):
    status: Any = None


class _Stages(msgspec.Struct, rename="camel"):
    capture_data: Any = None
    body: Any = None
    fitted_body: Any = None
    measurement: Any = None


def scan_is_final(record: bytes, stages: bytes) -> bool:
    """Whether neither the scan nor one of its stages can change any more; `stages` may be null.

    A record may lag behind its stages, and a scan that has ended may have stages that never began. A status never seen
    before leaves it to the stages.
    """
    status = _record(record).status
    each = each_in(stages)
    if status in FINAL_STATUSES:
        return have_ended(each)
    return status not in MOVING_STATUSES and stages_are_final(*each)


def have_ended(stages: Iterable[object]) -> bool:
    """Whether no stage is under way; one that never began is none."""
    return all(stage in ("succeeded", "failed", None) for stage in stages)


class _Embedding(msgspec.Struct, rename="camel"):
    scan_assets: msgspec.Raw = msgspec.Raw(NOTHING)


def embedded_stages(record: DocumentOrError | None) -> DocumentOrError | None:
    """Take the stages out of a record that embeds them, with its own times; or the failure that stops both."""
    if isinstance(record, STOPPING):
        return record
    if not isinstance(record, Document) or record.missing:
        return None
    stages = _embedded(record.body)
    return None if stages == NOTHING else part_of(record, "scan_assets", record.id, stages)


def _embedded(record: bytes) -> bytes:
    """The stages that a record embeds; null where it embeds none."""
    stages = bytes(_embedding(record).scan_assets)
    return stages if stages.startswith(b"{") else NOTHING


_record, _stages = msgspec.json.Decoder(_Record).decode, msgspec.json.Decoder(_Stages).decode
_maybe_stages = msgspec.json.Decoder(_Stages | None).decode
_urls, _embedding = msgspec.json.Decoder(dict[str, Any]).decode, msgspec.json.Decoder(_Embedding).decode


def each_in(stages: bytes) -> tuple[object, ...]:
    """The status of each stage; `stages` may be null."""
    return _each(_maybe_stages(stages) or _Stages())


def _each(stages: _Stages) -> tuple[object, ...]:
    return (stages.capture_data, stages.body, stages.fitted_body, stages.measurement)


class PrismKinds:
    """Prism's kinds with the freshness they are given."""

    def __init__(self, freshness: Freshness) -> None:
        self.freshness = freshness
        self.scan = Kind("scan", self._scan)
        self.scan_assets = Kind("scan_assets", self._scan_assets, may_be_nothing=True)
        self.asset_urls = Kind("scan_asset_urls", self._asset_urls, may_be_nothing=True)
        self.asset_url = Kind("scan_asset_url", self._asset_url)

    def _scan(self, body: bytes, _now: float) -> Lifetime:
        is_final = _record(body).status in FINAL_STATUSES
        return self._stage(is_final=is_final and have_ended(each_in(_embedded(body))))

    def _scan_assets(self, body: bytes, _now: float) -> Lifetime:
        return self._stage(is_final=stages_are_final(*_each(_stages(body))))

    def _stage(self, *, is_final: bool) -> Lifetime:
        if is_final:
            return Lifetime(self.freshness.stages_final, self.freshness.stages_final_stale)
        return Lifetime(self.freshness.stages_moving)

    def _asset_urls(self, body: bytes, now: float) -> Lifetime:
        urls = _urls(body)
        first = first_expiry(urls.values())
        if not all(map(urls.get, EVERY_SCAN_HAS)):  # a stage has yet to come, and may come as soon as a stage may
            return Lifetime(self.freshness.stages_moving, expires_at=first)
        return self.freshness.of_signed_urls(first, now)

    def _asset_url(self, body: bytes, now: float) -> Lifetime:
        url = msgspec.json.decode(body, type=_Url | None)
        if url is None:
            return Lifetime(self.freshness.stages_moving)
        return self.freshness.of_signed_urls(expires_at(url), now)
