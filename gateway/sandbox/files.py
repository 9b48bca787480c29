"""The file hosts: the CDN of Scenario's assets and the object storage of Prism's files and finished archives."""

from collections.abc import Mapping
from urllib.parse import unquote

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.sandbox import content, errors
from gateway.sandbox.content import File
from gateway.sandbox.downloads import Downloads
from gateway.sandbox.faults import Faults
from gateway.sandbox.reading import path_id
from gateway.sandbox.scans import Scan
from gateway.sandbox.signing import S3, CloudFront
from gateway.sandbox.upstream import Sleep, Upstream
from gateway.scenario import wire


class Files(Upstream):
    """Its files and the calls it got; paths are below the sandbox itself."""

    name = "files"
    base = ""

    def __init__(
        self,
        scans: Mapping[str, Scan],
        assets: Mapping[str, wire.Asset],
        batches: Downloads,
        s3: S3,
        cdn: CloudFront,
        *,
        faults: Faults,
        sleep: Sleep,
    ) -> None:
        super().__init__(faults, sleep)
        self._scans = scans
        self._assets = assets
        self._downloads = batches
        self._s3 = s3
        self._cdn = cdn
        self.app = Starlette(
            routes=[
                Route("/cdn/assets/{asset_id}", self._original),
                Route("/cdn/assets-transform/{asset_id}", self._converted),
                Route("/cdn/thumbnails/{asset_id}", self._thumbnail),
                Route("/s3/scans/{scan_id}/{asset_type}", self._scan_file),
                Route("/s3/exports/{job_id}/{name:path}", self._archive),
            ],
            exception_handlers=errors.handlers(lambda _, status: errors.usual("files", status)),
        )

    async def _original(self, request: Request) -> Response:
        self._cdn.check(request.scope["path"], request.url.query)
        asset = self._assets[path_id(request, "asset_id")]
        return served(content.asset_file(asset, content.extension_of(asset, original=True)))

    async def _converted(self, request: Request) -> Response:
        """The asset, in the `format` asked for where it can be had; other transforms leave the file as it is."""
        self._cdn.check(request.scope["path"], request.url.query)
        asset = self._assets[path_id(request, "asset_id")]
        target = request.query_params.get("format", "")
        possible = target in content.CONVERSIONS.get(asset["mimeType"], ())
        return served(content.asset_file(asset, target if possible else content.extension_of(asset)))

    async def _thumbnail(self, request: Request) -> Response:
        """Anyone may see it; an unknown id is a bad gateway, as observed."""
        asset_id = path_id(request, "asset_id")
        if asset_id not in self._assets:
            raise errors.usual("files", 502)
        return served(content.thumbnail(asset_id))

    async def _scan_file(self, request: Request) -> Response:
        self._s3.check(unquote(request.scope["path"]), request.url.query)
        scan = self._scans[path_id(request, "scan_id")]
        return served(content.scan_file(scan, path_id(request, "asset_type")))

    async def _archive(self, request: Request) -> Response:
        self._s3.check(unquote(request.scope["path"]), request.url.query)
        job = self._downloads.jobs[path_id(request, "job_id")]
        return served(File(self._downloads.archive(job), "application/zip"))


def served(file: File) -> Response:
    """A file as a page of any origin may load it."""
    return Response(file.content, media_type=file.media_type, headers={"access-control-allow-origin": "*"})
