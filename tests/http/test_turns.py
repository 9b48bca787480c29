"""When requests begin: a few in each turn of the loop while there is time to spare, else all at once."""

import asyncio
from dataclasses import dataclass
from functools import partial

from gateway.http.turns import Turns


@dataclass(slots=True)
class Core:
    """A core of which a process takes a share of the time that passes."""

    now: float = 1_000.0
    spent: float = 0.0

    def passes(self, seconds: float, share: float) -> None:
        self.now += seconds
        self.spent += seconds * share

    def turns(self) -> Turns:
        return Turns(lambda: self.now, lambda: self.spent)


async def begun_by_turn(turns: Turns, count: int) -> list[list[int]]:
    """Let so many come at once, and tell who began in each turn of the loop."""
    loop, began = asyncio.get_running_loop(), list[int]()
    for number in range(count):
        turns.wait(partial(began.append, number), loop)
    by_turn, seen = list[list[int]](), 0
    while seen < count:
        by_turn.append(began[seen:])
        seen = len(began)
        await asyncio.sleep(0)
    return by_turn


async def test_two_begin_in_each_turn_in_the_order_they_came() -> None:
    assert await begun_by_turn(Core().turns(), 7) == [[0, 1], [2, 3], [4, 5], [6]]


async def test_one_alone_begins_at_once_each_time() -> None:
    turns = Core().turns()
    for _ in range(3):
        assert await begun_by_turn(turns, 1) == [[0]]
        await asyncio.sleep(0)


async def test_where_there_is_no_time_to_spare_all_begin_at_once() -> None:
    core = Core()
    turns = core.turns()
    await begun_by_turn(turns, 1)
    core.passes(0.1, share=0.9)
    assert await begun_by_turn(turns, 7) == [[0, 1, 2, 3, 4, 5, 6]]


async def test_nobody_overtakes_who_came_before_when_time_runs_out() -> None:
    core, loop, began = Core(), asyncio.get_running_loop(), list[int]()
    turns = core.turns()
    for number in range(5):
        turns.wait(partial(began.append, number), loop)
    core.passes(0.1, share=1.0)
    turns.wait(partial(began.append, 5), loop)
    assert began == [0, 1]
    await asyncio.sleep(0)
    assert began == [0, 1, 2, 3, 4, 5]


async def test_a_process_is_busy_from_three_quarters_of_a_core_until_it_takes_less_than_half() -> None:
    core = Core()
    turns = core.turns()
    told = []
    for share in (0.0, 0.7, 0.8, 0.6, 0.4, 0.6):
        core.passes(0.1, share)
        await begun_by_turn(turns, 1)
        told.append(turns.is_busy)
    assert told == [False, False, True, True, False, False]
