"""`gateway bench` measures what it says, in the form that is asked for."""

import json

from click.testing import CliRunner

from gateway.cli import main

MODES = ["stock, cold", "plans, cold", "stock, warm", "plans, warm", "answers"]


def test_bench_counts_calls_and_compares_modes_as_json() -> None:
    done = CliRunner().invoke(main, ["bench", "--seconds", "0.01", "--json", "--no-sockets"], catch_exceptions=False)
    report = json.loads(done.output)
    assert list(report["queries"]) == ["join", "page", "dashboard"]
    for name, calls in (("join", 2), ("page", 1), ("dashboard", 21)):
        cpu = report["queries"][name]["cpu"]
        assert list(cpu) == MODES
        assert [cpu[mode]["upstreamCalls"] for mode in MODES] == [calls, calls, 0, 0, 0]
        assert all(its["microseconds"] > 0 for its in cpu.values())
    assert list(report["scaling"]["microseconds"]) == ["10", "100", "1000", "10000"]
    assert report["scaling"]["slope"] > 0


def test_bench_writes_tables_with_ratios_to_a_bare_server() -> None:
    done = CliRunner().invoke(main, ["bench", "--seconds", "0.2"], catch_exceptions=False)
    assert done.output.count("bare uvicorn") == 3
    assert done.output.count("1.000 of bare") >= 3
    assert "dashboard (" in done.output
