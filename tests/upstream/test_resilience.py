"""What decides whether an upstream is asked, how long for, and whether again; by clocks that tests move."""

import asyncio
import math
from itertools import pairwise

import pytest

from gateway.upstream.breaker import Breaker
from gateway.upstream.budget import FEW, PERIOD, SAVED, RetryBudget
from gateway.upstream.health import Health
from gateway.upstream.latency import UNKNOWN, Latency
from gateway.upstream.slots import FEWEST, MOST_WAITING, Slots


def breaker() -> Breaker:
    return Breaker("prism", calls=20, share=0.8, rest=1.0, health=Health())


def fail(one: Breaker, times: int, now: float = 0.0) -> None:
    for _ in range(times):
        admission = one.admit(now)
        assert admission is not None
        one.failed(admission, now)


def succeed(one: Breaker, now: float) -> None:
    admission = one.admit(now)
    assert admission is not None
    one.succeeded(admission)


def test_a_breaker_opens_when_most_of_the_last_requests_failed() -> None:
    one = breaker()
    fail(one, 15)
    assert (one.admit(0.0) is not None, one.health.breaker, one.health.opened) == (True, "closed", 0)
    fail(one, 1)
    assert (one.admit(0.0), one.health.breaker, one.health.open_since, one.health.opened) == (None, "open", 0.0, 1)


def test_a_breaker_stays_closed_while_half_of_the_requests_fail() -> None:
    one = breaker()
    for _ in range(1_000):
        fail(one, 1)
        succeed(one, 0.0)
    assert one.health.breaker == "closed"


def test_failures_that_are_long_past_do_not_open_a_breaker() -> None:
    one = breaker()
    for moment in range(100):
        fail(one, 1, now=moment * 11.0)
    assert one.health.breaker == "closed"


def test_an_open_breaker_lets_one_request_at_a_time_find_out() -> None:
    one = breaker()
    fail(one, 16)
    assert 0.75 <= one.seconds_left(0.0) <= 1.25
    probe = one.admit(2.0)
    assert probe is not None
    assert (one.admit(2.0), one.health.breaker) == (None, "half-open")
    one.failed(probe, 2.0)
    assert (one.admit(2.1), one.health.breaker, one.health.opened) == (None, "open", 1)
    succeed(one, 4.0)
    assert one.health.breaker == "half-open"
    succeed(one, 4.0)
    assert (one.health.breaker, one.health.open_since) == ("closed", None)


def test_a_breaker_that_opens_again_takes_two_answers_again_to_close() -> None:
    one = breaker()
    for moment in (0.0, 100.0, 200.0):
        fail(one, 16, moment)
        states = [one.health.breaker]
        for _ in range(2):
            succeed(one, moment + 2.0)
            states.append(one.health.breaker)
        assert states == ["open", "half-open", "closed"]


def test_failures_from_before_a_breaker_opened_do_not_open_it_again() -> None:
    one = breaker()
    fail(one, 16)
    for _ in range(2):
        succeed(one, 2.0)
    fail(one, 15, 2.0)
    assert (one.health.breaker, one.health.opened) == ("closed", 1)


def test_a_probe_that_nobody_waits_for_any_more_makes_room_for_another() -> None:
    one = breaker()
    fail(one, 16)
    probe = one.admit(2.0)
    assert probe is not None
    one.abandoned(probe)
    assert one.admit(2.0) is not None


def test_what_was_sent_before_a_breaker_opened_says_nothing_of_how_it_is_since() -> None:
    one = breaker()
    early = [one.admit(0.0) for _ in range(3)]
    fail(one, 16)
    for admission in early:
        assert admission is not None
        one.succeeded(admission)
    assert one.health.breaker == "open"


def test_a_request_from_before_that_nobody_waits_for_any_more_lets_no_second_probe_through() -> None:
    one = breaker()
    early = one.admit(0.0)
    fail(one, 16)
    assert early is not None
    assert one.admit(2.0) is not None
    one.abandoned(early)
    assert one.admit(2.0) is None


def test_a_breaker_of_no_calls_never_opens() -> None:
    one = Breaker("prism", calls=0, share=0.8, rest=1.0, health=Health())
    fail(one, 100)
    assert one.health.breaker == "closed"


def withdrawn(budget: RetryBudget, now: float, times: int = 1_000) -> int:
    return sum(budget.withdraw(now) for _ in range(times))


def test_retries_are_a_share_of_the_calls() -> None:
    budget = RetryBudget(0.25, Health())
    for _ in range(400):
        budget.count(0.0)
    assert withdrawn(budget, PERIOD) == 100
    assert (budget.health.budget, budget.health.unaffordable) == (0, 900)


def test_a_few_retries_are_allowed_where_there_were_hardly_any_calls_and_none_where_the_share_is_none() -> None:
    budget = RetryBudget(0.25, Health())
    assert [withdrawn(budget, number * PERIOD) for number in range(3)] == [SAVED, FEW, FEW]
    assert withdrawn(budget, 100 * PERIOD) == SAVED
    assert withdrawn(RetryBudget(0.0, Health()), 0.0) == 0


