"""Connections that end as they rest, or as they are lent or made: they are asked nothing, and leave their places."""

import asyncio

import httpx
import pytest

from gateway.upstream.http1 import Http1Channel, open_http1
from gateway.upstream.policy import Bounds
from tests.upstream.raw_server import OK, in_turn, serving
from tests.upstream.test_http1 import HEADERS, channel_to

NONE = {"idle": 0, "busy": 0}


async def emptied(channel: Http1Channel) -> None:
    """Wait until a channel has no connection."""
    async with asyncio.timeout(10):
        while channel.pool.census() != NONE:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.01)


async def test_a_kept_connection_that_the_server_closes_leaves_its_place() -> None:
    async def answer_and_leave(writer: asyncio.StreamWriter) -> None:
        writer.write(OK)
        writer.close()

    async with serving(answer_and_leave) as server:
        channel = open_http1(server.url, HEADERS, Bounds(connections=1))
        for _ in range(3):
            await channel.send("POST", "/", None)
            await emptied(channel)
        await channel.close()
    assert server.connections == 3


async def test_each_connection_is_closed_when_it_has_rested_though_others_have_before_it() -> None:
    async def answer_later(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.05)
        writer.write(OK)

    async with serving(in_turn(OK, answer_later)) as server, channel_to(server.url) as channel:
        channel.pool.kept_for = 0.1
        await asyncio.gather(*(channel.send("GET", "/", None) for _ in range(2)))
        await emptied(channel)
    assert server.connections == 2


@pytest.mark.parametrize("is_waited_for", [False, True])
async def test_a_connection_that_ends_just_as_it_is_lent_makes_room_for_another(*, is_waited_for: bool) -> None:
    async with serving(OK) as server:
        channel = open_http1(server.url, HEADERS, Bounds(connections=1))
        await channel.send("POST", "/", None)
        kept = channel.pool.take_rested()
        assert kept is not None
        call = asyncio.ensure_future(channel.send("POST", "/", None))
        if is_waited_for:
            await asyncio.sleep(0)
        channel.pool.put(kept)
        kept.close()  # of which the pool is told in the loop's next round
        assert (await call).status == 200
        await channel.close()
    assert server.connections == 2


async def test_a_connection_that_is_made_just_as_all_are_closed_is_asked_nothing() -> None:
    async with serving(OK) as server, channel_to(server.url) as channel:
        call = asyncio.ensure_future(channel.send("POST", "/", None))
        await asyncio.sleep(0)
        await channel.close()
        with pytest.raises(httpx.ConnectError):
            await call
        assert channel.pool.census() == NONE
    assert server.heads == []
