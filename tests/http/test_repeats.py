"""Requests that come again byte for byte, over real sockets: what is repeated, and what never is."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from gateway.http.application import App
from gateway.http.repeats import ENTRY_OVERHEAD, Repeat, Repeats
from gateway.sandbox import Fault, Sandbox
from gateway.serving import listen, serving
from tests.world import URL, Clock, app_over

QUERY = "query ($id: ID!) { scan(scanId: $id) { assets { isReady } } }"


@dataclass
class Wire:
    """A gateway behind a socket, and one connection to it."""

    app: App
    sandbox: Sandbox
    clock: Clock
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @property
    def repeats(self) -> Repeats:
        repeats: Repeats = self.app.state.repeats
        return repeats

    @property
    def scan_id(self) -> str:
        return self.sandbox.prism.scan_ids("READY")[0]

    async def send(self, request: bytes) -> tuple[bytes, dict[bytes, bytes], bytes]:
        """Write a request and read its answer: status line, headers, body."""
        self.writer.write(request)
        return await self.read()

    async def read(self) -> tuple[bytes, dict[bytes, bytes], bytes]:
        status, *lines = (await self.reader.readuntil(b"\r\n\r\n")).rstrip().split(b"\r\n")
        headers = dict(line.split(b": ", 1) for line in lines)
        return status, headers, await self.reader.readexactly(int(headers[b"content-length"]))

    async def data(self, request: bytes) -> Any:
        status, _, body = await self.send(request)
        assert status == b"HTTP/1.1 200 OK"
        answer = msgspec.json.decode(body)
        assert "errors" not in answer, answer
        return answer["data"]


@asynccontextmanager
async def wired(**settings: Any) -> AsyncIterator[Wire]:
    clock = Clock()
    sandbox = Sandbox(clock=clock, url=URL)
    app = app_over(sandbox, clock, gateway_answers=True, **settings)
    with listen("127.0.0.1", 0, "nothing") as listener:
        async with serving((app, listener)):
            reader, writer = await asyncio.open_connection(*listener.getsockname())
            yield Wire(app, sandbox, clock, reader, writer)
            writer.close()


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    async with wired() as one:
        yield one


def post(query: str, headers: str = "", **variables: Any) -> bytes:
    body = msgspec.json.encode({"query": query, "variables": variables})
    head = f"POST /graphql HTTP/1.1\r\nhost: gateway.test\r\ncontent-type: application/json\r\n{headers}"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


async def test_the_third_time_a_request_is_answered_before_it_is_parsed(wire: Wire) -> None:
    request = post(QUERY, id=wire.scan_id)
    answers = [await wire.send(request) for _ in range(3)]
    assert wire.repeats.hits == 1
    assert len({body for _, _, body in answers}) == 1
    heads = [(status, {**headers, b"x-request-id": b"", b"date": b""}) for status, headers, _ in answers]
    assert heads == [heads[0]] * 3
    assert len({headers[b"x-request-id"] for _, headers, _ in answers}) == 3
    assert len(wire.sandbox.prism.calls) == 1


async def test_a_clients_own_request_id_is_given_back_each_time(wire: Wire) -> None:
    request = post(QUERY, "x-request-id: mine\r\n", id=wire.scan_id)
    assert [(await wire.send(request))[1][b"x-request-id"] for _ in range(3)] == [b"mine"] * 3
    assert wire.repeats.hits == 1


@pytest.mark.parametrize("origin", ["https://app.test", "https://other.test"])
async def test_an_answer_to_a_page_of_another_origin_is_never_repeated(origin: str) -> None:
    async with wired(gateway_origins="https://app.test") as wire:
        request = post(QUERY, f"origin: {origin}\r\n", id=wire.scan_id)
        allowed = {(await wire.send(request))[1].get(b"access-control-allow-origin") for _ in range(3)}
        assert allowed == {b"https://app.test" if origin == "https://app.test" else None}
        assert wire.repeats.hits == 0


async def test_a_document_that_is_fresh_no_more_is_asked_for_again(wire: Wire) -> None:
    request = post(QUERY, id=wire.scan_id)
    for _ in range(3):
        await wire.data(request)
    wire.clock.advance(301)
    assert await wire.data(request) == {"scan": {"assets": {"isReady": True}}}
    assert (wire.repeats.hits, len(wire.sandbox.prism.calls)) == (1, 2)


async def test_a_change_by_anyone_is_seen_by_the_next_who_asks_the_same(wire: Wire) -> None:
    asset_id = next(iter(wire.sandbox.scenario.assets))
    request = post("query ($id: ID!) { asset(assetId: $id) { metadata { lockExpiresAt } } }", id=asset_id)
    before = [await wire.data(request) for _ in range(3)]
    lock = "mutation ($id: ID!, $at: DateTime!) { lockAsset(input: { assetId: $id, lockExpiresAt: $at }) { lockId } }"
    await wire.data(post(lock, id=asset_id, at="2027-01-01T00:00:00Z"))
    assert before == [{"asset": {"metadata": {"lockExpiresAt": None}}}] * 3
    assert await wire.data(request) == {"asset": {"metadata": {"lockExpiresAt": "2027-01-01T00:00:00Z"}}}


async def test_a_change_itself_is_made_as_often_as_it_is_asked_for(wire: Wire) -> None:
    asset_id = next(iter(wire.sandbox.scenario.assets))
    lock = "mutation ($id: ID!) { unlockAsset(input: { assetId: $id, forceUnlock: true }) { asset { assetId } } }"
    for _ in range(3):
        await wire.data(post(lock, id=asset_id))
    assert (wire.repeats.hits, len(wire.repeats), len(wire.sandbox.scenario.calls)) == (0, 0, 3)


async def test_an_answer_with_an_error_is_not_repeated(wire: Wire) -> None:
    wire.sandbox.faults.add(Fault(upstream="prism", status=503, times=3, headers={"x-should-retry": "false"}))
    request = post(QUERY, id=wire.scan_id)
    assert [b'"errors"' in (await wire.send(request))[2] for _ in range(4)] == [True, True, True, False]
    assert wire.repeats.hits == 0


@pytest.mark.parametrize("headers", ["cache-control: no-cache\r\n", "if-none-match: x\r\n", "connection: close\r\n"])
async def test_what_says_how_it_may_be_cached_or_ends_the_connection_is_not_repeated(headers: str) -> None:
    async with wired() as wire:
        await wire.send(post(QUERY, id=wire.scan_id))
        await wire.send(post(QUERY, headers, id=wire.scan_id))
        assert len(wire.repeats) == 0


async def test_a_request_in_two_pieces_is_answered_as_ever_and_not_remembered(wire: Wire) -> None:
    request = post(QUERY, id=wire.scan_id)
    for _ in range(3):
        wire.writer.write(request[:100])
        await wire.writer.drain()
        await asyncio.sleep(0.05)
        assert (await wire.send(request[100:]))[0] == b"HTTP/1.1 200 OK"
    assert (wire.repeats.hits, len(wire.repeats)) == (0, 0)


async def test_requests_sent_ahead_are_answered_in_their_order(wire: Wire) -> None:
    one, other = (post(f"{{ {name}: __typename }}") for name in ("one", "other"))
    known = post(QUERY, id=wire.scan_id)
    for _ in range(2):
        await wire.send(known)
    wire.writer.write(one + known + other + known)
    bodies = [(await wire.read())[2] for _ in range(4)]
    assert [next(iter(msgspec.json.decode(body)["data"])) for body in bodies] == ["one", "scan", "other", "scan"]


async def test_two_requests_in_one_piece_have_two_answers_each_time_that_the_piece_comes(wire: Wire) -> None:
    known = [post(QUERY, id=wire.sandbox.prism.scan_ids(status)[0]) for status in ("READY", "FAILED")]
    for request in known * 2:
        await wire.send(request)
    for _ in range(3):
        wire.writer.write(b"".join(known))
        async with asyncio.timeout(10):
            answers = [msgspec.json.decode((await wire.read())[2])["data"] for _ in known]
        assert answers == [{"scan": {"assets": {"isReady": is_ready}}} for is_ready in (True, False)]


async def test_a_known_request_behind_one_that_is_under_way_waits_for_its_turn(wire: Wire) -> None:
    known, slow = post(QUERY, id=wire.scan_id), post(QUERY, id=wire.sandbox.prism.scan_ids("FAILED")[0])
    for _ in range(2):
        await wire.send(known)
    wire.sandbox.faults.add(Fault(upstream="prism", delay=0.2, times=1))
    wire.writer.write(slow)
    await wire.writer.drain()
    await asyncio.sleep(0.05)
    wire.writer.write(known)
    answers = [msgspec.json.decode((await wire.read())[2])["data"]["scan"]["assets"] for _ in range(2)]
    assert answers == [{"isReady": False}, {"isReady": True}]


def test_requests_and_answers_are_bounded_in_bytes_and_the_least_recently_used_goes_first() -> None:
    def repeat(body: bytes) -> Repeat:
        return Repeat(b"", body, None, lambda: True)

    repeats = Repeats(3 * (ENTRY_OVERHEAD + 101))
    for name in (b"a", b"b", b"c"):
        repeats.keep(name, repeat(b"x" * 100))
    assert repeats.find(b"a") is not None
    repeats.keep(b"d", repeat(b"x" * 100))
    assert [repeats.find(name) is None for name in (b"a", b"b", b"c", b"d")] == [False, True, False, False]
    assert repeats.used_bytes <= repeats.max_bytes
    repeats.keep(b"e", repeat(b"x" * 10_000))
    assert (len(repeats), repeats.find(b"e")) == (3, None)


async def test_an_answer_that_is_repeated_counts_like_any_other() -> None:
    async with wired(gateway_rate_requests=5) as wire:
        request = post(QUERY, id=wire.scan_id)
        statuses = [(await wire.send(request))[0] for _ in range(7)]
        assert statuses == [b"HTTP/1.1 200 OK"] * 5 + [b"HTTP/1.1 429 Too Many Requests"] * 2
        assert wire.repeats.hits == 3
        wire.clock.advance(120)
        assert [(await wire.send(request))[0] for _ in range(3)] == [b"HTTP/1.1 200 OK"] * 3
        assert (wire.repeats.hits, len(wire.sandbox.prism.calls)) == (5, 1)
