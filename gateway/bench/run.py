"""`gateway bench`: measures, and writes tables with ratios or JSON."""

import asyncio
import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import click
import msgspec
import uvloop

from gateway.bench.cpu import Upstreams, answers, costs
from gateway.bench.memory import memory
from gateway.bench.queries import Query, make_sandbox, queries
from gateway.bench.report import Latency, Measured, Report, tables
from gateway.bench.scaling import scaling
from gateway.bench.served import every_way, far_away
from gateway.bench.upstream import record, remote
from gateway.memory import settle
from gateway.sandbox import Sandbox

LATENCY = 0.020


def run_bench(seconds: float, connections: int, *, as_json: bool, sockets: bool) -> None:
    """Measure everything; `seconds` is how long each figure is measured, `connections` how many ask at once."""
    report = _measure(seconds, connections, sockets=sockets)
    click.echo(msgspec.json.format(msgspec.json.encode(report), indent=2).decode() if as_json else tables(report))


def _measure(seconds: float, connections: int, *, sockets: bool) -> Report:
    grown = memory(seconds)
    sandbox = make_sandbox()
    upstreams = record(sandbox)
    asked = queries(sandbox, connections)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner, _settled():
        known = [runner.run(answers(sandbox, upstreams, query)) for query in asked]
        scaled = runner.run(scaling(sandbox, upstreams, seconds))
        costly = [runner.run(costs(sandbox, upstreams, query, seconds)) for query in asked]
    measured = {
        query.name: Measured(len(answered[0]), cost) for query, answered, cost in zip(asked, known, costly, strict=True)
    }
    report = Report(seconds, connections, measured, scaled, grown)
    return _with_sockets(report, sandbox, upstreams, list(zip(asked, known, strict=True))) if sockets else report


def _with_sockets(
    report: Report, sandbox: Sandbox, upstreams: Upstreams, asked: Sequence[tuple[Query, Sequence[bytes]]]
) -> Report:
    measured = {}
    later = {name: upstream.delayed(LATENCY) for name, upstream in upstreams.items()}
    with remote(upstreams) as near, remote(upstreams, LATENCY) as far:
        for query, known in asked:
            served = every_way(sandbox, upstreams, near, query, known).measure(report.seconds)
            measured[query.name] = msgspec.structs.replace(report.queries[query.name], served=served)
        slow = far_away(sandbox, later, far, *asked[0])
        latency = Latency(LATENCY * 1_000, report.connections / LATENCY, slow.measure(report.seconds))
    return msgspec.structs.replace(report, queries=measured, latency=latency)


@contextmanager
def _settled() -> Iterator[None]:
    """Collect garbage as a server does, until the block ends."""
    before = gc.get_threshold()
    settle()
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
