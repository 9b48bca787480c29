"""Batch downloads as they move on."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from gateway.errors import UpstreamError
from gateway.scenario.client import ScenarioClient
from gateway.scenario.types import DownloadJob
from gateway.watch import Seen
from gateway.watchers import Watchers


@dataclass(slots=True)
class JobUpdates:
    """Lives as long as its tenant; a `client` of other credentials may take the place of the one before."""

    client: ScenarioClient
    watchers: Watchers

    async def of(self, job_id: str) -> AsyncIterator[DownloadJob]:
        """A job now and after each change, until it is final; another signature of the same URL is no change.

        Raises what the first look does, LimitExceeded, or ShuttingDown.
        """

        async def look(*, anew: bool) -> Seen[DownloadJob]:
            if anew:
                self.client.upstream.quota.give_way()
            outcome = await self.client.download_job(job_id, anew=anew)
            if isinstance(outcome, UpstreamError):
                raise outcome
            if outcome.missing:
                raise self.client.upstream.not_found("such download job")
            job = DownloadJob.of(outcome)
            file = (job.download_url or "").partition("?")[0]
            return Seen(job, (job.status, file), job.is_final)

        upstream = self.client.upstream
        key = upstream.key(self.client.kinds.download_job, job_id)
        return await self.watchers.subscribe(key, look, upstream.sender.late)
