"""Made-up body scans in every state; some of them move on as time passes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, cast
from uuid import UUID

from gateway.prism import wire
from gateway.sandbox.moments import DAY, HOUR, iso

STAGES = ("captureData", "body", "fittedBody", "measurement")

TEXTURED = "c979ab6b-e46b-4c1c-89e1-bb02435b5cbf"
PLY_ONLY = "a7224818-b0ee-44ee-9984-1c47b086d269"
WEB = "ee651a9e-6de1-4621-a5c9-5d31ca874718"
OLD = ""
CONFIGS = (TEXTURED, PLY_ONLY, WEB, OLD)
OBJ_CONFIGS = (TEXTURED, WEB)

ALWAYS = frozenset({"previewImage", "model", "canonicalBody"})
FILES_BY_CONFIG = {
    TEXTURED: frozenset({"texture", "material"}),
    WEB: frozenset({"texture", "material", "captureVideo"}),
    PLY_ONLY: frozenset[str](),
    OLD: frozenset({"stripes"}),
}

STAGE_SECONDS = 5.0
LIVE_SECONDS = 4.0
POUNDS = 2.204_622_6
INCHES = 39.370_079


@dataclass(frozen=True, slots=True)
class Step:
    """A stage takes a status at a moment, in epoch seconds."""

    at: float
    stage: str
    status: str


@dataclass(frozen=True, slots=True)
class Scan:
    """One scan and its whole course; what has happened so far is a function of the moment it is asked at.

    One that `repeats` goes through its steps anew each time so many seconds have passed. `overrides` and `lacks` make
    the documents differ from what is documented.
    """

    scan_id: str
    prism_scan_id: str
    scan_assets_id: str
    user_id: str
    user_token: str
    device_config_name: str
    asset_config_id: str
    kilograms: float
    metres: float
    created_at: float
    steps: tuple[Step, ...]
    omits_stages_to_come: bool = False
    repeats: float | None = None
    overrides: Mapping[str, object] = field(default_factory=dict)
    lacks: frozenset[str] = frozenset()

    @property
    def textured(self) -> bool:
        """Whether its model is an OBJ with a texture; a PLY otherwise."""
        return self.asset_config_id in OBJ_CONFIGS

    def taken(self, now: float) -> dict[str, Step]:
        """The last step of each stage that has begun."""
        passed = self._repeated(now)
        return {step.stage: replace(step, at=step.at + passed) for step in self.steps if step.at + passed <= now}

    def _repeated(self, now: float) -> float:
        """How many seconds the rounds took that are over."""
        if self.repeats is None:
            return 0.0
        return self.repeats * max(0, (now - self.steps[0].at) // self.repeats)

    def status(self, now: float) -> str:
        """CREATED, PROCESSING, READY or FAILED."""
        statuses = {stage: step.status for stage, step in self.taken(now).items()}
        if "failed" in statuses.values():
            return "FAILED"
        if statuses.get(STAGES[-1]) == "succeeded":
            return "READY"
        return "PROCESSING" if statuses else "CREATED"

    def updated_at(self, now: float) -> float:
        """When it last changed, in epoch seconds."""
        return max((step.at for step in self.taken(now).values()), default=self.created_at)

    def files(self, now: float) -> frozenset[str]:
        """The keys of `wire.ScanAssetUrls` that have a file: none before the scan is ready."""
        if self.status(now) != "READY":
            return frozenset()
        return ALWAYS | FILES_BY_CONFIG[self.asset_config_id]

    def scan_assets(self, now: float) -> wire.ScanAssets:
        """Its stages; one that has not begun is null, or absent where the schema allows that."""
        taken = self.taken(now)
        document: dict[str, object] = {"id": self.scan_assets_id, "scanId": self.scan_id}
        for stage in STAGES:
            step = taken.get(stage)
            if step or not (self.omits_stages_to_come and stage in STAGES[2:]):
                document[stage] = step.status if step else None
            document[f"{stage}UpdatedAt"] = iso(step.at) if step else None
        document |= {"createdAt": iso(self.created_at), "updatedAt": iso(self.updated_at(now))}
        return cast("wire.ScanAssets", document)

    def document(self, now: float, *, imperial: bool = False, embed: bool = True) -> dict[str, Any]:
        """`wire.Scan`, with the `measurements` and `bodyfat` that Prism also sends; null here."""
        scan: wire.Scan = {
            "id": self.scan_id,
            "status": self.status(now),
            "prismScanId": self.prism_scan_id,
            "deviceConfigName": self.device_config_name,
            "assetConfigId": self.asset_config_id,
            "weight": weight(self.kilograms, imperial=imperial),
            "height": height(self.metres, imperial=imperial),
            "userId": self.user_id,
            "userToken": self.user_token,
            "createdAt": iso(self.created_at),
            "updatedAt": iso(self.updated_at(now)),
        }
        if embed:
            scan["scanAssets"] = self.scan_assets(now)
        whole = {**scan, "measurements": None, "bodyfat": None, **self.overrides}
        return {name: value for name, value in whole.items() if name not in self.lacks}


def weight(kilograms: float, *, imperial: bool) -> wire.Weight:
    """A weight in kg or lb."""
    return {"value": round(kilograms * POUNDS, 1), "unit": "lb"} if imperial else {"value": kilograms, "unit": "kg"}


def height(metres: float, *, imperial: bool) -> wire.Height:
    """A height in m or in."""
    return {"value": round(metres * INCHES, 1), "unit": "in"} if imperial else {"value": metres, "unit": "m"}


def course(begin: float, seconds: float, stages: int, last: str) -> tuple[Step, ...]:
    """The first `stages` stages one after another, each started and succeeded but for the last one's end."""
    steps: list[Step] = []
    for index, stage in enumerate(STAGES[:stages]):
        started = begin + index * seconds
        steps += [Step(started, stage, "started"), Step(started + seconds, stage, "succeeded")]
    if steps and last != "succeeded":
        end = steps.pop()
        steps += [Step(end.at, end.stage, last)] if last == "failed" else []
    return tuple(steps)


