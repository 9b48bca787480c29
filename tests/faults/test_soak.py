"""A gateway that many use for long: what it holds does not grow.

`SOAK_SECONDS=3600` takes an hour, and holds its memory, too, to what it was after the first sixth of that.
"""

import asyncio
import os
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from gateway.auth.api_keys import keep_key, new_key
from gateway.sandbox import Sandbox
from tests.faults.crowd import FAULTS, Crowd
from tests.faults.stage import drained
from tests.faults.vitals import Vitals, growth, vitals_at
from tests.processes import Process, running, settings_at
from tests.redis_server import PROGRAMS, running_redis

SECONDS = float(os.environ.get("SOAK_SECONDS", "4"))
IS_LONG = SECONDS >= 3600
RATE = float(os.environ.get("SOAK_RATE", "40"))  # visits a second, of about 1.3 operations each
SAMPLE = min(5.0, SECONDS / 50)  # seconds between two looks
TOLD = 10  # every which of them is printed
AT_ONCE = 50  # who come in the first tenth of a second
TURN = min(30.0, max(2.0, SECONDS / 5))  # seconds in which an upstream fails once, and keys and tenants change once
TENANTS = ("acme", "bolt", "cove")
KEYS = 8  # of each tenant that are made anew in each turn; as many stay from the last one
PATIENCE = 60.0  # seconds for an answer, on a machine that others use too
QUIET = 30.0  # seconds; far more than it takes until all who have left are forgotten
# All are full within a sixth of the time, as what is kept of repeated requests is, which is a share of the latter.
OPERATIONS = min(1_000, int(4 * SECONDS))
CACHE_BYTES = min(8_000_000, int(200_000 * SECONDS))
MANY = "1000000000"
REDIS_CONNECTIONS = 4  # that may be made later, when more is asked at once than ever before; all of them are kept
SCAN_IDS = list(Sandbox().prism.scans)
ASSET_IDS = [one["id"] for one in Sandbox().scenario.assets.values() if one["ownerId"] == Sandbox.project_id]

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="only Linux tells what a process holds")


@dataclass(slots=True)
class Served:
    """A gateway of several tenants: its process, where it is and tells its metrics, and what was seen of it."""

    process: Process
    url: str
    metrics: str
    folder: Path
    sandbox: httpx.AsyncClient
    keys: list[list[str]] = field(default_factory=list)
    turns: int = 0
    seen: list[Vitals] = field(default_factory=list)

    async def turn(self, crowd: Crowd) -> None:
        """Let an upstream fail for a while, then revoke old keys, make new ones, and change a tenant's credential."""
        await asyncio.sleep(0.7 * TURN)
        crowd.keys[:] = self.keys[-1]
        await self.sandbox.post("/faults", json=FAULTS[self.turns % len(FAULTS)])
        await asyncio.sleep(0.3 * TURN)
        await self.sandbox.delete("/faults")
        self.turns += 1
        renew(self.folder, self.keys, self.turns)
        self.process.process.send_signal(signal.SIGHUP)

    async def look(self, client: httpx.AsyncClient) -> None:
        """See what it holds, and let the sandbox forget what it was asked."""
        await asyncio.sleep(SAMPLE)
        self.seen.append(await vitals_at(client, self.metrics))
        if len(self.seen) % TOLD == 0:
            tell(f"look {len(self.seen)}", self.seen[-1])
        await self.sandbox.delete("/calls")

    async def at_rest(self, client: httpx.AsyncClient) -> Vitals:
        """Give what it holds once nobody uses it any more."""
        end = time.monotonic() + QUIET
        while (now := await vitals_at(client, self.metrics)).busy:
            assert time.monotonic() < end, now
            await asyncio.sleep(0.1)
        await asyncio.sleep(0.5)
        return await vitals_at(client, self.metrics)


def renew(folder: Path, keys: list[list[str]], turn: int) -> None:
    """Write new keys beside those of the last turn, and tenants of whom one has another credential each time."""
    made = [new_key(f"{turn}", ("*",), tenant, None, None) for tenant in TENANTS for _ in range(KEYS)]
    lines = (folder / "keys.jsonl").read_bytes().splitlines(keepends=True) if keys else []
    draft = folder / "keys.draft"
    draft.write_bytes(b"".join(lines[-len(made) :]))
    for _, stored in made:
        keep_key(draft, stored)
    draft.replace(folder / "keys.jsonl")  # at once: the gateway may look at any moment, and half a file revokes keys
    keys[:] = [*keys[-1:], [key for key, _ in made]]
    pair = f'scenario_api_key = "{Sandbox.scenario_api_key}"\nscenario_api_secret = "{Sandbox.scenario_api_secret}"'
    token = f'scenario_jwt = "{Sandbox.scenario_jwt}"'
    tables = [
        f'[{tenant}]\nprism_api_key = "{Sandbox.prism_api_key}"\n{token if turn % 3 == number else pair}\n'
        for number, tenant in enumerate(TENANTS)
    ]
    (folder / "tenants.toml").write_text("".join(tables), encoding="utf-8")


