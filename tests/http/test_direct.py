"""Requests that have come as a whole, over real sockets: answered without ASGI, and exactly as by way of it."""

import asyncio
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import msgspec
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.app import create_app
from gateway.auth.caller import ANYONE
from gateway.http.application import App
from gateway.sandbox import Fault, Sandbox
from gateway.server import GuestServer, configured
from gateway.serving import listen, serving
from tests.http.requests import GRAPHQL, get, post
from tests.replicas import until
from tests.world import URL, Clock, settings_for

SCAN = "query Scan($id: ID!) { scan(scanId: $id) { scanId assets { isReady } } }"
LOCK = "mutation ($id: ID!, $at: DateTime!) { lockAsset(input: { assetId: $id, lockExpiresAt: $at }) { lockId } }"
TRUE_ID = b"x-request-id: mine\r\n"
ORIGIN = b"origin: https://app.test\r\n"


@dataclass
class Wire:
    """A gateway behind a socket, and one connection to it; `sandbox` is what it calls."""

    sandbox: Sandbox
    app: App
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @property
    def scan_id(self) -> str:
        return self.sandbox.prism.scan_ids("READY")[0]

    async def send(self, *parts: bytes) -> None:
        for part in parts:
            self.writer.write(part)
            await self.writer.drain()
            await asyncio.sleep(0.005)

    async def read(self) -> tuple[bytes, set[tuple[bytes, bytes]], Any]:
        """Status, headers without those that are never the same, and the body without its request's id."""
        status, *lines = (await self.reader.readuntil(b"\r\n\r\n")).rstrip().split(b"\r\n")
        headers: dict[bytes, bytes] = {}
        for name, value in (line.split(b": ", 1) for line in lines):
            headers[name] = headers[name] + b", " + value if name in headers else value
        del headers[b"date"]
        length = int(headers.get(b"content-length", b"0"))
        id_ = headers.pop(b"x-request-id")
        body = (await self.reader.readexactly(length)).replace(id_, b"ID")
        return status, set(headers.items()), body


def by_asgi_alone(app: ASGIApp) -> ASGIApp:
    """Hide what an application offers beside ASGI."""

    async def alone(scope: Scope, receive: Receive, send: Send) -> None:
        await app(scope, receive, send)

    return alone


@asynccontextmanager
async def wired(*, direct: bool = True, **settings: Any) -> AsyncIterator[Wire]:
    clock = Clock()
    sandbox = Sandbox(clock=clock, url=URL)
    transport = httpx.ASGITransport(app=sandbox.app)
    transports = {"prism": transport, "scenario": transport}
    app = create_app(settings_for(sandbox, **settings), transports=transports, clock=clock, sleep=clock.sleep)
    with listen("127.0.0.1", 0, "nothing") as listener:
        async with serving((app if direct else by_asgi_alone(app), listener)):
            reader, writer = await asyncio.open_connection(*listener.getsockname())
            yield Wire(sandbox, app, reader, writer)
        writer.close()


