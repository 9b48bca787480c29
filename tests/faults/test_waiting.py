"""Who waits for a call: many for one, and nobody for none."""

import asyncio
import time
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from tests.faults.stage import PATIENCE, SCAN, UNKEPT, Running, Stage, gateway_process, settings, staged
from tests.upstream.raw_server import say_nothing, serving


async def leave(stage: Stage, upstream_heard: asyncio.Event, scan_id: str) -> None:
    """Ask, wait until the upstream was asked, and hang up."""
    address = urlsplit(stage.url)
    _, writer = await asyncio.open_connection(address.hostname, address.port)
    body = msgspec.json.encode({"query": SCAN, "variables": {"scanId": scan_id}})
    head = f"POST /graphql HTTP/1.1\r\nhost: g\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    await upstream_heard.wait()
    writer.close()


async def test_three_hundred_identical_queries_are_one_call(processes: Running, tmp_path: Path) -> None:
    async with staged(processes, tmp_path, **UNKEPT, GATEWAY_SLOW_FROM="60") as stage:
        await stage.fault(upstream="prism", delay=1)
        scan_id = stage.scan_ids[0]
        asked = await asyncio.gather(*[stage.ask(SCAN, wait=30, scanId=scan_id) for _ in range(300)])
        calls = await stage.calls()
    assert all(one.is_whole for one in asked)
    assert calls == 1


async def test_a_client_that_leaves_takes_its_call_with_it_unless_another_waits(tmp_path: Path) -> None:
    async with asyncio.timeout(60), serving(say_nothing) as upstream:
        environment = settings(upstream.url, upstream.url, **UNKEPT, GATEWAY_RETRIES="0")
        async with gateway_process(tmp_path, environment) as stage:
            await leave(stage, upstream.asked, "alone")
            left_at = time.monotonic()
            await asyncio.wait_for(upstream.gone.wait(), 5)
            seconds = time.monotonic() - left_at
            upstream.asked.clear()
            upstream.gone.clear()
            other = asyncio.ensure_future(stage.ask(SCAN, wait=2, scanId="shared"))
            await upstream.asked.wait()
            await leave(stage, upstream.asked, "shared")
            answer = (await other).answer
        logged = "".join(stage.process.lines)
    print(f"\ncancelled after {seconds:.3f} s")  # noqa: T201 - for who measures
    assert seconds <= 0.5 * PATIENCE
    assert len(upstream.heads) == 2
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["UPSTREAM_TIMEOUT"]
    assert "Traceback" not in logged
