"""Streams over real sockets: frames that break the rules, clients that vanish or do not read, and the server's end."""

import asyncio
import contextlib
import gc
import json
import logging
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as connect_to
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Opcode
from websockets.typing import Subprotocol

from gateway.app import create_app
from gateway.http.application import App
from gateway.sandbox import Fault, Sandbox
from gateway.serving import listen, serving
from gateway.socket_protocol import SocketProtocol
from tests.http.requests import post
from tests.world import NOON, settings_for

FOLLOW = "subscription ($scanId: ID!) { scanUpdated(scanId: $scanId) { status } }"
BAD_CONNECTIONS = int(os.environ.get("BAD_CONNECTIONS", "300"))
TOGETHER = 50
MUCH = {
    "gateway_max_document_bytes": 100_000,
    "gateway_max_tokens": 20_000,
    "gateway_max_aliases": 3_000,
    "gateway_max_fields": 4_000,
}


@dataclass
class Served:
    """A gateway on a socket, over a sandbox where time stands still."""

    app: App
    sandbox: Sandbox
    address: tuple[str, int]

    @property
    def subscribed(self) -> int:
        count: int = self.app.state.gateway.watchers.subscribed
        return count

    @property
    def scan_id(self) -> str:
        """A scan that moves, were it not for the time."""
        return list(self.sandbox.prism.scans)[20]

    @property
    def url(self) -> str:
        return "http://{}:{}/graphql".format(*self.address)

    async def connect(self, **options: Any) -> ClientConnection:
        """Open a WebSocket that sends no pings by itself."""
        spoken = [Subprotocol("graphql-transport-ws")]
        url = self.url.replace("http", "ws", 1)
        return await connect_to(url, subprotocols=spoken, proxy=None, ping_interval=None, **options)

    async def subscribe(self) -> ClientConnection:
        """Open a WebSocket and follow the scan, whose state has come."""
        one = await self.connect()
        await one.send('{"type":"connection_init"}')
        assert json.loads(await one.recv()) == {"type": "connection_ack"}
        await one.send(json.dumps({"id": "1", "type": "subscribe", "payload": self.following()}))
        answer = {"data": {"scanUpdated": {"status": "CREATED"}}}
        assert json.loads(await one.recv()) == {"id": "1", "type": "next", "payload": answer}
        return one

    def following(self) -> dict[str, Any]:
        return {"query": FOLLOW, "variables": {"scanId": self.scan_id}}

    async def until_left(self) -> None:
        """Wait until nothing is watched any more."""
        while self.subscribed:  # noqa: ASYNC110 - nothing tells it
            await asyncio.sleep(0.01)


@asynccontextmanager
async def served(**settings: Any) -> AsyncIterator[Served]:
    sandbox = Sandbox(clock=lambda: NOON, url="http://sandbox.test")
    given = settings_for(sandbox, **settings)
    transport = httpx.ASGITransport(app=sandbox.app)
    app = create_app(given, transports={"prism": transport, "scenario": transport})
    with listen("127.0.0.1", 0, "nothing") as listener:
        address = listener.getsockname()[:2]
        async with serving((app, listener)):
            yield Served(app, sandbox, address)


@pytest.fixture
async def gateway() -> AsyncIterator[Served]:
    async with served() as made:
        yield made


async def closing_of(one: ClientConnection) -> tuple[int, str]:
    """Read to the end, and give the code and the reason that the server closes with."""
    with contextlib.suppress(ConnectionClosed):
        async for _ in one:
            pass
    return one.close_code or 0, one.close_reason or ""


def _protocols() -> list[SocketProtocol]:
    """The server's ends of WebSockets that were not forgotten yet."""
    gc.collect()
    return [one for one in gc.get_objects() if type(one) is SocketProtocol]  # a proxy has no class


def errors_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


async def test_a_scan_is_followed_over_every_protocol_at_once_for_one_look(gateway: Served) -> None:
    socket = await gateway.subscribe()
    async with httpx.AsyncClient(trust_env=False) as client:
        for accept, first in (
            ("text/event-stream", 'data: {"data":{"scanUpdated":{"status":"CREATED"}}}'),
            ("multipart/mixed;subscriptionSpec=1.0", '{"payload":{"data":{"scanUpdated":{"status":"CREATED"}}}}'),
        ):
            headers = {"accept": accept}
            async with client.stream("POST", gateway.url, json=gateway.following(), headers=headers) as answer:
                async for line in answer.aiter_lines():
                    if line == first:
                        break
    await socket.close()
    await gateway.until_left()
    assert len(gateway.sandbox.prism.calls) == 1


