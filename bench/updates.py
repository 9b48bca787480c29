"""How late a change reaches many WebSocket subscribers: `python bench/updates.py`, or with their number as argument.

A gateway in a process of its own asks once a second after a scan that all of them follow. The scan is in this process,
and changes at moments spread over that second; so are the clients, which do no more than to note what came when.
Exits with 1 where a client heard nothing, or p99 of what the last client waited is a second and 250 ms or more.
"""

import asyncio
import base64
import math
import os
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import uvloop
from websockets.frames import Frame, Opcode

from gateway.app import create_app
from gateway.bench.servers import HOST, Server, serving, started
from gateway.demo import demo_settings
from gateway.sandbox import Sandbox
from gateway.serving import listen, url_of
from gateway.serving import serving as serving_here
from gateway.settings import Settings

INTERVAL = 1.0
APART = INTERVAL * 1.381_966  # the golden section, so that no two changes come at the same moment of an interval
CHANGES = 40
LATEST = 0.25  # seconds beyond the interval
TOGETHER = 50
PATIENCE = 30
NOON = 1_790_000_000.0
QUERY = "subscription ($scanId: ID!) { scanUpdated(scanId: $scanId) { status weight { value } assets { isFinal } } }"
WEIGHT = re.compile(rb'"weight":\{"value":(\d+)')  # each change gives the scan a weight of its own

HANDSHAKE = (
    "GET /graphql HTTP/1.1\r\nHost: gateway.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    f"Sec-WebSocket-Key: {base64.b64encode(bytes(16)).decode()}\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
).encode()


def _frame(message: object) -> bytes:
    return Frame(Opcode.TEXT, msgspec.json.encode(message)).serialize(mask=True)


class _Subscriber(asyncio.Protocol):
    """One client; `heard` is what it was sent after the state at the beginning, with the moment of each."""

    def __init__(self, scan_id: str) -> None:
        payload = {"query": QUERY, "variables": {"scanId": scan_id}}
        subscribe = {"type": "subscribe", "id": "1", "payload": payload}
        self._opening = _frame({"type": "connection_init"}) + _frame(subscribe)
        self.subscribed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.heard: list[tuple[float, bytes]] = []

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        transport.write(HANDSHAKE)

    def data_received(self, data: bytes) -> None:
        self.heard.append((time.perf_counter(), data))
        if not self.subscribed.done():
            self._begin(data)

    def _begin(self, data: bytes) -> None:
        if data.startswith(b"HTTP/1.1 101 "):
            self._transport.write(self._opening)
        elif b'"next"' in data:
            self.heard.clear()
            self.subscribed.set_result(None)
        elif b'"connection_ack"' not in data:
            self.subscribed.set_exception(SystemExit(f"refused: {data!r}"))

    def arrivals(self) -> list[float]:
        """When it heard of each change, or of one after it: a state may be left out where the next is there already."""
        arrivals: list[float] = []
        for moment, data in self.heard:
            for weight in WEIGHT.findall(data):
                arrivals += [moment] * (int(weight) - len(arrivals))
        return arrivals


@dataclass(frozen=True, slots=True)
class _Measured:
    """When each change was, when each client heard of it, and what was spent on all: polls, CPU and time in seconds."""

    changed: Sequence[float]
    arrivals: Sequence[Sequence[float]]
    polls: int
    cpu: float
    seconds: float

    @property
    def missing(self) -> int:
        """How many clients never heard of the last change."""
        return sum(len(one) < len(self.changed) for one in self.arrivals)

    def delays(self) -> list[list[float]]:
        """Give the seconds from each change to each client's message, sorted."""
        by_change = zip(self.changed, zip(*self.arrivals, strict=True), strict=True)
        return [sorted(moment - changed for moment in moments) for changed, moments in by_change]


def _settings(sandbox: Sandbox, url: str) -> Settings:
    """Look at the sandbox once an interval, no more often and no less."""
    pace = {"shortest": INTERVAL, "longest": INTERVAL, "growth": 1.0, "jitter": 0.0}
    watch = {f"gateway_watch_{name}": value for name, value in pace.items()}
    return demo_settings(sandbox).model_copy(update={**watch, "prism_url": f"{url}/prism", "gateway_heartbeat": 600.0})


