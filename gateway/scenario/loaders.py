"""What one request loads from Scenario: each document once, and assets by id together."""

from collections.abc import Mapping
from functools import partial

import msgspec

from gateway.cache.document import Document
from gateway.cache.flight import Outcome, Waiting
from gateway.errors import BadUserInput
from gateway.graph.journal import Journal
from gateway.graph.loading import Loader, Once
from gateway.graph.members import member
from gateway.graph.paging import Cursors, Page, first_position, read_slice
from gateway.graph.promise import Promise, promised
from gateway.scenario.client import MAX_BULK, ListQuery, ScenarioClient
from gateway.scenario.kinds import index_of
from gateway.scenario.types import MAX_FIRST, Asset, AssetConnection, DownloadJob
from gateway.upstream.upstream import encode_query


class ScenarioLoaders:
    """Belongs to one request. Errors are raised where the field is read; what Scenario does not have is None."""

    __slots__ = ("_assets", "_jobs", "_journal", "_pages", "_seen", "client")

    def __init__(self, client: ScenarioClient, journal: Journal) -> None:
        self.client = client
        self._journal = journal
        self._seen: list[Document] = []
        self._assets: Loader[str] = Loader(journal.loop)
        self._pages: Once[str] = Once(journal.loop)
        self._jobs: Once[str] = Once(journal.loop)

    def asset(self, asset_id: str) -> Asset | None:
        """One asset, or a promise of it; those asked for in the same step of the request come in one call."""
        kept = self.client.upstream.peek(self.client.kinds.asset, asset_id) or self._on_a_page(asset_id)
        if kept is None:
            return promised(Promise(self._assets.load_together(asset_id, self._start_assets), self._read_asset))
        return self._read_asset(kept)

    def _read_asset(self, outcome: Outcome) -> Asset | None:
        document = self._journal.document(outcome)
        return None if document.missing else Asset.of(document)

    def linked_asset(self, asset_id: object) -> Asset | None:
        """The asset that another document points to, where that is an id at all."""
        return self.asset(asset_id) if isinstance(asset_id, str) and asset_id else None

    def download_job(self, job_id: str) -> DownloadJob | None:
        """One batch download, or a promise of it."""
        waiting = self._jobs.load(job_id, partial(self.client.download_job, job_id))
        return promised(Promise(waiting, self._read_job))

    def _read_job(self, outcome: Outcome) -> DownloadJob | None:
        document = self._journal.document(outcome)
        return None if document.missing else DownloadJob.of(document)

    def accepted_job(self, job_id: str) -> DownloadJob:
        """A batch download that Scenario has just accepted, without asking how far it is."""
        body = msgspec.json.encode({"jobId": job_id, "jobStatus": "pending"})
        return DownloadJob.of(self.client.upstream.document(self.client.kinds.download_job, job_id, body))

    def changed(self, asset: Document) -> Asset:
        """Read an asset as a change left it, and forget what the request read before."""
        self._assets.prime(asset.id, asset)
        self._pages.clear()
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
            place = index_of(page).places.get(asset_id)
            if place is not None:
                return member(page, "assets", "asset", place)
        return None

    async def _page(self, query: ListQuery, token: str | None, size: int) -> Page[Document]:
        asked = self.client.asked_page(query, size, token)
        kept = self.client.kept_asset_page(asked)
        outcome = kept or await self._pages.load(asked, partial(self.client.asset_page, asked))
        document = self._journal.document(outcome)
        if document.missing:
            raise self.client.upstream.not_found("such list")
        try:
            index = index_of(document)
        except msgspec.DecodeError:
            raise self.client.upstream.broken_contract() from None
        self._seen.append(document)
        return Page([None if id_ is None else document for id_ in index.ids], index.next_token)

    def _start_assets(self, wanted: Mapping[str, Waiting]) -> None:
        """As few calls as Scenario takes."""
        ids = list(wanted)
        for first in range(0, len(ids), MAX_BULK):
            self.client.assets({id_: wanted[id_] for id_ in ids[first : first + MAX_BULK]})
