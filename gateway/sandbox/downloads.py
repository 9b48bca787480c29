"""Scenario's batch downloads: jobs that move on as time passes, and what they pack."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from gateway.sandbox import archives
from gateway.sandbox.errors import Refusal, documented
from gateway.sandbox.library import Library
from gateway.sandbox.moments import key, utc
from gateway.sandbox.signing import S3
from gateway.scenario import wire

MAX_ASSETS = 1_000
ASSETS_PER_UNIT = 100

# From which second of its life a job has which status, where it takes as long as the last of them.
COURSE = ((0, "pending"), (1, "queued"), (2, "warming-up"), (3, "in-progress"), (6, "finalizing"), (7, "success"))
JOB_SECONDS = float(COURSE[-1][0])
# An archive of this name ends in this way once it is in progress.
ENDINGS = {"fail": "failure", "cancel": "canceled"}


@dataclass(frozen=True, slots=True)
class Job:
    """One batch: when it was asked for, by whom, what it packs, and how many seconds it takes."""

    job_id: str
    project_id: str
    created_at: float
    asset_ids: tuple[str, ...]
    options: wire.BatchOptions
    seconds: float

    @property
    def archive_name(self) -> str:
        """The archive's name without `.zip`."""
        return self.options.get("archiveName", f"{utc(self.created_at):%Y%m%d}-export")

    def status(self, now: float) -> str:
        """One of the statuses of COURSE, or of ENDINGS."""
        age = (now - self.created_at) * JOB_SECONDS / self.seconds
        reached = [status for second, status in COURSE if age >= second]
        if self.archive_name in ENDINGS and "finalizing" in reached:
            return ENDINGS[self.archive_name]
        return reached[-1]


class Downloads:
    """The jobs by id."""

    def __init__(self, seed: int, clock: Callable[[], float], library: Library, s3: S3, job_seconds: float) -> None:
        self._clock = clock
        self._library = library
        self._s3 = s3
        self._job_seconds = job_seconds
        self._rng = Random(f"jobs {seed}")
        self.jobs: dict[str, Job] = {}

    def select(self, query: wire.BatchQuery, project_id: str) -> tuple[str, ...]:
        """The ids of the assets a batch packs; 404 or 403 for one it may not read, 400 for none or too many."""
        named = [self._library.find(asset_id, project_id)["id"] for asset_id in query["assetIds"]]
        made = [
            asset["id"]
            for asset in self._library.assets.values()
            if asset["ownerId"] == project_id and "deletedAt" not in asset and made_by(asset, query)
        ]
        asset_ids = tuple(dict.fromkeys(named + made))
        if not 1 <= len(asset_ids) <= MAX_ASSETS:
            raise documented(400, f"A download holds 1 to {MAX_ASSETS} assets, this one {len(asset_ids)}")
        return asset_ids

    def start(self, asset_ids: tuple[str, ...], options: wire.BatchOptions, project_id: str) -> wire.BatchAnswer:
        """A new job."""
        job = Job(key(self._rng, "job_"), project_id, self._clock(), asset_ids, options, self._job_seconds)
        self.jobs[job.job_id] = job
        return {"jobId": job.job_id}

    def show(self, job_id: str, project_id: str) -> wire.DownloadJob:
        """A project's job, with a fresh URL once it has succeeded; 404 with a text when there is none."""
        job = self.jobs.get(job_id)
        if job is None or job.project_id != project_id:
            raise Refusal(404, f"Job {job_id} not found")
        status = job.status(self._clock())
        answer: wire.DownloadJob = {"jobId": job_id, "jobStatus": status}
        if status == "success":
            answer["downloadUrl"] = self._s3.sign(f"/s3/exports/{job_id}/{job.archive_name}.zip")
        return answer

    def archive(self, job: Job) -> bytes:
        """The ZIP that a job has made."""
        return archives.archive((self._library.assets[asset_id] for asset_id in job.asset_ids), job.options)


def made_by(asset: wire.Asset, query: wire.BatchQuery) -> bool:
    """Whether an asset comes from one of a query's inferences or models."""
    metadata = asset["metadata"]
    return metadata.get("inferenceId") in query["inferenceIds"] or metadata.get("modelId") in query["modelIds"]


def cost(asset_ids: tuple[str, ...]) -> wire.DryRunAnswer:
    """What a dry run answers: a creative unit for each hundred assets begun."""
    return {"creativeUnitsCost": -(-len(asset_ids) // ASSETS_PER_UNIT)}
