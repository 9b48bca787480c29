"""Scenario's part of the graph: assets, their connections, and download jobs."""

from datetime import datetime
from typing import Annotated, Any, cast

import msgspec
import strawberry

from gateway.cache.document import Document
from gateway.cache.expiry import signed_url_expiry
from gateway.errors import UpstreamContract
from gateway.graph.cost import Members, Pages, Refers, costs
from gateway.graph.document_type import DocumentType, wire
from gateway.graph.enums import UpstreamEnum, unknown, value
from gateway.graph.ids import Node, global_id
from gateway.graph.members import PageMembers
from gateway.graph.paging import Cursors, PageInfo, Slice
from gateway.graph.scalars import URL
from gateway.scenario.asset_types import AssetSource
from gateway.scenario.client import MAX_BULK, ListQuery
from gateway.scenario.context import Info
from gateway.scenario.enums import AssetKind, AssetPrivacy, AssetStatus, EditCapability
from gateway.scenario.hidden import HIDDEN
from gateway.scenario.images import AssetImage
from gateway.scenario.inputs import given
from gateway.scenario.kinds import job_is_final
from gateway.scenario.metadata import AssetMetadata
from gateway.scenario.properties import AssetProperties
from gateway.scenario.quality import AssetQualityGate

MAX_FIRST = 1_000
CONNECTION = Pages(MAX_FIRST)

JSON = strawberry.scalars.JSON
First = Annotated[int, strawberry.argument(description="How many; Scenario's pages of 100 are joined. At most 1,000.")]
After = Annotated[str | None, strawberry.argument(description="Go on after this cursor.")]


def _asset_id(id_: Any) -> strawberry.ID:
    return global_id("Asset", id_)


def _job_id(id_: Any) -> strawberry.ID:
    return global_id("DownloadJob", id_)


class _Named(msgspec.Struct):
    name: Any = None


def _name(metadata: _Named | None) -> str | None:
    return metadata.name if metadata is not None and isinstance(metadata.name, str) else None


@strawberry.type(description="One file that Scenario holds: generated or uploaded.")
class Asset(Node, DocumentType):
    id: strawberry.ID = wire("Unique in the graph; `node` finds the asset by it.", key="id", convert=_asset_id)
    asset_id: strawberry.ID = wire("Scenario's own id.", key="id")
    kind: AssetKind = wire("What sort of file it is.")
    status: AssetStatus = wire("Whether the file is there.")
    source: AssetSource = wire("How it came to be, in Scenario's older spelling; see `metadata.type`.")
    mime_type: str | None = wire("The media type of the file behind `url`.")
    url: URL | None = wire("Where to download it; signed, see `urlExpiresAt`.")
    url_expires_at: datetime | None = wire(
        "When `url` stops working; null when it does not say.", key="url", convert=signed_url_expiry
    )
    privacy: AssetPrivacy = wire("Who may see it.")
    name: str | None = wire(
        "Its name, which is `metadata.name`; often missing.", key="metadata", convert=_name, reads=_Named
    )
    description: str | None = wire("The manual description, else a caption.")
    automatic_captioning: str | None = wire("The caption that Scenario made.")
    tags: list[str] = wire("Its tags.")
    collection_ids: list[strawberry.ID] = wire("The collections that it belongs to.")
    edit_capabilities: list[EditCapability] = wire("What Scenario can do with it.")
    metadata: AssetMetadata = wire("How it came to be; an asset carries the fields of its type.")
    properties: AssetProperties = wire("What the file is; an asset carries the fields of its kind.")
    preview: AssetImage | None = wire("An image of it.")
    thumbnail: AssetImage | None = wire("A small image of it.")
    first_frame: AssetImage | None = wire("The first frame of a video.")
    last_frame: AssetImage | None = wire("The last frame of a video.")
    original_file_url: URL | None = wire("The file before conversion, where it was converted; signed.")
    original_file_url_expires_at: datetime | None = wire(
        "When `originalFileUrl` stops working; null when it does not say.",
        key="originalFileUrl",
        convert=signed_url_expiry,
    )
    original_mime_type: str | None = wire("The media type of the file behind `originalFileUrl`.")
    quality_gate: AssetQualityGate | None = wire("What the quality gate found; null until it has scored.")
    nsfw: list[str] | None = wire("Labels of what is not safe for work.")
    embedding: list[float] | None = wire("The embedding, where Scenario sends it.")
    is_hidden: bool | None = wire("Whether it is hidden from lists.")
    output_index: int | None = wire("Which output of its job it is, from 0.")
    owner_id: strawberry.ID | None = wire("The project that owns it; a team for old ones.")
    author_id: strawberry.ID | None = wire("The user who made it.")
    created_at: datetime | None = wire("When it was made.")
    updated_at: datetime | None = wire("When it last changed.")
    deleted_at: datetime | None = wire("When it was deleted; null unless it was.")

    @strawberry.field(description="Scenario's document as it came: reaches fields newer than this graph.")
    def raw(self) -> JSON:
        """No call."""
        try:
            document = self.decoded()
        except RecursionError:
            message = "Scenario answered JSON that is nested too deep to be passed on."
            raise UpstreamContract(message, upstream="scenario") from None
        document.pop(HIDDEN, None)
        return JSON(document)

    def every_tag(self) -> list[str]:
        """Its tags, with those that the caller may not read."""
        hidden = self._data.get(HIDDEN)
        return self.tags if hidden is None else [*self.tags, *msgspec.json.decode(hidden)]

    @strawberry.field(
        description="The asset that it was made from. Null when there is none, or it cannot be read.",
        metadata=costs(Refers(MAX_BULK)),
    )
    def parent(self, info: Info) -> "Asset | None":
        """One call, shared with every other asset that the same step of the request asks for."""
        return info.context.scenario.referred_asset(self.metadata.parent_id)

    @strawberry.field(
        description="The asset that its line began with. Null when there is none, or it cannot be read.",
        metadata=costs(Refers(MAX_BULK)),
    )
    def root(self, info: Info) -> "Asset | None":
        """One call, shared with every other asset that the same step of the request asks for."""
        return info.context.scenario.referred_asset(self.metadata.root_parent_id)

    @strawberry.field(
        description="The assets that were made from it, newest first. Null when they cannot be read.",
        metadata=costs(CONNECTION),
    )
    async def children(
        self, info: Info, first: First = 20, after: After = strawberry.UNSET
    ) -> "AssetConnection | None":
        """One call an asset and page."""
        query: ListQuery = {"parentAssetId": self.asset_id, "sortBy": "createdAt", "sortDirection": "desc"}
        return await info.context.scenario.connection(query, first, given(after), info.path.as_list())


