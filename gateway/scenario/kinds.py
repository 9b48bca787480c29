"""The kinds of document that Scenario answers with, and how long each stays true."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from gateway.cache.document import Document, Kind, Lifetime
from gateway.cache.expiry import expires_at, first_expiry
from gateway.cache.freshness import Freshness
from gateway.telemetry import drift

FRUITLESS_JOB_STATUSES = ("failure", "canceled")


class _Image(msgspec.Struct, gc=False):
    url: Any = None


class _Metadata(msgspec.Struct, gc=False):
    thumbnail: _Image | None = None


class _Signed(msgspec.Struct, rename="camel", gc=False):
    """The keys of an asset that hold signed URLs, in the order of Scenario's SDK: the next one is looked for first."""

    metadata: _Metadata | None = None
    url: Any = None
    first_frame: _Image | None = None
    last_frame: _Image | None = None
    original_file_url: Any = None
    preview: _Image | None = None
    thumbnail: _Image | None = None

    def add_urls(self, urls: list[Any]) -> None:
        urls.append(self.url)
        if self.original_file_url is not None:
            urls.append(self.original_file_url)
        if self.preview is not None:
            urls.append(self.preview.url)
        if self.thumbnail is not None:
            urls.append(self.thumbnail.url)
        if self.first_frame is not None:
            urls.append(self.first_frame.url)
        if self.last_frame is not None:
            urls.append(self.last_frame.url)
        if self.metadata is not None and self.metadata.thumbnail is not None:
            urls.append(self.metadata.thumbnail.url)


class _Listed(_Signed, rename="camel", gc=False):
    id: str | None = None
    created_at: Any = None
    updated_at: Any = None


class _Odd(msgspec.Struct, gc=False):
    assets: list[Any]


class _Page(_Odd, rename="camel", gc=False):
    next_pagination_token: str | None = None


class _ListedPage(_Page, rename="camel", gc=False):
    assets: list[_Listed]


class _Indexed(msgspec.Struct, rename="camel", gc=False):
    id: str | None = None
    created_at: Any = None
    updated_at: Any = None


class _IndexedPage(_Page, rename="camel", gc=False):
    assets: list[_Indexed]


_listed, _indexed = msgspec.json.Decoder(_ListedPage).decode, msgspec.json.Decoder(_IndexedPage).decode


@dataclass(frozen=True, slots=True)
class Index:
    """What a page holds: the id of each member, None for one that nobody can ask for, and the next page's token.

    And when each was made and changed, as Scenario says it.
    """

    ids: Sequence[str | None]
    next_token: str | None
    created: Sequence[Any]
    updated: Sequence[Any]


def index_of(page: Document) -> Index:
    """Index a page, which was done when it came but for one that is odd. Raises `msgspec.DecodeError` for no page."""
    known: Index | None = page.made.get("index")
    if known is None:
        odd = msgspec.json.decode(page.body, type=_Page)  # a member that is no object, or whose id is no text
        known = page.made["index"] = _index([_indexed_in(asset) for asset in odd.assets], odd.next_pagination_token)
    return known


def _indexed_in(asset: object) -> _Indexed:
    keys = asset if isinstance(asset, dict) else {}
    id_ = keys.get("id")
    return _Indexed(id_ if isinstance(id_, str) else None, keys.get("createdAt"), keys.get("updatedAt"))


def _index(assets: Sequence[_Listed | _Indexed], token: str | None) -> Index:
    ids = [asset.id for asset in assets]
    if None in ids:
        drift.note("GET /assets", "an asset without an id")
    return Index(ids, token, [asset.created_at for asset in assets], [asset.updated_at for asset in assets])


class _Job(msgspec.Struct, rename="camel"):
    job_status: Any = None
    download_url: Any = None


def _urls(assets: Sequence[_Signed]) -> list[Any]:
    urls: list[Any] = []
    for asset in assets:
        asset.add_urls(urls)
    return urls


def _all_urls(value: Any) -> Iterator[str]:
    """Every text under a `url` or `originalFileUrl`, wherever it stands in a document of an unexpected shape."""
    if isinstance(value, dict):
        yield from (value[key] for key in ("url", "originalFileUrl") if isinstance(value.get(key), str))
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _all_urls(item)


def job_is_final(status: object, url: object) -> bool:
    """Whether a batch download can change no more: one of a status never seen before can, or whose URL is to come."""
    return status in FRUITLESS_JOB_STATUSES or (status == "success" and bool(url))


class ScenarioKinds:
    """Scenario's kinds with the freshness they are given."""

    def __init__(self, freshness: Freshness) -> None:
        self.freshness = freshness
        self.asset = Kind("asset", self._asset)
        self.asset_page = Kind("asset_page", self._asset_page)
        self.search = Kind("asset_search", lambda _body, _now: Lifetime(freshness.page, freshness.page_stale))
        self.download_job = Kind("download_job", self._download_job)

    def _asset(self, body: bytes, _now: float) -> Lifetime:
        try:
            first = first_expiry(_urls([msgspec.json.decode(body, type=_Signed)]))
        except msgspec.ValidationError:
            first = first_expiry(_all_urls(msgspec.json.decode(body, type=dict[str, Any])))
        return Lifetime(self.freshness.asset, self.freshness.asset_stale, first)

    def _asset_page(self, body: bytes, _now: float) -> Lifetime:
        fresh, stale = self.freshness.page, self.freshness.page_stale
        page: _ListedPage | _IndexedPage
        try:
            page = _listed(body) if fresh or stale else _indexed(body)  # when its URLs die is for who keeps it
        except msgspec.ValidationError:
            first = first_expiry(_all_urls(msgspec.json.decode(body, type=_Odd).assets))
            return Lifetime(fresh, stale, first)
        index = _index(page.assets, page.next_pagination_token)
        first = first_expiry(_urls(page.assets)) if isinstance(page, _ListedPage) else None
        return Lifetime(fresh, stale, first, {"index": index})

    def _download_job(self, body: bytes, now: float) -> Lifetime:
        job = msgspec.json.decode(body, type=_Job)
        if not job_is_final(job.job_status, job.download_url):
            return Lifetime(self.freshness.job_moving, expires_at=expires_at(job.download_url))
        if job.download_url:
            return self.freshness.of_signed_urls(expires_at(job.download_url), now)
        return Lifetime(self.freshness.job_final)
