"""Prism's part of the graph: a scan, its stages and its signed URLs."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Annotated, Any, NamedTuple, Self

import strawberry

from gateway.cache.document import Document
from gateway.cache.expiry import signed_url_expiry
from gateway.errors import GatewayError
from gateway.graph.cost import Reads, costs
from gateway.graph.document_type import DocumentType, gathered, wire
from gateway.graph.ids import Node, global_id
from gateway.graph.promise import Promise, promised
from gateway.graph.scalars import URL
from gateway.graph.signed_url import SignedUrl
from gateway.prism.context import Info
from gateway.prism.enums import DeviceConfig, HeightUnit, ScanAssetType, ScanStatus, StageStatus, WeightUnit
from gateway.prism.kinds import FINAL_STATUSES, STAGES, each_in, have_ended, stages_are_final, stages_are_ready

RECORD, URLS = "scan record", "scan urls"
URL_KEYS = ("previewImage", "model", "canonicalBody", "texture", "material", "stripes", "captureVideo")
ENDED = tuple(map(ScanStatus, FINAL_STATUSES))
MIME_TYPES = {
    ScanAssetType.PREVIEW_IMAGE: "image/png",
    ScanAssetType.TEXTURE: "image/png",
    ScanAssetType.MATERIAL: "model/mtl",
}


@strawberry.type(description="A body weight.")
class Weight(DocumentType):
    """A weight as Prism tells it."""

    value: float | None = wire("The number, in `unit`.")
    unit: WeightUnit | None = wire("The unit of `value`.")


@strawberry.type(description="A body height.")
class Height(DocumentType):
    """A height as Prism tells it."""

    value: float | None = wire("The number, in `unit`.")
    unit: HeightUnit | None = wire("The unit of `value`.")


def _stage_status(status: Any) -> StageStatus:
    return StageStatus.PENDING if status is None else StageStatus(status)


@strawberry.type(description="One stage of a scan's assets.")
class AssetStage(DocumentType):
    """A stage's two keys in the record of all stages; a status that is null or absent is pending."""

    status: StageStatus = wire("Where the stage stands.", key="status", convert=_stage_status)
    updated_at: datetime | None = wire("When that last changed; null before it begins.")


def _stage(key: str, description: str) -> Any:
    return gathered(description, status=key, updatedAt=f"{key}UpdatedAt")


def _has_ended(info: Info, read_status: Callable[[], Any]) -> bool:
    """Whether a scan's status says that it has ended, or a promise of that; not where it cannot be read."""
    try:
        status = read_status()
    except GatewayError:
        info.context.journal.end_freshness()  # who asks next may be told more
        return False
    if isinstance(status, Promise):
        return promised(Promise(status.future, lambda outcome: _has_ended(info, partial(status.read, outcome))))
    return status in ENDED


def _is_final(self: "ScanAssets", info: Info) -> bool:
    """Take one call, for the scan's record, where no stage is under way and it may be that another begins."""
    record, own = self.seen_with()
    stages = each_in(own.body)
    if stages_are_final(*stages) or not have_ended(stages):
        return stages_are_final(*stages)
    if record is not None:
        return ScanRecord.of(record).status in ENDED
    return _has_ended(info, partial(info.context.prism.recorded, own.id, "status"))


@strawberry.type(description="The status of each asset of a scan; the stages follow each other in this order.")
class ScanAssets(DocumentType):
    """`GET /scans/{id}/scan-assets`."""

    scan_assets_id: strawberry.ID | None = wire("Prism's own id of this record.", key="id")
    scan_id: strawberry.ID | None = wire("Prism's id of the scan.")
    capture_data: AssetStage = _stage("captureData", "What the phone or the browser captured.")
    body: AssetStage = _stage("body", "The body's mesh.")
    fitted_body: AssetStage = _stage("fittedBody", "The mesh fitted to a body model.")
    measurement: AssetStage = _stage("measurement", "The measurements taken from it.")
    is_ready: bool = wire("True when every stage has succeeded.", keys=STAGES, convert=stages_are_ready)
    is_final: bool = strawberry.field(
        resolver=_is_final,
        description="True when no stage can change any more: none is under way, and the scan has ended, or its stages.",
        metadata=costs(Reads(RECORD)),
    )
    created_at: datetime | None = wire("When this record was made.")
    updated_at: datetime | None = wire("When this record last changed.")

    @classmethod
    def beside(cls, record: Document, stages: Document) -> Self:
        """Read them as they were when the scan's record was this one."""
        instance = cls.of(stages)
        instance.__dict__["_record"] = record
        return instance

    def seen_with(self) -> tuple[Document | None, Document]:
        """The scan's record, where it was seen with them, and their own."""
        return self.__dict__.get("_record"), self.__dict__["_document"]