@strawberry.type(description="An asset in a connection.")
class AssetEdge:
    cursor: str = strawberry.field(description="Where to go on after this asset; belongs to this filter and sort.")
    node: Asset = strawberry.field(description="The asset.")


@strawberry.type(description="Assets in order, joined from as many of Scenario's pages as it takes.")
class AssetConnection:
    read: strawberry.Private[Slice[Document]]
    cursors: strawberry.Private[Cursors]
    resumed: strawberry.Private[bool]
    is_of_documents: strawberry.Private[bool] = False  # each item is an asset's own document, not the page that has it

    @strawberry.field(description="The assets with their cursors.", metadata=costs(Members()))
    def edges(self) -> list[AssetEdge]:
        """No call: the assets are read when the connection is."""
        positions = [position for position, _ in self.read.items]
        members = zip(positions, self.nodes(), strict=True)
        return [AssetEdge(cursor=self.cursors.write(position), node=node) for position, node in members]

    @strawberry.field(description="The assets without their cursors.", metadata=costs(Members()))
    def nodes(self) -> list[Asset]:
        """No call either."""
        if self.is_of_documents:
            return [Asset.of(document) for _, document in self.read.items]
        pages = [(run.page.items[run.places[0]], run.places) for run in self.read.runs if run.places]
        return cast("list[Asset]", PageMembers(Asset, "asset", "assets", [(page, at) for page, at in pages if page]))

    @strawberry.field(description="Whether there is more, and where to go on.")
    def page_info(self) -> PageInfo:
        """No call either."""
        start, has_next = self.read.start, self.read.has_next
        return PageInfo(
            has_next_page=has_next,
            has_previous_page=self.resumed,
            start_cursor=None if start is None else self.cursors.write(start),
            end_cursor=self.cursors.write(self.read.end) if start is not None or has_next else None,
        )


@strawberry.enum(description="Where a download job stands.")
class DownloadJobStatus(UpstreamEnum):
    """Scenario's `jobStatus`."""

    PENDING = value("pending", "It is accepted.")
    QUEUED = value("queued", "It waits for its turn.")
    WARMING_UP = value("warming-up", "What runs it is starting.")
    IN_PROGRESS = value("in-progress", "It is under way.")
    FINALIZING = value("finalizing", "The archive is being stored.")
    SUCCESS = value("success", "The archive is there.")
    FAILURE = value("failure", "It failed; there will be no archive.")
    CANCELED = value("canceled", "It was canceled; there will be no archive.")
    UNKNOWN = unknown()


@strawberry.type(description="A batch of assets being packed into one archive.")
class DownloadJob(Node, DocumentType):
    id: strawberry.ID = wire("Unique in the graph; `node` finds the job by it.", key="jobId", convert=_job_id)
    job_id: strawberry.ID = wire("Scenario's own id.")
    status: DownloadJobStatus = wire("Where the job stands.", key="jobStatus")
    is_final: bool = wire(
        "True when the job can change no more: its archive has its URL, or there will be none.",
        keys=("jobStatus", "downloadUrl"),
        convert=job_is_final,
    )
    download_url: URL | None = wire("Where to download the archive. Null until it is ready.")
    download_url_expires_at: datetime | None = wire(
        "When `downloadUrl` stops working; null when it does not say.", key="downloadUrl", convert=signed_url_expiry
    )