def test_calls_that_are_long_past_allow_no_retries() -> None:
    budget = RetryBudget(0.25, Health())
    for _ in range(4_000):
        budget.count(0.0)
    assert withdrawn(budget, 2 * PERIOD) == SAVED


@pytest.mark.parametrize("healthy", [0, 1_000])
@pytest.mark.parametrize("seconds", [1, 3, 20, 100])
def test_over_any_time_from_its_start_the_share_is_kept_but_for_what_was_saved(healthy: int, seconds: int) -> None:
    budget, rate = RetryBudget(0.25, Health()), 100
    for number in range(healthy):
        budget.count(number / rate)
    retries = 0
    for number in range(healthy, healthy + seconds * rate):
        budget.count(number / rate)
        retries += withdrawn(budget, number / rate, 2)
    earned = 0.25 * (seconds - PERIOD) * rate
    assert earned <= retries <= earned + max(SAVED, 0.25 * PERIOD * rate)


def test_what_is_slow_follows_what_is_usual() -> None:
    latency = Latency(slow_from=0.25)
    assert latency.slow == UNKNOWN
    for _ in range(50):
        latency.note(0.01)
    assert latency.slow == 0.25
    for _ in range(50):
        latency.note(1.0)
    assert latency.slow == pytest.approx(1.0, abs=0.01)


def test_an_upstream_that_became_slow_is_soon_given_the_time_that_it_takes() -> None:
    latency = Latency(slow_from=0.25)
    latency.note(0.01)
    given: list[float] = []
    while latency.slow < 2.0 and len(given) < 100:
        given.append(latency.slow)
        for tried in range(3):  # attempts that are given up, each after twice as long
            latency.note_in_vain(latency.slow * 2**tried)
    assert all(after >= before for before, after in pairwise(given))
    assert len(given) < 20


def test_a_few_answers_that_never_come_do_not_make_others_wait() -> None:
    latency = Latency(slow_from=0.25)
    for _ in range(100):
        latency.note(0.01)
    for _ in range(4):
        latency.note_in_vain(0.25)
    assert latency.slow < 0.3


def slots(most: int) -> Slots:
    return Slots(most, Health(), Latency(0.25))


async def test_who_finds_no_slot_is_given_the_first_that_comes_free() -> None:
    some = slots(2)
    assert [some.take() for _ in range(3)] == [True, True, False]
    turns = [asyncio.ensure_future(some.turn()) for _ in range(2)]
    await asyncio.sleep(0)
    assert (some.health.in_flight, some.health.waiting) == (2, 2)
    some.leave(0.0, 0.01)
    await turns[0]
    assert (some.health.in_flight, some.health.waiting, turns[1].done()) == (2, 1, False)
    turns[1].cancel()
    await asyncio.wait(turns)
    some.leave(0.0, 0.01)
    assert (some.health.in_flight, some.health.waiting) == (1, 0)


async def test_a_slot_that_comes_at_the_moment_of_leaving_goes_to_the_next() -> None:
    some = slots(1)
    assert some.take()
    turns = [asyncio.ensure_future(some.turn()) for _ in range(2)]
    await asyncio.sleep(0)
    some.leave(0.0, 0.01)
    turns[0].cancel()
    await turns[1]
    assert (some.health.in_flight, some.health.waiting) == (1, 0)


async def test_who_has_left_the_queue_keeps_nobody_from_joining_it() -> None:
    some = slots(1)
    some.latency.note(1.0)
    assert some.take()
    turns = [asyncio.ensure_future(some.turn()) for _ in range(MOST_WAITING)]
    await asyncio.sleep(0)
    assert some.expects() == math.inf
    for turn in turns[1:]:
        turn.cancel()
    await asyncio.wait(turns[1:])
    assert (some.expects(), some.health.waiting) == (2.0, 1)
    some.leave(0.0, 0.01)
    await turns[0]
    assert (some.health.in_flight, some.health.waiting) == (1, 0)


def test_how_long_the_wait_will_be_is_known_before_it_begins() -> None:
    some = slots(10)
    some.latency.note(1.0)
    assert some.expects() == 1.0 / some.health.limit


def answers(some: Slots, seconds: float, count: int, began: float) -> float:
    """So many answers, each after so long, as many at once as the limit lets through."""
    now = began
    for _ in range(count):
        for _ in range(some.health.limit + 1):
            some.take()
        now += seconds
        while some.health.in_flight:
            some.leave(now, seconds)
    return now


def test_fewer_are_sent_while_answers_take_longer_and_more_when_they_do_not() -> None:
    some = slots(100)
    before = some.health.limit
    now = answers(some, 0.05, 40, 0.0)
    assert before < some.health.limit <= 100
    now = answers(some, 1.0, 3, now)
    squeezed = some.health.limit
    assert FEWEST <= squeezed < before
    answers(some, 0.05, 40, now)
    assert some.health.limit > squeezed


def test_an_upstream_that_wants_fewer_requests_is_sent_half_as_many() -> None:
    some = slots(100)
    before = some.health.limit
    some.halve()
    assert some.health.limit == before // 2
    for _ in range(10):
        some.halve()
    assert some.health.limit == FEWEST