def courses(start: float) -> Sequence[tuple[Step, ...]]:
    """What the scans go through: 2 created, 4 processing, 4 failed, 10 ready, and 8 that move on."""
    past = [start - DAY * (1 + index) for index in range(20)]
    still = [course(past[index], STAGE_SECONDS, 0, "started") for index in range(2)]
    still += [course(past[1 + stages], STAGE_SECONDS, stages, "started") for stages in range(1, 5)]
    still += [course(past[5 + stages], STAGE_SECONDS, stages, "failed") for stages in range(1, 5)]
    still += [course(past[10 + index], STAGE_SECONDS, 4, "succeeded") for index in range(10)]
    moving = [course(start + 2 + 3 * index, 3.0 + index, 4, "succeeded") for index in range(6)]
    moving += [course(start + 4, STAGE_SECONDS, stages, "failed") for stages in (1, 3)]
    return still + moving


def generate(rng: Random, start: float, *, drift: bool = False) -> dict[str, Scan]:
    """The scans by id, the same for the same seed and start; with `drift` also two that break the documentation."""
    users = [(uuid(rng), f"member-{number:04}") for number in range(1, 9)]
    scans = [scan(rng, users[index % len(users)], index, steps, start) for index, steps in enumerate(courses(start))]
    scans.append(live(rng, users[0], start))
    if drift:
        scans += drifted(rng, users[0], start)
    return {each.scan_id: each for each in scans}


def scan(rng: Random, user: tuple[str, str], index: int, steps: tuple[Step, ...], start: float) -> Scan:
    """One scan of a user; its index decides the device and the files it has."""
    return Scan(
        scan_id=uuid(rng),
        prism_scan_id=uuid(rng),
        scan_assets_id=uuid(rng),
        user_id=user[0],
        user_token=user[1],
        device_config_name=("IPHONE_SCANNER", "ANDROID_SCANNER")[index % 2],
        asset_config_id=CONFIGS[index % len(CONFIGS)],
        kilograms=round(rng.uniform(52, 105), 1),
        metres=round(rng.uniform(1.52, 1.96), 2),
        created_at=min(steps[0].at if steps else start, start) - HOUR,
        steps=steps,
        omits_stages_to_come=index % 3 == 0,
    )


def live(rng: Random, user: tuple[str, str], start: float) -> Scan:
    """A scan to watch at any time: it is made over and over, and never ready."""
    steps = course(start, LIVE_SECONDS, len(STAGES), "started")
    return replace(scan(rng, user, 0, steps, start), repeats=LIVE_SECONDS * len(STAGES))


def drifted(rng: Random, user: tuple[str, str], start: float) -> list[Scan]:
    """A scan with values that no specification has, and one that lacks what all of them require."""
    unknown = scan(rng, user, 0, (Step(start - DAY, "captureData", "queued"),), start)
    overrides = {"status": "ARCHIVED", "deviceConfigName": "WEB_SCANNER", "scanQuality": "good"}
    lacking = scan(rng, user, 1, (), start)
    return [
        replace(unknown, overrides=overrides),
        replace(lacking, lacks=frozenset({"weight", "userId", "updatedAt"})),
    ]


def uuid(rng: Random) -> str:
    """A version 4 UUID."""
    return str(UUID(int=rng.getrandbits(128), version=4))
