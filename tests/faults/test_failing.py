"""An upstream that fails now and then, or keeps waiting: how much comes through, and how much more it is asked."""

from pathlib import Path
from typing import Any

from tests.faults.stage import JOIN, PATIENCE, UNKEPT, LoadResult, Running, Stage, staged

NEEDED = 2  # calls of a join
# Calls a needed one at least: on a slow machine several queries wait for one call together.
SOME = 1 if PATIENCE == 1 else 0.8


async def measured(stage: Stage, what: str) -> tuple[LoadResult, float]:
    await stage.calls()
    load = await stage.load(JOIN)
    ratio = await stage.calls() / (NEEDED * len(load.asked))
    load.tell(what, calls_per_needed=f"{ratio:.3f}")
    return load, ratio


FAULTS: dict[str, tuple[dict[str, Any], float]] = {
    "503": ({"status": 503}, 1.12),
    "reset": ({"cut": True}, 1.12),
    "truncated": ({"malformed": True}, 1.12),
    "stalled": ({"delay": 10}, 1.2),
}


def a_thousandth_of(load: LoadResult) -> int:
    """What three faults in a row may take; of some hundred queries that is one."""
    return max(1, len(load.asked) // 1_000)


async def test_one_call_of_twenty_that_fails_is_noticed_by_nobody(stage: Stage) -> None:
    for name, (fault, most_calls) in FAULTS.items():
        await stage.fault(probability=0.05, **fault)
        load, ratio = await measured(stage, f"5 % {name}")
        await stage.mend()
        assert load.lost() <= a_thousandth_of(load), name
        assert SOME < ratio <= most_calls, name
        assert load.p99() <= 3, name


async def test_a_slow_read_may_go_on_beside_the_one_that_is_made_for_it(processes: Running, tmp_path: Path) -> None:
    async with staged(processes, tmp_path, **UNKEPT, GATEWAY_HEDGE="true") as stage:
        await stage.fault(probability=0.05, delay=10)
        load, ratio = await measured(stage, "5 % stalled, hedged")
    assert load.lost() <= a_thousandth_of(load)
    assert SOME < ratio <= 1.2


async def test_one_call_of_three_that_fails_costs_a_quarter_more_calls_and_no_more(stage: Stage) -> None:
    await stage.fault(probability=0.3, status=503)
    load, ratio = await measured(stage, "30 % 503")
    assert load.share() >= (0.75 if PATIENCE == 1 else 0.68)  # of some hundred throws a share is not exact
    assert ratio <= (1.25 if PATIENCE == 1 else 1.3)  # the ten that were saved weigh more in less time


async def test_what_is_kept_is_served_stale_while_one_call_of_three_fails(processes: Running, tmp_path: Path) -> None:
    kept = {"GATEWAY_FRESH_STAGES_FINAL": "0", "GATEWAY_FRESH_ASSET": "0"}
    async with staged(processes, tmp_path, **kept) as stage:
        stage.asset_ids = stage.asset_ids[:10]
        stage.scan_ids = stage.scan_ids[:10]
        await stage.load(JOIN, seconds=1)
        await stage.fault(probability=0.3, status=503)
        load, _ = await measured(stage, "30 % 503, kept")
    assert load.share() >= 0.999
    marked = sum("asset" in stale_kinds(one.answer) for one in load.asked)
    assert marked >= 0.8 * len(load.asked)  # of the others the refresh came while they were answered


def stale_kinds(answer: Any) -> set[str]:
    """The kinds of the documents that an answer says are stale."""
    return {one["document"] for one in answer["extensions"].get("freshness", {}).get("stale", ())}
