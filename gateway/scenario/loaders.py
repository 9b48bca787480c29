"""What one request loads from Scenario: each document once, and assets by id together."""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import msgspec
from strawberry.dataloader import DataLoader

from gateway.cache.document import Document, part_of
from gateway.cache.flight import Outcome
from gateway.errors import BadUserInput
from gateway.graph.journal import Journal
from gateway.graph.paging import Cursors, Page, first_position, read_slice
from gateway.scenario.client import MAX_BULK, ListQuery, ScenarioClient, member_id
from gateway.scenario.types import Asset, AssetConnection, DownloadJob
from gateway.telemetry import drift
from gateway.upstream.upstream import encode_query

MAX_FIRST = 1_000


class _Page(msgspec.Struct, rename="camel"):
    assets: list[msgspec.Raw]
    next_pagination_token: str | None = None


class PageKey(NamedTuple):
    """A page that a request wants."""

    query: tuple[tuple[str, object], ...]
    size: int
    token: str | None


class ScenarioLoaders:
    """Belongs to one request. Errors are raised where the field is read; what Scenario does not have is None."""

    def __init__(self, client: ScenarioClient, journal: Journal) -> None:
        self.client = client
        self._journal = journal
        self._assets: DataLoader[str, Outcome] = DataLoader(load_fn=self._load_assets, max_batch_size=MAX_BULK)
        self._pages: DataLoader[PageKey, Outcome] = DataLoader(load_fn=self._load_pages)
        self._jobs: DataLoader[str, Outcome] = DataLoader(load_fn=self._load_jobs)

    async def asset(self, asset_id: str) -> Asset | None:
        """One asset; those that are asked for in the same step of the request come in one call."""
        document = self._journal.document(await self._assets.load(asset_id))
        return None if document.missing else Asset.of(document)

    async def linked_asset(self, asset_id: object) -> Asset | None:
        """The asset that another document points to, where that is an id at all."""
        return await self.asset(asset_id) if isinstance(asset_id, str) and asset_id else None

    async def download_job(self, job_id: str) -> DownloadJob | None:
        """One batch download."""
        document = self._journal.document(await self._jobs.load(job_id))
        return None if document.missing else DownloadJob.of(document)

    def accepted_job(self, job_id: str) -> DownloadJob:
        """A batch download that Scenario has just accepted, without asking how far it is."""
        body = msgspec.json.encode({"jobId": job_id, "jobStatus": "pending"})
        return DownloadJob.of(self.client.upstream.document(self.client.kinds.download_job, job_id, body))

    def changed(self, asset: Document) -> Asset:
        """Read an asset as a change left it, and forget what the request read before."""
        self._assets.prime(asset.id, asset, force=True)
        self._pages.clear_all()
        return Asset.of(asset)

    async def connection(
        self, query: ListQuery, first: int, after: str | None, path: list[str | int]
    ) -> AssetConnection:
        """Assets in order. Raises BadUserInput for a bad `first` or `after`; an error after the first page is noted."""
        if not 1 <= first <= MAX_FIRST:
            raise BadUserInput(f"`first` takes 1 to {MAX_FIRST:,}; this is {first}.")
        cursors = Cursors(encode_query(query))  # type: ignore[arg-type]
        start = cursors.read(after) if after else first_position(first)
        read = await read_slice(partial(self._page, query), start, first)
        if read.error is not None:
            self._journal.add_error(read.error, path)
        return AssetConnection(read=read, cursors=cursors, resumed=after is not None)

    async def _page(self, query: ListQuery, token: str | None, size: int) -> Page[Asset]:
        key = PageKey(tuple(query.items()), size, token)
        document = self._journal.document(await self._pages.load(key))
        if document.missing:
            raise self.client.upstream.not_found("such list")
        page = msgspec.json.decode(document.body, type=_Page)
        return Page([self._member(asset, document) for asset in page.assets], page.next_pagination_token)

    def _member(self, asset: msgspec.Raw, page: Document) -> Asset | None:
        """Read a member of a page, and spare the request another call for it."""
        id_ = member_id(asset)
        if id_ is None:
            drift.note("GET /assets", "an asset without an id")
            return None
        document = part_of(page, "asset", id_, bytes(asset))
        self._assets.prime(id_, document)
        return Asset.of(document)

    async def _load_assets(self, asset_ids: Sequence[str]) -> list[Outcome]:
        outcomes = await self.client.assets(asset_ids)
        return [outcomes[asset_id] for asset_id in asset_ids]

    async def _load_pages(self, keys: Sequence[PageKey]) -> list[Outcome]:
        return await asyncio.gather(*(self.client.asset_page(dict(k.query), k.size, k.token) for k in keys))  # type: ignore[arg-type]

    async def _load_jobs(self, job_ids: Sequence[str]) -> list[Outcome]:
        return await asyncio.gather(*map(self.client.download_job, job_ids))
