"""The Prism Hosted API, as far as the gateway uses it."""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from gateway.cache.document import Document, Kind
from gateway.cache.flight import Outcome
from gateway.errors import UpstreamError
from gateway.prism.kinds import PrismKinds
from gateway.upstream.upstream import Upstream, path

HEADERS: Mapping[str, str] = {"accept": "application/json;v=1", "content-type": "application/json"}


class PrismClient:
    """Prism's reading routes. Every answer is a document, one that is missing, or the error that stands for it."""

    def __init__(self, upstream: Upstream, kinds: PrismKinds) -> None:
        self.upstream = upstream
        self.kinds = kinds

    async def scan(self, scan_id: str, *, anew: bool = False) -> Outcome:
        """`GET /scans/{id}`: status and details, possibly with the stages embedded."""
        return await self.upstream.get(self.kinds.scan, scan_id, path("/scans/{}", scan_id), anew=anew)

    def kept(self, kind: Kind, scan_id: str) -> Document | None:
        """A document of a scan where it is at hand and fresh; never calls."""
        return self.upstream.peek(kind, scan_id)

    async def scan_assets(self, scan_id: str, *, anew: bool = False) -> Outcome:
        """`GET /scans/{id}/scan-assets`: the status of each stage."""
        route = path("/scans/{}/scan-assets", scan_id)
        return await self.upstream.get(self.kinds.scan_assets, scan_id, route, anew=anew)

    async def asset_urls(self, scan_id: str) -> Outcome:
        """`GET /scans/{id}/asset-urls`: every signed URL."""
        return await self.upstream.get(self.kinds.asset_urls, scan_id, path("/scans/{}/asset-urls", scan_id))

    async def asset_url(self, scan_id: str, asset_type: str) -> Outcome:
        """`GET /scans/{id}/asset-urls/{assetType}`: one signed URL as a JSON string, however it arrived."""

        async def fetch(ids: Sequence[str]) -> Mapping[str, bytes | UpstreamError]:
            body = await self.upstream.call("GET", path("/scans/{}/asset-urls/{}", scan_id, asset_type))
            return dict.fromkeys(ids, as_json_string(body))

        id_ = f"{scan_id}/{asset_type}"
        return (await self.upstream.load(self.kinds.asset_url, [id_], fetch))[id_]

    async def forget_urls(self, scan_id: str, asset_types: Iterable[str]) -> None:
        """Forget the signed URLs of a scan that has changed: there may be more of them."""
        await self.upstream.forget(self.kinds.asset_urls, scan_id)
        for asset_type in asset_types:
            await self.upstream.forget(self.kinds.asset_url, f"{scan_id}/{asset_type}")


def as_json_string(body: bytes) -> bytes:
    """Make a JSON string of a body that is one, or is bare text; null of one that is empty."""
    text = body.strip()
    if text in (b"", b'""'):
        return b"null"
    return text if text.startswith((b'"', b"null")) else msgspec.json.encode(text.decode(errors="replace"))
