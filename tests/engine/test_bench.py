"""`gateway bench` measures what it says, in the form that is asked for."""

import json
from pathlib import Path
from typing import Any

import click
import msgspec
import pytest
from click.testing import CliRunner
from starlette.responses import PlainTextResponse

from gateway.bench.load import connected
from gateway.bench.queries import CONNECTIONS, Query
from gateway.bench.report import Report, tables
from gateway.bench.rounds import median_ratio, split
from gateway.bench.served import BARE, Comparison
from gateway.bench.servers import bare, serving, started
from gateway.cli import main

pytestmark = pytest.mark.uncovered

MODES = ["stock, cold", "plans, cold", "stock, warm", "plans, warm", "answers"]
IN_PROCESS = [BARE, "answers", "plans, warm", "stock, warm", "plans, cold"]
OVER_SOCKETS = ["plans, cold, sockets", "stock, cold, sockets"]
CALLS = {"join": 2, "page": 1, "dashboard": 21}
HAS_PROC = Path("/proc/self/schedstat").exists()


def bench(*arguments: str) -> Any:
    briefly = ("--seconds", "0.01", "--connections", "2", "--json")
    done = CliRunner().invoke(main, ["bench", *briefly, *arguments], catch_exceptions=False)
    return json.loads(done.output)


@pytest.fixture(scope="module")
def report() -> Any:
    """What is written when everything is measured, as briefly as it can be."""
    return bench()


def test_cpu_is_compared_in_every_mode_and_upstream_calls_are_counted(report: Any) -> None:
    assert list(report["queries"]) == list(CALLS)
    for name, calls in CALLS.items():
        cpu = report["queries"][name]["cpu"]
        assert list(cpu) == MODES
        assert [cpu[mode]["upstreamCalls"] for mode in MODES] == [calls, calls, 0, 0, 0]
        assert all(its["microseconds"] > 0 for its in cpu.values())
        assert [cpu[mode]["timesLess"] for mode in ("stock, cold", "stock, warm")] == [1, 1]


def test_every_way_to_serve_is_compared_with_a_bare_server(report: Any) -> None:
    for name, calls in CALLS.items():
        served = report["queries"][name]["served"]
        assert list(served) == [*IN_PROCESS, *OVER_SOCKETS]
        assert (served[BARE]["ofBare"], served[BARE]["cpuOfBare"]) == (1, 1 if HAS_PROC else None)
        assert all(0 < its["p50"] <= its["p99"] for its in served.values())
        assert [its["upstreamCalls"] for its in served.values()] == [None] * len(IN_PROCESS) + [calls, calls]
        assert all((its["cpuMicroseconds"] is not None) == HAS_PROC for its in served.values())


def test_a_join_waits_for_a_distant_upstream_at_least_once(report: Any) -> None:
    latency = report["latency"]
    assert (latency["milliseconds"], latency["ceiling"]) == (20, 100)
    assert list(latency["served"]) == [BARE, "plans, cold", OVER_SOCKETS[0]]
    assert latency["served"][OVER_SOCKETS[0]]["upstreamCalls"] == CALLS["join"]
    assert all(latency["served"][mode]["p50"] >= 20 for mode in ("plans, cold", OVER_SOCKETS[0]))


def test_scaling_and_memory_are_measured(report: Any) -> None:
    assert list(report["scaling"]) == ["microseconds", "slope", "rSquared"]
    assert list(report["scaling"]["microseconds"]) == ["10", "100", "1000", "10000"]
    assert report["scaling"]["slope"] > 0
    assert ("memory" in report) == HAS_PROC
    if HAS_PROC:
        assert report["memory"]["operations"] == 10
        assert list(report["memory"]["growth"]) == ["50", "250"]


def test_tables_hold_all_of_it_in_a_hundred_columns(report: Any) -> None:
    text = tables(msgspec.convert(report, Report, strict=False))
    assert max(map(len, text.splitlines())) <= 100
    assert text.count(BARE) == 4
    for title in ("join (", "page (", "dashboard (", "a leaf, R²", "upstreams 20 ms away; at most 100/s"):
        assert title in text


def test_nothing_is_served_without_sockets() -> None:
    report = bench("--no-sockets")
    assert "latency" not in report
    assert [list(one) for one in report["queries"].values()] == [["bytes", "cpu"]] * 3


def test_load_counts_every_request_that_is_answered() -> None:
    with started(serving(bare, b"x" * 300_000)) as server, connected(server, [b"{}"] * CONNECTIONS) as load:
        one = load.round(0.05)
    assert one.requests >= CONNECTIONS
    assert 0 < one.p50 <= one.p99
    assert (one.cpu is not None) == HAS_PROC


def test_load_does_not_count_refusals() -> None:
    with (
        started(serving(PlainTextResponse, "no", 500)) as server,
        connected(server, [b"{}"]) as load,
        pytest.raises(click.ClickException) as raised,
    ):
        load.round(0.05)
    assert raised.value.message.startswith("A server that is measured answered b'HTTP/1.1 500")


def test_servers_that_answer_differently_are_not_compared() -> None:
    serves = {BARE: (serving(bare, b"one"), None), "plans": (serving(bare, b"two"), None)}
    with pytest.raises(click.ClickException) as raised:
        Comparison(Query("join", (b"{}",)), [b"one"], serves).measure(0.05)
    assert raised.value.message == "join: 'plans' answers something else: b'two'"


def test_seconds_are_divided_into_rounds_whose_ratios_are_taken_one_by_one() -> None:
    assert split(1.5) == (5, 0.3)
    assert split(0.01) == (1, 0.01)
    assert median_ratio([1, 20, 3], [2, 10, 3]) == 1
