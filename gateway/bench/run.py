"""`gateway bench`: measures, and writes tables with ratios or JSON."""

import asyncio
from collections.abc import Sequence
from typing import Any

import click
import msgspec
import uvloop
from starlette.types import ASGIApp

from gateway.app import create_app
from gateway.bench.cpu import MODES, URL, Cost, bench_settings, cost
from gateway.bench.load import Load, bare, load, served
from gateway.bench.queries import Query, queries
from gateway.bench.scaling import Scaling, scaling
from gateway.bench.upstream import record
from gateway.sandbox import Sandbox

SERVED = ("plans, cold", "plans, warm", "answers", "stock, warm")


def run_bench(seconds: float, *, as_json: bool, sockets: bool) -> None:
    """Measure everything; `seconds` is how long each figure is measured."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        report = runner.run(_measure(seconds, sockets=sockets))
    click.echo(msgspec.json.format(msgspec.json.encode(report), indent=2).decode() if as_json else _tables(report))


async def _measure(seconds: float, *, sockets: bool) -> dict[str, Any]:
    sandbox = Sandbox(url=URL)
    report: dict[str, Any] = {}
    grown = await scaling(sandbox, seconds)
    for query in queries(sandbox):
        costs = {mode: await cost(sandbox, mode, query, seconds) for mode in MODES}
        report[query.name] = {
            "bytes": len(costs["plans, warm"].answer),
            "cpu": {mode: _cost(one) for mode, one in costs.items()},
        }
        if sockets:
            report[query.name]["served"] = await _served(sandbox, query, costs["plans, warm"].answer, seconds)
    return {"queries": report, "scaling": grown}


def _cost(one: Cost) -> dict[str, float]:
    return {"microseconds": round(one.microseconds, 1), "upstreamCalls": round(one.calls, 2)}


async def _served(sandbox: Sandbox, query: Query, answer: bytes, seconds: float) -> dict[str, Any]:
    async with served(bare, answer) as port:
        loads = {"bare uvicorn": await load(port, query.body, seconds)}
    for mode in SERVED:
        async with served(_recorded_app, sandbox, mode) as port:
            loads[mode] = await load(port, query.body, seconds)
    most = loads["bare uvicorn"].rate
    return {name: _load(one, most) for name, one in loads.items()}


def _recorded_app(sandbox: Sandbox, mode: str) -> ASGIApp:
    settings = bench_settings(sandbox, URL, **MODES[mode])
    return create_app(settings, transports=record(sandbox, settings))


def _load(one: Load, most: float) -> dict[str, float]:
    return {
        "requestsPerSecond": round(one.rate),
        "p50": round(one.p50, 2),
        "p99": round(one.p99, 2),
        "ofBare": round(one.rate / most, 3),
    }


def _tables(report: dict[str, Any]) -> str:
    lines = ["CPU a query, upstream in process (µs; x is how many times less than stock in the same run)", ""]
    measured = report["queries"]
    for name, one in measured.items():
        cpu = one["cpu"]
        rows = []
        for mode, its in cpu.items():
            stock = cpu["stock, cold" if "cold" in mode else "stock, warm"]["microseconds"]
            ratio = f"{stock / its['microseconds']:.1f} x"
            rows.append((mode, f"{its['microseconds']:,.0f}", ratio, f"{its['upstreamCalls']:g} calls"))
        lines += [f"{name} ({one['bytes']:,} bytes)", *_aligned(rows), ""]
    lines += [*_scaling_lines(report["scaling"]), ""]
    if all("served" in one for one in measured.values()):
        lines += ["Requests a second over 32 connections, upstream in process", ""]
        for name, one in measured.items():
            lines += [name, *_aligned([_load_row(mode, its) for mode, its in one["served"].items()]), ""]
    return "\n".join(lines)


def _scaling_lines(grown: Scaling) -> list[str]:
    rows = [(f"{leaves:,} leaves", f"{spent:,.0f} µs") for leaves, spent in grown.microseconds.items()]
    line = f"  {grown.slope:g} µs a leaf, R² {grown.r_squared:g}"
    return ["pages of 1, 10, 100 and 1,000 assets (plans, cold)", *_aligned(rows), line]


def _load_row(mode: str, its: dict[str, float]) -> tuple[str, ...]:
    rate, share = f"{its['requestsPerSecond']:,}/s", f"{its['ofBare']:.3f} of bare"
    return mode, rate, share, f"p50 {its['p50']} ms", f"p99 {its['p99']} ms"


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  " + "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
