"""A gateway of several processes is ended, restarted and hurt while clients use it: none of them sees a failure.

`RESTARTS=20` ends it so often, and `RESTART_RATE` is how many requests a second come meanwhile.
"""

import asyncio
import json
import os
import re
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from gateway.sandbox import Sandbox
from tests.processes import Process, run, running, settings_at

RESTARTS = int(os.environ.get("RESTARTS", "1"))
RATE = int(os.environ.get("RESTART_RATE", "200"))
LISTENING = r"listening on (\S+)/graphql"
ACCEPTING = r'"accepting requests".*"pid":(\d+)'
STREAMS = 5
SLOW_SECONDS = 1.5
SCANS = list(Sandbox().prism.scans)
QUICK = {"query": "{ assets(first: 2) { nodes { assetId } } }"}
SLOW = "query ($scanId: ID!) { scan(scanId: $scanId) { status } }"
FOLLOW = {
    "query": "subscription ($scanId: ID!) { scanUpdated(scanId: $scanId) { status } }",
    "variables": {"scanId": SCANS[2]},  # under way since yesterday
}

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork, so there is one worker only")


@dataclass(slots=True)
class Clients:
    """Clients of a gateway that go to another where they cannot connect: what they were answered, and by which."""

    first: str
    second: str
    http: httpx.AsyncClient
    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def ask(self, body: dict[str, Any]) -> None:
        """Ask the first, or the second where the first accepts no connection; whatever else goes wrong is a failure."""
        try:
            answer = await self.http.post(f"{self.first}/graphql", json=body)
        except httpx.ConnectError:
            answer = await self.http.post(f"{self.second}/graphql", json=body)
        except httpx.TransportError as error:
            self.failures.append(repr(error))
            return
        url = str(answer.url).removesuffix("/graphql")
        self.answers[url, answer.status_code] += 1
        if answer.status_code != 200 or "errors" in answer.json():
            self.failures.append(answer.text)

    async def keep_asking(self, until: asyncio.Event) -> None:
        """Ask quick things at the rate, and slow ones among them, until told to stop."""
        began, number = time.monotonic(), 0
        while not until.is_set():
            slow = {"query": SLOW, "variables": {"scanId": SCANS[number % len(SCANS)]}}
            self.tasks.append(asyncio.create_task(self.ask(slow if number % 20 == 0 else QUICK)))
            number += 1
            await asyncio.sleep(began + number / RATE - time.monotonic())
        await asyncio.gather(*self.tasks)


@pytest.fixture
def slow_settings(settings: dict[str, str], sandbox: httpx.Client) -> dict[str, str]:
    """Settings of a gateway that has to ask Prism each time, which takes its time."""
    sandbox.post("/faults", json={"upstream": "prism", "delay": SLOW_SECONDS}).raise_for_status()
    never_kept = ("GATEWAY_FRESH_STAGES_FINAL", "GATEWAY_STALE_STAGES_FINAL", "GATEWAY_FRESH_STAGES_MOVING")
    return settings | dict.fromkeys(never_kept, "0")


@contextmanager
def two_workers(settings: dict[str, str], folder: Path, **given: str) -> Iterator[tuple[Process, str]]:
    """The shipped form, and where it listens; both workers accept."""
    with running("serve", "--workers", "2", folder=folder, settings={**settings, **given}) as process:
        url = process.wait_for(LISTENING)
        for _ in range(2):
            process.wait_for(ACCEPTING)
        yield process, url


async def follow_by_socket(url: str, stack: AsyncExitStack) -> ClientConnection:
    """Follow a scan over WebSocket, whose state has come."""
    spoken = [Subprotocol("graphql-transport-ws")]
    one = await stack.enter_async_context(connect(f"{url}/graphql".replace("http", "ws", 1), subprotocols=spoken))
    await one.send('{"type":"connection_init"}')
    await one.send(json.dumps({"id": "1", "type": "subscribe", "payload": FOLLOW}))
    assert [json.loads(await one.recv())["type"] for _ in range(2)] == ["connection_ack", "next"]
    return one


async def closing_of(one: ClientConnection) -> tuple[int | None, str | None]:
    with suppress(ConnectionClosed):
        async for _ in one:
            pass
    return one.close_code, one.close_reason


async def follow_by_events(client: httpx.AsyncClient, url: str) -> httpx.Response:
    """Follow a scan over server-sent events."""
    headers = {"accept": "text/event-stream"}
    request = client.build_request("POST", f"{url}/graphql", json=FOLLOW, headers=headers)
    return await client.send(request, stream=True)


