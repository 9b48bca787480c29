"""The network under the upstreams, over real sockets: what is sent, what is kept, and what each failure is called."""

import asyncio
import gzip
import inspect
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import cast

import aiohttp
import httpx
import pytest

from gateway.upstream import channel
from gateway.upstream.channel import BASE_HEADERS
from gateway.upstream.decoding import TooLarge
from gateway.upstream.http1 import Http1Channel
from gateway.upstream.network import Network, open_network
from gateway.upstream.policy import Bounds
from gateway.upstream.proxied import ProxiedChannel, as_httpx
from gateway.upstream.quota import Quota
from tests.upstream.raw_server import OK, Answers, hang_up, hang_up_midway, in_turn, say_nothing, serving

Way = Callable[[str, Mapping[str, str], Bounds], channel.Way]


def by_aiohttp(base_url: str, headers: Mapping[str, str], bounds: Bounds) -> channel.Way:
    return ProxiedChannel(base_url.rstrip("/"), headers, bounds, proxy=None)


@pytest.fixture(params=[open_network, by_aiohttp], ids=["straight", "aiohttp"])
def way(request: pytest.FixtureRequest) -> Way:
    return cast("Way", request.param)


@asynccontextmanager
async def channel_to(url: str, way: Way = open_network, timeout_: float = 5) -> AsyncIterator[channel.Way]:
    made = way(url, {**BASE_HEADERS, "authorization": "Bearer canary"}, Bounds(timeout_))
    try:
        yield made
    finally:
        await made.close()


async def answered(answer: Answers | bytes, way: Way, timeout_: float = 60) -> object:
    """What one call gives: status and body, or the name of the failure."""
    async with serving(answer) as server, channel_to(server.url, way, timeout_) as made:
        try:
            got = await made.send("GET", "/things", None)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return type(error)
    return got.status, got.body


async def leave(writer: asyncio.StreamWriter) -> None:
    writer.close()


async def test_a_request_is_sent_as_it_was_written(way: Way) -> None:
    async with serving(OK) as server, channel_to(server.url, way) as made:
        await made.send("GET", "/scans/a%2Fb%20c'|%E2%9C%93?tags=a%2Cb&q=x+y", None)
        await made.send("PUT", "/lock", b'{"a":1}')
    first, second = server.heads
    assert first[0] == "GET /base/scans/a%2Fb%20c'|%E2%9C%93?tags=a%2Cb&q=x+y HTTP/1.1"
    assert {"accept-encoding: gzip, deflate", "authorization: Bearer canary"} < set(first[1:])
    assert (second[0], server.bodies) == ("PUT /base/lock HTTP/1.1", [b"", b'{"a":1}'])


async def test_channels_share_connections_and_no_header(way: Way) -> None:
    async with serving(OK) as server, channel_to(server.url, way) as made:
        for number in (1, 2):
            await made.under({"authorization": f"Bearer {number}"}).send("GET", "/", None)
        await made.send("GET", "/", None)
    assert server.connections == 1
    sent = [line for head in server.heads for line in head if line.startswith("authorization")]
    assert sent == ["authorization: Bearer 1", "authorization: Bearer 2", "authorization: Bearer canary"]


async def test_a_network_has_one_way_to_an_address() -> None:
    network = Network(Bounds(5))
    async with serving(OK) as first, serving(OK) as second:
        for server in (first, second, first):
            for number in (1, 2):
                beside = network.channel("prism", server.url, {"authorization": f"Bearer {number}"})
                assert (await beside.send("GET", "/", None)).status == 200
        await network.close()
        await asyncio.gather(first.gone.wait(), second.gone.wait())
    assert (first.connections, second.connections) == (1, 1)
    assert (len(first.heads), len(second.heads)) == (4, 2)


@pytest.mark.parametrize("target", ["/scans/%2E%2E/x", "/%2e", "/scans/...?a=b"])
async def test_dots_are_no_steps_up_the_path(target: str, way: Way) -> None:
    async with serving(OK) as server, channel_to(server.url, way) as made:
        await made.send("GET", target, None)
    assert server.heads[0][0] == f"GET /base{target} HTTP/1.1"


async def test_an_endless_target_is_refused_without_a_call(way: Way) -> None:
    async with serving(OK) as server, channel_to(server.url, way) as made:
        with pytest.raises(httpx.InvalidURL):
            await made.send("GET", "/" + "x" * 70_000, None)
    assert server.heads == []


async def test_a_redirect_is_an_answer_like_any_other(way: Way) -> None:
    moved = b"HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n"
    assert await answered(moved, way) == (302, b"")