@pytest.mark.parametrize("pieces", [1, 20])
@pytest.mark.parametrize("size", [1_048_577, 10_000_000])
async def test_a_message_that_is_too_large_closes_with_1009(
    size: int, pieces: int, gateway: Served, caplog: pytest.LogCaptureFixture
) -> None:
    one = await gateway.subscribe()
    message = ["x" * (size // pieces + 1)] * pieces
    with contextlib.suppress(ConnectionClosed):  # it may be told before it has said all
        await one.send(message if pieces > 1 else message[0])
    code, _ = await closing_of(one)
    assert code == 1009
    await gateway.until_left()
    assert errors_in(caplog) == []


def frame(opcode: int, data: bytes, *, first: int = 0x80) -> bytes:
    """A short frame, masked by zeros; `first` has the bits before the opcode."""
    return bytes([first | opcode, 0x80 | len(data), 0, 0, 0, 0]) + data


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (frame(Opcode.TEXT, b"\xff\xfe"), 1007),
        (frame(Opcode.CONT, b"{}"), 1002),
        (frame(Opcode.TEXT, b"{}", first=0xC0), 1002),
        (frame(Opcode.PING, b"x", first=0), 1002),
        (frame(Opcode.CLOSE, b"\x00"), 1002),
        (frame(0xB, b""), 1002),
        (b"\x81\x02{}", 1002),
        (frame(Opcode.TEXT, b"{"), 4400),
        (frame(Opcode.BINARY, b"\xff"), 4400),
    ],
)
async def test_a_frame_that_breaks_the_rules_closes_with_their_code(
    bad: bytes, code: int, gateway: Served, caplog: pytest.LogCaptureFixture
) -> None:
    one = await gateway.subscribe()
    one.transport.write(bad)
    assert (await closing_of(one))[0] == code
    await gateway.until_left()
    assert errors_in(caplog) == []


