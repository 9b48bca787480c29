"""When there is too much to do: who is let in, who is refused, and that whoever has left is forgotten."""

import asyncio
import json
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from gateway.app import create_app
from gateway.http.application import App
from gateway.http.load import Load
from gateway.sandbox import Sandbox
from gateway.sandbox.faults import Fault
from gateway.serving import listen, serving
from tests.http.requests import post
from tests.replicas import until
from tests.world import NOON, settings_for

QUERY = {"query": "{ assets(first: 1) { nodes { mimeType } } }"}
KIND = "query ($id: ID!) { asset(assetId: $id) { kind } }"
FOLLOW = "subscription ($scanId: ID!) { scanUpdated(scanId: $scanId) { status } }"
OVERLOADED = {"code": "OVERLOADED", "retryable": True, "retryAfter": 1}


@dataclass(slots=True)
class Clock:
    now: float = 1_000.0

    def __call__(self) -> float:
        return self.now


def turns(load: Load, clock: Clock, count: int, seconds: float) -> list[bool]:
    """Let so many come at once, each of whom takes some seconds, and tell who was let in."""
    arrived = [load.arrive() for _ in range(count) if load.has_room()]
    entered = []
    for moment in arrived:
        entered.append(load.enter(moment))
        if entered[-1]:
            clock.now += seconds
            load.under_way -= 1
    return entered + [False] * (count - len(arrived))


def test_a_burst_is_answered_to_its_end() -> None:
    clock = Clock()
    load = Load(clock=clock)
    assert turns(load, clock, 30, 0.01) == [True] * 30
    assert (load.room, load.refused, load.waiting, load.under_way) == (math.inf, 0, 0, 0)


def test_where_it_goes_on_too_long_the_rest_is_refused_and_then_only_as_many_come_as_get_their_turn() -> None:
    clock = Clock()
    load = Load(clock=clock)
    assert 33 <= turns(load, clock, 100, 0.01).count(True) <= 38  # 30 ms until one is late, 300 more, and the last few
    for _ in range(50):
        entered = turns(load, clock, 100, 0.01)
        assert 1 <= entered.count(True) <= 6
    assert load.waiting == load.under_way == 0


def test_a_request_that_takes_long_makes_nobody_behind_it_be_refused() -> None:
    clock = Clock()
    load = Load(clock=clock)
    for _ in range(10):
        arrived = [load.arrive() for _ in range(5)]
        clock.now += 0.2
        assert [load.enter(moment) for moment in arrived] == [True] * 5
        clock.now += 1


def test_when_it_is_over_there_is_room_for_everyone_again() -> None:
    clock = Clock()
    load = Load(clock=clock)
    turns(load, clock, 100, 0.01)
    clock.now += 1
    assert turns(load, clock, 30, 0.01) == [True] * 30


def test_no_more_are_under_way_than_may_be() -> None:
    load = Load(most=2)
    assert [load.has_room() and load.enter(load.arrive()) for _ in range(3)] == [True, True, False]
    load.under_way -= 1
    assert load.has_room()


def test_nor_do_more_wait_for_their_turn_than_may_be_under_way() -> None:
    load = Load(most=2)
    assert [load.has_room() and load.arrive() > 0 for _ in range(3)] == [True, True, False]
    assert load.refused == 1


@asynccontextmanager
async def served(**settings: Any) -> AsyncIterator[tuple[App, Sandbox, str]]:
    sandbox = Sandbox(clock=lambda: NOON, url="http://sandbox.test")
    transport = httpx.ASGITransport(app=sandbox.app)
    given = settings_for(sandbox, gateway_fresh_page=0, gateway_stale_page=0, **settings)
    app = create_app(given, transports={"prism": transport, "scenario": transport})
    with listen("127.0.0.1", 0, "nothing") as listener:
        host, port = listener.getsockname()[:2]
        async with serving((app, listener)):
            yield app, sandbox, f"http://{host}:{port}/graphql"


def extensions_of(answer: Any) -> dict[str, Any]:
    extensions: dict[str, Any] = answer["errors"][0]["extensions"]
    extensions.pop("requestId")
    return extensions


@pytest.mark.parametrize("headers", [{}, {"connection": "close"}])
async def test_who_finds_no_room_is_refused_and_health_is_told_all_the_same(headers: dict[str, str]) -> None:
    async with served() as (app, sandbox, url), httpx.AsyncClient(trust_env=False, headers=headers) as client:
        app.load.under_way = app.load.most
        answer = await client.post(url, json=QUERY, headers={"x-request-id": "mine"})
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert answer.headers["x-request-id"] == answer.json()["errors"][0]["extensions"]["requestId"] == "mine"
        assert extensions_of(answer.json()) == OVERLOADED
        for path in ("/healthz", "/readyz"):
            assert (await client.get(url.replace("/graphql", path))).status_code == 200
        app.load.under_way = 0
        assert (await client.post(url, json=QUERY)).status_code == 200
        assert app.load.under_way == app.load.waiting == 0
        assert sandbox.prism.calls == []


