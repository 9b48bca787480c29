"""A gateway and a sandbox as processes of their own, and clients that ask at a steady rate and keep what they got.

`FAULT_SECONDS` is how long each load lasts, 3 as a rule. What a load comes to is printed: `pytest -s tests/faults`.
"""

import asyncio
import itertools
import os
import socket
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from gateway.bench.modes import NEVER_FRESH
from tests.processes import Process, running, settings_of

SECONDS = float(os.environ.get("FAULT_SECONDS", "3"))
RATE = 60  # queries a second
PATIENCE = (
    1 if "FAULT_SECONDS" in os.environ else 5
)  # a machine that others use is given more time, the long form is not

JOIN = """query Join($scanId: ID!, $assetId: ID!) {
  scan(scanId: $scanId) { assets { isReady body { status } } } asset(assetId: $assetId) { assetId kind mimeType }
}"""
SCAN = "query Scan($scanId: ID!) { scan(scanId: $scanId) { assets { isReady body { status } } } }"
ASSET = "query Asset($assetId: ID!) { asset(assetId: $assetId) { assetId kind mimeType } }"

UNKEPT = {name.upper(): str(value) for name, value in NEVER_FRESH.items()}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def drained(process: Process) -> None:
    """Read on what a process prints, which would wait for a reader otherwise."""
    stream = process.process.stdout
    assert stream is not None
    threading.Thread(target=lambda: process.lines.extend(stream), daemon=True).start()


@contextmanager
def sandbox_process(port: int, folder: Path) -> Iterator[Process]:
    with running("sandbox", "--port", str(port), folder=folder) as process:
        process.wait_for("(Scenario) ")
        drained(process)
        yield process


def settings(prism: str, scenario: str, **given: str) -> dict[str, str]:
    return settings_of(prism, scenario, GATEWAY_REPORT_CALLS="true", **given)


@dataclass(frozen=True, slots=True)
class TimedAnswer:
    """One query: when it was sent and how long it took, in seconds, and its answer."""

    at: float
    seconds: float
    answer: dict[str, Any]

    @property
    def is_whole(self) -> bool:
        return "errors" not in self.answer and None not in self.answer["data"].values()

    @property
    def calls(self) -> int:
        return sum(self.answer["extensions"]["upstreamCalls"].values())

    @property
    def messages(self) -> list[str]:
        return [error["message"] for error in self.answer.get("errors", ())]


@dataclass(frozen=True, slots=True)
class LoadResult:
    """What a load came to."""

    asked: list[TimedAnswer]

    def share(self) -> float:
        """The share of queries with every field answered."""
        return 1 - self.lost() / len(self.asked)

    def lost(self) -> int:
        """How many queries had a field without an answer."""
        return sum(not one.is_whole for one in self.asked)

    def p99(self) -> float:
        """The seconds that 99 of 100 took at most."""
        ordered = sorted(one.seconds for one in self.asked)
        return ordered[int(0.99 * (len(ordered) - 1))]

    def codes(self) -> Counter[str]:
        errors = itertools.chain.from_iterable(one.answer.get("errors", ()) for one in self.asked)
        return Counter(error["extensions"]["code"] for error in errors)

    def tell(self, what: str, **more: object) -> None:
        """Print the figures."""
        figures = {"queries": len(self.asked), "whole": f"{self.share():.4f}", "p99": f"{self.p99():.3f} s", **more}
        print(f"\n{what}: {figures} {dict(self.codes())}")  # noqa: T201 - for who measures