async def test_a_handshake_that_cannot_be_read_is_answered_and_closed(gateway: Served) -> None:
    reader, writer = await asyncio.open_connection(*gateway.address)
    upgrade = b"GET /graphql HTTP/1.1\r\nhost: a\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
    writer.write(upgrade + b"cookie: " + b"x" * 10_000 + b"\r\n\r\n")
    async with asyncio.timeout(30):
        assert (await reader.read()).startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n")
    writer.close()
    while _protocols():  # noqa: ASYNC110 - nothing tells it
        await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, b"Pages of this origin may not connect; GATEWAY_WEBSOCKET_ORIGINS names those that may."),
        ({"gateway_hosts": "gateway.test"}, b"The gateway is not asked by this host name."),
    ],
)
async def test_a_handshake_that_is_refused_is_no_failure_of_the_gateway(
    settings: dict[str, str], words: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with served(**settings) as gateway:
        with pytest.raises(InvalidStatus) as refused:
            await gateway.connect(origin="https://elsewhere.test")
    answer = refused.value.response
    assert (answer.status_code, answer.body, errors_in(caplog)) == (403, words, [])


async def test_a_handshake_that_was_sent_ahead_of_an_answer_changes_no_protocol(gateway: Served) -> None:
    gateway.sandbox.faults.add(Fault(delay=0.2, times=1))
    reader, writer = await asyncio.open_connection(*gateway.address)
    upgrade = b"GET /healthz HTTP/1.1\r\nhost: a\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
    key = b"sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    writer.write(post({"query": "{ assets(first: 1) { nodes { kind } } }"}) + upgrade + key)
    async with asyncio.timeout(30):
        for ending in (b'"nodes":[{"kind":"IMAGE"}]}}}', b'{"status":"ok"}'):
            heard = await reader.readuntil(ending)
            assert (heard[:15], heard.count(b"HTTP/1.1")) == (b"HTTP/1.1 200 OK", 1)
    writer.close()


async def test_who_leaves_a_stream_having_asked_more_is_not_watched_for(caplog: pytest.LogCaptureFixture) -> None:
    async with asyncio.timeout(60), served(gateway_heartbeat=0.4) as gateway:
        reader, writer = await asyncio.open_connection(*gateway.address)
        writer.write(_stream(gateway.following()))
        await reader.readuntil(b"CREATED")
        writer.write(_stream(gateway.following()))
        await asyncio.sleep(0.05)
        assert gateway.subscribed == 1
        writer.close()
        await gateway.until_left()
    assert errors_in(caplog) == []


async def test_a_page_of_another_origin_is_not_let_in(gateway: Served) -> None:
    with pytest.raises(InvalidStatus) as caught:
        await gateway.connect(origin="https://elsewhere.test")
    assert caught.value.response.status_code == 403
    assert caught.value.response.body == (
        b"Pages of this origin may not connect; GATEWAY_WEBSOCKET_ORIGINS names those that may."
    )
    own = await gateway.connect(origin=gateway.url.removesuffix("/graphql"))
    await own.close()


async def _break_off(gateway: Served, number: int) -> None:
    """Be a bad client, of one kind after another."""
    match number % 6:
        case 0:
            one = await gateway.connect()
            await one.send("[]")
        case 1:
            one = await gateway.subscribe()
            one.transport.abort()
        case 2:
            one = await gateway.connect()
            await one.send('{"type":"connection_init"}')
            await one.send('{"type":"connection_init"}')
        case 3:
            one = await gateway.subscribe()
            await one.send(json.dumps({"id": "1", "type": "subscribe", "payload": gateway.following()}))
        case 4:
            one = await gateway.subscribe()
            one.transport.write(b"\x00\x01\x02garbage")
        case _:
            reader, writer = await asyncio.open_connection(*gateway.address)
            writer.write(b"GET /graphql HTTP/1.1\r\nhost: a\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n")
            await reader.read()
            writer.close()
            await writer.wait_closed()
            return
    await one.wait_closed()


async def test_bad_connections_leave_neither_tasks_nor_memory_nor_errors_in_the_log(
    gateway: Served, caplog: pytest.LogCaptureFixture
) -> None:
    async def many(count: int) -> tuple[int, int]:
        for begin in range(0, count, TOGETHER):
            await asyncio.gather(*[_break_off(gateway, number) for number in range(begin, begin + TOGETHER)])
        while _protocols():  # noqa: ASYNC110 - nothing tells it
            await asyncio.sleep(0.05)
        gc.collect()
        return len(asyncio.all_tasks()), len(gc.get_objects())

    caplog.set_level(logging.INFO)
    await many(100)
    caplog.clear()
    tasks, objects = await many(100)
    tasks_after, objects_after = await many(BAD_CONNECTIONS)
    assert tasks_after == tasks
    assert objects_after - objects < 0.5 * BAD_CONNECTIONS
    assert errors_in(caplog) == []


async def test_who_answers_no_ping_is_let_go_within_a_heartbeat() -> None:
    async with asyncio.timeout(60), served(gateway_heartbeat=0.4) as gateway:
        alive, gone = await gateway.subscribe(), await gateway.subscribe()
        gone.transport.pause_reading()
        while gateway.subscribed == 2:  # noqa: ASYNC110 - nothing tells it
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.5)
        assert gateway.subscribed == 1
        await alive.close()
        gone.transport.abort()


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="this system cannot break off by itself")
async def test_who_takes_nothing_over_http_is_let_go_within_a_heartbeat() -> None:
    async with asyncio.timeout(60), served(gateway_heartbeat=0.4, **MUCH) as gateway:
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            client.setblocking(False)  # noqa: FBT003
            loop = asyncio.get_running_loop()
            await loop.sock_connect(client, gateway.address)
            await loop.sock_sendall(client, _large_stream(gateway))
            await loop.sock_recv(client, 64)
            assert gateway.subscribed == 1
            await gateway.until_left()


def _large_stream(gateway: Served) -> bytes:
    """A request for server-sent events, the first of which is larger than what its client takes."""
    fields = " ".join(f"status{number}: status" for number in range(3_000))
    query = f"subscription ($scanId: ID!) {{ scanUpdated(scanId: $scanId) {{ {fields} }} }}"
    return _stream({**gateway.following(), "query": query})