async def _subscribe(port: int, scan_id: str, count: int) -> list[_Subscriber]:
    subscribers: list[_Subscriber] = []
    while len(subscribers) < count:
        together = min(TOGETHER, count - len(subscribers))
        subscribers += await asyncio.gather(*[_subscribe_one(port, scan_id) for _ in range(together)])
    return subscribers


async def _subscribe_one(port: int, scan_id: str) -> _Subscriber:
    async with asyncio.timeout(PATIENCE):
        _, one = await asyncio.get_running_loop().create_connection(lambda: _Subscriber(scan_id), HOST, port)
        await one.subscribed
        return one


async def _change(sandbox: Sandbox, scan_id: str) -> list[float]:
    """Change the scan again and again, and give the moments."""
    changed, begin = [], time.perf_counter()
    for number in range(1, CHANGES + 1):
        await asyncio.sleep(begin + number * APART - time.perf_counter())
        changed.append(time.perf_counter())
        sandbox.prism.scans[scan_id] = replace(sandbox.prism.scans[scan_id], kilograms=float(number))
    await asyncio.sleep(INTERVAL * 2)
    return changed


async def _measure(server: Server, sandbox: Sandbox, scan_id: str, count: int) -> _Measured:
    subscribers = await _subscribe(server.port, scan_id, count)
    await asyncio.sleep(INTERVAL)
    sandbox.clear()
    before, begin = server.cpu() or 0.0, time.perf_counter()
    changed = await _change(sandbox, scan_id)
    seconds, cpu = time.perf_counter() - begin, (server.cpu() or 0.0) - before
    arrivals = [one.arrivals() for one in subscribers]
    return _Measured(changed, arrivals, len(sandbox.prism.calls), cpu, seconds)


def _rank(values: Sequence[float], share: float) -> float:
    """Give the least of some sorted values that so large a share of them does not exceed."""
    return values[math.ceil(share * len(values)) - 1]


def _line(title: str, seconds: Sequence[float]) -> str:
    ordered = sorted(seconds)
    figures = (_rank(ordered, share) * 1_000 for share in (0.5, 0.99, 1))
    return f"{title:<44}" + "".join(f"{each:10.1f}" for each in figures)


def _report(measured: _Measured) -> bool:
    """Print what was measured, and say whether it is good enough."""
    if measured.missing:
        print(f"{measured.missing} clients never heard of the last change")
        return False
    delays = measured.delays()
    last = [each[-1] for each in delays]
    beyond = [each - INTERVAL for each in last]
    print(f"{'milliseconds':<44}{'p50':>10}{'p99':>10}{'worst':>10}")
    print(_line("from a change to each client's message", [one for each in delays for one in each]))
    print(_line("from a change to the last client's", last))
    print(_line("the same less the interval", beyond))
    print(_line("from the first client's to the last's", [each[-1] - each[0] for each in delays]))
    print(f"upstream calls an interval  {measured.polls * INTERVAL / measured.seconds:.2f}")
    print(f"gateway's CPU a change      {measured.cpu * 1_000 / len(delays):.0f} ms, looks without change included")
    return _rank(sorted(beyond), 0.99) < LATEST


async def _run(count: int) -> bool:
    sandbox = Sandbox(clock=lambda: NOON)
    scan_id = sandbox.prism.scan_ids("PROCESSING")[0]
    with listen(HOST, 0, "nothing") as listener:
        settings = _settings(sandbox, url_of(listener))
        async with serving_here((sandbox.app, listener)):
            with started(serving(create_app, settings)) as server:
                measured = await _measure(server, sandbox, scan_id, count)
    return _report(measured)


def main() -> None:
    """Measure with 1,000 subscribers, or as many as the first argument says."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
    print(f"{count:,} subscribers, {CHANGES} changes, an interval of {INTERVAL:g} s; load {os.getloadavg()[0]:.1f}")
    sys.exit(0 if uvloop.run(_run(count)) else 1)


if __name__ == "__main__":
    main()
