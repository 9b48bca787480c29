"""Processes that share a Redis count callers together, and each for itself while there is none."""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from gateway.auth.caller import Caller
from gateway.cache.link import Link
from gateway.rates.rates import RateLimits, Rates, TenantRates
from gateway.rates.sharing import PAUSE, STEPS, SharedMeters, shared_meters
from tests.redis_server import RedisServer
from tests.world import Clock

ANN, BOB = Caller("ann"), Caller("bob")
MOST = 500


@asynccontextmanager
async def processes(url: str, number: int = 1, *, requests: int = MOST) -> AsyncIterator[tuple[Clock, list[Rates]]]:
    """The rates of some processes, by one clock."""
    clock, every = Clock(), RateLimits(requests=requests, upstream_calls=MOST)
    links = [Link(url, "news", 1) for _ in range(number)]
    rates = [Rates(every, clock=clock, sharing=shared_meters(link.pool, clock)) for link in links]
    yield clock, rates
    for each, link in zip(rates, links, strict=True):
        await each.close()
        await link.close()


def shared(rates: Rates) -> SharedMeters:
    assert isinstance(rates.sharing, SharedMeters)
    return rates.sharing


async def told(*processes: Rates) -> None:
    """Wait until nobody has anything to tell."""
    async with asyncio.timeout(10):
        while any(shared(each).is_telling for each in processes):  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.002)


async def test_processes_let_through_what_is_allowed_and_at_most_a_step_each_more(redis: RedisServer) -> None:
    async with processes(redis.url, 4) as (_, four):
        taken = 0
        for number in range(2 * MOST):
            taken += four[number % 4].takes(ANN)
            await told(*four)
        assert MOST <= taken <= MOST + 4 * MOST / STEPS
        assert sum(each.takes(BOB) for each in four) == 4


async def test_a_limit_that_changes_is_counted_together_with_what_was_spent_before(redis: RedisServer) -> None:
    async with processes(redis.url, 2, requests=0) as (_, two):
        for most, taken in ((10, 10), (30, 20), (0, 50)):
            for each in two:
                each.set_tenants({ANN.tenant: TenantRates(RateLimits(requests=most))})
            count = 0
            for number in range(50):
                count += two[number % 2].takes(ANN)
                await told(*two)
            assert taken <= count <= taken + 2


async def test_what_one_gives_back_the_others_may_spend(redis: RedisServer) -> None:
    async with processes(redis.url, 2) as (_, (one, other)):
        one.spend(ANN, 300, 1)
        await told(one)
        one.charge(ANN, -297, 0)
        await told(one)
        other.spend(ANN, 480, 1)
        await told(other)
        left = other.left(ANN)["upstream_calls"]
        assert left is not None
        assert left.remaining == MOST - 3 - 480


async def test_what_one_gives_back_once_the_minute_has_turned_lets_nobody_spend_more_than_a_minute(
    redis: RedisServer,
) -> None:
    async with processes(redis.url, 2) as (clock, (one, other)):
        one.spend(ANN, 300, 1)
        await told(one)
        for key in redis.client.keys("*upstream_calls*"):
            redis.client.expire(key, 60)  # as it does a minute later
        clock.advance(60)
        one.charge(ANN, -297, 0)
        await told(one)
        other.spend(ANN, 100, 1)
        await told(other)
        clock.advance(59)
        assert [each.left(ANN)["upstream_calls"] for each in (one, other)] == [(MOST, 499, 1), (MOST, 399, 1)]


@pytest.mark.parametrize("steps", [0, 1, 5, 50])
async def test_what_is_being_told_as_the_minute_turns_stays_spent(redis: RedisServer, steps: int) -> None:
    async with processes(redis.url) as (clock, (rates,)):
        rates.spend(ANN, 10, 1)
        await told(rates)
        clock.advance(59)
        rates.spend(ANN, 300, 1)
        for _ in range(steps):
            await asyncio.sleep(0)
        clock.advance(1)
        rates.spend(ANN, 5, 1)
        await told(rates)
        rates.spend(ANN, 20, 1)
        await told(rates)
        left = rates.left(ANN)["upstream_calls"]
        assert left is not None
        assert left.remaining <= MOST - 335 + 1


async def test_few_requests_are_nobody_elses_concern(redis: RedisServer) -> None:
    async with processes(redis.url) as (_, (rates,)):
        for _ in range(MOST // STEPS - 1):
            assert rates.takes(ANN)
        assert not shared(rates).is_telling
        assert redis.client.dbsize() == 0


async def test_the_keys_in_redis_are_forgotten_and_show_nothing_but_who_and_what(redis: RedisServer) -> None:
    async with processes(redis.url) as (_, (rates,)):
        for _ in range(MOST):
            rates.takes(ANN)
        await told(rates)
        (key,) = redis.client.keys()
        assert key == b"scan-gateway:rates:{('requests', 'default', 'ann')}"
        assert 60_000 < redis.client.pttl(key) <= 120_000


async def test_without_redis_each_counts_for_itself_and_says_so_once_a_while(
    redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with processes(redis.url) as (clock, (rates,)):
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


async def test_a_clock_that_is_put_back_leaves_redis_alone_for_no_longer(redis: RedisServer) -> None:
    async with processes(redis.url) as (clock, (rates,)):
        redis.signal(signal.SIGKILL)
        for _ in range(MOST):
            rates.takes(ANN)
        await told(rates)
        assert shared(rates).failures == 1
        redis.start()
        clock.advance(-3_600)
        for _ in range(MOST):
            rates.takes(BOB)
        await told(rates)
        assert redis.client.dbsize() == 1