def _stream(operation: dict[str, Any]) -> bytes:
    """A request for server-sent events."""
    body = json.dumps(operation).encode()
    head = (
        "POST /graphql HTTP/1.1\r\nhost: a\r\naccept: text/event-stream\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def test_who_pings_and_reads_no_answer_is_not_read_either(gateway: Served) -> None:
    one = await gateway.subscribe()
    one.transport.pause_reading()
    (serving_,) = [one for one in _protocols() if not one.disconnected]
    pings = frame(Opcode.PING, b"x" * 125) * 1_000
    for _ in range(200):
        one.transport.write(pings)
        await asyncio.sleep(0)
    while serving_.writable.is_set():  # noqa: ASYNC110 - nothing tells it
        await asyncio.sleep(0.01)
    assert serving_.transport.get_write_buffer_size() < 1_000_000
    one.transport.abort()
    await gateway.until_left()


async def test_nor_is_who_says_more_between_the_pings(gateway: Served) -> None:
    one = await gateway.subscribe()
    one.transport.pause_reading()
    (serving_,) = [one for one in _protocols() if not one.disconnected]
    pings = (frame(Opcode.PING, b"x" * 125) * 200 + frame(Opcode.TEXT, b'{"type":"pong"}')) * 5
    for _ in range(100):
        one.transport.write(pings)
        await asyncio.sleep(0)
    while serving_.writable.is_set():  # noqa: ASYNC110 - nothing tells it
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.5)  # in which all would be read
    assert serving_.transport.get_write_buffer_size() < 1_000_000
    one.transport.resume_reading()
    await one.send(json.dumps({"id": "2", "type": "subscribe", "payload": {"query": "{ __typename }"}}))
    answer = {"data": {"__typename": "Query"}}
    assert json.loads(await one.recv()) == {"id": "2", "type": "next", "payload": answer}
    await one.close()


async def test_of_the_pieces_of_a_message_those_that_hold_nothing_are_not_kept(gateway: Served) -> None:
    one = await gateway.subscribe()
    (serving_,) = [one for one in _protocols() if not one.disconnected]
    nothing = frame(Opcode.CONT, b"", first=0) * 1_000
    one.transport.write(frame(Opcode.TEXT, b"", first=0) + nothing + frame(Opcode.CONT, b'{"type":', first=0) + nothing)
    await (await one.ping())  # it is answered once all before it is read
    assert serving_.frames == [b"", b'{"type":']
    one.transport.write(nothing + frame(Opcode.CONT, b'"ping"}', first=0) + frame(Opcode.CONT, b""))
    assert json.loads(await one.recv()) == {"type": "pong"}
    await one.close()


async def test_who_breaks_the_rules_as_a_server_ends_keeps_nobody_from_ending_well(
    gateway: Served, caplog: pytest.LogCaptureFixture
) -> None:
    bad, other = await gateway.connect(), await gateway.subscribe()
    gateway.sandbox.faults.add(Fault(upstream="prism", delay=60))
    query = {"query": f'{{ scan(scanId: "{gateway.scan_id}") {{ assetUrls {{ model }} }} }}'}
    await bad.send('{"type":"connection_init"}')
    await bad.send(json.dumps({"id": "1", "type": "subscribe", "payload": query}))
    assert json.loads(await bad.recv()) == {"type": "connection_ack"}
    ending = asyncio.create_task(gateway.app.drain())
    assert await closing_of(other) == (1012, "The gateway ends; connect again.")
    bad.transport.write(frame(Opcode.CONT, b"{}"))
    assert (await closing_of(bad))[0] == 1002
    await ending
    assert errors_in(caplog) == []


async def test_the_end_of_a_server_sends_clients_elsewhere() -> None:
    async with asyncio.timeout(60), httpx.AsyncClient(trust_env=False) as client:
        async with served() as gateway:
            one = await gateway.subscribe()
            headers = {"accept": "text/event-stream"}
            request = client.build_request("POST", gateway.url, json=gateway.following(), headers=headers)
            events = await client.send(request, stream=True)
        assert await closing_of(one) == (1012, "The gateway ends; connect again.")
        body = await events.aread()
    assert body == b':\n\nevent: next\ndata: {"data":{"scanUpdated":{"status":"CREATED"}}}\n\n'