async def test_headers_are_known_by_small_letters_and_those_of_one_name_are_joined(way: Way) -> None:
    head = b"HTTP/1.1 429 Slow\r\nX-RateLimit-Remaining: 0\r\nVary: A\r\nvary: B\r\nContent-Length: 0\r\n\r\n"
    async with serving(head) as server, channel_to(server.url, way) as made:
        got = await made.send("GET", "/", None)
    assert dict(got.headers) == {"x-ratelimit-remaining": "0", "vary": "A, B", "content-length": "0"}


async def test_what_an_answer_says_of_the_budget_is_heard(way: Way) -> None:
    said = OK.replace(b"\r\n\r\n", b"\r\nX-RateLimit-Remaining: 3\r\nX-RateLimit-Limit: 10\r\n\r\n")
    budget = Quota("scenario", "Scenario", 0, lambda: 0.0)
    async with serving(said) as server, channel_to(server.url, way) as made:
        budget.learn(await made.send("GET", "/", None))
    assert budget.left == 3


async def test_no_cookie_is_sent_back(way: Way) -> None:
    given = OK.replace(b"\r\n\r\n", b"\r\nset-cookie: a=b\r\n\r\n")
    async with serving(given) as server, channel_to(server.url, way) as made:
        await made.send("GET", "/", None)
        await made.send("GET", "/", None)
    assert [line for head in server.heads for line in head if "cookie" in line] == []


async def test_an_answer_is_decompressed(way: Way) -> None:
    packed = gzip.compress(b'{"a":1}')
    head = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(packed)
    assert await answered(head + packed, way) == (200, b'{"a":1}')


@pytest.mark.parametrize("body", [b"<html>", gzip.compress(b"{}")[:-1]], ids=["not compressed", "cut short"])
async def test_a_refusal_that_is_not_compressed_as_it_says_has_its_status_all_the_same(body: bytes, way: Way) -> None:
    head = b"HTTP/1.1 503 Later\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(body)
    assert await answered(head + body, way) == (503, b"")


async def test_a_refusal_that_unpacks_to_more_than_is_taken_is_too_large(way: Way) -> None:
    body = gzip.compress(bytes(Bounds().body_bytes + 1), 1)
    head = b"HTTP/1.1 503 Later\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(body)
    assert await answered(head + body, way) is TooLarge


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
async def test_each_failure_is_called_as_httpx_calls_it(
    answer: Answers | bytes, failure: type[Exception], way: Way
) -> None:
    assert await answered(answer, way, 0.2 if failure is httpx.ReadTimeout else 60) is failure


async def test_a_refused_connection_is_known_never_to_have_left(way: Way) -> None:
    async with serving(OK) as server:
        pass
    async with channel_to(server.url, way) as made:
        with pytest.raises(httpx.ConnectError):
            await made.send("GET", "/", None)


def failures() -> list[type[Exception]]:
    exported = [getattr(aiohttp, name) for name in aiohttp.__all__]
    return [each for each in exported if inspect.isclass(each) and issubclass(each, aiohttp.ClientError)]


@pytest.mark.parametrize("failure", failures())
def test_every_failure_of_the_library_has_a_name_of_httpx_that_shows_no_address(failure: type[Exception]) -> None:
    named = as_httpx(failure.__new__(failure))
    assert isinstance(named, httpx.TransportError)
    assert str(named) == failure.__name__


@pytest.mark.parametrize(
    ("failure", "name"),
    [
        (aiohttp.ConnectionTimeoutError, httpx.ConnectTimeout),
        (aiohttp.ClientProxyConnectionError, httpx.ConnectError),
        (aiohttp.ClientHttpProxyError, httpx.ConnectError),
        (aiohttp.ClientConnectorCertificateError, httpx.ConnectError),
        (aiohttp.SocketTimeoutError, httpx.ReadTimeout),
        (aiohttp.ServerDisconnectedError, httpx.NetworkError),
    ],
)
def test_only_of_what_a_proxy_never_passed_on_it_is_said_that_it_never_left(
    failure: type[Exception], name: type[Exception]
) -> None:
    assert type(as_httpx(failure.__new__(failure))) is name


async def test_one_connection_serves_calls_that_follow_each_other(way: Way) -> None:
    async with serving(OK) as server, channel_to(server.url, way) as made:
        for _ in range(10):
            await made.send("GET", "/", None)
    assert (server.connections, len(server.heads)) == (1, 10)


@pytest.mark.parametrize("method", ["PUT", "POST"])
@pytest.mark.parametrize("answers", [(OK, hang_up, OK), (OK, leave, OK)], ids=["broken off", "closed"])
async def test_a_change_whose_connection_ends_is_sent_once(
    method: str, answers: tuple[Answers | bytes, ...], way: Way
) -> None:
    async with serving(in_turn(*answers)) as server, channel_to(server.url, way) as made:
        await made.send("GET", "/", None)
        with pytest.raises(httpx.NetworkError):
            await made.send(method, "/lock", b"{}")
    assert (server.targets, server.bodies) == (["/base/", "/base/lock"], [b"", b"{}"])


