"""What can be changed in Scenario; a refusal is an answer, not an error."""

from typing import Annotated

import strawberry

from gateway.auth.scopes import ASK_DOWNLOADS, CHANGE_ASSETS, READ_ASSETS
from gateway.errors import BadUserInput, GatewayError
from gateway.graph.cost import Calls, costs
from gateway.graph.ids import check_id
from gateway.graph.scalars import read_url, write_datetime
from gateway.graph.scopes import described, requires, scoped
from gateway.graph.signed_url import SignedUrl
from gateway.graph.user_errors import UserError, UserErrorCode, user_error
from gateway.scenario import wire
from gateway.scenario.context import Info
from gateway.scenario.inputs import (
    LockAssetInput,
    RequestAssetDownloadInput,
    RequestBatchDownloadInput,
    UnlockAssetInput,
    given,
)
from gateway.scenario.types import Asset, DownloadJob

MAX_BATCH = 1_000

_USER_ERRORS = "Why it was not done; empty when it was."


@strawberry.type(description="What came of `requestAssetDownload`.")
class RequestAssetDownloadPayload:
    download: SignedUrl | None = strawberry.field(default=None, description="The file's address; null when refused.")
    user_errors: list[UserError] = strawberry.field(default_factory=list, description=_USER_ERRORS)


@strawberry.type(description="What came of `requestBatchDownload`.")
class RequestBatchDownloadPayload:
    download_job: DownloadJob | None = strawberry.field(
        default=None, description="The job as it was accepted: PENDING; `downloadJob` follows it. Null when refused."
    )
    creative_units_cost: float | None = strawberry.field(
        default=None, description="What it would cost in creative units; null unless `dryRun`."
    )
    user_errors: list[UserError] = strawberry.field(default_factory=list, description=_USER_ERRORS)


@strawberry.type(description="What came of `lockAsset`.")
class LockAssetPayload:
    asset: Asset | None = strawberry.field(
        default=None,
        description=described(READ_ASSETS, "The locked asset; null when refused."),
        directives=[requires(READ_ASSETS)],
    )
    lock_id: str | None = strawberry.field(default=None, description="What `unlockAsset` takes.")
    user_errors: list[UserError] = strawberry.field(default_factory=list, description=_USER_ERRORS)


@strawberry.type(description="What came of `unlockAsset`.")
class UnlockAssetPayload:
    asset: Asset | None = strawberry.field(
        default=None,
        description=described(READ_ASSETS, "The unlocked asset; null when refused."),
        directives=[requires(READ_ASSETS)],
    )
    user_errors: list[UserError] = strawberry.field(default_factory=list, description=_USER_ERRORS)


