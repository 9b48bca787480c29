"""CPU a query with the upstream in process: nothing but the gateway's own work, from the server's hand to its hand."""

import statistics
import time
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import click
import msgspec

from gateway.app import create_app
from gateway.bench.modes import MODES, URL, bench_settings
from gateway.bench.queries import Query
from gateway.bench.rounds import median_ratio, split
from gateway.bench.upstream import Recorded
from gateway.http.application import App
from gateway.http.reply import Reply
from gateway.http.request import Head, Request
from gateway.sandbox import Sandbox

WARM_UP = 5
HEADERS = ((b"host", b"gateway.test"), (b"content-type", b"application/json"))

K = TypeVar("K", bound=Hashable)
Upstreams = Mapping[str, Recorded]


class Cost(msgspec.Struct, frozen=True, rename="camel"):
    """What one query costs in one mode: microseconds of CPU, how many times less than stock, and upstream calls."""

    microseconds: float
    times_less: float
    upstream_calls: float


@dataclass(slots=True)
class Benchmark:
    """An application, and what it is asked again and again, `batch` times in a round, which made so many `calls`."""

    app: App
    body: bytes
    upstreams: Upstreams
    batch: int = WARM_UP
    calls: int = 0

    async def round(self) -> float:
        """Ask a batch and give the microseconds of CPU that one took."""
        before, began = calls_of(self.upstreams), time.process_time()
        for _ in range(self.batch):
            await ask(self.app, self.body)
        spent = time.process_time() - began
        self.calls = calls_of(self.upstreams) - before
        return spent / self.batch * 1e6


async def costs(sandbox: Sandbox, upstreams: Upstreams, query: Query, seconds: float) -> dict[str, Cost]:
    """Measure a query in every mode, each for some seconds of CPU."""
    benchmarks = {mode: Benchmark(bench_app(sandbox, upstreams, mode), query.bodies[0], upstreams) for mode in MODES}
    spent = await in_rounds(benchmarks, seconds)
    measured = {}
    for mode, its in spent.items():
        stock = spent["stock, cold" if "cold" in mode else "stock, warm"]
        calls = benchmarks[mode].calls / benchmarks[mode].batch
        measured[mode] = Cost(round(statistics.median(its), 1), round(median_ratio(stock, its), 2), calls)
    return measured


async def answers(sandbox: Sandbox, upstreams: Upstreams, query: Query) -> list[bytes]:
    """Give the answer to each of a query's bodies; every call that it takes is recorded by then.

    Raises ClickException for one with errors.
    """
    app = bench_app(sandbox, upstreams, "plans, cold")
    answered = [await ask(app, body) for body in query.bodies]
    for answer in answered:
        if "errors" in msgspec.json.decode(answer):
            raise click.ClickException(f"{query.name}: there is nothing to measure in {answer[:200]!r}")
    return answered


async def in_rounds(benchmarks: Mapping[K, Benchmark], seconds: float) -> dict[K, list[float]]:
    """Ask each for some seconds, in turns, and give the microseconds that it took in each; then close them."""
    count, length = split(seconds)
    for one in benchmarks.values():
        await one.round()
        one.batch = max(1, int(length * 1e6 / await one.round()))
    spent: dict[K, list[float]] = {key: [] for key in benchmarks}
    for _ in range(count):
        for key, one in benchmarks.items():
            spent[key].append(await one.round())
    for one in benchmarks.values():
        await one.app.state.gateway.close()
    return spent


def bench_app(sandbox: Sandbox, upstreams: Upstreams, mode: str, **given: object) -> App:
    """Build the gateway in one of the modes, over an upstream in process."""
    return create_app(bench_settings(sandbox, URL, **MODES[mode], **given), transports=upstreams)


def calls_of(upstreams: Upstreams) -> int:
    """Give how often they were called so far."""
    return sum(upstream.calls for upstream in upstreams.values())


async def ask(app: App, body: bytes) -> bytes:
    """Hand a query to an application as its server does, and give the body of its answer.

    Raises ClickException where the server would have taken another way.
    """
    reply = app.direct.answer(Request(Head("POST", HEADERS, b"")), body) if app.direct else None
    if reply is None:
        raise click.ClickException("What is measured is not answered in the usual way.")
    return (reply if isinstance(reply, Reply) else await reply).body