async def readiness(url: str) -> tuple[int, str]:
    """Ask over a connection of its own, as whoever sends requests here would."""
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(f"{url}/readyz")
        return answer.status_code, answer.json()["status"]


async def end_under_load(process: Process, first: str, second: str) -> Clients:
    """End the first gateway by SIGTERM while everything is under way, and give what its clients were answered."""
    over = asyncio.Event()
    async with httpx.AsyncClient(trust_env=False, timeout=60) as http, AsyncExitStack() as stack:
        clients = Clients(first, second, http)
        load = asyncio.create_task(clients.keep_asking(over))
        sockets = [await follow_by_socket(first, stack) for _ in range(STREAMS)]
        events = [await follow_by_events(http, first) for _ in range(STREAMS)]
        await asyncio.sleep(1)
        assert await readiness(first) == (200, "ready")

        began = time.monotonic()
        ending = asyncio.create_task(asyncio.to_thread(process.stop, signal.SIGTERM))
        await asyncio.sleep(0.5)
        assert await readiness(first) == (503, "draining")
        closings = await asyncio.gather(*(closing_of(one) for one in sockets))
        bodies = await asyncio.gather(*(one.aread() for one in events))
        code, printed = await ending
        took = time.monotonic() - began
        over.set()
        await load

    assert closings == [(1012, "The gateway ends; connect again.")] * STREAMS
    state = b':\n\nevent: next\ndata: {"data":{"scanUpdated":{"status":"PROCESSING"}}}\n\n'
    assert [body.replace(b":\n\n", b"") for body in bodies] == [state.replace(b":\n\n", b"")] * STREAMS
    assert (code, "Traceback" in printed) == (0, False), printed
    assert took < 30
    return clients


@pytest.mark.parametrize("_round", range(RESTARTS))
async def test_sigterm_under_load_fails_no_request_and_ends_streams_in_their_own_words(
    _round: int, slow_settings: dict[str, str], tmp_path: Path
) -> None:
    with (
        two_workers(slow_settings, tmp_path, GATEWAY_DRAIN_GRACE="1") as (process, first),
        running("serve", folder=tmp_path, settings=slow_settings) as other,
    ):
        second = other.wait_for(LISTENING)
        clients = await end_under_load(process, first, second)
    assert clients.failures == []
    assert set(clients.answers) == {(first, 200), (second, 200)}
    assert sum(clients.answers.values()) == len(clients.tasks)


@pytest.fixture(scope="module")
def served(sandbox_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Process, str]]:
    """The shipped form, which survives the tests that use it."""
    with two_workers(settings_at(sandbox_url), tmp_path_factory.mktemp("gateway")) as made:
        yield made
        code, printed = made[0].stop(signal.SIGINT)
        assert (code, "Traceback" in printed) == (0, False)


def test_an_address_that_is_taken_is_told_before_any_worker_starts(
    served: tuple[Process, str], settings: dict[str, str], tmp_path: Path
) -> None:
    taken = {**settings, "GATEWAY_PORT": served[1].rpartition(":")[2]}
    ended = run("serve", "--workers", "2", folder=tmp_path, settings=taken)
    assert (ended.returncode, "worker" in ended.stderr) == (1, False)
    assert "Address already in use. Choose another with GATEWAY_HOST or GATEWAY_PORT." in ended.stderr


def test_sighup_reaches_every_worker_and_ends_none(served: tuple[Process, str]) -> None:
    process, url = served
    process.process.send_signal(signal.SIGHUP)
    told = {process.wait_for(r'"told by SIGHUP to read again".*"pid":(\d+)') for _ in range(2)}
    assert told == set(re.findall(ACCEPTING, "".join(process.lines)))
    assert httpx.get(f"{url}/healthz", trust_env=False).status_code == 200


def test_a_worker_that_dies_is_replaced_while_the_other_answers(served: tuple[Process, str]) -> None:
    process, url = served
    with httpx.Client(base_url=url, trust_env=False) as client:
        dead = int(re.findall(ACCEPTING, "".join(process.lines))[0])
        os.kill(dead, signal.SIGKILL)
        answers = [client.post("/graphql", json=QUICK).status_code for _ in range(20)]
        assert answers == [200] * 20
        assert process.wait_for(rf"worker {dead} (ended with -9; another starts in \d\.\d s)")
        assert process.wait_for(ACCEPTING) != str(dead)


def test_workers_end_with_their_supervisor(settings: dict[str, str], tmp_path: Path) -> None:
    with two_workers(settings, tmp_path, GATEWAY_DRAIN_GRACE="0") as (process, url):
        code, _ = process.stop(signal.SIGKILL)  # which reads to the end of what the workers print, too
    assert code == -signal.SIGKILL
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/healthz", trust_env=False)
