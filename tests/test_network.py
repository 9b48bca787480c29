"""The network under the upstreams, over real sockets: what is sent, what is kept, and what each failure is called."""

import asyncio
import gzip
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
import httpx
import pytest

from gateway.upstream.channel import BASE_HEADERS
from gateway.upstream.network import NetworkChannel, as_httpx, open_network

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"

Answers = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass(slots=True)
class Server:
    """A server that keeps what it was sent."""

    port: int = 0
    connections: int = 0
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    heads: list[list[str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/base"


@asynccontextmanager
async def serving(answer: Answers | bytes) -> AsyncIterator[Server]:
    """Answer every request with the same bytes, or as a function writes."""
    seen = Server()
    open_: dict[asyncio.StreamWriter, asyncio.Task[None] | None] = {}

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.connections += 1
        open_[writer] = asyncio.current_task()
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[:-2]
                head[1:] = [line.partition(":")[0].lower() + ":" + line.partition(":")[2] for line in head[1:]]
                length = [int(line.split(":")[1]) for line in head if line.startswith("content-length")]
                seen.heads.append(head)
                seen.asked.set()
                seen.bodies.append(await reader.readexactly(length[0]) if length else b"")
                if isinstance(answer, bytes):
                    writer.write(answer)
                else:
                    await answer(writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            seen.gone.set()
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    seen.port = server.sockets[0].getsockname()[1]
    yield seen
    server.close()
    for writer in open_:
        writer.transport.abort()
    await asyncio.gather(*filter(None, open_.values()))


@asynccontextmanager
async def channel_to(url: str, timeout_: float = 5) -> AsyncIterator[NetworkChannel]:
    channel = open_network(url, {**BASE_HEADERS, "authorization": "Bearer canary"}, timeout_)
    yield channel
    await channel.close()


async def answered(answer: Answers | bytes) -> object:
    """What one call gives: status and body, or the name of the failure."""
    async with serving(answer) as server, channel_to(server.url, 0.2) as channel:
        try:
            got = await channel.send("GET", "/things", None)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return type(error)
    return got.status, got.body


async def hang_up(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def hang_up_midway(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{")
    await writer.drain()
    writer.close()


async def say_nothing(_writer: asyncio.StreamWriter) -> None:
    """Leave the caller waiting."""


async def test_a_request_is_sent_as_it_was_written() -> None:
    async with serving(OK) as server, channel_to(server.url) as channel:
        await channel.send("GET", "/scans/a%2Fb%20c'|%E2%9C%93?tags=a%2Cb&q=x+y", None)
        await channel.send("PUT", "/lock", b'{"a":1}')
    first, second = server.heads
    assert first[0] == "GET /base/scans/a%2Fb%20c'|%E2%9C%93?tags=a%2Cb&q=x+y HTTP/1.1"
    assert {"accept-encoding: gzip, deflate", "authorization: Bearer canary"} < set(first[1:])
    assert (second[0], server.bodies) == ("PUT /base/lock HTTP/1.1", [b"", b'{"a":1}'])


@pytest.mark.parametrize("target", ["/scans/%2E%2E/x", "/%2e", "/scans/...?a=b"])
async def test_dots_are_no_steps_up_the_path(target: str) -> None:
    async with serving(OK) as server, channel_to(server.url) as channel:
        await channel.send("GET", target, None)
    assert server.heads[0][0] == f"GET /base{target} HTTP/1.1"


async def test_an_endless_target_is_refused_without_a_call() -> None:
    async with serving(OK) as server, channel_to(server.url) as channel:
        with pytest.raises(httpx.InvalidURL):
            await channel.send("GET", "/" + "x" * 70_000, None)
    assert server.heads == []


async def test_a_redirect_is_an_answer_like_any_other() -> None:
    moved = b"HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n"
    assert await answered(moved) == (302, b"")


async def test_no_cookie_is_sent_back() -> None:
    given = OK.replace(b"\r\n\r\n", b"\r\nset-cookie: a=b\r\n\r\n")
    async with serving(given) as server, channel_to(server.url) as channel:
        await channel.send("GET", "/", None)
        await channel.send("GET", "/", None)
    assert [line for head in server.heads for line in head if "cookie" in line] == []


async def test_an_answer_is_decompressed() -> None:
    packed = gzip.compress(b'{"a":1}')
    head = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(packed)
    assert await answered(head + packed) == (200, b'{"a":1}')


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\n{}", httpx.DecodingError),
        (hang_up, httpx.NetworkError),
        (b"nonsense\r\n\r\n", httpx.NetworkError),
        (hang_up_midway, httpx.NetworkError),
        (say_nothing, httpx.ReadTimeout),
    ],
    ids=["not compressed as it says", "hangs up", "no HTTP", "hangs up midway", "silent"],
)
async def test_each_failure_is_called_as_httpx_calls_it(answer: Answers | bytes, failure: type[Exception]) -> None:
    assert await answered(answer) is failure


async def test_a_refused_connection_is_known_never_to_have_left() -> None:
    async with serving(OK) as server:
        pass
    async with channel_to(server.url) as channel:
        with pytest.raises(httpx.ConnectError):
            await channel.send("GET", "/", None)


def failures() -> list[type[Exception]]:
    exported = [getattr(aiohttp, name) for name in aiohttp.__all__]
    return [each for each in exported if inspect.isclass(each) and issubclass(each, aiohttp.ClientError)]


@pytest.mark.parametrize("failure", failures())
def test_every_failure_of_the_library_has_a_name_of_httpx_that_shows_no_address(failure: type[Exception]) -> None:
    named = as_httpx(failure.__new__(failure))
    assert isinstance(named, httpx.TransportError)
    assert str(named) == failure.__name__


async def test_one_connection_serves_calls_that_follow_each_other() -> None:
    async with serving(OK) as server, channel_to(server.url) as channel:
        for _ in range(10):
            await channel.send("GET", "/", None)
    assert (server.connections, len(server.heads)) == (1, 10)


async def test_at_most_a_hundred_connections_are_open_and_the_wait_for_one_ends() -> None:
    async with serving(say_nothing) as server, channel_to(server.url, 1) as channel:
        calls = [asyncio.ensure_future(channel.send("GET", "/", None)) for _ in range(120)]
        await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        open_by_then = server.connections
        ended = await asyncio.gather(*calls, return_exceptions=True)
    assert open_by_then == 100
    assert {type(error) for error in ended} <= {httpx.ReadTimeout, httpx.ConnectTimeout}


async def test_a_call_that_nobody_waits_for_any_more_is_hung_up() -> None:
    async with serving(say_nothing) as server, channel_to(server.url, 60) as channel:
        call = asyncio.ensure_future(channel.send("GET", "/", None))
        await server.asked.wait()
        call.cancel()
        await asyncio.wait([call])
        await server.gone.wait()
    assert call.cancelled()


async def test_the_proxy_of_the_environment_is_used_but_never_for_this_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with serving(OK) as proxy, serving(OK) as here:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        for url in ("http://upstream.example", here.url, f"http://localhost:{here.port}/base"):
            async with channel_to(url) as channel:
                await channel.send("GET", "/things", None)
    assert [head[0] for head in proxy.heads] == ["GET http://upstream.example/things HTTP/1.1"]
    assert [head[0] for head in here.heads] == ["GET /base/things HTTP/1.1"] * 2