@dataclass(slots=True)
class Stage:
    """A gateway, its process, and the sandbox that it asks."""

    client: aiohttp.ClientSession
    url: str
    sandbox_url: str
    process: Process
    scan_ids: list[str] = field(default_factory=list)
    asset_ids: list[str] = field(default_factory=list)

    async def ask(self, query: str, *, wait: float = 3, **variables: Any) -> TimedAnswer:
        """Ask once, with so many seconds until the deadline."""
        began = time.monotonic()
        body, headers = {"query": query, "variables": variables}, {"prefer": f"wait={wait:g}"}
        async with self.client.post(self.url, json=body, headers=headers) as response:
            answer = await response.json()
        return TimedAnswer(began, time.monotonic() - began, answer)

    async def load(self, query: str, *, seconds: float = SECONDS, rate: float = RATE, wait: float = 3) -> LoadResult:
        """Ask at a steady rate, whether or not answers come, each for something else than those before."""
        began, asked = time.monotonic(), []
        for number in range(int(seconds * rate)):
            await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
            asked.append(asyncio.ensure_future(self.ask(query, wait=wait, **self.variables(query, number))))
        return LoadResult(await asyncio.gather(*asked))

    def variables(self, query: str, number: int) -> dict[str, str]:
        known = {"scanId": self.scan_ids, "assetId": self.asset_ids}
        return {name: ids[number % len(ids)] for name, ids in known.items() if f"${name}" in query}

    async def fault(self, **fault: Any) -> None:
        async with self.client.post(f"{self.sandbox_url}/sandbox/faults", json=fault) as response:
            assert response.status == 201, await response.text()

    async def mend(self) -> None:
        await self.client.delete(f"{self.sandbox_url}/sandbox/faults")

    async def calls(self) -> int:
        """How many calls the sandbox had since it was last asked."""
        async with self.client.get(f"{self.sandbox_url}/sandbox/calls") as response:
            calls: Mapping[str, list[object]] = await response.json()
        await self.client.delete(f"{self.sandbox_url}/sandbox/calls")
        return sum(map(len, calls.values()))

    async def well_again(self, query: str) -> None:
        """Ask until ten answers in a row are whole."""
        in_a_row = 0
        while in_a_row < 10:
            asked = await self.ask(query, wait=1, **self.variables(query, in_a_row))
            in_a_row = in_a_row + 1 if asked.is_whole else 0
            await asyncio.sleep(1 / RATE)

    async def learn(self) -> None:
        """Find out what there is to ask for, once nothing is in the way."""
        await self.mend()
        async with self.client.get(f"{self.sandbox_url}/sandbox") as response:
            self.scan_ids = (await response.json())["scans"]["READY"]
        await self.well_again("{ assets(first: 100) { pageInfo { hasNextPage } } }")
        asked = await self.ask("{ assets(first: 500) { nodes { assetId } } }", wait=30)
        self.asset_ids = [node["assetId"] for node in asked.answer["data"]["assets"]["nodes"]]
        for query in (JOIN, JOIN, JOIN):  # what is compiled, connected and measured once
            await asyncio.gather(*[self.ask(query, wait=30, **self.variables(query, number)) for number in range(10)])
        await self.calls()


@dataclass(frozen=True, slots=True)
class Running:
    """A gateway's process, and where it and its sandbox are."""

    process: Process
    url: str
    sandbox_url: str = ""


@contextmanager
def gateway_running(folder: Path, environment: Mapping[str, str], sandbox_url: str = "") -> Iterator[Running]:
    """Serve a gateway with an environment."""
    with running("serve", folder=folder, settings=environment) as process:
        url = process.wait_for(r"listening on (\S+?/graphql)")
        drained(process)
        yield Running(process, url, sandbox_url)


@contextmanager
def sandbox_and_gateway(folder: Path, **given: str) -> Iterator[Running]:
    """Serve a gateway over a sandbox."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environment = settings(f"{url}/prism", f"{url}/scenario/v1", **given)
    with sandbox_process(port, folder), gateway_running(folder, environment, url) as gateway:
        yield gateway


@asynccontextmanager
async def asked_by_clients(gateway: Running) -> AsyncIterator[Stage]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=2)) as client:
        yield Stage(client, gateway.url, gateway.sandbox_url, gateway.process)


@asynccontextmanager
async def staged_on(gateway: Running) -> AsyncIterator[Stage]:
    """Ask a gateway that has a sandbox, knowing what there is to ask for."""
    async with asked_by_clients(gateway) as stage:
        await stage.learn()
        yield stage


@asynccontextmanager
async def gateway_process(folder: Path, environment: Mapping[str, str], sandbox_url: str = "") -> AsyncIterator[Stage]:
    """Serve a gateway with an environment, and ask it."""
    with gateway_running(folder, environment, sandbox_url) as gateway:
        async with asked_by_clients(gateway) as stage:
            yield stage


@asynccontextmanager
async def staged(beside: Running, folder: Path, **given: str) -> AsyncIterator[Stage]:
    """Serve a gateway of other settings over the sandbox of another one, and ask it."""
    url = beside.sandbox_url
    with gateway_running(folder, settings(f"{url}/prism", f"{url}/scenario/v1", **given), url) as gateway:
        async with staged_on(gateway) as stage:
            yield stage
            await stage.mend()
