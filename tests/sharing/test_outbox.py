"""What must not be lost comes to Redis once and in order, whatever becomes of Redis on the way, and nobody hangs."""

import asyncio
import signal
from collections.abc import AsyncIterator

import pytest

from gateway.cache.link import Link
from gateway.cache.outbox import MOST_AT_ONCE, MOST_WAITING, Letter, Outbox
from gateway.cache.shared import CHANNEL
from tests.redis_server import RedisServer
from tests.replicas import until

BUDGET = 0.3  # seconds
SOON = 5.0  # seconds; many times the budget


@pytest.fixture
async def outbox(redis_url: str) -> AsyncIterator[Outbox]:
    """One over a link that is up."""
    link = Link(redis_url, CHANNEL, BUDGET)
    outbox = Outbox(link)
    link.resume = outbox.resume
    link.open()
    await until(lambda: link.is_up)
    yield outbox
    await link.close()


def letter(number: int) -> Letter:
    return Letter(lambda: [("RPUSH", "letters", number)], is_vital=True)


def arrived(server: RedisServer) -> list[int]:
    return [int(each) for each in server.client.lrange("letters", 0, -1)]


async def test_what_is_on_its_way_when_redis_dies_is_sent_in_order_once_it_is_back(
    outbox: Outbox, server: RedisServer
) -> None:
    server.signal(signal.SIGKILL)
    for number in range(3):
        outbox.put(letter(number))
    assert outbox.link.is_up
    await outbox.deliver(letter(3))
    assert (outbox.link.is_up, outbox.link.counts.asked) == (False, 1)
    server.start()
    await until(lambda: outbox.link.is_up)
    assert (arrived(server), outbox.lost) == ([0, 1, 2, 3], 0)


async def test_what_is_sent_as_redis_comes_back_is_sent_again_when_it_dies_just_then(
    outbox: Outbox, server: RedisServer
) -> None:
    outbox.link.leave(ConnectionError())  # as if an answer had not come
    for number in range(3):
        outbox.put(letter(number))
    server.client.client_pause(60_000, all=False)  # what writes waits, so that it is asked and cannot answer
    probes = outbox.link.counts.probes
    await until(lambda: outbox.link.counts.probes >= probes + 2)
    server.signal(signal.SIGKILL)
    server.start()
    await until(lambda: outbox.link.is_up)
    assert (arrived(server), outbox.lost) == ([0, 1, 2], 0)


async def test_who_waits_for_what_comes_after_something_that_redis_does_not_answer_is_let_go(
    outbox: Outbox, server: RedisServer
) -> None:
    server.signal(signal.SIGSTOP)
    try:
        outbox.put(letter(0))
        await asyncio.sleep(0)  # which is on its way now
        async with asyncio.timeout(SOON):
            await outbox.deliver(letter(1))
    finally:
        server.signal(signal.SIGCONT)
    await until(lambda: outbox.link.is_up)
    assert arrived(server)[-1] == 1


async def test_who_gives_up_waiting_keeps_nothing_from_those_that_come_after(
    outbox: Outbox, server: RedisServer
) -> None:
    impatient = asyncio.create_task(outbox.deliver(letter(0)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)  # it is on its way now
    later = asyncio.create_task(outbox.deliver(letter(1)))
    await asyncio.sleep(0)
    impatient.cancel()
    await later
    assert impatient.cancelled()
    assert arrived(server) == [0, 1]


async def test_of_more_than_may_wait_for_redis_the_oldest_are_given_up(outbox: Outbox, server: RedisServer) -> None:
    outbox.link.leave(ConnectionError())  # as if an answer had not come
    for number in range(MOST_WAITING + 2):
        outbox.put(letter(number))
    assert outbox.lost == 2
    await until(lambda: outbox.link.is_up)
    in_order = list(dict.fromkeys(arrived(server)))  # where it takes longer than a probe some are sent again
    assert in_order == list(range(2, MOST_WAITING + 2))


async def test_many_that_come_together_are_sent_in_several_steps(outbox: Outbox, server: RedisServer) -> None:
    for number in range(2 * MOST_AT_ONCE):
        outbox.put(letter(number))
    await outbox.deliver(letter(2 * MOST_AT_ONCE))
    assert arrived(server) == list(range(2 * MOST_AT_ONCE + 1))
    assert outbox.link.counts.asked == 3
