"""Upstreams that are gone, or answer nothing: what still answers, and how soon all is well again."""

import asyncio
import time
from pathlib import Path

from tests.faults.stage import (
    ASSET,
    JOIN,
    PATIENCE,
    RATE,
    SCAN,
    SECONDS,
    UNKEPT,
    LoadResult,
    Stage,
    free_port,
    gateway_process,
    sandbox_process,
    settings,
)

ALONE = "failed too often just now, and was not asked"


def left_alone_from(load: LoadResult) -> float:
    """The moment from which somebody heard that an upstream is left alone."""
    return min(one.at + one.seconds for one in load.asked if any(ALONE in message for message in one.messages))


async def test_an_upstream_that_is_gone_costs_little_and_is_well_used_again_at_once(tmp_path: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environment = settings(f"{url}/prism", f"{url}/scenario/v1", **UNKEPT)
    async with gateway_process(tmp_path, environment, url) as stage:
        with sandbox_process(port, tmp_path):
            await stage.learn()
            steady = await stage.load(JOIN, seconds=2)
            rate = await stage.calls() / 2
        gone_at = time.monotonic()
        down = await stage.load(JOIN, seconds=max(3.0, SECONDS))
        calls = sum(one.calls for one in down.asked) / len(down.asked)
        with sandbox_process(port, tmp_path):
            back_at = time.monotonic()
            load = asyncio.ensure_future(stage.load(JOIN, seconds=1))
            await stage.well_again(JOIN)
            recovery = time.monotonic() - back_at
            await load
            first_second = await stage.calls()
    down.tell("down", opened=f"{left_alone_from(down) - gone_at:.2f} s", calls_per_query=f"{calls:.2f}")
    steady.tell("steady", calls_a_second=rate, first_second=first_second, recovery=f"{recovery:.2f} s")
    assert left_alone_from(down) - gone_at <= 2 * PATIENCE
    assert set(down.codes()) == {"UPSTREAM_UNAVAILABLE"}
    assert down.p99() <= 0.25 * PATIENCE
    assert calls <= 0.3
    assert recovery <= 5 * PATIENCE
    assert first_second <= 2 * rate + 40  # and what `well_again` asks beside


async def test_a_silent_upstream_costs_nobody_who_does_not_ask_it_anything(stage: Stage) -> None:
    before = await stage.load(SCAN, seconds=1)
    await stage.fault(upstream="scenario", delay=3_600)
    silent, other, both = await asyncio.gather(
        stage.load(ASSET, wait=1, rate=RATE / 3),
        stage.load(SCAN, wait=1, rate=RATE / 3),
        stage.load(JOIN, wait=1, rate=RATE / 3),
    )
    for name, load in {"before": before, "silent": silent, "other": other, "both": both}.items():
        load.tell(name)
    assert silent.share() == 0
    assert set(silent.codes()) <= {"UPSTREAM_TIMEOUT", "UPSTREAM_UNAVAILABLE"}
    assert max(one.seconds for one in silent.asked) <= 1 + 0.3 * PATIENCE
    assert other.share() == 1
    assert other.p99() <= 0.1 * PATIENCE
    assert all(one.answer["data"]["scan"] is not None and one.answer["data"]["asset"] is None for one in both.asked)
