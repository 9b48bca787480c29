"""What one request loads from Scenario: each document once, and assets by id together."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import msgspec

from gateway.cache.document import Document
from gateway.cache.flight import DocumentOrError, Waiting
from gateway.errors import BadUserInput, UpstreamError
from gateway.graph.journal import Journal
from gateway.graph.loading import Loader, Once
from gateway.graph.members import member
from gateway.graph.paging import Cursors, Page, Position, Slice, first_position, read_slice
from gateway.graph.promise import Promise, promised
from gateway.scenario.client import MAX_BULK, ListQuery, ScenarioClient
from gateway.scenario.hidden import HiddenTags
from gateway.scenario.hits import hits_of
from gateway.scenario.kinds import index_of
from gateway.scenario.order import order_of
from gateway.scenario.tagged import Tagged, is_of_recent, offset_in, with_documents
from gateway.scenario.types import MAX_FIRST, Asset, AssetConnection, DownloadJob
from gateway.upstream.targets import encode_query


class ScenarioLoaders:
    """Belongs to one request. Errors are raised where the field is read; what Scenario does not have is None.

    Whatever is shown of an asset is without the tags that are `hidden` from the caller.
    """

    __slots__ = ("_assets", "_hidden", "_jobs", "_journal", "_pages", "_places", "_seen", "client")

    def __init__(self, client: ScenarioClient, journal: Journal, hidden: HiddenTags | None) -> None:
        self.client = client
        self._hidden = hidden
        self._journal = journal
        self._seen: list[Document] = []  # pages of which it is not noted yet where each asset stands
        self._places: dict[str, tuple[Document, int]] = {}
        self._assets: Loader[str] = Loader(journal.loop)
        self._pages: Once[str] = Once(journal.loop)  # of lists by their query strings, of search by `search …`
        self._jobs: Once[str] = Once(journal.loop)

    def asset(self, asset_id: str) -> Asset | None:
        """One asset, or a promise of it; those asked for in the same step of the request come in one call."""
        kept = self._at_hand(asset_id)
        if kept is None:
            return promised(Promise(self._assets.load_together(asset_id, self._start_assets), self._read_asset))
        return self._read_asset(kept)

    def _at_hand(self, asset_id: str) -> Document | None:
        return self.client.upstream.peek(self.client.kinds.asset, asset_id) or self._on_a_page(asset_id)

    def _read_asset(self, outcome: DocumentOrError) -> Asset | None:
        document = self._journal.document(outcome)
        return None if document.missing else Asset.of(self._shown(document))

    def _shown(self, document: Document) -> Document:
        return document if self._hidden is None else self._hidden.without(document)

    def referred_asset(self, asset_id: object) -> Asset | None:
        """The asset that another document refers to, where that is an id at all."""
        return self.asset(asset_id) if isinstance(asset_id, str) and asset_id else None

    def download_job(self, job_id: str) -> DownloadJob | None:
        """One batch download, or a promise of it."""
        waiting = self._jobs.load(job_id, partial(self.client.download_job, job_id))
        return promised(Promise(waiting, self._read_job))

    def _read_job(self, outcome: DocumentOrError) -> DownloadJob | None:
        document = self._journal.document(outcome)
        return None if document.missing else DownloadJob.of(document)

    def accepted_job(self, job_id: str) -> DownloadJob:
        """A batch download that Scenario has just accepted, without asking how far it is."""
        body = msgspec.json.encode({"jobId": job_id, "jobStatus": "pending"})
        return DownloadJob.of(self.client.upstream.document(self.client.kinds.download_job, job_id, body))

    def changed(self, asset: Document, *, original_assets: bool) -> Asset:
        """Read an asset as a change left it, and forget what the request read before.

        Who asks for it after that gets it so too, but for one with the original's URL, which is not what readers get.
        """
        if original_assets:
            self._assets.forget(asset.id)
        else:
            self._assets.prime(asset.id, asset)
        self._forget_pages()
        return Asset.of(self._shown(asset))

    def forget(self) -> None:
        """Forget what the request read before, as assets have changed."""
        self._assets.clear()
        self._forget_pages()

    def _forget_pages(self) -> None:
        self._pages.clear()
        self._seen.clear()
        self._places.clear()

    async def connection(
        self, query: ListQuery, first: int, after: str | None, path: list[str | int]
    ) -> AssetConnection:
        """Assets in order; an error after the first page is noted.

        Raises that of the first page, and BadUserInput for a bad `first` or `after` or a tag that is hidden.
        """
        if self._hidden is not None and any(map(self._hidden.hides, query.get("tags", ()))):
            raise BadUserInput("`filter.tags` names a tag that the caller may not read.")
        filter_ = encode_query(query)  # type: ignore[arg-type]
        cursors, start = _beginning(filter_, first, after)
        read = await read_slice(partial(self._page, query, filter_), start, first)
        return self._connected(read, cursors, after, path)

    async def tagged(self, tagged: Tagged, first: int, after: str | None, path: list[str | int]) -> AssetConnection:
        """Assets that bear a tag, likewise; fewer than `first` where some do not bear it any more."""
        cursors, start = _beginning(tagged.filter, first, after)
        said: dict[str, float] = {}
        found = await read_slice(partial(self._found, tagged, said), tagged.begin(start), first)
        bearers = await self._bearers(tagged, found, said)
        return replace(self._connected(bearers, cursors, after, path), is_of_documents=True)

    def _connected(
        self, read: Slice[Document], cursors: Cursors, after: str | None, path: list[str | int]
    ) -> AssetConnection:
        if read.error is not None:
            self._journal.add_error(read.error, path)
        return AssetConnection(read=read, cursors=cursors, resumed=after is not None)

    async def _bearers(self, tagged: Tagged, found: Slice[str], said: Mapping[str, float]) -> Slice[Document]:
        """Load what was found, together, and keep what bears the tag. Raises what all of it failed with.

        Whatever was `said` at some moment to bear it, and did not in a document from before, is loaded anew.
        """
        ids = [id_ for run in found.runs for place in run.places if (id_ := run.page.items[place])]
        outcomes = await self._outcomes(ids)
        behind = [id_ for id_, outcome in outcomes.items() if _is_behind(tagged, outcome, said.get(id_, 0))]
        for id_ in behind:
            await self.client.upstream.forget(self.client.kinds.asset, id_)
            self._assets.forget(id_)
        outcomes |= await self._loaded(behind)
        errors = [outcome for outcome in outcomes.values() if isinstance(outcome, UpstreamError)]
        documents = {
            id_: self._shown(document)
            for id_, outcome in outcomes.items()
            if not isinstance(outcome, UpstreamError)
            and not (document := self._journal.document(outcome)).missing
            and tagged.is_on(document)
        }
        if errors and not documents:
            raise errors[0]
        bearing = with_documents(found, documents)
        return bearing if bearing.error or not errors else replace(bearing, error=errors[0])

    async def _outcomes(self, asset_ids: Iterable[str]) -> dict[str, DocumentOrError]:
        at_hand = {id_: self._at_hand(id_) for id_ in asset_ids}
        loaded = await self._loaded([id_ for id_, document in at_hand.items() if document is None])
        return {id_: document or loaded[id_] for id_, document in at_hand.items()}

    async def _loaded(self, asset_ids: Sequence[str]) -> Mapping[str, DocumentOrError]:
        waiting = [_outcome(self._assets.load_together(id_, self._start_assets)) for id_ in asset_ids]
        return dict(zip(asset_ids, await asyncio.gather(*waiting), strict=True))

    def _on_a_page(self, asset_id: str) -> Document | None:
        """Find an asset on the pages that the request has read; of several the first."""
        for page in self._seen:
            for place, id_ in enumerate(index_of(page).ids):
                if id_ is not None:
                    self._places.setdefault(id_, (page, place))
        self._seen.clear()
        found = self._places.get(asset_id)
        return None if found is None else member(found[0], "assets", "asset", found[1])

    async def _page(self, query: ListQuery, filter_: str, token: str | None, size: int) -> Page[Document]:
        asked = self.client.asked_page(filter_, size, token)
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
        shown = self._shown(document)
        items = [None if id_ is None else shown for id_ in index.ids] if None in index.ids else [shown] * len(index.ids)
        order = order_of(index, query.get("sortBy"), query.get("sortDirection"))
        return Page.before(items, index.next_token, order, self.client.lost_page)

    async def _found(self, tagged: Tagged, said: dict[str, float], token: str | None, size: int) -> Page[str]:
        token = token or ""
        if is_of_recent(token):
            return tagged.recent_page(token)
        offset = offset_in(token)
        begin = partial(self.client.search, tagged, offset, size)
        document = self._journal.document(await self._pages.load(f"search {offset} {size} {tagged.filter}", begin))
        if document.missing:
            raise self.client.upstream.not_found("such search")
        hits = hits_of(document)
        said.update(dict.fromkeys(hits.bearers, document.fetched_at))
        return tagged.page(token, hits)

    def _start_assets(self, wanted: Mapping[str, Waiting]) -> None:
        """As few calls as Scenario takes."""
        ids = list(wanted)
        for first in range(0, len(ids), MAX_BULK):
            self.client.assets({id_: wanted[id_] for id_ in ids[first : first + MAX_BULK]})


async def _outcome(waiting: Waiting) -> DocumentOrError:
    return await waiting


def _is_behind(tagged: Tagged, outcome: DocumentOrError, said_at: float) -> bool:
    return isinstance(outcome, Document) and outcome.fetched_at < said_at and not tagged.is_on(outcome)


def _beginning(filter_: str, first: int, after: str | None) -> tuple[Cursors, Position]:
    if not 1 <= first <= MAX_FIRST:
        raise BadUserInput(f"`first` takes 1 to {MAX_FIRST:,}; this is {first}.")
    cursors = Cursors(filter_)
    return cursors, first_position(first) if after is None else cursors.read(after)
