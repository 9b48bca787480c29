"""The Scenario API, as far as the gateway uses it."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, TypedDict, TypeVar

import msgspec

from gateway.cache.document import Document
from gateway.cache.flight import Waiting
from gateway.errors import UpstreamContract, UpstreamError, UpstreamNotFound, UpstreamRejected
from gateway.scenario import wire
from gateway.scenario.bodies import asset_of, members_by_id, with_id
from gateway.scenario.hits import found_in
from gateway.scenario.kinds import ScenarioKinds
from gateway.scenario.tagged import Tagged
from gateway.upstream.targets import Query, encode_query, segment
from gateway.upstream.upstream import UNREADABLE, Upstream

HEADERS: Mapping[str, str] = {"accept": "application/json", "content-type": "application/json"}
ROUTES = (
    "/assets",
    "/assets/get-bulk",
    "/assets/download",
    "/assets/download/{jobId}",
    "/assets/{assetId}",
    "/assets/{assetId}/download",
    "/assets/{assetId}/lock",
    "/assets/{assetId}/unlock",
    "/assets/{assetId}/tags",
    "/search/assets",
)
MAX_BULK = 200
MAX_SPLITS = 16
SPLITTABLE = {400, 403, 404, 422}
CHANGES_TOLD = 2  # to the store, by each change of an asset: of pages, and of the asset

T = TypeVar("T")
Bodies = Mapping[str, bytes | UpstreamError]


class ListQuery(TypedDict, total=False):
    """What `GET /assets` can be asked for besides a page; Scenario's own words."""

    authorId: str
    collectionId: str
    createdAfter: str
    createdBefore: str
    updatedAfter: str
    updatedBefore: str
    deleted: bool
    inferenceId: str
    modelId: str
    originalAssets: bool
    parentAssetId: str
    rootAssetId: str
    privacy: str
    sortBy: str
    sortDirection: str
    tags: tuple[str, ...]
    type: str
    types: tuple[str, ...]


class _LockAnswer(msgspec.Struct, rename="camel"):
    asset: msgspec.Raw
    lock_id: Any = None


class _AssetsAnswer(msgspec.Struct):
    assets: list[msgspec.Raw]


class _TagsAnswer(msgspec.Struct):
    """An object, whatever is in it."""


class _DownloadAnswer(msgspec.Struct, rename="camel"):
    url: str
    mime_type: Any = None


class _BatchAnswer(msgspec.Struct, rename="camel"):
    job_id: Annotated[str, msgspec.Meta(min_length=1)]


class _EstimateAnswer(msgspec.Struct, rename="camel"):
    creative_units_cost: float


@dataclass(frozen=True, slots=True)
class Locked:
    """What lock and unlock answer: the asset's document, and the lock's id where one was made."""

    asset: Document
    lock_id: str | None


