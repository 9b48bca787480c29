"""What was measured, as a whole, and as tables for people."""

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from gateway.bench.cpu import Cost
from gateway.bench.memory import Memory
from gateway.bench.scaling import Scaling
from gateway.bench.served import Served

HEADS = ("", "requests/s", "of bare", "CPU µs", "of bare", "p50 ms", "p99 ms", "calls")


class Measured(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One query: the bytes of its answer, what it costs, and how it is served where sockets are measured."""

    bytes: int
    cpu: dict[str, Cost]
    served: dict[str, Served] | None = None


class Latency(msgspec.Struct, frozen=True, rename="camel"):
    """The join with an upstream that takes its time, and the requests a second that nothing can exceed then."""

    milliseconds: float
    ceiling: float
    served: dict[str, Served]


class Report(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """Everything; `seconds` is how long each figure was measured, `connections` how many asked at once over sockets."""

    seconds: float
    connections: int
    queries: dict[str, Measured]
    scaling: Scaling
    memory: Memory | None = None
    latency: Latency | None = None


def tables(report: Report) -> str:
    """Write a report for people."""
    return "\n".join(_lines(report))


def _lines(report: Report) -> Iterator[str]:
    yield "CPU a query, upstream in process (x: how many times less than stock in the same rounds)"
    for name, one in report.queries.items():
        yield from ("", f"{name} ({one.bytes:,} bytes)", *_aligned([_cost_row(*cost) for cost in one.cpu.items()]))
    yield from ("", *_scaling_lines(report.scaling))
    if report.memory:
        yield from ("", *_memory_lines(report.memory))
    loads = {name: one.served for name, one in report.queries.items() if one.served}
    if loads:
        title = f"Requests a second over {report.connections} connections, medians of rounds taken in turn"
        yield from ("", f"{title}; upstream in process,")
        yield "or over sockets in a process of its own"
    for name, served in loads.items():
        yield from ("", *_served_lines(name, served))
    if report.latency:
        title = f"join, upstreams {report.latency.milliseconds:g} ms away; at most {report.latency.ceiling:,.0f}/s"
        yield from ("", *_served_lines(title, report.latency.served))


def _cost_row(mode: str, cost: Cost) -> tuple[str, ...]:
    return mode, f"{cost.microseconds:,.0f} µs", f"{cost.times_less:.1f} x", f"{cost.upstream_calls:g} calls"


def _scaling_lines(grown: Scaling) -> list[str]:
    rows = [(f"{leaves:,} leaves", f"{spent:,.0f} µs") for leaves, spent in grown.microseconds.items()]
    line = f"  {grown.slope:g} µs a leaf, R² {grown.r_squared:g}"
    return ["pages of 1, 10, 100 and 1,000 assets (plans, cold)", *_aligned(rows), line]


def _memory_lines(memory: Memory) -> list[str]:
    rows = [(f"{count:,} more", f"{growth:,.0f} KiB a thousand") for count, growth in memory.growth.items()]
    title = f"Memory by different operations, {memory.operations:,} of them kept: {memory.resident:,} KiB, then"
    return [title, *_aligned(rows)]


def _served_lines(title: str, served: Mapping[str, Served]) -> list[str]:
    limited = [name for name, its in served.items() if its.is_limited_by_load]
    lines = [title, *_aligned([HEADS, *(_served_row(name, its) for name, its in served.items())])]
    return [*lines, f"  The load itself was the limit of: {'; '.join(limited)}"] if limited else lines


def _served_row(name: str, its: Served) -> tuple[str, ...]:
    return (
        name,
        f"{its.requests_per_second:,.0f}",
        f"{its.of_bare:.3f}",
        "" if its.cpu_microseconds is None else f"{its.cpu_microseconds:,.0f}",
        "" if its.cpu_of_bare is None else f"{its.cpu_of_bare:.3f}",
        f"{its.p50:.2f}",
        f"{its.p99:.2f}",
        "" if its.upstream_calls is None else f"{its.upstream_calls:g}",
    )


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Line columns up at their right; a column that holds nothing but its head is left out."""
    columns = [column for column in zip(*rows, strict=True) if any(column[1:])]
    widths = [max(map(len, column)) for column in columns]
    kept = zip(*columns, strict=True)
    return ["  " + "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in kept]