@pytest.fixture
def redis_settings(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A Redis of bounded size, where there is one."""
    with running_redis(tmp_path) if any(map(shutil.which, PROGRAMS)) else nullcontext() as redis:
        if redis is not None:
            redis.client.config_set("maxmemory", "64mb")
            redis.client.config_set("maxmemory-policy", "allkeys-lru")
        yield {} if redis is None else {"GATEWAY_REDIS_URL": redis.url}


@contextmanager
def gateway(folder: Path, sandbox_url: str, **given: str) -> Iterator[tuple[Process, str, str]]:
    """Serve a gateway whose stores are small, and that refuses nobody for asking often."""
    settings = {
        "GATEWAY_AUTH": "api-key",
        "GATEWAY_API_KEYS": str(folder / "keys.jsonl"),
        "GATEWAY_TENANTS_FILE": str(folder / "tenants.toml"),
        "GATEWAY_METRICS_PORT": "0",
        "GATEWAY_INCREMENTAL": "true",
        "GATEWAY_ANSWERS": "true",
        "GATEWAY_CACHE_BYTES": str(CACHE_BYTES),
        "GATEWAY_OPERATIONS": str(OPERATIONS),
        "GATEWAY_PERSISTED_BYTES": str(CACHE_BYTES // 100),
        "GATEWAY_RATE_REQUESTS": MANY,
        "GATEWAY_RATE_UPSTREAM_CALLS": MANY,
        "GATEWAY_RATE_OBJECTS": MANY,
        "GATEWAY_DRAIN_GRACE": "0",
        "GATEWAY_DEADLINE": "3",
        "GATEWAY_OVERLOAD_AFTER": "3600",
        "GATEWAY_WATCH_SHORTEST": "0.5",
        "SCENARIO_RATE": "0",
        **given,
    }
    upstreams = settings_at(sandbox_url, **settings)
    own = {name: value for name, value in upstreams.items() if not name.endswith(("_KEY", "_SECRET"))}
    with running("serve", folder=folder, settings=own) as process:
        url, metrics = process.wait_for(r"listening on (\S+/graphql)"), process.wait_for(r"metrics at (\S+/metrics)")
        process.wait_for("(accepting requests)")
        drained(process)
        yield process, url, metrics


async def soaked(served: Served, crowd: Crowd, seconds: float) -> Vitals:
    """Let many use it for so long, and give what it holds when they have gone."""
    async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE) as client:

        async def look() -> None:
            while True:
                await served.look(client)

        async def turn() -> None:
            while True:
                await served.turn(crowd)

        async with asyncio.TaskGroup() as group:
            beside = [group.create_task(look()), group.create_task(turn())]
            await crowd.come(RATE, seconds)
            for one in beside:
                one.cancel()
        await served.sandbox.delete("/faults")
        return await served.at_rest(client)


def tell(what: str, vitals: Vitals) -> None:
    """Print the figures."""
    figures = f"{vitals.resident / 2**20:.1f} MB, {vitals.tasks:.0f} tasks, {vitals.descriptors:.0f} descriptors"
    kept = f"{vitals.documents:.0f} documents, {vitals.full:.2f} full, {vitals.operations:.0f} operations"
    print(f"{what}: {figures}, {kept}", flush=True)  # noqa: T201 - for who measures


async def test_what_a_gateway_holds_does_not_grow(
    sandbox_url: str, redis_settings: dict[str, str], tmp_path: Path
) -> None:
    keys: list[list[str]] = []
    renew(tmp_path, keys, 0)
    async with httpx.AsyncClient(base_url=f"{sandbox_url}/sandbox", trust_env=False, timeout=PATIENCE) as control:
        with gateway(tmp_path, sandbox_url, **redis_settings) as (process, url, metrics):
            served = Served(process, url, metrics, tmp_path, control, keys)
            crowd = Crowd(url, SCAN_IDS, ASSET_IDS, list(keys[-1]))
            await crowd.come(AT_ONCE / 0.1, 0.1)  # more than ever after, which takes as many connections to Redis
            rests = [await soaked(served, crowd, SECONDS / 6)]
            warm = len(served.seen)
            rests.append(await soaked(served, crowd, SECONDS * 5 / 6))
            process.process.send_signal(signal.SIGTERM)
            code, printed = await asyncio.to_thread(process.process.wait, QUIET), "".join(process.lines)
    before, after = rests
    tell("first rest", before)
    tell("last rest", after)
    gained = growth([one.resident for one in served.seen[warm:]])
    print(f"{dict(crowd.visits)}, grown by {gained:.4f}")  # noqa: T201 - for who measures
    assert crowd.wrong == []
    assert (code, "Traceback" in printed, '"level":"error"' in printed) == (0, False, False), printed
    assert before.operations == after.operations == OPERATIONS
    assert max(one.full for one in served.seen[:warm]) > (0.8 if IS_LONG else 0.4)  # in a few seconds less is asked
    assert after.tasks <= before.tasks
    assert after.descriptors <= before.descriptors + REDIS_CONNECTIONS
    assert not IS_LONG or gained < 0.02