class ScenarioClient:
    """Scenario's routes for assets, their tags and locks, the search for them, and downloads.

    Readings answer documents, missing ones, or the errors that stand for them; changes, and the estimate of one, raise
    UpstreamErrors.
    """

    def __init__(self, upstream: Upstream, kinds: ScenarioKinds, project_id: str | None) -> None:
        self.upstream = upstream
        self.kinds = kinds
        self._project: dict[str, str] = {"projectId": project_id} if project_id else {}

    def asked_page(self, filter_: str, page_size: int, token: str | None) -> str:
        """The query string of a page of 1 to 100 assets, by which it is known; `filter_` is a ListQuery's."""
        asked = encode_query({**self._project, "pageSize": page_size, "paginationToken": token})
        return f"{filter_}&{asked}" if filter_ else asked

    def asset_page(self, asked: str, waiting: Waiting | None = None) -> Waiting:
        """`GET /assets`: one page, by what `asked_page` gave."""
        return self.upstream.get(self.kinds.asset_page, asked, f"/assets?{asked}", waiting=waiting)

    def kept_asset_page(self, asked: str) -> Document | None:
        """The same page where it is at hand and fresh; never calls."""
        return self.upstream.peek(self.kinds.asset_page, asked)

    def assets(self, waiting: Mapping[str, Waiting]) -> None:
        """Assets by id: one by `GET /assets/{assetId}`, up to 200 by `POST /assets/get-bulk` in one call.

        The public credential is let into the first route only.
        """
        fetch = self._fetch_each if self.upstream.credential.is_public else self._fetch_bulk
        self.upstream.load(self.kinds.asset, waiting, fetch)

    def search(self, tagged: Tagged, offset: int, limit: int, waiting: Waiting | None = None) -> Waiting:
        """`POST /search/assets`: which assets may bear a tag, 1 to 100 a page, last made first; some seconds behind."""
        filter_ = tagged.filter
        body: wire.SearchBody = {"filter": filter_, "offset": offset, "limit": limit, "sortBy": ["createdAt:desc"]}
        read = partial(found_in, offset, limit, tagged.spellings)

        async def fetch(ids: Sequence[str]) -> Bodies:
            answer = await self.upstream.call("POST", "/search/assets", query=self._project, body=body, read=read)
            return dict.fromkeys(ids, answer)

        return self.upstream.load_one(self.kinds.search, f"{offset} {limit} {filter_}", fetch, waiting)

    async def change_tags(self, asset_id: str, *, add: Sequence[str] = (), delete: Sequence[str] = ()) -> None:
        """`PUT /assets/{assetId}/tags`: give an asset tags, or take them; what is so already stays so."""
        lists = {"add": list(add), "delete": list(delete)}
        body = {"strict": False, **{verb: tags for verb, tags in lists.items() if tags}}
        try:
            self._decode_change(await self._changing(asset_id, "tags", body, self._project), _TagsAnswer)
        finally:
            self.upstream.drop_all(self.kinds.search)

    def download_job(self, job_id: str, waiting: Waiting | None = None, *, anew: bool = False) -> Waiting:
        """`GET /assets/download/{jobId}`: how far a batch is."""
        route = f"/assets/download/{segment(job_id)}"

        async def fetch(ids: Sequence[str]) -> Bodies:
            read = partial(with_id, "jobId", job_id)
            return dict.fromkeys(ids, await self.upstream.call("GET", route, query=self._project, read=read))

        return self.upstream.load_one(self.kinds.download_job, job_id, fetch, waiting, anew=anew)

    async def request_download(self, asset_id: str, target_format: str | None) -> wire.DownloadAnswer:
        """`POST /assets/{assetId}/download`: a signed URL of the asset, in a format or as it is."""
        body: wire.DownloadBody = {"targetFormat": target_format} if target_format else {}
        answer = await self._post(f"/assets/{segment(asset_id)}/download", body, _DownloadAnswer)
        given: wire.DownloadAnswer = {"url": answer.url}
        return {**given, "mimeType": answer.mime_type} if isinstance(answer.mime_type, str) else given

    async def request_batch(self, query: wire.BatchQuery, options: wire.BatchOptions) -> str:
        """`POST /assets/download`: starts packing, at most 1,000 assets. Gives the job's id."""
        answer = await self._post("/assets/download", {"query": query, "options": options}, _BatchAnswer)
        return answer.job_id

    async def estimate_batch(self, query: wire.BatchQuery, options: wire.BatchOptions) -> float:
        """`POST /assets/download?dryRun=true`: the creative units that it would cost; nothing is started."""
        body, asked = {"query": query, "options": options}, {**self._project, "dryRun": "true"}
        read = msgspec.json.Decoder(_EstimateAnswer).decode
        call = self.upstream.call("POST", "/assets/download", query=asked, body=body, read=read)
        answer = await self.upstream.sender.in_time(call)
        return answer.creative_units_cost

    async def lock(self, asset_id: str, lock_expires_at: str, *, original_assets: bool = False) -> Locked:
        """`PUT /assets/{assetId}/lock`, until an ISO timestamp."""
        body: wire.LockBody = {"lockExpiresAt": lock_expires_at}
        return await self._change_lock(asset_id, "lock", body, original_assets=original_assets)

    async def unlock(
        self, asset_id: str, lock_id: str | None, *, force: bool = False, original_assets: bool = False
    ) -> Locked:
        """`PUT /assets/{assetId}/unlock`, with the lock's id or by force."""
        body: wire.UnlockBody = {"forceUnlock": True} if force else {}
        if lock_id is not None:
            body["lockId"] = lock_id
        return await self._change_lock(asset_id, "unlock", body, original_assets=original_assets)

    def lost_page(self) -> UpstreamContract:
        """Make the error of a page that no cursor can lead to."""
        message = "Scenario has more, but its token for that is too long to go on from."
        return UpstreamContract(message, upstream=self.upstream.name)

    async def _change_lock(self, asset_id: str, verb: str, body: Any, *, original_assets: bool) -> Locked:
        query: Query = {**self._project, "originalAssets": original_assets or None}
        changes = self.upstream.store.changes + CHANGES_TOLD
        answered = await self._changing(asset_id, verb, body, query)
        try:
            answer = self._decode(answered, _LockAnswer)
            asset = self.upstream.document(self.kinds.asset, asset_id, with_id("id", asset_id, bytes(answer.asset)))
        except UNREADABLE:
            raise self.upstream.broken_contract().after_change() from None
        except UpstreamContract as error:
            raise error.after_change() from None
        # Not where its URL is not the one that readers get, or another change was made meanwhile, which it may lack.
        if not original_assets and self.upstream.store.changes == changes:
            await self.upstream.keep(self.kinds.asset, asset)
        return Locked(asset, answer.lock_id if isinstance(answer.lock_id, str) else None)

    async def _changing(self, asset_id: str, verb: str, body: Any, query: Query) -> bytes:
        """Change an asset, and forget it wherever it may stand, whatever comes of that."""
        try:
            return await self.upstream.change("PUT", f"/assets/{segment(asset_id)}/{verb}", query=query, body=body)
        finally:
            self.upstream.drop_all(self.kinds.asset_page)
            await self.upstream.drop(self.kinds.asset, asset_id)

    async def _post(self, route: str, body: Any, answer: type[T]) -> T:
        return self._decode_change(await self.upstream.change("POST", route, query=self._project, body=body), answer)

    def _decode_change(self, body: bytes, answer: type[T]) -> T:
        try:
            return self._decode(body, answer)
        except UpstreamContract as error:
            raise error.after_change() from None

    def _decode(self, body: bytes, answer: type[T]) -> T:
        try:
            return msgspec.json.decode(body, type=answer)
        except UNREADABLE as error:
            raise self.upstream.broken_contract() from error

    async def _fetch_each(self, asset_ids: Sequence[str]) -> Bodies:
        return dict(zip(asset_ids, await asyncio.gather(*map(self._fetch_one, asset_ids)), strict=True))

    async def _fetch_one(self, asset_id: str) -> bytes | UpstreamError:
        try:
            route, read = f"/assets/{segment(asset_id)}", partial(asset_of, asset_id)
            return await self.upstream.call("GET", route, query=self._project, read=read)
        except UpstreamError as error:
            return error

    async def _fetch_bulk(self, asset_ids: Sequence[str]) -> Bodies:
        """Fetch in one call, or where Scenario refuses a whole for one of its ids, in ever smaller ones."""
        found: dict[str, bytes | UpstreamError] = {}
        waiting, splits = [asset_ids], 0
        while waiting:
            some = waiting.pop()
            if len(some) == 1:
                found |= await self._fetch_each(some)
                continue
            try:
                found |= await self._fetch_together(some)
            except (UpstreamRejected, UpstreamNotFound) as error:
                if error.status in SPLITTABLE and splits < MAX_SPLITS:
                    splits += 1
                    half = len(some) // 2
                    waiting += [some[half:], some[:half]]
                else:
                    found |= dict.fromkeys(some, _of_several(error))
            except UpstreamError as error:
                found |= dict.fromkeys(some, error)
        return found

    async def _fetch_together(self, asset_ids: Sequence[str]) -> Bodies:
        body, read = {"assetIds": list(asset_ids)}, partial(msgspec.json.decode, type=_AssetsAnswer)
        answer = await self.upstream.call("POST", "/assets/get-bulk", query=self._project, body=body, read=read)
        by_id = members_by_id(answer.assets)
        return {asset_id: by_id.get(asset_id) or self.upstream.not_found("such asset") for asset_id in asset_ids}


def _of_several(error: UpstreamError) -> UpstreamError:
    """Say of each of some that they were refused together: a 404 tells of none of them that it is missing."""
    return UpstreamRejected(error.message, upstream=error.upstream, status=error.status, retry_after=error.retry_after)
