"""Several workers behind one `/metrics`: whoever is asked tells of all."""

import asyncio
import os
import re
import signal
import socket
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry, ProcessCollector
from starlette.applications import Starlette

from gateway.metrics.crew import Crew
from gateway.metrics.exposition import metrics_app
from gateway.sandbox import Sandbox
from tests.processes import running
from tests.telemetry.reading import told_by
from tests.world import world


async def scraped(app: Starlette) -> str:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://metrics.test") as client:
        return (await client.get("/metrics")).text


async def test_whoever_is_asked_tells_of_every_worker_by_its_number(tmp_path: Path) -> None:
    async with world() as first, world() as second:
        apps = [metrics_app(each.app.state.metrics, Crew(tmp_path, n)) for n, each in enumerate((first, second))]
        await first.execute("query A { __typename }")
        async with apps[0].router.lifespan_context(apps[0]), apps[1].router.lifespan_context(apps[1]):
            told = [await scraped(app) for app in apps]
    for text in told:
        assert 'scan_gateway_operations_total{kind="query",operation="A",outcome="ok",worker="0"} 1.0\n' in text
        assert 'scan_gateway_http_requests_total{status="200",worker="1"} 0.0\n' in text
        assert text.count("# TYPE scan_gateway_operations_total counter\n") == 1


async def test_a_worker_that_hangs_is_told_of_as_not_up_and_one_that_has_ended_is_not(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    async with Crew(tmp_path, 0).telling(registry):
        async with Crew(tmp_path, 1).telling(registry):
            pass
        with socket.socket(socket.AF_UNIX) as hanging, socket.socket(socket.AF_UNIX) as killed:
            hanging.bind(str(tmp_path / "2.sock"))
            hanging.listen()
            killed.bind(str(tmp_path / "3.sock"))
            told = told_by(await Crew(tmp_path, 0).gather())
    assert told["scan_gateway_worker_up"] == {("0",): 1, ("2",): 0}
    assert not (tmp_path / "3.sock").exists()


async def test_a_worker_that_hangs_for_so_long_that_no_more_may_wait_for_it_is_told_of_as_not_up(
    tmp_path: Path,
) -> None:
    with socket.socket(socket.AF_UNIX) as hanging, ExitStack() as waiting:
        hanging.bind(str(tmp_path / "2.sock"))
        hanging.listen(0)
        with suppress(BlockingIOError):
            for _ in range(10):
                asking = waiting.enter_context(socket.socket(socket.AF_UNIX))
                asking.setblocking(False)  # noqa: FBT003 - the standard library's own signature
                asking.connect(str(tmp_path / "2.sock"))
        async with Crew(tmp_path, 0).telling(CollectorRegistry()):
            told = told_by(await Crew(tmp_path, 0).gather())
    assert told["scan_gateway_worker_up"] == {("0",): 1, ("2",): 0}
    assert (tmp_path / "2.sock").exists()


async def test_whoever_asks_and_does_not_wait_is_no_error_of_the_worker_that_was_asked(tmp_path: Path) -> None:
    errors: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context))
    async with Crew(tmp_path, 0).telling(CollectorRegistry()):
        with socket.socket(socket.AF_UNIX) as asking:
            asking.connect(str(tmp_path / "0.sock"))
        told = told_by(await Crew(tmp_path, 0).gather())  # who came first was told first
    assert (told["scan_gateway_worker_up"], errors) == ({("0",): 1}, [])


async def test_a_worker_in_the_place_of_one_that_was_killed_takes_its_socket(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / "0.sock"))
    async with Crew(tmp_path, 0).telling(CollectorRegistry()):
        assert told_by(await Crew(tmp_path, 0).gather())["scan_gateway_worker_up"] == {("0",): 1}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork, so there is one worker only")
def test_workers_that_serve_tell_their_numbers_together_and_so_does_one_in_the_place_of_another(tmp_path: Path) -> None:
    settings = {
        "PRISM_API_KEY": Sandbox.prism_api_key,
        "SCENARIO_PUBLIC": "true",
        "GATEWAY_PORT": "0",
        "GATEWAY_METRICS_PORT": "0",
        "GATEWAY_DRAIN_GRACE": "0",
        "TMPDIR": str(tmp_path),
    }
    accepting = r'"accepting requests".*"pid":(\d+)'
    with running("serve", "--workers", "2", folder=tmp_path, settings=settings) as served:
        url = served.wait_for(r"listening on (\S+?)/graphql")
        metrics = served.wait_for(r"metrics at (\S+?)/metrics")
        first, second = (served.wait_for(accepting) for _ in range(2))
        for _ in range(20):  # each over a connection of its own
            httpx.post(f"{url}/graphql", json={"query": "query A { __typename }"}, trust_env=False)
        answered = r'scan_gateway_operations_total\{kind="query",operation="A",outcome="ok",worker="(\d+)"\} (\d+)\.0'
        for _ in range(4):  # whoever is asked
            told = dict(re.findall(answered, httpx.get(f"{metrics}/metrics", trust_env=False).text))
            assert told.keys() <= {first, second}
            assert sum(map(int, told.values())) == 20
        os.kill(int(first), signal.SIGKILL)
        third = served.wait_for(accepting)
        workers: set[str] = set()
        end = time.monotonic() + 30
        while third not in workers and time.monotonic() < end:  # it tells of itself a moment after it has begun
            text = httpx.get(f"{metrics}/metrics", trust_env=False).text
            workers = set(re.findall(r'scan_gateway_worker_up\{worker="(\d+)"\} 1\.0', text))
        code, printed = served.stop(signal.SIGTERM)
    assert (workers, code) == ({second, third}, 0), printed
    assert list(tmp_path.glob("scan-gateway-*")) == []
