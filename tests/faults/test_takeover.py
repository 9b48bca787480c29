"""The replica that looks at what several follow dies: the others' subscribers go on hearing of it."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path

import httpx

from gateway.pace import Pace
from gateway.sandbox import Sandbox
from tests.processes import SECONDS, running, settings_at
from tests.redis_server import RedisServer
from tests.replicas import until

INTERVAL = 0.3  # seconds between two looks
LEASE = Pace().turn * INTERVAL
LATE = 3.0  # seconds by which a machine that others use may be late
LIVE = next(scan.scan_id for scan in Sandbox().prism.scans.values() if scan.repeats)
FOLLOW = {
    "query": "subscription ($id: ID!) { scanUpdated(scanId: $id) { updatedAt assets { body { updatedAt } } } }",
    "variables": {"id": LIVE},
}


@asynccontextmanager
async def following(url: str) -> AsyncIterator[list[str]]:
    """Follow the scan by server-sent events, and give those that have come."""
    heard: list[str] = []

    async def read(answer: httpx.Response) -> None:
        with suppress(httpx.TransportError):  # of a gateway that is killed
            async for line in answer.aiter_lines():
                heard.extend([line] if line.startswith("data") else [])

    async with (
        httpx.AsyncClient(trust_env=False, timeout=SECONDS) as client,
        client.stream("POST", url, json=FOLLOW, headers={"accept": "text/event-stream"}) as answer,
    ):
        reading = asyncio.create_task(read(answer))
        yield heard
        reading.cancel()
        await asyncio.wait([reading])


def holder(redis: RedisServer) -> object:
    """Which process has the lease on the scan."""
    return next((redis.client.get(key) for key in redis.client.scan_iter("gateway:*:lease:*")), None)


async def test_the_other_replica_looks_on_when_the_one_that_looked_is_killed(
    redis: RedisServer, sandbox_url: str, tmp_path: Path
) -> None:
    pace = {f"GATEWAY_WATCH_{name}": str(INTERVAL) for name in ("SHORTEST", "LONGEST")} | {"GATEWAY_WATCH_JITTER": "0"}
    settings = settings_at(sandbox_url, GATEWAY_REDIS_URL=redis.url, **pace)
    with ExitStack() as stack:
        replicas = [stack.enter_context(running("serve", folder=tmp_path, settings=settings)) for _ in range(2)]
        urls = [replica.wait_for(r"listening on (\S+/graphql)") for replica in replicas]
        async with following(urls[0]):
            await until(lambda: holder(redis))
            leader = holder(redis)
            async with following(urls[1]) as heard:
                await until(lambda: heard)
                assert holder(redis) == leader

                async with httpx.AsyncClient(base_url=f"{sandbox_url}/sandbox", trust_env=False) as sandbox:
                    await sandbox.delete("/calls")
                    replicas[0].process.send_signal(signal.SIGKILL)
                    killed_at = time.monotonic()
                    await until(lambda: holder(redis) not in (None, leader))
                    took, before = time.monotonic() - killed_at, len(heard)
                    await until(lambda: len(heard) > before)
                    looks = len((await sandbox.get("/calls")).json()["prism"])
                    seconds = time.monotonic() - killed_at
    print(f"\ntaken over after {took:.2f} s; {looks} looks in {seconds:.2f} s")  # noqa: T201 - for who measures
    assert took <= LEASE + INTERVAL + LATE
    assert 1 <= looks <= seconds / INTERVAL + 2
    assert heard[-1] != heard[-2]