@strawberry.type(description="Signed download URLs of every file of a scan; null where there is no such file.")
class ScanAssetUrls(DocumentType):
    """`GET /scans/{id}/asset-urls`."""

    preview_image: URL | None = wire("The preview: a PNG.")
    model: URL | None = wire("The body's mesh: OBJ or PLY, as the scan was configured; the URL does not say which.")
    canonical_body: URL | None = wire("The body in the canonical pose.")
    texture: URL | None = wire("The texture of a textured mesh: a PNG.")
    material: URL | None = wire("The material of a textured mesh: an MTL, to be saved as `avatar.obj.mtl`.")
    stripes: URL | None = wire("The bands that mark the measurements; mostly absent.")
    capture_video: URL | None = wire("The video that the scan was made from.")
    expires_at: datetime | None = wire(
        "When the first of these URLs stops working; null when they do not say.",
        keys=URL_KEYS,
        convert=signed_url_expiry,
    )


@strawberry.type
class ScanRecord(DocumentType):
    """`GET /scans/{id}` without what it embeds. Not a type of the graph: `Scan` shows its fields."""

    status: ScanStatus | None = wire("")
    prism_scan_id: strawberry.ID | None = wire("")
    device_config_name: DeviceConfig | None = wire("")
    asset_config_id: strawberry.ID | None = wire("")
    user_id: strawberry.ID | None = wire("")
    user_token: str | None = wire("")
    weight: Weight | None = wire("")
    height: Height | None = wire("")
    created_at: datetime | None = wire("")
    updated_at: datetime | None = wire("")


class ScanDocuments(NamedTuple):
    """A scan as it was at one moment; `stages` is None before capture."""

    record: Document
    stages: Document | None


def _recorded(name: str, description: str) -> Any:
    """Declare a field of the scan's own record, which is fetched when the first of them is asked for."""

    def resolve(self: "Scan", info: Info) -> Any:
        if self.seen is None:
            return info.context.prism.recorded(self.scan_id, name)
        return getattr(ScanRecord.of(self.seen.record), name)

    description = f"{description} Null when the scan's record cannot be read."
    return strawberry.field(resolver=resolve, description=description, metadata=costs(Reads(RECORD)))


def _global_id(self: "Scan") -> strawberry.ID:
    return global_id("Scan", self.scan_id)


@strawberry.type(description="One body scan, held by Prism. Costs nothing by itself: a field fetches what it needs.")
class Scan(Node):
    """A scan by its id; every other field comes from one of three documents, two of which may have been `seen`."""

    seen: strawberry.Private[ScanDocuments | None] = None
    id: strawberry.ID = strawberry.field(
        resolver=_global_id, description="Unique in the graph; `node` finds the object by it."
    )
    scan_id: strawberry.ID = strawberry.field(description="Prism's own id.")
    status: ScanStatus | None = _recorded("status", "Where the scan stands.")
    prism_scan_id: strawberry.ID | None = _recorded("prism_scan_id", "The id inside Prism's pipeline, for support.")
    device_config_name: DeviceConfig | None = _recorded("device_config_name", "What it was captured with.")
    asset_config_id: strawberry.ID | None = _recorded("asset_config_id", "Which files it is configured to get.")
    user_id: strawberry.ID | None = _recorded("user_id", "Prism's id of the person.")
    user_token: str | None = _recorded("user_token", "The partner's own token of the person.")
    weight: Weight | None = _recorded("weight", "The person's weight at the scan.")
    height: Height | None = _recorded("height", "The person's height at the scan.")
    created_at: datetime | None = _recorded("created_at", "When the scan was registered.")
    updated_at: datetime | None = _recorded("updated_at", "When the scan last changed.")

    @classmethod
    def by_id(cls, scan_id: str, seen: ScanDocuments | None = None) -> Self:
        """The scan of an id, without asking Prism."""
        return cls(scan_id=strawberry.ID(scan_id), seen=seen)

    @strawberry.field(
        description="Which assets are generated, stage by stage. Before capture each is PENDING, or this is null.",
        metadata=costs(Reads("scan stages", owned_by=RECORD)),
    )
    def assets(self, info: Info) -> ScanAssets | None:
        """One call, or none where the record is asked for too and embeds them."""
        if self.seen is None:
            return info.context.prism.stages(self.scan_id)
        return None if self.seen.stages is None else ScanAssets.beside(self.seen.record, self.seen.stages)

    @strawberry.field(
        description="Signed download URLs of every available file. While there is none, each is null, or this is.",
        metadata=costs(Reads(URLS, owned_by=RECORD)),
    )
    def asset_urls(self, info: Info) -> ScanAssetUrls | None:
        """One call."""
        return info.context.prism.urls(self.scan_id)

    @strawberry.field(
        description="One signed download URL; cheaper than `assetUrls` when only one is wanted. Null if there is none.",
        metadata=costs(Reads("scan url", "type", also=URLS, owned_by=RECORD)),
    )
    def asset_url(
        self,
        info: Info,
        type: Annotated[ScanAssetType, strawberry.argument(description="Which file.")],  # noqa: A002 - the graph's word
    ) -> SignedUrl | None:
        """One call, or none where all URLs are asked for too; two where Prism is too old for the file's own route."""
        return info.context.prism.url(self.scan_id, type)
