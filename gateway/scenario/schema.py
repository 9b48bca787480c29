"""What can be asked of Scenario."""

from collections.abc import AsyncIterator
from typing import Annotated

import strawberry

from gateway.auth.scopes import READ_ASSETS, READ_DOWNLOADS
from gateway.graph.cost import Calls, Names, costs
from gateway.graph.ids import check_id, each_id
from gateway.graph.scopes import scoped
from gateway.scenario.client import MAX_BULK
from gateway.scenario.context import Info
from gateway.scenario.inputs import AssetFilter, AssetSort, given, list_query
from gateway.scenario.types import CONNECTION, After, Asset, AssetConnection, DownloadJob, First

ASSET, JOB = "asset", "download job"


@strawberry.type
class ScenarioQueries:
    """Scenario's fields of `Query`."""

    @strawberry.field(
        **scoped(READ_ASSETS, "One Scenario asset by Scenario id; null when there is none."),
        metadata=costs(Names("assetId", ASSET, MAX_BULK)),
    )
    def asset(
        self,
        info: Info,
        asset_id: Annotated[strawberry.ID, strawberry.argument(description="Scenario's id of the asset.")],
    ) -> Asset | None:
        """One call, shared with every other asset that the same step of the request asks for."""
        return info.context.scenario.asset(check_id(asset_id, "assetId"))

    @strawberry.field(
        **scoped(READ_ASSETS, f"Assets by Scenario id, in the order asked, in one bulk call. At most {MAX_BULK}."),
        metadata=costs(Names("assetIds", ASSET, MAX_BULK)),
    )
    def assets_by_id(
        self,
        info: Info,
        asset_ids: Annotated[list[strawberry.ID], strawberry.argument(description="Scenario's ids of the assets.")],
    ) -> list[Asset | None]:
        """One call for all; an asset that fails is null with an error at its place."""
        return each_id(asset_ids, "assetIds", MAX_BULK, info.context.scenario.asset)

    @strawberry.field(
        **scoped(READ_ASSETS, "Assets of the project. `first` may exceed Scenario's page limit of 100."),
        metadata=costs(CONNECTION),
    )
    async def assets(
        self,
        info: Info,
        first: First = 50,
        after: After = strawberry.UNSET,
        filter: Annotated[  # noqa: A002 - the graph's word
            AssetFilter | None, strawberry.argument(description="Which assets; all of the project when left out.")
        ] = strawberry.UNSET,
        sort: Annotated[
            AssetSort | None, strawberry.argument(description="In which order; newest first when left out.")
        ] = strawberry.UNSET,
    ) -> AssetConnection | None:
        """One call a page of 100."""
        query = list_query(given(filter), given(sort))
        return await info.context.scenario.connection(query, first, given(after), info.path.as_list())

    @strawberry.field(
        **scoped(READ_DOWNLOADS, "A batch download by job id; null when there is none."),
        metadata=costs(Names("jobId", JOB)),
    )
    def download_job(
        self, info: Info, job_id: Annotated[strawberry.ID, strawberry.argument(description="Scenario's id of the job.")]
    ) -> DownloadJob | None:
        """One call."""
        return info.context.scenario.download_job(check_id(job_id, "jobId"))


@strawberry.type
class ScenarioSubscriptions:
    """Scenario's fields of `Subscription`."""

    @strawberry.subscription(
        **scoped(READ_DOWNLOADS, "The job now, then after each change, until it is final; NOT_FOUND for no job."),
        metadata=costs(Calls()),
    )
    async def download_job_updated(
        self, info: Info, job_id: Annotated[strawberry.ID, strawberry.argument(description="Scenario's id of the job.")]
    ) -> AsyncIterator[DownloadJob]:
        """One call a look, however many subscribe."""
        return await info.context.job_updates.of(check_id(job_id, "jobId"))


def asset_node(info: Info, asset_id: str) -> Asset | None:
    """The asset behind a global id."""
    return info.context.scenario.asset(asset_id)


def download_job_node(info: Info, job_id: str) -> DownloadJob | None:
    """The download job behind a global id."""
    return info.context.scenario.download_job(job_id)
