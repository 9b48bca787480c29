"""What one request loads from Prism: each document once, whatever the aliases."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

import msgspec

from gateway.auth.scopes import is_confined
from gateway.cache.document import Document, part_of
from gateway.cache.flight import DocumentOrError, Waiting
from gateway.errors import UpstreamError, UpstreamRejected
from gateway.graph.journal import Journal
from gateway.graph.loading import Loader, Once, after
from gateway.graph.promise import Promise, promised
from gateway.graph.scalars import read_url
from gateway.graph.signed_url import SignedUrl
from gateway.prism.client import PrismClient
from gateway.prism.enums import ScanAssetType
from gateway.prism.owned import Scans, scans_of
from gateway.prism.types import MIME_TYPES, Scan, ScanAssets, ScanAssetUrls, ScanRecord

T = TypeVar("T")
Part = tuple[str, str]  # of a scan: its id, and which part

ITS_RECORD, ITS_STAGES = "record", "stages"
FIRST_ASSET_TYPES = {"preview-image", "model", "stripes"}  # the others came in 2026-05; an older Prism refuses them


class PrismLoaders:
    """Belongs to one request. Errors are raised where the field is read; a 404 of a part that may not exist is None.

    Whatever is loaded of a scan comes by way of the caller's `Scans`, which have none that the caller may not see.
    """

    __slots__ = ("_client", "_every_url", "_journal", "_parts", "_single_urls")

    def __init__(self, client: PrismClient, journal: Journal) -> None:
        self._client: Scans = scans_of(client, journal)
        self._journal = journal
        self._parts: Loader[Part] = Loader(journal.loop)
        self._every_url: Once[str] = Once(journal.loop)
        self._single_urls: Loader[Part] = Loader(journal.loop)

    def recorded(self, scan_id: str, name: str) -> Any:
        """A field of the scan's own record, or a promise of it. Raises UpstreamNotFound when Prism has no such scan."""
        return self._record(scan_id, lambda outcome: getattr(ScanRecord.of(self._read_record(outcome)), name))

    def existing(self, scan_id: str) -> Scan | None:
        """The scan where Prism has it, or a promise of it."""
        return self._record(
            scan_id, lambda outcome: None if self._journal.document(outcome).missing else Scan.by_id(scan_id)
        )

    def linked(self, scan_id: str) -> Scan | None:
        """The scan that something else tells of: at once where the caller may see every scan, else a promise of theirs.

        Of anyone else's nothing is told, not even its id, by which it was found.
        """
        return self._record(scan_id, self._read_linked) if is_confined(self._journal.caller) else Scan.by_id(scan_id)

    def _read_linked(self, outcome: DocumentOrError) -> Scan | None:
        if isinstance(outcome, Document) and outcome.missing:
            self._journal.serve(outcome, is_named=False)
            return None
        return Scan.by_id(self._journal.document(outcome).id)

    async def check(self, scan_id: str) -> None:
        """Let a scan pass that the caller may see; it takes no call where that is every scan.

        Raises UpstreamNotFound for anyone else's, as for none.
        """
        if is_confined(self._journal.caller):
            waiting = self._record(scan_id, self._read_record)
            if isinstance(waiting, Promise):
                await waiting

    def _record(self, scan_id: str, read: Callable[[DocumentOrError], T]) -> T:
        kept = self._client.kept(self._client.kinds.scan, scan_id)
        if kept is None:
            return promised(Promise(self._parts.load_together((scan_id, ITS_RECORD), self._start_parts), read))
        return read(kept)

    def _read_record(self, outcome: DocumentOrError) -> Document:
        document = self._journal.document(outcome)
        if document.missing:
            raise self._client.upstream.not_found("such scan")
        return document

    def stages(self, scan_id: str) -> ScanAssets | None:
        """The status of each stage, or a promise of it; None before capture."""
        kept = self._client.kept(self._client.kinds.scan_assets, scan_id)
        if kept is None:
            return promised(
                Promise(self._parts.load_together((scan_id, ITS_STAGES), self._start_parts), self._read_stages)
            )
        return self._read_stages(kept)

    def _read_stages(self, outcome: DocumentOrError) -> ScanAssets | None:
        document = self._journal.document(outcome)
        return None if document.missing else ScanAssets.of(document)

    def urls(self, scan_id: str) -> ScanAssetUrls | None:
        """Every signed URL, or a promise of them; None when Prism has none yet."""
        kept = self._client.kept(self._client.kinds.asset_urls, scan_id)
        if kept is None:
            return promised(Promise(self._load_urls(scan_id), self._read_urls))
        return self._read_urls(kept)

    def _read_urls(self, outcome: DocumentOrError) -> ScanAssetUrls | None:
        document = self._journal.document(outcome)
        return None if document.missing else ScanAssetUrls.of(document)

    def url(self, scan_id: str, asset_type: ScanAssetType) -> SignedUrl | None:
        """A promise of one signed URL; None when the scan has no such file."""
        waiting = self._single_urls.load_together((scan_id, asset_type.value), self._start_single_urls)
        return promised(Promise(waiting, partial(self._read_url, MIME_TYPES.get(asset_type))))

    def _read_url(self, mime_type: str | None, outcome: DocumentOrError) -> SignedUrl | None:
        url = read_url(msgspec.json.decode(self._journal.document(outcome).body))
        return None if url is None else SignedUrl.read(url, mime_type)

    def _load_urls(self, scan_id: str) -> Waiting:
        """Begin at once: whatever else the request wants of this scan, it is one call."""
        return self._every_url.load(scan_id, partial(self._client.asset_urls, scan_id))

    def _start_parts(self, wanted: Mapping[Part, Waiting]) -> None:
        """One call where the record embeds the stages, and none for the stages alone where such a record is at hand."""
        for (scan_id, part), waiting in wanted.items():
            if part == ITS_RECORD:
                self._client.scan(scan_id, waiting=waiting)
            elif (record := wanted.get((scan_id, ITS_RECORD))) is not None:
                after(record, waiting, partial(self._start_stages, scan_id, waiting))
            else:
                self._start_stages(scan_id, waiting, self._client.kept(self._client.kinds.scan, scan_id))

    def _start_stages(self, scan_id: str, waiting: Waiting, record: DocumentOrError | None) -> None:
        stages = self._client.embedded_stages(record)
        if stages is None:
            self._client.scan_assets(scan_id, waiting=waiting)
        else:
            waiting.set_result(stages)

    def _start_single_urls(self, wanted: Mapping[Part, Waiting]) -> None:
        parts: defaultdict[str, dict[str, Waiting]] = defaultdict(dict)
        for (scan_id, asset_type), waiting in wanted.items():
            parts[scan_id][asset_type] = waiting
        for scan_id, some in parts.items():
            task = asyncio.ensure_future(self._load_single_urls(scan_id, some))
            for waiting in some.values():
                waiting.on_cancel = task.cancel

    async def _load_single_urls(self, scan_id: str, wanted: Mapping[str, Waiting]) -> None:
        """No call where all are at hand or on their way; else one: for one URL where only that is wanted, else all."""
        kept = self._client.kept(self._client.kinds.asset_urls, scan_id)
        if kept is None and len(wanted) == 1 and not self._every_url.has(scan_id):
            ((asset_type, waiting),) = wanted.items()
            outcome = await self._client.asset_url(scan_id, asset_type)
            if not _may_be_too_new(asset_type, outcome):
                waiting.set_result(outcome)
                return
        urls = kept or await self._load_urls(scan_id)
        for asset_type, waiting in wanted.items():
            waiting.set_result(_one_url(urls, asset_type))


def _may_be_too_new(asset_type: str, outcome: DocumentOrError) -> bool:
    """Whether Prism may know the file but not yet the route to its URL alone."""
    refused = isinstance(outcome, UpstreamRejected) or (isinstance(outcome, Document) and outcome.missing)
    return refused and asset_type not in FIRST_ASSET_TYPES


def _one_url(urls: DocumentOrError, asset_type: str) -> DocumentOrError:
    """Take one URL out of all of them, as the route for it alone would answer."""
    if isinstance(urls, UpstreamError) or urls.missing:
        return urls
    first, *rest = asset_type.split("-")
    url = msgspec.json.decode(urls.body).get(first + "".join(map(str.capitalize, rest)))
    return part_of(urls, "scan_asset_url", f"{urls.id}/{asset_type}", msgspec.json.encode(url))
