"""What one request loads from Scenario: each document once, and assets by id together."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, NamedTuple

import msgspec
from strawberry.dataloader import DataLoader

from gateway.cache.document import Document
from gateway.cache.flight import Outcome
from gateway.errors import BadUserInput
from gateway.graph.journal import Journal
from gateway.graph.members import member
from gateway.graph.paging import Cursors, Page, first_position, read_slice
from gateway.graph.promise import promised
from gateway.scenario.client import MAX_BULK, ListQuery, ScenarioClient
from gateway.scenario.types import Asset, AssetConnection, DownloadJob
from gateway.telemetry import drift
from gateway.upstream.upstream import encode_query

MAX_FIRST = 1_000


class _Listed(msgspec.Struct):
    id: Any = None


class _Page(msgspec.Struct, rename="camel"):
    assets: list[Any]
    next_pagination_token: str | None = None


class _ListedPage(_Page, rename="camel"):
    assets: list[_Listed]


@dataclass(frozen=True, slots=True)
class Index:
    """What a page holds: the id of each member, None for one that nobody can ask for, and the next page's token."""

    ids: Sequence[str | None]
    places: Mapping[str, int]
    next_token: str | None


def _index(page: Document) -> Index:
    """Index a page once, and keep that with it. Raises `msgspec.DecodeError` for what is no page."""
    known: Index | None = page.made.get("index")
    if known is None:
        known = page.made["index"] = _read_index(page.body)
    return known


def _read_index(body: bytes) -> Index:
    try:
        listed = msgspec.json.decode(body, type=_ListedPage)
        found = [asset.id for asset in listed.assets]
        token = listed.next_pagination_token
    except msgspec.ValidationError:  # a member that is no object
        page = msgspec.json.decode(body, type=_Page)
        found = [asset.get("id") if isinstance(asset, dict) else None for asset in page.assets]
        token = page.next_pagination_token
    ids = [id_ if isinstance(id_, str) else None for id_ in found]
    if None in ids:
        drift.note("GET /assets", "an asset without an id")
    return Index(ids, {id_: place for place, id_ in enumerate(ids) if id_ is not None}, token)


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
        self._seen: list[Document] = []

    @cached_property
    def _assets(self) -> DataLoader[str, Outcome]:
        return DataLoader(load_fn=self._load_assets, max_batch_size=MAX_BULK)

    @cached_property
    def _pages(self) -> DataLoader[PageKey, Outcome]:
        return DataLoader(load_fn=self._load_pages)

    @cached_property
    def _jobs(self) -> DataLoader[str, Outcome]:
        return DataLoader(load_fn=self._load_jobs)

    def asset(self, asset_id: str) -> Asset | None:
        """One asset, or a promise of it; those asked for in the same step of the request come in one call."""
        kept = self.client.upstream.peek(self.client.kinds.asset, asset_id) or self._on_a_page(asset_id)
        if kept is None:
            return promised(self._asset_later(asset_id))
        return None if self._journal.serve(kept).missing else Asset.of(kept)

    async def _asset_later(self, asset_id: str) -> Asset | None:
        document = self._journal.document(await self._assets.load(asset_id))
        return None if document.missing else Asset.of(document)

    def linked_asset(self, asset_id: object) -> Asset | None:
        """The asset that another document points to, where that is an id at all."""
        return self.asset(asset_id) if isinstance(asset_id, str) and asset_id else None

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
        self._seen.clear()
        return Asset.of(asset)

    async def connection(
        self, query: ListQuery, first: int, after: str | None, path: list[str | int]
    ) -> AssetConnection:
        """Assets in order. Raises BadUserInput for a bad `first` or `after`; an error after the first page is noted."""
        if not 1 <= first <= MAX_FIRST:
            raise BadUserInput(f"`first` takes 1 to {MAX_FIRST:,}; this is {first}.")
        cursors = Cursors(encode_query(query))  # type: ignore[arg-type]
        start = first_position(first) if after is None else cursors.read(after)
        read = await read_slice(partial(self._page, query), start, first)
        if read.error is not None:
            self._journal.add_error(read.error, path)
        return AssetConnection(read=read, cursors=cursors, resumed=after is not None)

    def _on_a_page(self, asset_id: str) -> Document | None:
        """Find an asset on the pages that the request has read."""
        for page in self._seen:
            place = _index(page).places.get(asset_id)
            if place is not None:
                return member(page, "assets", "asset", place)
        return None

    async def _page(self, query: ListQuery, token: str | None, size: int) -> Page[Document]:
        kept = self.client.kept_asset_page(query, size, token)
        if kept is None:
            document = self._journal.document(await self._pages.load(PageKey(tuple(query.items()), size, token)))
        else:
            document = self._journal.serve(kept)
        if document.missing:
            raise self.client.upstream.not_found("such list")
        try:
            index = _index(document)
        except msgspec.DecodeError:
            raise self.client.upstream.broken_contract() from None
        self._seen.append(document)
        return Page([None if id_ is None else document for id_ in index.ids], index.next_token)

    async def _load_assets(self, asset_ids: Sequence[str]) -> list[Outcome]:
        outcomes = await self.client.assets(asset_ids)
        return [outcomes[asset_id] for asset_id in asset_ids]

    async def _load_pages(self, keys: Sequence[PageKey]) -> list[Outcome]:
        return await asyncio.gather(*(self.client.asset_page(dict(k.query), k.size, k.token) for k in keys))  # type: ignore[arg-type]

    async def _load_jobs(self, job_ids: Sequence[str]) -> list[Outcome]:
        return await asyncio.gather(*map(self.client.download_job, job_ids))
