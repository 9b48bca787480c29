"""Processes that share a Redis count callers together, and each for itself while there is none."""

import asyncio
import logging
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.auth.caller import Caller
from gateway.rates.rates import RateLimits, Rates, TenantRates
from gateway.rates.sharing import PAUSE, STEPS, SharedMeters, shared_meters
from tests.redis_server import RedisServer, running_redis
from tests.world import Clock

ANN, BOB = Caller("ann"), Caller("bob")
MOST = 500


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A server of a test's own."""
    with running_redis(tmp_path) as server:
        yield server


def process(url: str, clock: Clock, **limits: int) -> Rates:
    """The rates of one process."""
    every = RateLimits(**{"requests": MOST, "upstream_calls": MOST, **limits})
    return Rates(every, clock=clock, sharing=shared_meters(url, clock))


def shared(rates: Rates) -> SharedMeters:
    assert isinstance(rates.sharing, SharedMeters)
    return rates.sharing


async def told(*processes: Rates) -> None:
    """Wait until nobody has anything to tell."""
    async with asyncio.timeout(10):
        while any(shared(each).is_telling for each in processes):  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.002)


async def test_processes_let_through_what_is_allowed_and_at_most_a_step_each_more(redis: RedisServer) -> None:
    clock = Clock()
    processes = [process(redis.url, clock) for _ in range(4)]
    taken = 0
    for number in range(2 * MOST):
        taken += processes[number % 4].takes(ANN)
        await told(*processes)
    assert MOST <= taken <= MOST + 4 * MOST / STEPS
    assert sum(each.takes(BOB) for each in processes) == 4
    for each in processes:
        await each.close()


async def test_a_limit_that_changes_is_counted_together_with_what_was_spent_before(redis: RedisServer) -> None:
    one, other = process(redis.url, clock := Clock(), requests=0), process(redis.url, clock, requests=0)
    for most, taken in ((10, 10), (30, 20), (0, 50)):
        for each in (one, other):
            each.set_tenants({ANN.tenant: TenantRates(RateLimits(requests=most))})
        count = 0
        for number in range(50):
            count += (one, other)[number % 2].takes(ANN)
            await told(one, other)
        assert taken <= count <= taken + 2
    await one.close()
    await other.close()


async def test_what_one_gives_back_the_others_may_spend(redis: RedisServer) -> None:
    one, other = process(redis.url, clock := Clock()), process(redis.url, clock)
    one.spend(ANN, 300, 1)
    await told(one)
    one.charge(ANN, -297, 0)
    await told(one)
    other.spend(ANN, 480, 1)
    await told(other)
    left = other.left(ANN)["upstream_calls"]
    assert left is not None
    assert left.remaining == MOST - 3 - 480
    await one.close()
    await other.close()


async def test_few_requests_are_nobody_elses_concern(redis: RedisServer) -> None:
    rates = process(redis.url, Clock())
    for _ in range(MOST // STEPS - 1):
        assert rates.takes(ANN)
    assert not shared(rates).is_telling
    assert redis.client.dbsize() == 0
    await rates.close()


async def test_the_keys_in_redis_are_forgotten_and_show_nothing_but_who_and_what(redis: RedisServer) -> None:
    rates = process(redis.url, Clock())
    for _ in range(MOST):
        rates.takes(ANN)
    await told(rates)
    (key,) = redis.client.keys()
    assert key == b"scan-gateway:rates:{('requests', 'default', 'ann')}"
    assert 60_000 < redis.client.pttl(key) <= 120_000
    await rates.close()


async def test_without_redis_each_counts_for_itself_and_says_so_once_a_while(
    redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    rates = process(redis.url, clock := Clock())
    redis.signal(signal.SIGKILL)
    with caplog.at_level(logging.WARNING, "gateway.rates"):
        assert sum(rates.takes(ANN) for _ in range(2 * MOST)) == MOST
        await told(rates)
        clock.advance(PAUSE / 2)
        rates.takes(BOB)
        await told(rates)
    assert [record.getMessage() for record in caplog.records] == [
        "rates are counted by each process for itself: Redis failed with ConnectionError"
    ]
    assert shared(rates).failures == 1
    redis.start()
    clock.advance(PAUSE)
    for _ in range(MOST):
        rates.takes(BOB)
    await told(rates)
    assert redis.client.dbsize() == 1
    await rates.close()
