"""The Prism Hosted API, simulated: scans, their stages and the URLs of their files."""

from collections.abc import Callable
from random import Random
from typing import cast

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.prism import wire
from gateway.sandbox import errors, scans
from gateway.sandbox.auth import prism_allows
from gateway.sandbox.errors import nest
from gateway.sandbox.faults import Faults
from gateway.sandbox.reading import path_id
from gateway.sandbox.scans import Scan
from gateway.sandbox.signing import S3
from gateway.sandbox.upstream import Sleep, Upstream

MEDIA_TYPE = "application/json;v=1"

# Path values beside the keys of the map of all URLs.
ASSET_TYPES = {
    "preview-image": "previewImage",
    "model": "model",
    "canonical-body": "canonicalBody",
    "texture": "texture",
    "material": "material",
    "stripes": "stripes",
    "capture-video": "captureVideo",
}


class Prism(Upstream):
    """Its scans, its routes and the calls it got."""

    name = "prism"
    base = "/prism"

    def __init__(
        self,
        seed: int,
        clock: Callable[[], float],
        s3: S3,
        faults: Faults,
        sleep: Sleep,
        *,
        embed_scan_assets: bool,
        bare_strings: bool,
        drift: bool,
    ) -> None:
        super().__init__(faults, sleep)
        self._clock = clock
        self._s3 = s3
        self._embed_scan_assets = embed_scan_assets
        self._bare_strings = bare_strings
        self.scans = scans.generate(Random(f"scans {seed}"), clock(), drift=drift)
        routes = {
            "/scans/{scan_id}": self._read_scan,
            "/scans/{scan_id}/scan-assets": self._read_scan_assets,
            "/scans/{scan_id}/asset-urls": self._read_asset_urls,
            "/scans/{scan_id}/asset-urls/{asset_type}": self._read_asset_url,
        }
        self.app = Starlette(
            routes=[Route(path, endpoint) for path, endpoint in routes.items()],
            exception_handlers=errors.handlers(lambda request, _: unrouted(request)),
        )

    def scan_ids(self, status: str) -> list[str]:
        """The ids of the scans that have this status now."""
        now = self._clock()
        return [scan.scan_id for scan in self.scans.values() if scan.status(now) == status]

    async def _read_scan(self, request: Request) -> Response:
        scan = self._scan(request)
        system = request.query_params.get("unit-system", "metric")
        if system not in ("metric", "imperial"):
            raise nest(400, ["unit-system must be one of the following values: metric, imperial"])
        return answer(scan.document(self._clock(), imperial=system == "imperial", embed=self._embed_scan_assets))

    async def _read_scan_assets(self, request: Request) -> Response:
        return answer(self._scan(request).scan_assets(self._clock()))

    async def _read_asset_urls(self, request: Request) -> Response:
        return answer(self._asset_urls(self._scan(request)))

    async def _read_asset_url(self, request: Request) -> Response:
        scan = self._scan(request)
        key = ASSET_TYPES.get(path_id(request, "asset_type"))
        if key is None:
            raise nest(400, [f"assetType must be one of the following values: {', '.join(ASSET_TYPES)}"])
        url = self._asset_urls(scan).get(key)
        if not self._bare_strings:
            return answer(url)
        return Response(url, media_type="text/html") if url else Response()

    def _scan(self, request: Request) -> Scan:
        """The scan a request is about, after the checks in NestJS's order: version, key, content type, scan."""
        if MEDIA_TYPE not in request.headers.get("accept", "").replace(" ", "").split(","):
            raise unrouted(request)
        if not prism_allows(request):
            raise nest(401, "Unauthorized")
        if not request.headers.get("content-type", "").startswith("application/json"):
            raise nest(415, "Unsupported Media Type")
        scan = self.scans.get(path_id(request, "scan_id"))
        if scan is None:
            raise nest(404, "Scan not found")
        return scan

    def _asset_urls(self, scan: Scan) -> wire.ScanAssetUrls:
        """Freshly signed URLs, null for a file the scan does not have."""
        files = scan.files(self._clock())
        urls = {
            key: self._s3.sign(f"/s3/scans/{scan.scan_id}/{asset_type}") if key in files else None
            for asset_type, key in ASSET_TYPES.items()
        }
        return cast("wire.ScanAssetUrls", urls)


def answer(document: object) -> Response:
    """A document as Prism sends it."""
    return Response(msgspec.json.encode(document), media_type=MEDIA_TYPE)


def unrouted(request: Request) -> errors.Refusal:
    """NestJS's 404 for a method, path or media-type version that no route has."""
    return nest(404, f"Cannot {request.method} {request.url.path}")