async def test_at_most_a_hundred_connections_are_open(way: Way) -> None:
    async with serving(say_nothing) as server, channel_to(server.url, way, 60) as made:
        calls = [asyncio.ensure_future(made.send("GET", "/", None)) for _ in range(120)]
        await server.heard(100)
        await asyncio.sleep(0.1)
        assert server.connections == 100
        for call in calls:
            call.cancel()
        await asyncio.wait(calls)


async def test_the_wait_for_a_connection_ends(way: Way) -> None:
    async with serving(say_nothing) as server, channel_to(server.url, way, 0.5) as made:
        ended = await asyncio.gather(*(made.send("GET", "/", None) for _ in range(120)), return_exceptions=True)
    assert {type(error) for error in ended} <= {httpx.ReadTimeout, httpx.ConnectTimeout}


async def test_an_answer_that_came_while_the_process_stood_still_is_not_late() -> None:
    asked = threading.Event()

    def answer(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65_536)
            asked.set()
            time.sleep(0.1)
            connection.sendall(OK)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        upstream = threading.Thread(target=answer, args=[listener])
        upstream.start()
        async with channel_to(f"http://127.0.0.1:{listener.getsockname()[1]}", timeout_=0.3) as made:
            call = asyncio.ensure_future(made.send("GET", "/", None))
            await asyncio.to_thread(asked.wait)
            time.sleep(0.6)  # noqa: ASYNC251 - the process stands still
            assert (await call).status == 200
        upstream.join()


async def test_a_call_that_nobody_waits_for_any_more_is_hung_up(way: Way) -> None:
    async with serving(say_nothing) as server, channel_to(server.url, way, 60) as made:
        call = asyncio.ensure_future(made.send("GET", "/", None))
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
            async with channel_to(url) as made:
                await made.send("GET", "/things", None)
    assert [head[0] for head in proxy.heads] == ["GET http://upstream.example/things HTTP/1.1"]
    assert [head[0] for head in here.heads] == ["GET /base/things HTTP/1.1"] * 2


@pytest.fixture
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment that names no proxy yet."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return monkeypatch


@pytest.mark.parametrize("name", ["http_proxy", "all_proxy"])
async def test_a_proxy_that_is_named_without_a_scheme_is_one(name: str, no_proxies: pytest.MonkeyPatch) -> None:
    async with serving(OK) as proxy:
        no_proxies.setenv(name, f"127.0.0.1:{proxy.port}")
        async with channel_to("http://upstream.example") as made:
            assert (await made.send("GET", "/things", None)).status == 200
    assert [head[0] for head in proxy.heads] == ["GET http://upstream.example/things HTTP/1.1"]


def beside_a_proxy(url: str, exempt: str, environment: pytest.MonkeyPatch) -> channel.Way:
    environment.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    environment.setenv("NO_PROXY", exempt)
    return open_network(url, {}, Bounds())


@pytest.mark.parametrize(
    ("url", "exempt"),
    [
        ("https://api.example", "api.example"),
        ("https://api.example", ".example"),
        ("https://api.example", "api.example:443"),
        ("https://api.example", "other.example, api.example:443"),
        ("https://api.example:8443", "api.example:8443"),
        ("https://api.example", "10.0.0.0/8, api.example"),
        ("https://api.example", "*"),
        ("https://10.1.2.3", "192.168.0.0/16, 10.0.0.0/8"),
        ("https://10.1.2.3", "10.1.2.0/24,api.example"),
        ("https://[fd00::1]", "fd00::/8"),
        ("https://[fd00::1]", "fd00::1"),
        ("https://[fd00::1]", "[fd00::1]"),
        ("https://[fd00::1]:8443", "[fd00::1]:8443"),
    ],
)
def test_what_the_environment_exempts_is_gone_to_straight(
    url: str, exempt: str, no_proxies: pytest.MonkeyPatch
) -> None:
    assert isinstance(beside_a_proxy(url, exempt, no_proxies), Http1Channel)


@pytest.mark.parametrize(
    ("url", "exempt"),
    [
        ("https://api.example", ""),
        ("https://api.example", "pi.example"),
        ("https://api.example", "api.example:8443"),
        ("https://api.example:8443", "api.example:443"),
        ("https://10.1.2.3", "10.1.3.0/24"),
        ("https://[fd00::1]", "10.0.0.0/8,nonsense/99"),
    ],
)
def test_what_the_environment_does_not_exempt_is_gone_to_by_its_proxy(
    url: str, exempt: str, no_proxies: pytest.MonkeyPatch
) -> None:
    assert isinstance(beside_a_proxy(url, exempt, no_proxies), ProxiedChannel)
