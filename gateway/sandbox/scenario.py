"""The Scenario API, simulated: assets, their locks and their downloads."""

from collections.abc import Callable

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.sandbox import content, downloads, errors, listing, paging, search
from gateway.sandbox.auth import project_of, reader_of
from gateway.sandbox.downloads import Downloads
from gateway.sandbox.errors import Refusal, coded, documented
from gateway.sandbox.faults import Faults
from gateway.sandbox.library import Library, View, readable
from gateway.sandbox.moments import epoch
from gateway.sandbox.reading import body, choice, flag, path_id
from gateway.sandbox.upstream import Sleep, Upstream
from gateway.scenario import wire

MAX_BULK = 200
DRY_RUN_STATUS = 269


class Scenario(Upstream):
    """Its assets, its routes and the calls it got."""

    name = "scenario"
    base = "/scenario/v1"

    def __init__(
        self,
        clock: Callable[[], float],
        library: Library,
        batches: Downloads,
        faults: Faults,
        sleep: Sleep,
        *,
        bulk_refuses_unknown: bool,
    ) -> None:
        super().__init__(faults, sleep)
        self._clock = clock
        self._library = library
        self._downloads = batches
        self._bulk_refuses_unknown = bulk_refuses_unknown
        self.app = Starlette(
            routes=[
                Route("/assets", self._list_assets),
                Route("/assets/get-bulk", self._get_bulk, methods=["POST"]),
                Route("/assets/download", self._request_batch, methods=["POST"]),
                Route("/assets/download/{job_id}", self._read_job),
                Route("/assets/{asset_id}", self._read_asset),
                Route("/assets/{asset_id}/download", self._request_download, methods=["POST"]),
                Route("/assets/{asset_id}/lock", self._lock, methods=["PUT"]),
                Route("/assets/{asset_id}/unlock", self._unlock, methods=["PUT"]),
                Route("/assets/{asset_id}/tags", self._change_tags, methods=["PUT"]),
                Route("/search/assets", self._search, methods=["POST"]),
            ],
            exception_handlers=errors.handlers(lambda _, status: errors.bare(status)),
        )

    @property
    def assets(self) -> dict[str, wire.Asset]:
        """Every asset by id, of both projects and deleted ones too; without signed URLs."""
        return self._library.assets

    async def _list_assets(self, request: Request) -> Response:
        project_id = reader_of(request)
        asked = listing.read(request, project_id, self._clock())
        token = request.query_params.get("paginationToken")
        after = None if token is None else paging.position_of(token, asked.fingerprint)
        found = asked.page(self.assets.values(), after)
        page = found[: asked.page_size]
        view = View(project_id, original=flag(request, "originalAssets"))
        answered: wire.AssetsAnswer = {"assets": [self._library.show(asset, view) for asset in page]}
        if len(found) > len(page):
            answered["nextPaginationToken"] = paging.token_after(asked.position(page[-1]), asked.fingerprint)
        return answer(answered)

    async def _read_asset(self, request: Request) -> Response:
        project_id = reader_of(request)
        view = View(
            project_id,
            original=flag(request, "originalAssets"),
            embedding=flag(request, "withEmbedding"),
            details=flag(request, "withQualityGateDetails"),
        )
        asset = self._library.find(path_id(request, "asset_id"), project_id)
        return answer({"asset": self._library.show(asset, view)})

    async def _get_bulk(self, request: Request) -> Response:
        project_id = project_of(request)
        asset_ids = (await body(request, dict[str, list[str]])).get("assetIds")
        if asset_ids is None:
            raise Refusal(400, '"assetIds" is required')
        if len(asset_ids) > MAX_BULK:
            raise Refusal(400, f'"assetIds" must contain less than or equal to {MAX_BULK} items')
        # No order is promised, so that of the request would promise too much.
        found = [self._bulk_member(asset_id, project_id) for asset_id in reversed(dict.fromkeys(asset_ids))]
        view = View(project_id, original=flag(request, "originalAssets"))
        return answer({"assets": [self._library.show(asset, view) for asset in found if asset]})

    def _bulk_member(self, asset_id: str, project_id: str | None) -> wire.Asset | None:
        asset = self.assets.get(asset_id)
        if asset and "deletedAt" not in asset and readable(asset, project_id):
            return asset
        if self._bulk_refuses_unknown:
            raise documented(404, f"Asset {asset_id} not found")
        return None

    async def _lock(self, request: Request) -> Response:
        project_id = project_of(request)
        asset = self._library.own(path_id(request, "asset_id"), project_id)
        expires_at = future((await body(request, wire.LockBody))["lockExpiresAt"], self._clock())
        lock_id = self._library.lock(asset["id"], expires_at)
        view = View(project_id, original=flag(request, "originalAssets"))
        return answer({"asset": self._library.show(asset, view), "lockId": lock_id})

    async def _unlock(self, request: Request) -> Response:
        project_id = project_of(request)
        asset = self._library.own(path_id(request, "asset_id"), project_id)
        asked = await body(request, wire.UnlockBody)
        self._library.unlock(asset["id"], asked.get("lockId"), force=asked.get("forceUnlock", False))
        view = View(project_id, original=flag(request, "originalAssets"))
        return answer({"asset": self._library.show(asset, view)})

    async def _change_tags(self, request: Request) -> Response:
        project_id = project_of(request)
        asset = self._library.own(path_id(request, "asset_id"), project_id)
        return answer(self._library.change_tags(asset, await body(request, wire.TagsBody)))

    async def _search(self, request: Request) -> Response:
        project_id = project_of(request)
        view = View(project_id, original=flag(request, "originalAssets"))
        asked = await body(request, wire.SearchBody)
        indexed = self._library.indexed(project_id, public=asked.get("public", False))
        found, answered = search.search(asked, indexed)
        answered["hits"] = [search.hit(self._library.show(asset, view)) for asset in found]
        return answer(answered)

    async def _request_download(self, request: Request) -> Response:
        asset = self._library.find(path_id(request, "asset_id"), project_of(request))
        target = (await body(request, wire.DownloadBody)).get("targetFormat")
        if target is None:
            url = self._library.url(asset["id"], original=True)
            mime_type = content.FORMATS[content.extension_of(asset, original=True)].mime_type
        elif target in content.CONVERSIONS.get(asset["mimeType"], ()):
            url = f"{self._library.url(asset['id'], original=False)}&format={target}"
            mime_type = content.FORMATS[target].mime_type
        else:
            raise coded(400, "INVALID_TARGET_FORMAT", "Invalid target format")
        answered: wire.DownloadAnswer = {"url": url, "mimeType": mime_type}
        return answer(answered)

    async def _request_batch(self, request: Request) -> Response:
        project_id = project_of(request)
        asked = await body(request, wire.BatchBody)
        dry_run = choice(request, "dryRun", ("true", "api"))
        asset_ids = self._downloads.select(asked["query"], project_id)
        if dry_run:
            return answer(downloads.cost(asset_ids), DRY_RUN_STATUS)
        return answer(self._downloads.start(asset_ids, asked["options"], project_id))

    async def _read_job(self, request: Request) -> Response:
        return answer(self._downloads.show(path_id(request, "job_id"), project_of(request)))


def answer(document: object, status: int = 200) -> Response:
    """A document as Scenario sends it."""
    return Response(msgspec.json.encode(document), status, media_type="application/json")


def future(date: str, now: float) -> float:
    """Epoch seconds of a date to come; 400 with a text for anything else."""
    try:
        moment = epoch(date)
    except ValueError:
        moment = 0
    if moment <= now:
        raise Refusal(400, '"lockExpiresAt" must be an ISO 8601 date in the future')
    return moment
