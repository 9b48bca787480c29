"""When requests begin: a few in each turn of the loop, or all at once where many that take little leave no time."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from gateway.http.turns import FEW, Turns


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
    """Let so many come at once, and tell who began in each turn of the loop, until all have."""
    began = list[int]()
    come(turns, began, range(count))
    by_turn, seen = list[list[int]](), 0
    while seen < count:
        by_turn.append(began[seen:])
        seen = len(began)
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    return by_turn


def come(turns: Turns, began: list[int], numbers: Sequence[int]) -> None:
    for number in numbers:
        turns.wait(partial(began.append, number), asyncio.get_running_loop())


async def test_two_begin_in_each_turn_in_the_order_they_came() -> None:
    assert await begun_by_turn(Core().turns(), 7) == [[0, 1], [2, 3], [4, 5], [6]]


async def test_one_alone_begins_at_once_each_time() -> None:
    turns = Core().turns()
    assert [await begun_by_turn(turns, 1) for _ in range(3)] == [[[0]]] * 3


async def test_where_many_that_take_little_leave_no_time_all_begin_at_once() -> None:
    core = Core()
    turns = core.turns()
    await begun_by_turn(turns, 200)
    core.passes(0.1, share=0.9)  # 0.45 ms each
    assert await begun_by_turn(turns, 7) == [[0, 1, 2, 3, 4, 5, 6]]


async def test_where_those_that_leave_no_time_take_much_few_begin_in_a_turn() -> None:
    core = Core()
    turns = core.turns()
    await begun_by_turn(turns, 50)
    core.passes(0.1, share=0.9)  # 1.8 ms each
    assert await begun_by_turn(turns, 3) == [[0, 1], [2]]


async def test_where_one_has_waited_long_all_begin_who_wait() -> None:
    core = Core()
    turns, began = core.turns(), list[int]()
    come(turns, began, range(9))
    await asyncio.sleep(0)
    assert began == [0, 1, 2, 3]
    core.now += 0.06
    await asyncio.sleep(0)
    assert began == list(range(9))


async def test_nobody_overtakes_who_came_before_when_time_runs_out() -> None:
    core = Core()
    turns, began = core.turns(), list[int]()
    come(turns, began, range(200))
    assert began == [0, 1]
    core.passes(0.1, share=0.9)
    come(turns, began, [200])
    assert began == [0, 1]
    await asyncio.sleep(0)
    assert began == list(range(201))


async def test_there_is_no_time_from_three_quarters_of_a_core_until_less_than_half_is_taken() -> None:
    core = Core()
    turns = core.turns()
    limited = []
    for share in (0.0, 0.7, 0.8, 0.6, 0.4, 0.6):
        await begun_by_turn(turns, 200)
        core.passes(0.1, share)
        await begun_by_turn(turns, 1)
        limited.append(turns.most == FEW)
    assert limited == [True, True, False, False, True, True]
