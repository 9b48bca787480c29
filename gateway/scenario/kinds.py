"""The kinds of document that Scenario answers with, and how long each stays true."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from gateway.cache.document import Kind, Lifetime
from gateway.cache.expiry import expires_at, first_expiry
from gateway.cache.freshness import Freshness

FINAL_JOB_STATUSES = frozenset({"success", "failure", "canceled"})


class _Signed(msgspec.Struct, rename="camel"):
    """The keys of an asset that hold signed URLs."""

    url: Any = None
    original_file_url: Any = None
    preview: Any = None
    thumbnail: Any = None
    first_frame: Any = None
    last_frame: Any = None

    def urls(self) -> Iterator[Any]:
        yield self.url
        yield self.original_file_url
        for image in (self.preview, self.thumbnail, self.first_frame, self.last_frame):
            yield image.get("url") if isinstance(image, dict) else None


class _Page(msgspec.Struct):
    assets: list[_Signed]


class _Job(msgspec.Struct, rename="camel"):
    job_status: Any = None
    download_url: Any = None


def job_is_final(status: object) -> bool:
    """Whether a batch download can change no more; a status never seen before can."""
    return status in FINAL_JOB_STATUSES


@dataclass(frozen=True, slots=True)
class ScenarioKinds:
    """Scenario's kinds with the freshness they are given."""

    freshness: Freshness

    @property
    def asset(self) -> Kind:
        """One asset."""
        return Kind("asset", self._asset)

    @property
    def asset_page(self) -> Kind:
        """One page of a list of assets."""
        return Kind("asset_page", self._asset_page)

    @property
    def download_job(self) -> Kind:
        """The status of a batch download."""
        return Kind("download_job", self._download_job)

    def _asset(self, body: bytes, _now: float) -> Lifetime:
        signed = msgspec.json.decode(body, type=_Signed)
        return Lifetime(self.freshness.asset, self.freshness.asset_stale, first_expiry(signed.urls()))

    def _asset_page(self, body: bytes, _now: float) -> Lifetime:
        assets = msgspec.json.decode(body, type=_Page).assets
        first = first_expiry(url for asset in assets for url in asset.urls())
        return Lifetime(self.freshness.page, self.freshness.page_stale, first)

    def _download_job(self, body: bytes, now: float) -> Lifetime:
        job = msgspec.json.decode(body, type=_Job)
        if not job_is_final(job.job_status):
            return Lifetime(self.freshness.job_moving)
        if job.download_url:
            return self.freshness.of_signed_urls(expires_at(job.download_url), now)
        return Lifetime(self.freshness.job_final)