@strawberry.type
class ScenarioMutations:
    """Scenario's fields of `Mutation`."""

    @strawberry.mutation(
        **scoped(ASK_DOWNLOADS, "Get a signed URL of an asset in a format, or of its original file."),
        metadata=costs(Calls()),
    )
    async def request_asset_download(
        self,
        info: Info,
        input: Annotated[RequestAssetDownloadInput, strawberry.argument(description="Which, and as what.")],  # noqa: A002 - the graph's word
    ) -> RequestAssetDownloadPayload | None:
        """One call."""
        format_ = given(input.target_format)
        client = info.context.scenario.client
        try:
            asset_id = check_id(input.asset_id, "assetId")
            answer = await client.request_download(asset_id, format_.value if format_ else None)
        except GatewayError as error:
            refused = user_error(error, {None: "assetId", 400: "targetFormat" if format_ else "assetId"})
            return RequestAssetDownloadPayload(user_errors=[refused])
        url = read_url(answer["url"])
        if url is None:
            raise client.upstream.broken_contract().after_change()
        return RequestAssetDownloadPayload(download=SignedUrl.read(url, answer.get("mimeType")))

    @strawberry.mutation(
        **scoped(ASK_DOWNLOADS, "Have assets packed into one archive. Returns before it is ready."),
        metadata=costs(Calls()),
    )
    async def request_batch_download(
        self,
        info: Info,
        input: Annotated[RequestBatchDownloadInput, strawberry.argument(description="What to pack, and how.")],  # noqa: A002 - the graph's word
    ) -> RequestBatchDownloadPayload | None:
        """One call; the job's status is not asked for, as it has just begun."""
        refused = _refuse_batch(input)
        if refused is not None:
            return RequestBatchDownloadPayload(user_errors=[refused])
        query, options = _batch(input)
        scenario = info.context.scenario
        try:
            if input.dry_run:
                return RequestBatchDownloadPayload(
                    creative_units_cost=await scenario.client.estimate_batch(query, options)
                )
            return RequestBatchDownloadPayload(
                download_job=scenario.accepted_job(await scenario.client.request_batch(query, options))
            )
        except GatewayError as error:
            return RequestBatchDownloadPayload(user_errors=[user_error(error)])

    @strawberry.mutation(
        **scoped(CHANGE_ASSETS, "Lock a canvas until a moment, so that nobody else changes it."),
        metadata=costs(Calls()),
    )
    async def lock_asset(
        self,
        info: Info,
        input: Annotated[LockAssetInput, strawberry.argument(description="Which, and until when.")],  # noqa: A002 - the graph's word
    ) -> LockAssetPayload | None:
        """One call."""
        scenario = info.context.scenario
        until = write_datetime(input.lock_expires_at)
        try:
            asset_id = check_id(input.asset_id, "assetId")
            locked = await scenario.client.lock(asset_id, until, original_assets=input.original_assets)
        except GatewayError as error:
            return LockAssetPayload(user_errors=[user_error(error, {None: "assetId", 400: "lockExpiresAt"})])
        asset = scenario.changed(locked.asset, original_assets=input.original_assets)
        return LockAssetPayload(asset=asset, lock_id=locked.lock_id)

    @strawberry.mutation(
        **scoped(CHANGE_ASSETS, "Unlock a canvas with its lock's id, or by force."), metadata=costs(Calls())
    )
    async def unlock_asset(
        self,
        info: Info,
        input: Annotated[UnlockAssetInput, strawberry.argument(description="Which, and by what right.")],  # noqa: A002 - the graph's word
    ) -> UnlockAssetPayload | None:
        """One call."""
        scenario = info.context.scenario
        try:
            unlocked = await scenario.client.unlock(
                check_id(input.asset_id, "assetId"),
                given(input.lock_id),
                force=input.force_unlock,
                original_assets=input.original_assets,
            )
        except GatewayError as error:
            return UnlockAssetPayload(user_errors=[user_error(error, {None: "assetId", 400: "lockId", 409: "lockId"})])
        return UnlockAssetPayload(asset=scenario.changed(unlocked.asset, original_assets=input.original_assets))


def _refuse_batch(batch: RequestBatchDownloadInput) -> UserError | None:
    """Find what Scenario would refuse anyway."""
    if not (batch.asset_ids or batch.inference_ids or batch.model_ids):
        return UserError(code=UserErrorCode.INVALID, message="There is nothing to pack.", field=["assetIds"])
    if len(batch.asset_ids) > MAX_BATCH:
        message = f"An archive takes at most {MAX_BATCH:,} assets; these are {len(batch.asset_ids):,}."
        return UserError(code=UserErrorCode.TOO_MANY, message=message, field=["assetIds"])
    ids = {"assetIds": batch.asset_ids, "inferenceIds": batch.inference_ids, "modelIds": batch.model_ids}
    for name, some in ids.items():
        try:
            for id_ in some:
                check_id(id_, name)
        except BadUserInput as error:
            return user_error(error, {None: name})
    return None


def _batch(batch: RequestBatchDownloadInput) -> tuple[wire.BatchQuery, wire.BatchOptions]:
    query: wire.BatchQuery = {
        "assetIds": list(batch.asset_ids),
        "inferenceIds": list(batch.inference_ids),
        "modelIds": list(batch.model_ids),
    }
    options: wire.BatchOptions = {
        "fileNameTemplate": batch.file_name_template,
        "flat": batch.flat,
        "preferOriginal": batch.prefer_original,
    }
    archive_name = given(batch.archive_name)
    return query, {**options, "archiveName": archive_name} if archive_name else options
