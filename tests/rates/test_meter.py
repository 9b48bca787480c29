"""A meter: no minute has more than it allows, and what it says of when holds."""

import random
from collections import deque

import pytest

from gateway.rates.meter import MINUTE, Meter

NOON = 1_790_000_000.0


def test_as_much_as_is_allowed_can_be_taken_and_nothing_more() -> None:
    meter = Meter(3)
    assert [meter.take(NOON) for _ in range(4)] == [True, True, True, False]
    assert (meter.left(NOON), meter.taken) == (0, 3)


def test_what_was_taken_counts_for_less_the_longer_ago_it_was() -> None:
    meter = Meter(60)
    assert meter.take(NOON, 60)
    assert [round(meter.left(NOON + seconds)) for seconds in (59, 60, 75, 105, 120)] == [0, 0, 15, 45, 60]


def test_after_a_long_silence_nothing_counts() -> None:
    meter = Meter(2)
    assert meter.take(NOON, 2)
    assert not meter.is_idle(NOON + 119)
    assert meter.is_idle(NOON + 120)
    assert meter.left(NOON + 1_000) == 2


def test_a_clock_that_is_put_back_begins_a_minute() -> None:
    meter = Meter(2)
    assert meter.take(NOON, 2)
    assert not meter.take(NOON + 1)
    assert meter.take(NOON - 3_600, 2)
    assert (meter.left(NOON - 3_600), meter.wait(NOON - 3_600)) == (0, 90)


def test_what_is_given_back_can_be_taken_again() -> None:
    meter = Meter(10)
    assert meter.take(NOON, 8)
    assert not meter.take(NOON, 8)
    meter.add(-6)
    assert meter.take(NOON, 8)


def test_what_is_given_back_once_the_minute_has_turned_was_taken_before_and_lets_no_more_through() -> None:
    meter = Meter(600)
    assert meter.take(NOON, 600)
    meter.count(NOON + 60, -600)
    assert sum(meter.take(NOON + 60 + number / 20) for number in range(1_199)) == 600


def test_what_is_given_back_is_of_this_minute_first_and_no_more_than_was_taken() -> None:
    meter = Meter(600)
    assert meter.take(NOON, 500)
    assert meter.take(NOON + 60, 100)
    meter.count(NOON + 60, -300)
    assert (meter.taken, meter.before, meter.left(NOON + 90)) == (0, 300, 450)
    meter.count(NOON + 90, -1_000)
    assert (meter.taken, meter.before, meter.left(NOON + 90)) == (0, 0, 600)


def test_more_than_is_ever_allowed_is_given_once_where_nothing_was_taken() -> None:
    meter = Meter(10)
    assert meter.take(NOON, 25)
    assert not meter.take(NOON, 1)
    assert meter.wait(NOON, 1) == pytest.approx(MINUTE + MINUTE * (1 - 9 / 25))


@pytest.mark.parametrize("seed", range(20))
def test_who_waits_as_long_as_it_says_is_let_through_and_nobody_much_sooner(seed: int) -> None:
    at_random, now = random.Random(seed), NOON
    meter = Meter(at_random.randint(2, 50))
    for _ in range(200):
        amount = at_random.randint(1, int(meter.most))
        now += at_random.choice((0, 0.5, 7, 40, 100)) * at_random.random()
        if not meter.take(now, amount):
            wait = meter.wait(now, amount)
            assert wait > 0
            assert not meter.take(now + wait * 0.99, amount)
            now += wait + 1e-6
            assert meter.take(now, amount)


@pytest.mark.parametrize("seed", range(5))
def test_no_minute_has_more_than_a_minute_and_what_went_before_it_unevenly(seed: int) -> None:
    """Two numbers cannot know when within its minute something was taken; twice as much is never let through."""
    at_random, now, meter = random.Random(seed), NOON, Meter(30)
    taken: deque[float] = deque()
    for _ in range(5_000):
        now += at_random.expovariate(2.0)
        if meter.take(now):
            taken.append(now)
        while taken and taken[0] <= now - MINUTE:
            taken.popleft()
        assert len(taken) < 2 * meter.most


@pytest.mark.parametrize("seed", range(20))
def test_what_counts_of_the_minute_before_is_what_was_heard_of_it_and_what_was_not_told(seed: int) -> None:
    at_random, now, meter = random.Random(seed), NOON, Meter(600)
    heard, telling = 0, (0, 0.0)
    for _ in range(500):
        known, ends_at = meter.known, meter.ends_at
        now += at_random.choice((0, 0, 1, 40, 200)) * at_random.random()
        meter.left(now)
        if meter.ends_at != ends_at:
            heard = known if now - ends_at < MINUTE else 0
        match at_random.randrange(4):
            case 0:
                meter.take(now, at_random.randint(1, 80))
            case 1:
                meter.count(now, at_random.randint(-120, 50))
            case 2:
                telling = meter.untold, meter.ends_at
            case _:
                before = at_random.randint(0, 300)
                meter.hear(*telling, at_random.randint(0, 300), before, meter.ends_at)
                heard, telling = max(before, -meter.late), (0, meter.ends_at)
        assert meter.before == heard + meter.late - meter.returned
        assert min(meter.taken, meter.before, meter.returned) >= 0
