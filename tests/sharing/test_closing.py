"""Leaving Redis at awkward moments: it ends, whatever Redis does, and nothing goes on after it."""

import asyncio
import signal
from collections.abc import Sequence

import pytest

from gateway.cache.batch import Batch
from gateway.cache.document import Document
from gateway.cache.link import Command, Link
from gateway.cache.shared import CHANNEL
from tests.redis_server import RedisServer
from tests.replicas import replicas, sharing_of, until

LONG = 30  # seconds; many times what anything here takes
STEPS = 40  # of the event loop, within which a link asks several times
MUCH = b"x" * 2**20
SLOW: Command = ("EVAL", "local n = 0 for i = 1, 20000000 do n = n + i end return n", 0)


@pytest.fixture
async def link(redis_url: str) -> Link:
    """One that is not open yet."""
    return Link(redis_url, CHANNEL, 5)


async def closed(*links: Link) -> None:
    """Close them, and see that nothing of them is left."""
    async with asyncio.timeout(LONG):
        for link in links:
            await link.close()
    assert [link.is_up for link in links] == [False] * len(links)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def steps(number: int) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


async def test_whoever_asks_can_be_cancelled_at_every_step(link: Link) -> None:
    async def ask_on_and_on() -> None:
        while True:
            await link.evaluate("return 1", [], [])

    link.open()
    await until(lambda: link.is_up)
    for number in range(STEPS):
        asking = asyncio.create_task(ask_on_and_on())
        await steps(number)
        asking.cancel()
        await asyncio.wait([asking], timeout=1)
        assert asking.cancelled(), number
    await closed(link)


async def test_one_that_was_never_opened_is_closed_and_so_is_one_that_is_closed_already(link: Link) -> None:
    await closed(link)
    link.open()
    await until(lambda: link.is_up)
    async with asyncio.timeout(LONG):
        await asyncio.gather(link.close(), link.close())
    await closed(link)


async def test_it_is_closed_at_every_step_of_connecting(redis_url: str) -> None:
    for number in range(STEPS):
        link = Link(redis_url, CHANNEL, 5)
        link.open()
        await steps(number)
        await closed(link)


async def test_it_is_closed_while_something_takes_connections_and_says_nothing() -> None:
    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(-1)
        writer.close()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    link = Link(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0", CHANNEL, 0.1)
    link.open()
    await until(lambda: link.counts.failures > 0)
    async with asyncio.timeout(LONG):
        await link.close()
    server.close()


async def test_it_is_closed_while_redis_stands_still(server: RedisServer, link: Link) -> None:
    link.open()
    await until(lambda: link.is_up)
    server.signal(signal.SIGSTOP)
    asked = [asyncio.create_task(link.send([("SET", "key", MUCH)] * 8)) for _ in range(4)]
    await asyncio.sleep(0.1)
    try:
        async with asyncio.timeout(LONG):
            await link.close()
            assert await asyncio.gather(*asked) == [None] * 4
    finally:
        server.signal(signal.SIGCONT)
    await until(lambda: len(server.client.client_list()) == 1)  # nobody but this test: what was left to send is sent
    await closed()


async def test_it_is_closed_while_redis_works_on_a_batch(link: Link) -> None:
    link.open()
    await until(lambda: link.is_up)
    asked = asyncio.create_task(link.send([SLOW, ("GET", "key")]))
    await asyncio.sleep(0.05)
    async with asyncio.timeout(LONG):
        await link.close()
        await asyncio.wait([asked])
    await closed()


async def test_it_is_closed_when_redis_has_just_died(server: RedisServer, link: Link) -> None:
    link.open()
    await until(lambda: link.is_up)
    server.signal(signal.SIGKILL)
    try:
        await closed(link)
    finally:
        server.start()


async def test_what_waits_for_an_answer_at_the_end_gets_none_and_nothing_is_asked_after_it() -> None:
    asked: list[Sequence[int]] = []

    async def say_nothing(questions: Sequence[int]) -> Sequence[int] | None:
        asked.append(questions)
        await asyncio.sleep(LONG)
        return None

    batch: Batch[int, int] = Batch(say_nothing, most=1)
    first = batch.put(1)
    await until(lambda: asked)
    second = batch.put(2)
    await batch.close()
    assert (await first, await second) == (None, None)
    await steps(3)
    assert asked == [[1]]
    await closed()


async def test_what_was_found_just_before_the_end_is_written_before_redis_is_left(redis_url: str) -> None:
    async with replicas(redis_url) as (first, second):
        kind = first.sources.scenario.kinds.asset
        for number in range(3):
            document = Document(kind.name, str(number), b"{}", first.clock(), first.clock() + 60, first.clock() + 60)
            sharing_of(first).tier.write(first.sources.scenario.upstream.key(kind, str(number)), document, b"")
        await sharing_of(first).close()
        keys = [second.sources.scenario.upstream.key(kind, str(number)) for number in range(3)]
        assert list((await sharing_of(second).tier.find(keys)).documents) == keys
