"""Connections on which nothing comes are closed, here after 5 seconds, by a clock that moves when a test says so."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx
import pytest

from gateway.app import create_app
from gateway.sandbox import Sandbox
from gateway.serving import listen, serving
from tests.http.requests import get, post
from tests.test_server import exchange
from tests.world import NOON, settings_for

QUERY = post({"query": "{ assets(first: 1) { nodes { kind } } }"})
OTHER = post({"query": '{ scan(scanId: "other") { status } }'})
HEALTH = get(b"/healthz")
Ask = Callable[[bytes], asyncio.Task[tuple[bytes, bytes]]]


class Held(httpx.AsyncBaseTransport):
    """The sandbox, which answers when it may."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._inner = httpx.ASGITransport(app=sandbox.app)
        self.may_answer = asyncio.Event()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await self.may_answer.wait()
        return await self._inner.handle_async_request(request)


@asynccontextmanager
async def connected() -> AsyncIterator[tuple[Held, asyncio.StreamReader, Ask]]:
    sandbox = Sandbox(clock=lambda: NOON, url="http://sandbox.test")
    upstream = Held(sandbox)
    given = settings_for(sandbox, gateway_deadline=3_600, gateway_slow_from=3_600, gateway_keep_alive=5)
    app = create_app(given, transports={"prism": upstream, "scenario": upstream}, clock=lambda: NOON)
    with listen("127.0.0.1", 0, "nothing") as listener:
        async with asyncio.timeout(3_600), serving((app, listener)):
            reader, writer = await asyncio.open_connection(*listener.getsockname()[:2])
            yield upstream, reader, lambda request: asyncio.create_task(exchange(reader, writer, request))
            writer.close()


@pytest.mark.parametrize("request_", [QUERY, HEALTH])
async def test_a_connection_is_closed_so_long_after_its_last_answer_not_after_its_first(
    wait: Callable[[float], float], request_: bytes
) -> None:
    async with connected() as (upstream, reader, ask):
        upstream.may_answer.set()
        for _ in range(4):
            assert (await ask(request_))[0].startswith(b"HTTP/1.1 200")
            wait(3)
        wait(3)
        assert await reader.read() == b""


async def test_none_is_closed_while_an_answer_is_on_its_way(wait: Callable[[float], float]) -> None:
    async with connected() as (upstream, reader, ask):
        await ask(HEALTH)
        answer = ask(QUERY)
        for _ in range(3):
            await asyncio.sleep(0.05)
            wait(3)
        upstream.may_answer.set()
        assert (await answer)[0].startswith(b"HTTP/1.1 200")
        assert (await ask(HEALTH))[0].startswith(b"HTTP/1.1 200")
        wait(6)
        assert await reader.read() == b""


async def test_none_is_closed_while_one_is_answered_that_came_behind_one_whose_answer_was_kept(
    wait: Callable[[float], float],
) -> None:
    async with connected() as (upstream, reader, ask):
        upstream.may_answer.set()
        for _ in range(2):
            await ask(QUERY)
        upstream.may_answer.clear()
        await ask(QUERY + OTHER)
        for _ in range(3):
            await asyncio.sleep(0.05)
            wait(3)
        await asyncio.sleep(0.05)
        upstream.may_answer.set()
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")


async def test_none_is_closed_while_one_is_answered_whose_head_has_come_before(wait: Callable[[float], float]) -> None:
    async with connected() as (upstream, _, ask):
        upstream.may_answer.set()
        for scan_id in ("first", "other"):
            await ask(OTHER.replace(b"other", scan_id.encode()))
        upstream.may_answer.clear()
        answer = ask(OTHER.replace(b"other", b"third"))
        for _ in range(3):
            await asyncio.sleep(0.05)
            wait(3)
        upstream.may_answer.set()
        assert (await answer)[0].startswith(b"HTTP/1.1 200")


LONG = post(b" " * 2_000_000)


@pytest.mark.parametrize(
    ("begun", "rest"),
    [(HEALTH, b"\r\n"), (QUERY, b"\r\n"), (LONG[:1_000], LONG[1_000:])],
    ids=["ASGI", "direct", "body"],
)
async def test_one_on_which_nothing_comes_but_what_asks_for_no_answer_is_closed_too(
    wait: Callable[[float], float], begun: bytes, rest: bytes
) -> None:
    async with connected() as (upstream, _, ask):
        upstream.may_answer.set()
        await ask(begun)
        after = ask(rest)
        for _ in range(6):
            await asyncio.sleep(0.05)
            wait(3)
        with pytest.raises(asyncio.IncompleteReadError):
            await asyncio.wait_for(after, 10)
