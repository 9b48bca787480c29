"""What is watched is asked for once an interval, however many subscribe, and what happens when that fails."""

import asyncio
import gc
import random
import tracemalloc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.deadline import Deadline, hand_down
from gateway.errors import (
    GatewayError,
    LimitExceeded,
    ShuttingDown,
    UpstreamContract,
    UpstreamNotFound,
    UpstreamRateLimited,
    UpstreamRejected,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from gateway.pace import Alone, Pace
from gateway.telemetry import Account, account
from gateway.watch import Seen, Updates
from gateway.watchers import Watchers
from tests.world import Clock, settle

STEADY = Pace(jitter=0)


@dataclass
class Light:
    """Something to be watched: it is what it was set to, until an error stands in its way. `looks` are noted."""

    clock: Clock
    colour: str = "red"
    error: Exception | None = None
    looks: list[tuple[float, bool]] = field(default_factory=list)
    gate: asyncio.Event | None = None

    async def __call__(self, *, anew: bool) -> Seen[str]:
        self.looks.append((self.clock(), anew))
        if self.gate is not None:
            await self.gate.wait()
        if self.error is not None:
            raise self.error
        return Seen(self.colour, self.colour, self.colour == "off")


class Crew(Alone):
    """Other processes, which leave the turn to this one; `taken` is for how many seconds it took that last, by key."""

    def __init__(self) -> None:
        self.taken: dict[str, float] = {}

    def listen(self, changed: Callable[[str], None], vacant: Callable[[str], None], missed: Callable[[], None]) -> None:  # noqa: ARG002 - the signature of WatchTurns
        self.vacant = vacant

    async def take(self, key: str, seconds: float) -> bool:
        self.taken[key] = seconds
        return True


@asynccontextmanager
async def watching(most: int = 10, most_subscribers: int = 2_000) -> AsyncIterator[Watchers]:
    """Watchers by a clock that stands at 0. Whatever happens in the block, no task is left after it."""
    clock = Clock(0.0)
    watchers = Watchers(STEADY, most, most_subscribers, clock, clock.sleep)
    yield watchers
    await watchers.close()
    await settle()
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert (len(watchers), watchers.subscribed, clock.sleepers) == (0, 0, {})


def clock_of(watchers: Watchers) -> Clock:
    assert isinstance(watchers.clock, Clock)
    return watchers.clock


async def read(updates: Updates[str], into: list[str]) -> None:
    """Read to the end; an error is noted by its code."""
    try:
        async for state in updates:
            into.append(state)  # noqa: PERF401 - what was read must be there when an error ends it
        into.append("complete")
    except GatewayError as error:
        into.append(error.code)


async def test_a_thousand_subscribers_are_one_look_an_interval_and_each_hears_of_each_change() -> None:
    async with watching() as watchers:
        clock = clock_of(watchers)
        light = Light(clock)
        heard: list[list[str]] = [[] for _ in range(1_000)]
        readers = [asyncio.create_task(read(await watchers.subscribe("l", light), into)) for into in heard]
        await clock.run(10)
        assert light.looks == [(0.0, False), (2.0, True), (5.0, True), (9.5, True)]
        light.colour = "green"
        await clock.run(6.75)
        light.colour = "off"
        await clock.run(2)
        assert len(light.looks) == 6
        assert heard == [["red", "green", "off", "complete"]] * 1_000
        assert all(reader.done() for reader in readers)


async def test_the_next_interval_has_begun_when_subscribers_hear_of_a_change() -> None:
    async with watching() as watchers:
        clock = clock_of(watchers)
        updates = await watchers.subscribe("l", Light(clock))
        assert await anext(updates) == "red"
        assert len(clock.sleepers) == 1
        await updates.aclose()


async def test_a_thousand_that_come_at_once_wait_for_the_same_first_look() -> None:
    async with watching() as watchers:
        light = Light(clock_of(watchers), "off", gate=asyncio.Event())
        assert light.gate is not None
        coming = [asyncio.create_task(watchers.subscribe("l", light)) for _ in range(1_000)]
        await settle()
        light.gate.set()
        assert [await anext(await each) for each in coming] == ["off"] * 1_000
        assert len(light.looks) == 1
        for each in coming:
            await each.result().aclose()


async def test_the_interval_grows_while_nothing_changes_and_is_short_again_after_a_change() -> None:
    async with watching() as watchers:
        clock = clock_of(watchers)
        light = Light(clock)
        updates = await watchers.subscribe("l", light)
        await clock.run(150)
        assert clock.slept == [2, 3, 4.5, 6.75, 10.125, 15.1875, 22.78125, 30, 30, 30]
        light.colour = "green"
        await clock.run(8)
        assert clock.slept[10:] == [2, 3]
        await updates.aclose()


@given(
    shortest=st.floats(0.1, 60),
    longest=st.floats(0.1, 60),
    growth=st.floats(1, 10),
    jitter=st.floats(0, 0.99),
    steps=st.integers(0, 20),
)
def test_no_interval_is_longer_than_the_longest_nor_shorter_than_jitter_makes_it(
    shortest: float, longest: float, growth: float, jitter: float, steps: int
) -> None:
    pace = Pace(shortest, longest, growth, jitter)
    interval = pace.first
    for _ in range(steps):
        assert interval <= pace.longer(interval) <= longest
        interval = pace.longer(interval)
    assert interval * (1 - jitter) <= pace.jittered(interval) <= interval


def test_jitter_spreads_what_would_fall_together() -> None:
    random.seed(1)
    waits = {Pace(jitter=0.1).jittered(30) for _ in range(1_000)}
    assert len(waits) == 1_000
    assert 27 <= min(waits) < 27.1
    assert 29.9 < max(waits) <= 30


async def test_who_does_not_read_is_given_the_newest_state_and_holds_nothing_else() -> None:
    async with watching() as watchers:
        clock = clock_of(watchers)
        light = Light(clock)
        updates = await watchers.subscribe("l", light)
        assert await anext(updates) == "red"

        async def change(times: int) -> None:
            for number in range(times):
                light.colour = f"{number}".zfill(10_000)
                await clock.run(2)

        await change(20)
        clock.slept.clear()
        light.looks.clear()
        gc.collect()
        tracemalloc.start()
        try:
            await change(200)
            clock.slept.clear()
            light.looks.clear()
            gc.collect()
            assert tracemalloc.get_traced_memory()[0] < 5 * 10_000
        finally:
            tracemalloc.stop()
        light.colour = "off"
        await clock.run(2)
        assert [state async for state in updates] == ["off"]


async def test_the_watch_ends_with_its_last_subscriber() -> None:
    async with watching() as watchers:
        clock = clock_of(watchers)
        light = Light(clock)
        first, last = await watchers.subscribe("l", light), await watchers.subscribe("l", light)
        await first.aclose()
        await clock.run(2)
        assert (len(light.looks), len(watchers)) == (2, 1)
        await last.aclose()
        await last.aclose()
        assert (len(watchers), watchers.subscribed, clock.sleepers) == (0, 0, {})
        assert asyncio.all_tasks() == {asyncio.current_task()}
        await clock.run(100)
        assert len(light.looks) == 2


async def test_the_last_subscriber_may_leave_while_it_waits_and_while_a_look_is_under_way() -> None:
    async with watching() as watchers:
        clock = clock_of(watchers)
        light = Light(clock)
        updates = await watchers.subscribe("l", light)
        heard: list[str] = []
        reading = asyncio.create_task(read(updates, heard))
        light.gate = asyncio.Event()
        await clock.run(2)
        assert len(light.looks) == 2
        await updates.aclose()
        await reading
        assert heard == ["red", "complete"]
        coming = asyncio.create_task(watchers.subscribe("l", light))
        await settle()
        coming.cancel()
        await asyncio.wait([coming])
        assert (len(watchers), watchers.subscribed) == (0, 0)


@pytest.mark.parametrize("failure", [UpstreamUnavailable, UpstreamTimeout, UpstreamContract, UpstreamRateLimited])
async def test_a_failure_that_may_pass_is_outlived_and_looked_after_ever_less(
    failure: Callable[..., GatewayError],
) -> None:
    async with watching() as watchers:
        clock = clock_of(watchers)
        light = Light(clock)
        heard: list[str] = []
        reading = asyncio.create_task(read(await watchers.subscribe("l", light), heard))
        light.error = failure("No.", upstream="prism")
        await clock.run(2 + 3 + 4.5)
        light.error, light.colour = None, "off"
        await clock.run(6.75)
        assert clock.slept == [2, 3, 4.5, 6.75]
        await reading
        assert heard == ["red", "off", "complete"]


async def test_an_upstream_that_wants_one_in_a_day_is_looked_at_in_a_minute_all_the_same() -> None:
    async with watching() as watchers:
        clock = clock_of(watchers)
        light = Light(clock)
        updates = await watchers.subscribe("l", light)
        light.error = UpstreamUnavailable("Closed.", upstream="prism", status=503, retry_after=86_400)
        await clock.run(2)
        light.error, light.colour = None, "green"
        await clock.run(60)
        assert light.looks == [(0.0, False), (2.0, True), (62.0, True)]
        assert await anext(updates) == "green"
        await updates.aclose()


async def test_no_look_is_made_before_the_upstream_wants_one_whoever_comes() -> None:
    async with watching() as watchers:
        clock = clock_of(watchers)
        light = Light(clock)
        updates = await watchers.subscribe("l", light)
        light.error = UpstreamRateLimited("Slow down.", upstream="prism", status=429, retry_after=40)
        await clock.run(2)
        light.error = None
        await clock.run(39)
        late = await watchers.subscribe("l", light)
        assert await anext(late) == "red"
        await settle()
        assert light.looks == [(0.0, False), (2.0, True)]
        await clock.run(1)
        assert light.looks[2:] == [(42.0, True)]
        await updates.aclose()
        await late.aclose()


async def test_an_upstream_that_wants_patience_is_given_it_by_every_process() -> None:
    clock, crew = Clock(0.0), Crew()
    watchers = Watchers(STEADY, 10, 10, clock, clock.sleep, crew)
    light = Light(clock)
    updates = await watchers.subscribe("l", light)
    light.error = UpstreamRateLimited("Slow down.", upstream="prism", status=429, retry_after=40)
    await clock.run(2)
    light.error = None
    assert clock() + crew.taken["l"] > 42
    await clock.run(39)
    crew.vacant("l")
    await clock.run(0)
    assert light.looks == [(0.0, False), (2.0, True)]
    await clock.run(1)
    assert light.looks[2:] == [(42.0, True)]
    await updates.aclose()


@pytest.mark.parametrize("failure", [UpstreamNotFound, UpstreamRejected])
async def test_what_will_be_refused_again_ends_the_watch_for_all(failure: Callable[..., GatewayError]) -> None:
    async with watching() as watchers:
        clock = clock_of(watchers)
        light = Light(clock)
        heard: list[list[str]] = [[], []]
        reading = [asyncio.create_task(read(await watchers.subscribe("l", light), into)) for into in heard]
        light.error = failure("No.", upstream="prism")
        await clock.run(2)
        await asyncio.gather(*reading)
        assert heard == [["red", light.error.code]] * 2
        assert (len(watchers), watchers.subscribed) == (0, 0)


async def test_a_bug_ends_the_watch_instead_of_leaving_its_subscribers_waiting() -> None:
    async with watching() as watchers:
        light = Light(clock_of(watchers))
        some = [await watchers.subscribe("l", light) for _ in range(3)]
        light.error = ZeroDivisionError()
        await clock_of(watchers).run(2)
        places = []
        for updates in some:
            await anext(updates)
            with pytest.raises(ZeroDivisionError) as raised:
                await anext(updates)
            places.append([frame.name for frame in raised.traceback])
            assert [state async for state in updates] == []
        assert places[0][-1] == "__call__"  # of the light, which the log names
        assert places[1:] == places[:1] * 2


async def test_a_first_look_that_fails_refuses_all_who_wait_for_it_and_the_next_to_come_looks_again() -> None:
    async with watching() as watchers:
        light = Light(clock_of(watchers), error=UpstreamUnavailable("No.", upstream="prism"))
        coming = [asyncio.create_task(watchers.subscribe("l", light)) for _ in range(3)]
        await asyncio.wait(coming)
        assert [type(each.exception()) for each in coming] == [UpstreamUnavailable] * 3
        assert (len(light.looks), len(watchers), watchers.subscribed) == (1, 0, 0)
        light.error = None
        updates = await watchers.subscribe("l", light)
        assert await anext(updates) == "red"
        await updates.aclose()


async def test_who_comes_late_is_given_the_present_state_and_has_an_old_one_looked_after_at_once() -> None:
    async with watching() as watchers:
        clock = clock_of(watchers)
        light = Light(clock)
        first = await watchers.subscribe("l", light)
        await clock.run(30)
        looks = len(light.looks)
        light.colour = "green"
        late = [await watchers.subscribe("l", light) for _ in range(100)]
        assert [await anext(each) for each in late] == ["red"] * 100
        await settle()
        assert len(light.looks) == looks + 1
        assert [await anext(each) for each in (*late, first)] == ["green"] * 101
        later = await watchers.subscribe("l", light)
        await settle()
        assert len(light.looks) == looks + 1
        for each in (first, later, *late):
            await each.aclose()


async def test_the_first_look_alone_is_on_the_account_of_who_came_first_and_none_in_their_context() -> None:
    whose = ContextVar("whose", default="nobody's")
    seen: list[tuple[str, Account | None]] = []

    async def look(*, anew: bool) -> Seen[bool]:
        seen.append((whose.get(), account.get()))
        return Seen(anew, anew, is_final=False)

    async with watching() as watchers:
        whose.set("the first one's")
        account.set(first := Account("first"))
        updates = await watchers.subscribe("l", look)
        await clock_of(watchers).run(2)
        assert seen == [("nobody's", first), ("nobody's", None)]
        await updates.aclose()


async def test_two_keys_are_two_watches() -> None:
    async with watching() as watchers:
        clock = clock_of(watchers)
        left, right = Light(clock), Light(clock, "green")
        both = await watchers.subscribe("left", left), await watchers.subscribe("right", right)
        assert [await anext(each) for each in both] == ["red", "green"]
        right.error = UpstreamNotFound("Gone.", upstream="prism")
        await clock.run(2)
        assert (len(left.looks), len(right.looks), len(watchers)) == (2, 2, 1)
        for each in both:
            await each.aclose()


async def test_one_more_than_may_be_watched_or_subscribed_is_refused_until_one_leaves() -> None:
    async with watching(most=1, most_subscribers=2) as watchers:
        light = Light(clock_of(watchers))
        first = await watchers.subscribe("l", light)
        with pytest.raises(LimitExceeded, match="watches at most 1 scans and jobs at once"):
            await watchers.subscribe("another", light)
        second = await watchers.subscribe("l", light)
        with pytest.raises(LimitExceeded, match="holds at most 2 subscriptions at once"):
            await watchers.subscribe("l", light)
        await second.aclose()
        third = await watchers.subscribe("l", light)
        await first.aclose()
        await third.aclose()
        other = await watchers.subscribe("another", light)
        await other.aclose()


async def test_who_waits_in_vain_for_a_first_look_takes_nobody_elses_place() -> None:
    async with watching(most=1, most_subscribers=1) as watchers:
        light = Light(clock_of(watchers), gate=asyncio.Event())

        async def in_haste() -> Updates[str]:
            hand_down(Deadline(asyncio.get_running_loop().time() + 0.02))
            return await watchers.subscribe("l", light, lambda: UpstreamTimeout("late", upstream="prism"))

        with pytest.raises(UpstreamTimeout, match="late"):
            await asyncio.create_task(in_haste())
        assert (len(watchers), watchers.subscribed) == (0, 0)
        other = await watchers.subscribe("another", Light(clock_of(watchers)))
        await other.aclose()


async def test_who_subscribes_just_as_the_last_leaves_is_told_of_changes_all_the_same() -> None:
    async with watching() as watchers:
        clock = clock_of(watchers)
        light = Light(clock)
        last = await watchers.subscribe("l", light)
        leaving = asyncio.create_task(last.aclose())
        await asyncio.sleep(0)
        coming = await watchers.subscribe("l", light)
        await leaving
        heard: list[str] = []
        reading = asyncio.create_task(read(coming, heard))
        await settle()
        light.colour = "off"
        await clock.run(2)
        await reading
        assert heard == ["red", "off", "complete"]


async def test_a_shutdown_is_told_to_who_waits_who_does_not_read_and_who_comes_after() -> None:
    async with watching() as watchers:
        light = Light(clock_of(watchers))
        heard: list[str] = []
        waiting = asyncio.create_task(read(await watchers.subscribe("l", light), heard))
        unread = await watchers.subscribe("l", light)
        light.gate = asyncio.Event()
        coming = asyncio.create_task(watchers.subscribe("another", light))
        await settle()
        await watchers.close()
        await waiting
        assert heard == ["red", "SHUTTING_DOWN"]
        assert await anext(unread) == "red"
        with pytest.raises(ShuttingDown):
            await anext(unread)
        with pytest.raises(ShuttingDown):
            await coming
        with pytest.raises(ShuttingDown):
            await watchers.subscribe("l", light)
