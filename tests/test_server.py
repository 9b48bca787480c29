"""How a server ends: what it says before, what it waits for, and what it breaks off."""

import asyncio
import json
import select
import socket
import time
from collections.abc import Callable

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from gateway.app import create_app
from gateway.sandbox import Sandbox
from gateway.sandbox.faults import Fault
from gateway.serving import listen, serving
from tests.faults.load import post
from tests.world import NOON, World, settings_for, world

QUERY = {"query": "{ assets(first: 1) { nodes { mimeType } } }"}


async def test_who_leaves_is_not_ready_and_closes_each_connection_with_its_answer() -> None:
    sandbox = Sandbox(clock=lambda: NOON, url="http://sandbox.test")
    transport = httpx.ASGITransport(app=sandbox.app)
    given = settings_for(sandbox, gateway_answers=True, gateway_fresh_page=3_600)
    app = create_app(given, transports={"prism": transport, "scenario": transport}, clock=lambda: NOON)
    with listen("127.0.0.1", 0, "nothing") as listener:
        host, port = listener.getsockname()[:2]
        request = post(host, json.dumps(QUERY).encode())
        async with serving((app, listener)):
            reader, writer = await asyncio.open_connection(host, port)
            kept = [await exchange(reader, writer, request) for _ in range(3)]
            assert [b"connection: close" in head for head, _ in kept] == [False] * 3
            assert app.state.repeats.hits == 1
            app.leave()
            head, body = await exchange(reader, writer, request)
            assert (head[:12], b"connection: close" in head, body) == (b"HTTP/1.1 200", True, kept[0][1])
            assert await reader.read() == b""
            async with httpx.AsyncClient(trust_env=False) as client:
                answer = await client.get(f"http://{host}:{port}/readyz")
            assert (answer.status_code, answer.json()) == (503, {"status": "draining"})
            assert answer.headers["connection"] == "close"
            writer.close()


async def exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> tuple[bytes, bytes]:
    """Send a request, and give the head and the body of its answer."""
    writer.write(request)
    head = (await reader.readuntil(b"\r\n\r\n")).lower().replace(b"http/", b"HTTP/")
    return head, await reader.readexactly(int(head.split(b"content-length: ")[1].split(b"\r\n")[0]))


async def test_what_it_needs_decides_whether_it_is_ready(gateway: World) -> None:
    assert (await gateway.client.get("/readyz")).json() == {"status": "ready"}
    gateway.app.unready = lambda: "prism is down"
    answer = await gateway.client.get("/readyz")
    assert (answer.status_code, answer.json()) == (503, {"status": "prism is down"})
    assert (await gateway.client.get("/healthz")).status_code == 200


async def test_it_is_not_ready_while_an_upstream_that_it_requires_has_been_down_for_long(
    wait: Callable[[float], float],
) -> None:
    settings = {"gateway_retries": 0, "gateway_breaker_calls": 1, "gateway_required_upstreams": "prism"}
    async with world(settings) as gateway:

        async def after(seconds: float, *, asked: bool) -> str:
            later = wait(seconds)
            if asked:
                await gateway.execute(
                    f'{{ scan(scanId: "{later}") {{ status }} asset(assetId: "{later}") {{ kind }} }}'
                )
            status: str = (await gateway.client.get("/readyz")).json()["status"]
            return status

        gateway.sandbox.faults.add(Fault(status=503))
        assert await after(0, asked=True) == "ready"
        assert await after(20, asked=True) == "ready"
        assert await after(20, asked=True) == "prism is down"
        assert await after(20, asked=False) == "prism is down"
        assert await after(20, asked=False) == "ready"  # so that it is asked, and can find out
        assert await after(20, asked=True) == "prism is down"
        gateway.sandbox.faults.clear()
        assert await after(2, asked=True) == "prism is down"
        assert await after(3, asked=True) == "ready"


async def test_it_is_ready_without_an_upstream_that_it_does_not_require(wait: Callable[[float], float]) -> None:
    async with world({"gateway_retries": 0, "gateway_breaker_calls": 1}) as gateway:
        gateway.sandbox.faults.add(Fault(status=503))
        for seconds in (0, 20, 20):
            await gateway.execute(f'{{ scan(scanId: "{wait(seconds)}") {{ status }} }}')
        assert gateway.gateway.healths["prism"].joined(asyncio.get_running_loop().time()).breaker == "open"
        assert (await gateway.client.get("/readyz")).json() == {"status": "ready"}


async def test_who_does_not_take_its_metrics_keeps_no_server_from_ending() -> None:
    async def metrics(_: Request) -> Response:
        return Response(b"a" * 1_000_000)

    with listen("127.0.0.1", 0, "nothing") as listener, socket.socket() as stalled:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)
        stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        async with asyncio.timeout(20), serving((Starlette(routes=[Route("/metrics", metrics)]), listener)):
            stalled.connect(listener.getsockname()[:2])
            stalled.sendall(b"GET /metrics HTTP/1.1\r\nhost: a\r\n\r\n")
            while not select.select([stalled], [], [], 0)[0]:  # noqa: ASYNC110 - nothing tells it
                await asyncio.sleep(0.01)


async def test_what_takes_longer_than_it_may_is_broken_off(caplog: pytest.LogCaptureFixture) -> None:
    sandbox = Sandbox(clock=lambda: NOON, url="http://sandbox.test")
    sandbox.faults.add(Fault(delay=60))
    transport = httpx.ASGITransport(app=sandbox.app)
    given = settings_for(sandbox, gateway_drain_timeout=0.3, gateway_upstream_timeout=60)
    app = create_app(given, transports={"prism": transport, "scenario": transport})
    with listen("127.0.0.1", 0, "nothing") as listener:
        url = "ws://{}:{}/graphql".format(*listener.getsockname()[:2])
        spoken = [Subprotocol("graphql-transport-ws")]
        async with serving((app, listener)):
            one = await connect(url, subprotocols=spoken, proxy=None)
            await one.send('{"type":"connection_init"}')
            await one.recv()
            await one.send(json.dumps({"id": "1", "type": "subscribe", "payload": QUERY}))
            while not sandbox.scenario.calls:  # noqa: ASYNC110 - nothing tells it
                await asyncio.sleep(0.01)
            began = time.monotonic()
        assert time.monotonic() - began < 30
    with pytest.raises(ConnectionClosed):
        await one.recv()
    assert one.close_code == 1012
    told = [record.getMessage() for record in caplog.records if record.name == "gateway"]
    assert told == ["operations over WebSocket are broken off: they took longer than GATEWAY_DRAIN_TIMEOUT"]
