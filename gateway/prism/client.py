"""The Prism Hosted API, as far as the gateway uses it."""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from gateway.cache.document import Document, Kind
from gateway.cache.flight import DocumentOrError, Waiting
from gateway.errors import UpstreamError
from gateway.prism.kinds import PrismKinds, embedded_stages
from gateway.prism.owner import Owner
from gateway.upstream.targets import segment
from gateway.upstream.upstream import Upstream

HEADERS: Mapping[str, str] = {"accept": "application/json;v=1", "content-type": "application/json"}
ROUTES = (
    "/scans/{scanId}",
    "/scans/{scanId}/scan-assets",
    "/scans/{scanId}/asset-urls",
    "/scans/{scanId}/asset-urls/{assetType}",
)


class PrismClient:
    """Prism's reading routes. Each gives its answer to who is `waiting`, or to one who begins to now.

    What arrives is a document, one that is missing, or the error that stands for it.
    """

    def __init__(self, upstream: Upstream, kinds: PrismKinds) -> None:
        self.upstream = upstream
        self.kinds = kinds

    def scan(self, scan_id: str, *, anew: bool = False, waiting: Waiting | None = None) -> Waiting:
        """`GET /scans/{id}`: status and details, possibly with the stages embedded."""
        return self.upstream.get(self.kinds.scan, scan_id, f"/scans/{segment(scan_id)}", anew=anew, waiting=waiting)

    def owned_scan(self, scan_id: str, owner: Owner, *, anew: bool = False, waiting: Waiting | None = None) -> Waiting:
        """Give the same to its owner; to anyone else it is missing, from the moment that its body is read.

        It is asked for and kept apart from what others ask for, so that no answer comes sooner for being at hand.
        """

        def read(body: bytes) -> bytes | UpstreamError:
            return body if owner.owns(body) else self.upstream.not_found("such scan")

        async def fetch(ids: Sequence[str]) -> Mapping[str, bytes | UpstreamError]:
            return dict.fromkeys(ids, await self.upstream.call("GET", f"/scans/{segment(scan_id)}", read=read))

        return self.upstream.load_one(self.kinds.scan, scan_id, fetch, waiting, anew=anew, apart=owner.key)

    def kept_owned_scan(self, scan_id: str, owner: Owner) -> Document | None:
        """The same where it is at hand and fresh; never calls."""
        return self.upstream.peek(self.kinds.scan, scan_id, owner.key)

    def kept(self, kind: Kind, scan_id: str) -> Document | None:
        """A document of a scan where it is at hand and fresh; never calls."""
        return self.upstream.peek(kind, scan_id)

    def embedded_stages(self, record: DocumentOrError | None) -> DocumentOrError | None:
        """Take the stages out of a record that embeds them, and keep them; or the failure that stops both."""
        stages = embedded_stages(record)
        return self.upstream.adopt(self.kinds.scan_assets, stages) if isinstance(stages, Document) else stages

    def scan_assets(self, scan_id: str, *, anew: bool = False, waiting: Waiting | None = None) -> Waiting:
        """`GET /scans/{id}/scan-assets`: the status of each stage."""
        route = f"/scans/{segment(scan_id)}/scan-assets"
        return self.upstream.get(self.kinds.scan_assets, scan_id, route, anew=anew, waiting=waiting)

    def asset_urls(self, scan_id: str, waiting: Waiting | None = None) -> Waiting:
        """`GET /scans/{id}/asset-urls`: every signed URL."""
        route = f"/scans/{segment(scan_id)}/asset-urls"
        return self.upstream.get(self.kinds.asset_urls, scan_id, route, waiting=waiting)

    def asset_url(self, scan_id: str, asset_type: str, waiting: Waiting | None = None) -> Waiting:
        """`GET /scans/{id}/asset-urls/{assetType}`: one signed URL as a JSON string, however it arrived."""

        async def fetch(ids: Sequence[str]) -> Mapping[str, bytes | UpstreamError]:
            route = f"/scans/{segment(scan_id)}/asset-urls/{segment(asset_type)}"
            return dict.fromkeys(ids, await self.upstream.call("GET", route, read=as_json_string))

        return self.upstream.load_one(self.kinds.asset_url, f"{scan_id}/{asset_type}", fetch, waiting)

    async def forget_urls(self, scan_id: str, asset_types: Iterable[str], before: float) -> None:
        """Forget signed URLs from before a Unix second, when the scan has changed: there may be more of them."""
        ids = [(self.kinds.asset_url, f"{scan_id}/{asset_type}") for asset_type in asset_types]
        for kind, id_ in [(self.kinds.asset_urls, scan_id), *ids]:
            kept = self.upstream.peek(kind, id_)
            if kept is None or kept.fetched_at < before:
                await self.upstream.forget(kind, id_)


def as_json_string(body: bytes) -> bytes:
    """Make a JSON string of a body that is one, or is bare text; null of one that is empty.

    Raises msgspec.DecodeError for a string that does not end.
    """
    text = body.strip()
    if text in (b"", b'""'):
        return b"null"
    if text.startswith(b'"'):
        msgspec.json.decode(text)
    return text if text.startswith((b'"', b"null")) else msgspec.json.encode(text.decode(errors="replace"))
