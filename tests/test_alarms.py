"""Alarms that share timers: each rings once, in nobody's context, whatever becomes of those beside it."""

import asyncio
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from gateway.alarms import TICK, Alarms, Due
from gateway.upstream.lateness import Lateness
from tests.replicas import until

WHOSE: ContextVar[str] = ContextVar("whose", default="nobody")


@dataclass(eq=False)
class Sleeper:
    """Notes when it is rung for, and in whose context."""

    rung: list[tuple[str, float]] = field(default_factory=list)
    wakes: "Sleeper | None" = None
    due: Due | None = None

    def ring(self) -> None:
        self.rung.append((WHOSE.get(), asyncio.get_running_loop().time()))
        if self.wakes is not None and self.wakes.due is not None:
            self.wakes.due.pop(self.wakes, None)


class Broken:
    """Cannot be rung for."""

    def ring(self) -> None:
        raise LookupError("broken")


async def rung(*sleepers: Sleeper) -> None:
    await until(lambda: all(one.rung for one in sleepers))


async def test_an_alarm_rings_once_and_not_before_its_moment() -> None:
    loop, alarms, sleeper = asyncio.get_running_loop(), Alarms(), Sleeper()
    moment = loop.time() + 0.05
    alarms.set(moment, loop, sleeper)
    await rung(sleeper)
    await asyncio.sleep(3 * TICK)
    assert len(sleeper.rung) == 1
    assert sleeper.rung[0][1] >= moment - 0.01  # a timer may be early by what its clock can tell apart


async def test_who_has_left_is_not_rung_for_even_by_one_that_rings_beside_it() -> None:
    loop, alarms = asyncio.get_running_loop(), Alarms()
    moment = loop.time() + 0.01
    gone, left, last = Sleeper(), Sleeper(), Sleeper()
    first = Sleeper(wakes=left)
    alarms.set(moment, loop, gone).pop(gone)
    alarms.set(moment, loop, first)
    left.due = alarms.set(moment, loop, left)
    alarms.set(moment, loop, last)
    await rung(first, last)
    assert (gone.rung, left.rung) == ([], [])


async def test_one_that_fails_is_told_of_and_keeps_no_other_from_ringing() -> None:
    loop, alarms, sleeper = asyncio.get_running_loop(), Alarms(), Sleeper()
    told: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: told.append(context))
    moment = loop.time() + 0.01
    alarms.set(moment, loop, Broken())
    alarms.set(moment, loop, sleeper)
    await rung(sleeper)
    assert [type(context["exception"]) for context in told] == [LookupError]


async def test_an_alarm_rings_in_the_context_of_nobody_who_set_one() -> None:
    loop, alarms, sleeper = asyncio.get_running_loop(), Alarms(), Sleeper()
    WHOSE.set("somebody")
    alarms.set(loop.time() + 0.01, loop, sleeper)
    await rung(sleeper)
    assert sleeper.rung[0][0] == "nobody"


async def test_an_attempt_beside_a_slow_one_is_made_for_who_made_the_slow_one() -> None:
    loop, alarms, made_for = asyncio.get_running_loop(), Alarms(), asyncio.Event()
    seen: list[str] = []

    async def beside() -> None:
        seen.append(WHOSE.get())
        made_for.set()

    async def attempt(whose: str) -> None:
        WHOSE.set(whose)
        late = Lateness(loop, alarms, 0.01, lambda: True, beside if whose == "ann" else None)
        try:
            await asyncio.wait_for(made_for.wait(), 10)
        except asyncio.CancelledError:
            late.is_behind()
        finally:
            late.stop()

    await asyncio.gather(attempt("bob"), attempt("ann"))
    assert seen == ["ann"]