def every_kind(scan_id: str, asset_id: str) -> dict[str, bytes]:
    scan = {"query": SCAN, "variables": {"id": scan_id}}
    lock = {"query": LOCK, "variables": {"id": asset_id, "at": "2027-01-01T00:00:00Z"}}
    return {
        "a query": post(scan),
        "the same again, from what is kept": post(scan),
        "in the newer type": post(scan, GRAPHQL),
        "under the client's id": post(scan, TRUE_ID),
        "through a cache": post(scan, b"cache-control: max-age=5\r\n"),
        "known by its tag": post(scan, b"if-none-match: *\r\n"),
        "told where it comes from": post({**scan, "extensions": {"freshness": True}}),
        "a large answer": post({"query": "{ assets(first: 50) { nodes { assetId url tags } } }"}),
        "the same compressed": post(
            {"query": "{ assets(first: 50) { nodes { assetId url tags } } }"}, b"accept-encoding: gzip\r\n"
        ),
        "a scan that is not there": post({"query": SCAN, "variables": {"id": "no-such"}}),
        "a mutation": post(lock),
        "a subscription": post({"query": 'subscription { scanUpdated(scanId: "x") { scanId } }'}),
        "a variable of a wrong type": post({"query": SCAN, "variables": {"id": [1]}}),
        "no GraphQL": post({"query": "{ nothing }"}),
        "no GraphQL in the newer type": post({"query": "{"}, GRAPHQL),
        "no operation of that name": post({"query": "query A { __typename }", "operationName": "B"}),
        "no query": post({}),
        "no JSON": post(b"{"),
        "no body": post(b""),
        "another type of body": post(b"a").replace(b"application/json", b"text/plain"),
        "a compressed body": post(b"a", b"content-encoding: gzip\r\n"),
        "a hash that nobody knows": post({"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "a" * 64}}}),
        "nothing that is taken": post(scan, b"accept: text/plain\r\n"),
        "a page of ours": post(scan, ORIGIN),
        "a page of ours that takes nothing": post(scan, ORIGIN + b"accept: text/plain\r\n"),
        "a page of ours that asks another host": post(scan, ORIGIN).replace(b"gateway.test", b"other.test"),
        "another host": post(scan).replace(b"gateway.test", b"other.test"),
        "two of a header": post(scan, b"accept: application/json\r\naccept: text/html\r\n"),
        "a GET": get(b"/graphql?query=%7B__typename%7D"),
        "a GET through a cache": get(b"/graphql?query=%7B__typename%7D", GRAPHQL + b'if-none-match: W/"x"\r\n'),
        "a GET with a fragment": get(b"/graphql?query=%7B__typename%7D#there"),
        "a GET that is not meant": get(b"/graphql?query=%7B__typename%7D", b""),
        "a GET by another site": get(b"/graphql?query=%7B__typename%7D", b"sec-fetch-site: cross-site\r\n" + GRAPHQL),
        "a GET that changes something": get(b"/graphql?query=mutation%7B__typename%7D"),
        "a GET that says it twice": get(b"/graphql?query=%7Ba%7D&query=%7Bb%7D"),
        "a GET that asks nothing": get(b"/graphql"),
        "OPTIONS": get(b"/graphql").replace(b"GET", b"OPTIONS", 1),
        "DELETE": get(b"/graphql").replace(b"GET", b"DELETE", 1),
        "an absolute target": get(b"http://gateway.test/graphql?query=%7B__typename%7D"),
    }


async def answers(requests: Sequence[bytes], *, direct: bool, **settings: Any) -> list[Any]:
    async with wired(direct=direct, **settings) as wire:
        heard = []
        for request in requests:
            await wire.send(request)
            heard.append(await wire.read())
        return heard


SETTINGS: list[dict[str, Any]] = [
    {},
    {"gateway_answers": True},
    {"gateway_origins": "https://app.test", "gateway_hosts": "gateway.test", "gateway_compress_from": 100},
    {"gateway_graphiql": False, "gateway_incremental": True, "gateway_introspection": False},
    {"gateway_rate_requests": 100, "gateway_rate_headers": True},
]


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda one: " ".join(one) or "as it is")
async def test_every_kind_of_request_is_answered_as_by_way_of_asgi(settings: dict[str, Any]) -> None:
    sandbox = Sandbox(clock=Clock(), url=URL)
    kinds = every_kind(sandbox.prism.scan_ids("READY")[0], next(iter(sandbox.scenario.assets)))
    direct = await answers(list(kinds.values()), direct=True, **settings)
    by_asgi = await answers(list(kinds.values()), direct=False, **settings)
    assert dict(zip(kinds, direct, strict=True)) == dict(zip(kinds, by_asgi, strict=True))


async def test_where_a_request_is_cut_is_nobodys_concern() -> None:
    async with wired() as wire:
        request = post({"query": "{ __typename }"})
        for place in range(1, len(request), 7):
            await wire.send(request[:place], request[place:])
            status, _, body = await wire.read()
            assert (status, body) == (b"HTTP/1.1 200 OK", b'{"data":{"__typename":"Query"}}')


async def test_requests_that_come_together_are_answered_in_their_order() -> None:
    async with wired() as wire:
        for _ in range(2):  # the scan is called for, then at hand
            names = [post({"query": f"{{ {name}: __typename }}"}) for name in ("first", "third")]
            await wire.send(names[0] + post({"query": SCAN, "variables": {"id": wire.scan_id}}) + names[1])
            bodies = [(await wire.read())[2] for _ in range(3)]
            assert [next(iter(msgspec.json.decode(body)["data"])) for body in bodies] == ["first", "scan", "third"]


async def test_what_is_asked_behind_one_that_takes_nothing_kept_may_be_kept() -> None:
    async with wired() as wire:
        first, second = wire.sandbox.prism.scan_ids("READY")[:2]
        await wire.send(post({"query": f'{{ scan(scanId: "{first}") {{ status }} }}'}))
        await wire.read()
        wire.app.state.gateway.clock.advance(1)
        anew = post({"query": f'{{ scan(scanId: "{second}") {{ status }} }}'}, b"cache-control: no-cache\r\n")
        await wire.send(anew + post({"query": f'{{ scan(scanId: "{first}") {{ scanId status }} }}'}))
        assert [b'"READY"' in (await wire.read())[2] for _ in range(2)] == [True, True]
        assert [call.path for call in wire.sandbox.prism.calls] == [f"/scans/{first}", f"/scans/{second}"]


UNREADABLE = [
    b"garbage\r\n\r\n",
    get(b"/graphql", b"content-length: 1\r\ncontent-length: 2\r\n"),
    get(b"/graphql", b"x: " + b"y" * 70_000 + b"\r\n"),
    post(b"", b"transfer-encoding: chunked\r\n").replace(b"content-length: 0\r\n", b"") + b"no length\r\n",
]


@pytest.mark.parametrize("direct", [True, False])
@pytest.mark.parametrize("unreadable", UNREADABLE, ids=["no request", "two lengths", "a long head", "a bad chunk"])
async def test_what_cannot_be_read_is_not_refused_in_the_place_of_what_was_asked_before(
    unreadable: bytes, *, direct: bool
) -> None:
    async with wired(direct=direct, gateway_max_header_bytes=1_000) as wire:
        wire.sandbox.faults.add(Fault(delay=0.2))
        await wire.send(post({"query": SCAN, "variables": {"id": wire.scan_id}}) + unreadable)
        status, headers, body = await wire.read()
        assert (status, b'"isReady":true' in body) == (b"HTTP/1.1 200 OK", True)
        assert (b"connection", b"close") in headers
        assert await wire.reader.read() == b""


async def test_what_does_not_arrive_breaks_no_stream_that_was_asked_for_before() -> None:
    async with wired(gateway_max_arrival_seconds=1, gateway_heartbeat=1) as wire:
        moving = list(wire.sandbox.prism.scans)[20]
        follow = {"query": f'subscription {{ scanUpdated(scanId: "{moving}") {{ status }} }}'}
        await wire.send(post(follow, b"accept: text/event-stream\r\n") + b"GET")
        async with asyncio.timeout(10):
            heard = b"".join([await wire.reader.readuntil(b":\n\n") for _ in range(5)])
        assert heard.count(b"HTTP/1.1") == 1


@pytest.mark.parametrize("by", [b"connection: close\r\n", b"expect: 100-continue\r\n"])
async def test_what_a_request_wants_of_its_connection_is_done(by: bytes) -> None:
    async with wired() as wire:
        await wire.send(post({"query": "{ __typename }"}, by))
        if b"100" in by:
            assert await wire.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        status, headers, body = await wire.read()
        assert (status, body) == (b"HTTP/1.1 200 OK", b'{"data":{"__typename":"Query"}}')
        assert ((b"connection", b"close") in headers) is (b"close" in by)


async def test_a_connection_rests_for_as_long_as_it_may() -> None:
    async with asyncio.timeout(60), wired(gateway_keep_alive=0.5) as wire:
        await wire.send(post({"query": "{ __typename }"}))
        assert (await wire.read())[0] == b"HTTP/1.1 200 OK"
        assert await wire.reader.read() == b""


def test_connections_rest_for_longer_than_the_usual_proxies_keep_them() -> None:
    assert configured(create_app(settings_for(Sandbox()))).timeout_keep_alive == 75


OFFER = b"connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAEAAEAAAAIAAAAA\r\n"


@pytest.mark.parametrize("direct", [True, False])
async def test_who_offers_another_protocol_is_answered_in_this_one_wherever_the_request_is_cut(
    direct: bool,  # noqa: FBT001 - a case
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with wired(direct=direct) as wire:
        request = post({"query": "{ __typename }"}, OFFER)
        behind = get(b"/graphql?query=%7Bbehind:__typename%7D", OFFER + GRAPHQL)
        for place in range(1, len(request), 17):
            await wire.send(request[:place], request[place:] + behind)
            for answer in (b'{"data":{"__typename":"Query"}}', b'{"data":{"behind":"Query"}}'):
                status, _, body = await wire.read()
                assert (status, body) == (b"HTTP/1.1 200 OK", answer)
    assert caplog.messages == []


@pytest.mark.parametrize("direct", [True, False])
async def test_a_post_that_offers_websocket_is_no_handshake_and_is_answered(direct: bool) -> None:  # noqa: FBT001 - a case
    offer = b"connection: upgrade\r\nupgrade: websocket\r\n"
    async with wired(direct=direct) as wire:
        await wire.send(post({"query": "{ __typename }"}, offer) + get(b"/graphql?query=%7Bbehind:__typename%7D"))
        for answer in (b'{"data":{"__typename":"Query"}}', b'{"data":{"behind":"Query"}}'):
            status, _, body = await wire.read()
            assert (status, body) == (b"HTTP/1.1 200 OK", answer)


async def test_an_offer_that_comes_ahead_of_an_answer_is_none_of_its_business() -> None:
    async with wired() as wire:
        wire.sandbox.faults.add(Fault(delay=0.1, times=1))
        offering = post({"query": "{ __typename }"}, OFFER)
        await wire.send(post({"query": SCAN, "variables": {"id": wire.scan_id}}) + offering * 2 + b"no request\r\n\r\n")
        bodies = [(await wire.read())[2] for _ in range(3)]
        assert (b'"isReady":true' in bodies[0], bodies[1:]) == (True, [b'{"data":{"__typename":"Query"}}'] * 2)
        assert await wire.reader.read() == b""


async def test_nobody_is_connected_to_elsewhere() -> None:
    async with wired() as wire:
        await wire.send(b"CONNECT elsewhere.test:80 HTTP/1.1\r\nhost: a\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n")
        assert (await wire.reader.read()).startswith(b"HTTP/1.1 400 Bad Request\r\n")


async def test_an_old_client_is_answered_and_let_go() -> None:
    async with wired() as wire:
        await wire.send(post({"query": "{ __typename }"}, b"connection: keep-alive\r\n", version=b"1.0"))
        assert (b"connection", b"close") in (await wire.read())[1]
        assert await wire.reader.read() == b""


@pytest.mark.parametrize(
    ("accept", "answer"),
    [
        (
            b"text/event-stream",
            b':\n\nevent: next\ndata: {"data":{"scanUpdated":{"status":"READY"}}}\n\nevent: complete\ndata:\n\n',
        ),
        (
            b"multipart/mixed;subscriptionSpec=1.0",
            (
                b"\r\n--graphql\r\ncontent-type: application/json\r\n\r\n"
                b'{"payload":{"data":{"scanUpdated":{"status":"READY"}}}}\r\n--graphql--\r\n'
            ),
        ),
    ],
)
async def test_a_stream_to_an_old_client_ends_with_its_connection_and_has_no_chunks(
    accept: bytes, answer: bytes
) -> None:
    async with wired() as wire:
        follow = {"query": f'subscription {{ scanUpdated(scanId: "{wire.scan_id}") {{ status }} }}'}
        await wire.send(post(follow, b"accept: " + accept + b"\r\n", version=b"1.0"))
        head, _, body = (await wire.reader.read()).partition(b"\r\n\r\n")
        assert (head[:15], b"transfer-encoding" in head, body) == (b"HTTP/1.1 200 OK", False, answer)


async def test_who_leaves_takes_the_upstream_call_along() -> None:
    async with wired() as wire:
        wire.sandbox.faults.add(Fault(delay=60))
        await wire.send(post({"query": SCAN, "variables": {"id": wire.scan_id}}))
        store = wire.app.state.gateway.store
        await until(lambda: len(store.flights) == 1)
        wire.writer.close()
        await until(lambda: len(store.flights) == 0)


@pytest.mark.parametrize("direct", [True, False])
async def test_a_bug_is_told_in_graphqls_words_and_logged(direct: bool, caplog: pytest.LogCaptureFixture) -> None:  # noqa: FBT001 - a case
    async with wired(direct=direct) as wire:
        wire.app.state.engine.answers = object()
        await wire.send(post({"query": "{ __typename }"}))
        status, _, body = await wire.read()
        assert status == b"HTTP/1.1 500 Internal Server Error"
        assert msgspec.json.decode(body)["errors"][0]["extensions"]["code"] == "INTERNAL_SERVER_ERROR"
        assert caplog.messages == ["INTERNAL_SERVER_ERROR in request " + caplog.messages[0].split()[-1]]


async def test_one_under_way_is_answered_before_its_server_ends() -> None:
    async with wired() as wire:
        wire.sandbox.faults.add(Fault(delay=0.2))
        await wire.send(post({"query": SCAN, "variables": {"id": wire.scan_id}}))
        await asyncio.sleep(0.05)
        reading = asyncio.create_task(wire.read())
    status, headers, _ = await reading
    assert (status, (b"connection", b"close") in headers) == (b"HTTP/1.1 200 OK", True)


@pytest.mark.parametrize("by", [b"", b"expect: 100-continue\r\n"], ids=["directly", "by way of ASGI"])
async def test_what_is_under_way_as_the_end_begins_ends_its_connection_with_the_last_answer_that_is_owed(
    by: bytes,
) -> None:
    sandbox = Sandbox(clock=Clock(), url=URL)
    transport = httpx.ASGITransport(app=sandbox.app)
    given = settings_for(sandbox, gateway_drain_grace=60)
    app = create_app(given, transports={"prism": transport, "scenario": transport})
    sandbox.faults.add(Fault(delay=0.3))
    asked = post({"query": SCAN, "variables": {"id": sandbox.prism.scan_ids("READY")[0]}}, by)
    with listen("127.0.0.1", 0, "nothing") as listener:
        server = GuestServer(app, listener)
        async with asyncio.timeout(30), asyncio.TaskGroup() as group:
            group.create_task(server.serve(sockets=[listener]))
            reader, writer = await asyncio.open_connection(*listener.getsockname())
            writer.write(asked + post({"query": "{ behind: __typename }"}))
            await until(lambda: len(sandbox.prism.calls) > 0)
            server.handle_exit(signal.SIGTERM, None)
            heard = await reader.read()
            assert (heard.count(b"HTTP/1.1 200 OK"), heard.count(b"connection: close\r\n")) == (2, 1)
            assert heard.endswith(b'{"data":{"behind":"Query"}}')
            server.handle_exit(signal.SIGTERM, None)  # who waits no longer
            writer.close()


async def test_each_request_is_counted_once_whichever_way_it_is_answered() -> None:
    left: dict[bool, list[float]] = {True: [], False: []}
    for direct, remaining in left.items():
        async with wired(direct=direct, gateway_answers=True, gateway_rate_requests=1_000) as wire:
            rates = wire.app.state.gateway.rates
            for request in every_kind(wire.scan_id, next(iter(wire.sandbox.scenario.assets))).values():
                await wire.send(request)
                await wire.read()
                requests = rates.left(ANYONE)["requests"]
                remaining.append(requests.remaining)
    assert left[True] == left[False]
    assert left[True][:3] == [999, 998, 997]


async def test_one_too_many_is_refused_in_the_same_words_whichever_way_it_came() -> None:
    request = post({"query": "{ __typename }"})
    direct, by_asgi = [await answers([request] * 3, direct=way, gateway_rate_requests=2) for way in (True, False)]
    assert direct == by_asgi
    assert [(status, dict(headers).get(b"retry-after")) for status, headers, _ in direct] == [
        (b"HTTP/1.1 200 OK", None),
        (b"HTTP/1.1 200 OK", None),
        (b"HTTP/1.1 429 Too Many Requests", b"90"),
    ]


async def test_that_a_client_leaves_any_application_is_no_failure(caplog: pytest.LogCaptureFixture) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def waits(scope: Scope, _receive: Receive, _send: Send) -> None:
        if scope["type"] == "http":
            begun.set()
            try:
                await asyncio.sleep(60)
            finally:
                ended.set()

    with listen("127.0.0.1", 0, "nothing") as listener:
        async with asyncio.timeout(30), serving((waits, listener)):
            _, writer = await asyncio.open_connection(*listener.getsockname())
            writer.write(get(b"/"))
            await begun.wait()
            writer.close()
            await ended.wait()
    assert [record for record in caplog.records if record.exc_info] == []
