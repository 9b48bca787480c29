"""What one request loads from Prism: each document once, whatever the aliases."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

import msgspec
from strawberry.dataloader import DataLoader

from gateway.cache.document import Document, part_of
from gateway.cache.flight import Outcome
from gateway.errors import (
    UpstreamError,
    UpstreamRateLimited,
    UpstreamRejected,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from gateway.graph.journal import Journal
from gateway.graph.promise import promised
from gateway.graph.scalars import read_url
from gateway.graph.signed_url import SignedUrl
from gateway.prism.client import PrismClient
from gateway.prism.enums import ScanAssetType
from gateway.prism.types import MIME_TYPES, ScanAssets, ScanAssetUrls, ScanRecord

RECORD, STAGES, ALL_URLS = "record", "stages", "all"
FIRST_ASSET_TYPES = {"preview-image", "model", "stripes"}  # the others came in 2026-05; an older Prism refuses them

Parts = frozenset[str]
LoadParts = Callable[[str, Parts], Awaitable[Mapping[str, Outcome]]]


class Part(NamedTuple):
    """A part of a scan that a request wants."""

    scan_id: str
    part: str


class _Embedding(msgspec.Struct, rename="camel"):
    scan_assets: msgspec.Raw = msgspec.Raw(b"null")


class PrismLoaders:
    """Belongs to one request. Errors are raised where the field is read; a 404 of a part that may not exist is None."""

    def __init__(self, client: PrismClient, journal: Journal) -> None:
        self._client = client
        self._journal = journal

    @cached_property
    def _stages(self) -> DataLoader[Part, Outcome]:
        return _by_scan(self._load_record_and_stages)

    @cached_property
    def _urls(self) -> DataLoader[Part, Outcome]:
        return _by_scan(self._load_urls)

    async def record(self, scan_id: str) -> ScanRecord:
        """The scan's own record. Raises UpstreamNotFound when Prism has no such scan."""
        document = self._journal.document(await self._stages.load(Part(scan_id, RECORD)))
        if document.missing:
            raise self._client.upstream.not_found("such scan")
        return ScanRecord.of(document)

    async def exists(self, scan_id: str) -> bool:
        """Whether Prism has such a scan."""
        return not self._journal.document(await self._stages.load(Part(scan_id, RECORD))).missing

    def stages(self, scan_id: str) -> ScanAssets | None:
        """The status of each stage, or a promise of it; None before capture."""
        kept = self._client.kept(self._client.kinds.scan_assets, scan_id)
        if kept is None:
            return promised(self._stages_later(scan_id))
        return None if self._journal.serve(kept).missing else ScanAssets.of(kept)

    async def _stages_later(self, scan_id: str) -> ScanAssets | None:
        document = self._journal.document(await self._stages.load(Part(scan_id, STAGES)))
        return None if document.missing else ScanAssets.of(document)

    def urls(self, scan_id: str) -> ScanAssetUrls | None:
        """Every signed URL, or a promise of them; None when Prism has none yet."""
        kept = self._client.kept(self._client.kinds.asset_urls, scan_id)
        if kept is None:
            return promised(self._urls_later(scan_id))
        return None if self._journal.serve(kept).missing else ScanAssetUrls.of(kept)

    async def _urls_later(self, scan_id: str) -> ScanAssetUrls | None:
        document = self._journal.document(await self._urls.load(Part(scan_id, ALL_URLS)))
        return None if document.missing else ScanAssetUrls.of(document)

    async def url(self, scan_id: str, asset_type: ScanAssetType) -> SignedUrl | None:
        """One signed URL; None when the scan has no such file."""
        document = self._journal.document(await self._urls.load(Part(scan_id, asset_type.value)))
        url = read_url(msgspec.json.decode(document.body))
        return None if url is None else SignedUrl.read(url, MIME_TYPES.get(asset_type))

    async def _load_record_and_stages(self, scan_id: str, parts: Parts) -> Mapping[str, Outcome]:
        """One call where the record embeds the stages, and none for the stages alone where such a record is at hand."""
        if RECORD in parts:
            record: Outcome | None = await self._client.scan(scan_id)
        else:
            record = self._client.kept(self._client.kinds.scan, scan_id)
        found = {} if record is None else {RECORD: record}
        if STAGES in parts:
            found[STAGES] = embedded_stages(record) or await self._client.scan_assets(scan_id)
        return found

    async def _load_urls(self, scan_id: str, parts: Parts) -> Mapping[str, Outcome]:
        """No call where all are at hand; else one: for the single URL when just one is wanted, else for all of them."""
        kept = self._client.kept(self._client.kinds.asset_urls, scan_id)
        if kept is not None:
            return {part: kept if part == ALL_URLS else _one_url(kept, part) for part in parts}
        if len(parts) == 1 and ALL_URLS not in parts:
            (asset_type,) = parts
            outcome = await self._client.asset_url(scan_id, asset_type)
            if not _may_be_too_new(asset_type, outcome):
                return {asset_type: outcome}
        urls = await self._client.asset_urls(scan_id)
        return {part: urls if part == ALL_URLS else _one_url(urls, part) for part in parts}


def _by_scan(load_parts: LoadParts) -> DataLoader[Part, Outcome]:
    """Load the parts of a scan together, and scans beside each other."""

    async def load(wanted: Sequence[Part]) -> list[Outcome]:
        parts: defaultdict[str, set[str]] = defaultdict(set)
        for scan_id, part in wanted:
            parts[scan_id].add(part)
        loads = [load_parts(scan_id, frozenset(some)) for scan_id, some in parts.items()]
        loaded = await asyncio.gather(*loads) if len(loads) > 1 else [await loads[0]]
        by_scan = dict(zip(parts, loaded, strict=True))
        return [by_scan[scan_id][part] for scan_id, part in wanted]

    return DataLoader(load_fn=load)


def embedded_stages(record: Outcome | None) -> Outcome | None:
    """Take the stages out of a record that embeds them, with its own times; or the failure that stops both."""
    if isinstance(record, UpstreamUnavailable | UpstreamTimeout | UpstreamRateLimited):
        return record
    if not isinstance(record, Document) or record.missing:
        return None
    stages = bytes(msgspec.json.decode(record.body, type=_Embedding).scan_assets)
    return part_of(record, "scan_assets", record.id, stages) if stages.startswith(b"{") else None


def _may_be_too_new(asset_type: str, outcome: Outcome) -> bool:
    """Whether Prism may know the file but not yet the route to its URL alone."""
    refused = isinstance(outcome, UpstreamRejected) or (isinstance(outcome, Document) and outcome.missing)
    return refused and asset_type not in FIRST_ASSET_TYPES


def _one_url(urls: Outcome, asset_type: str) -> Outcome:
    """Take one URL out of all of them, as the route for it alone would answer."""
    if isinstance(urls, UpstreamError) or urls.missing:
        return urls
    first, *rest = asset_type.split("-")
    url = msgspec.json.decode(urls.body).get(first + "".join(map(str.capitalize, rest)))
    return part_of(urls, "scan_asset_url", f"{urls.id}/{asset_type}", msgspec.json.encode(url))
