"""Heads that come again byte for byte, over real sockets: not parsed again, and answered as if they were."""

from collections.abc import Iterator
from typing import Any

import httptools
import msgspec
import pytest

from gateway.http.known_heads import LONGEST, MOST, KnownHeads
from gateway.http.request import Head
from gateway.sandbox import Fault, Sandbox
from tests.http.requests import post
from tests.http.test_direct import LOCK, SCAN, SETTINGS, TRUE_ID, Wire, answers, every_kind, wired
from tests.world import URL, Clock

POST = Head("POST", [(b"host", b"gateway.test")], b"")
KNOWN = b"POST /graphql HTTP/1.1\r\n\r\n"


class Parser(httptools.HttpRequestParser):
    """Notes how many requests were parsed."""

    begun = 0

    def feed_data(self, data: Any) -> None:
        Parser.begun += bytes(data).count(b" HTTP/1.1")
        super().feed_data(data)


@pytest.fixture(autouse=True)
def parser(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    Parser.begun = 0
    monkeypatch.setattr("uvicorn.protocols.http.httptools_impl.httptools.HttpRequestParser", Parser)
    return iter(())


def named(name: str, headers: bytes = b"") -> bytes:
    return post({"query": f"{{ {name}: __typename }}"}, headers)


async def names(wire: Wire, count: int) -> list[str]:
    return [next(iter(msgspec.json.decode((await wire.read())[2])["data"])) for _ in range(count)]


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda one: " ".join(one) or "as it is")
async def test_every_kind_of_request_is_answered_each_time_as_by_way_of_asgi(settings: dict[str, Any]) -> None:
    sandbox = Sandbox(clock=Clock(), url=URL)
    kinds = every_kind(sandbox.prism.scan_ids("READY")[0], next(iter(sandbox.scenario.assets)))
    thrice = [request for request in kinds.values() for _ in range(3)]
    assert await answers(thrice, direct=True, **settings) == await answers(thrice, direct=False, **settings)


async def test_of_a_client_that_asks_on_only_the_first_heads_are_parsed() -> None:
    async with wired() as wire:
        for name in ("first", "other", "third", "fifth"):
            await wire.send(named(name))
            assert await names(wire, 1) == [name]
        assert Parser.begun == 2  # the first came as the connection did


async def test_by_a_head_nothing_is_known_but_a_body_as_long_as_it_had() -> None:
    async with wired() as wire:
        for name in ("first", "other", "longer", "o", "third"):
            await wire.send(named(name))
            assert await names(wire, 1) == [name]
        assert Parser.begun == 4


@pytest.mark.parametrize("headers", [TRUE_ID, b"x: " + b"y" * LONGEST + b"\r\n"], ids=["names itself", "is long"])
async def test_a_head_that_will_not_come_again_or_is_long_is_parsed_each_time(headers: bytes) -> None:
    async with wired() as wire:
        for name in ("first", "other", "third"):
            await wire.send(named(name, headers))
            assert await names(wire, 1) == [name]
        assert Parser.begun == 3


async def test_a_body_in_chunks_is_parsed_each_time() -> None:
    async with wired() as wire:
        for name in ("first", "other", "third"):
            body = msgspec.json.encode({"query": f"{{ {name}: __typename }}"})
            head, _, _ = post(b"", b"transfer-encoding: chunked\r\n").partition(b"content-length")
            await wire.send(head + b"\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))
            assert await names(wire, 1) == [name]
        assert Parser.begun == 3


async def test_a_known_head_whose_body_comes_later_or_behind_which_more_comes_is_parsed_again() -> None:
    async with wired() as wire:
        for _ in range(2):
            await wire.send(named("known"))
            await names(wire, 1)
        for place in range(1, len(named("known")), 11):
            await wire.send(named("known")[:place], named("known")[place:])
            assert await names(wire, 1) == ["known"]
        await wire.send(named("known") + named("other") + named("third"))
        assert await names(wire, 3) == ["known", "other", "third"]


async def test_a_known_head_behind_a_request_that_is_under_way_waits_for_its_turn() -> None:
    async with wired() as wire:
        for _ in range(3):
            await wire.send(named("known"))
            await names(wire, 1)
        wire.sandbox.faults.add(Fault(delay=0.1))
        await wire.send(post({"query": SCAN, "variables": {"id": wire.scan_id}}), named("known"))
        assert await names(wire, 2) == ["scan", "known"]


async def test_a_change_is_made_as_often_as_it_is_asked_for() -> None:
    async with wired() as wire:
        asset_id = next(iter(wire.sandbox.scenario.assets))
        lock = post({"query": LOCK, "variables": {"id": asset_id, "at": "2027-01-01T00:00:00Z"}})
        query = post({"query": "{ __typename }" + " " * (len(lock) - len(post({"query": "{ __typename }"})))})
        for _ in range(2):
            await wire.send(query)
            await names(wire, 1)
        for _ in range(2):
            await wire.send(lock)
            await wire.read()
        assert [call.method for call in wire.sandbox.scenario.calls] == ["PUT", "PUT"]


async def test_a_known_head_ends_its_connection_where_the_server_is_leaving() -> None:
    async with wired() as wire:
        for _ in range(2):
            await wire.send(named("known"))
            await wire.read()
        wire.app.leave()
        await wire.send(named("known"))
        _, headers, body = await wire.read()
        assert ((b"connection", b"close") in headers, body) == (True, b'{"data":{"known":"Query"}}')


def test_a_head_is_known_with_a_body_as_long_as_it_had() -> None:
    heads = KnownHeads()
    assert heads.find(KNOWN + b"{}") is None
    heads.keep(KNOWN + b"{}", POST, b"{}")
    assert heads.find(KNOWN + b"[]") == (POST, b"[]")
    assert [heads.find(came) for came in (KNOWN, KNOWN + b"{", KNOWN + b"{ }", KNOWN[:-2] + b"{}")] == [None] * 4


def test_what_came_in_another_way_than_it_is_is_not_known() -> None:
    heads = KnownHeads()
    heads.keep(KNOWN + b"2\r\n{}\r\n0\r\n\r\n", POST, b"{}")
    heads.keep(b"\r\n\r\n" + KNOWN + b"{}", POST, b"{}")
    assert [heads.find(came) for came in (KNOWN + b"0\r", b"\r\n\r\n" + b"PO")] == [None, None]


def test_no_more_heads_are_known_than_there_may_be() -> None:
    heads = KnownHeads()
    many = [b"GET /%d HTTP/1.1\r\n\r\n" % number for number in range(MOST + 1)]
    for head in many:
        heads.keep(head, POST, b"")
    assert [head for head in many if heads.find(head)] == many[MOST:]