async def test_a_page_of_ours_may_read_that_it_is_refused() -> None:
    page = {"origin": "https://app.test"}
    async with served(gateway_origins=page["origin"]) as (app, _, url), httpx.AsyncClient(trust_env=False) as client:
        app.load.under_way = app.load.most
        answer = await client.post(url, json=QUERY, headers=page)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert answer.headers["access-control-allow-origin"] == page["origin"]
        assert "retry-after" in answer.headers["access-control-expose-headers"]


async def test_an_operation_over_websocket_is_refused_too() -> None:
    async with served() as (app, _, url):
        spoken = [Subprotocol("graphql-transport-ws")]
        async with connect(url.replace("http", "ws", 1), subprotocols=spoken, proxy=None) as one:
            await one.send('{"type":"connection_init"}')
            await one.recv()
            app.load.under_way = app.load.most
            await one.send(json.dumps({"id": "1", "type": "subscribe", "payload": QUERY}))
            message = json.loads(await one.recv())
            assert (message["id"], message["type"]) == ("1", "error")
            assert extensions_of({"errors": message["payload"]}) == OVERLOADED
            app.load.under_way = 0


async def test_a_stream_does_not_count_while_it_waits_for_news() -> None:
    async with served() as (app, sandbox, url), httpx.AsyncClient(trust_env=False) as client:
        body = {"query": FOLLOW, "variables": {"scanId": next(iter(sandbox.prism.scans))}}
        async with client.stream("POST", url, json=body, headers={"accept": "text/event-stream"}) as answer:
            async for line in answer.aiter_lines():
                if line.startswith("data"):
                    break
            assert app.load.under_way == 0
        while app.state.gateway.watchers.subscribed:  # noqa: ASYNC110 - nothing tells it
            await asyncio.sleep(0.01)
        await client.get(url.replace("/graphql", "/healthz"))
        assert app.load.under_way == 0


async def test_who_leaves_is_forgotten_whether_it_had_its_turn_or_not() -> None:
    async with served() as (app, sandbox, url):
        sandbox.faults.add(Fault(delay=60))
        address = httpx.URL(url)
        for _ in range(20):
            _, writer = await asyncio.open_connection(address.host, address.port)
            writer.write(post(QUERY))
            await writer.drain()
            writer.transport.abort()
        await until(lambda: not (app.load.under_way or app.load.waiting))


async def test_who_leaves_before_its_turn_calls_nobody() -> None:
    async with served() as (app, sandbox, url):
        sandbox.faults.add(Fault(delay=60))
        address = httpx.URL(url)
        writers = [(await asyncio.open_connection(address.host, address.port))[1] for _ in range(30)]
        for number, writer in enumerate(writers):
            writer.write(post({"query": KIND, "variables": {"id": f"asset_{number}"}}))
            writer.transport.abort()
        async with asyncio.timeout(10):
            while app.load.waiting < 20:  # noqa: ASYNC110 - nothing tells it
                await asyncio.sleep(0)
            await until(lambda: not (app.load.under_way or app.load.waiting))
        calls = app.state.gateway.network.tallies["scenario"].all()
        assert sum(sum(route.outcomes.values()) for route in calls) < 10


async def test_of_a_burst_nobody_is_refused_for_letting_others_begin_before() -> None:
    async with served() as (_, _, url):
        address = httpx.URL(url)
        connections = [await asyncio.open_connection(address.host, address.port) for _ in range(300)]
        for _, writer in connections:
            writer.write(post(QUERY))
        heads = [await reader.readuntil(b"\r\n\r\n") for reader, _ in connections]
        assert {head.partition(b"\r\n")[0] for head in heads} == {b"HTTP/1.1 200 OK"}
        for _, writer in connections:
            writer.close()


async def test_who_is_cut_off_before_its_turn_is_forgotten_once_whatever_it_asked_behind_that() -> None:
    async with served() as (app, _, url):
        address = httpx.URL(url)
        one = post(QUERY)
        connections = [await asyncio.open_connection(address.host, address.port) for _ in range(30)]
        for _, writer in connections:
            writer.write(one + one + b"no request\r\n\r\n")
        for reader, writer in connections:
            await reader.read()  # until it is closed
            writer.close()
        await until(lambda: not app.load.under_way and app.load.waiting <= 0)
        assert app.load.waiting == 0
