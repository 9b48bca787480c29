"""Heads and requests that do not end, over real sockets: refused while they arrive, in GraphQL's words."""

import asyncio
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from gateway.app import create_app
from gateway.sandbox import Sandbox
from gateway.serving import listen, serving
from tests.auth.keys import by_keys_in, made_in
from tests.world import settings_for

BODY = b'{"query": "{ __typename }"}'
HEAD = b"POST /graphql HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n"
ASK = HEAD + b"content-length: %d\r\n\r\n%s" % (len(BODY), BODY)
LAST = ASK.replace(b"host: a\r\n", b"host: a\r\nconnection: close\r\n")
ANSWERED = b'{"data":{"__typename":"Query"}}'
TURNS = 10  # of the loop, in which what was sent is read


async def say(*parts: bytes, **settings: Any) -> bytes:
    """Send parts, each when the one before has been read, and give all that comes back until the gateway closes."""
    listener = listen("127.0.0.1", 0, "a test")
    app = create_app(settings_for(Sandbox(), **settings))
    async with asyncio.timeout(30), serving((app, listener)):
        await exchange(listener.getsockname(), [LAST])  # it listens from here on, in this very loop
        return await exchange(listener.getsockname(), parts)


async def exchange(address: tuple[str, int], parts: Sequence[bytes]) -> bytes:
    reader, writer = await asyncio.open_connection(*address)
    for part in parts:
        writer.write(part)
        await writer.drain()
        for _ in range(TURNS):
            await asyncio.sleep(0)
    writer.write_eof()
    read = await reader.read()
    writer.close()
    return read


def refusal_of(said: bytes) -> tuple[bytes, Any]:
    """The status line, and the error under the id that the head has."""
    head, _, body = said.partition(b"\r\n\r\n")
    status, *lines = head.split(b"\r\n")
    headers = dict(line.split(b": ", 1) for line in lines)
    assert headers[b"connection"] == b"close"
    assert int(headers[b"content-length"]) == len(body)
    (error,) = json.loads(body)["errors"]
    assert error["extensions"].pop("requestId").encode() == headers[b"x-request-id"]
    return status, error["extensions"]


def limit(name: str, most: int, **asked: int) -> dict[str, Any]:
    return {"code": "LIMIT_EXCEEDED", "retryable": False, "limit": f"GATEWAY_MAX_{name}", "most": most, **asked}


@pytest.mark.parametrize("answers", [True, False])
async def test_a_head_that_is_too_long_is_refused_at_its_end(answers: bool) -> None:  # noqa: FBT001 - a case
    long = HEAD + b"x: " + b"y" * 1_000 + b"\r\n\r\n"
    status, extensions = refusal_of(await say(long, gateway_max_header_bytes=1_000, gateway_answers=answers))
    assert status == b"HTTP/1.1 431 Request Header Fields Too Large"
    assert extensions == limit("HEADER_BYTES", 1_000, asked=8 + 5 + 28 + 1_001)


@pytest.mark.parametrize("part", [b"x: " + b"y" * 400, b"x" * 400, b"x: y\r\n" * 60])
async def test_a_head_without_an_end_is_refused_while_it_arrives(part: bytes) -> None:
    status, extensions = refusal_of(await say(HEAD, *[part] * 3, gateway_max_header_bytes=1_000))
    assert (status.split()[1], extensions) == (b"431", limit("HEADER_BYTES", 1_000))


async def test_a_url_without_an_end_is_part_of_the_head() -> None:
    said = await say(b"GET /graphql?query=", *[b"x" * 400] * 3, gateway_max_header_bytes=1_000)
    assert refusal_of(said)[1] == limit("HEADER_BYTES", 1_000)


async def test_a_long_body_before_the_next_head_is_none_of_it() -> None:
    long = json.dumps({"query": "{ __typename }" + " " * 2_000}).encode()
    asked = HEAD + b"content-length: %d\r\n\r\n%s" % (len(long), long)
    said = await say(asked[:1_000], asked[1_000:] + ASK[:30], ASK[30:], gateway_max_header_bytes=1_000)
    assert said.count(ANSWERED) == 2


@pytest.mark.parametrize("space", [b" ", b"\t \t"])
async def test_white_space_behind_a_header_is_none_of_what_it_says(space: bytes, tmp_path: Path) -> None:
    keys = tmp_path / "keys.jsonl"
    bearer = b"authorization: Bearer %s\r\n" % made_in(keys).encode()
    asked = ASK.replace(b"host: a\r\n", b"host: a\r\nx-request-id: mine\r\ncontent-encoding: identity\r\n" + bearer)
    head, _, body = asked.partition(b"\r\n\r\n")
    spaced = head.replace(b"\r\n", space + b"\r\n").replace(b"HTTP/1.1" + space, b"HTTP/1.1")
    each = [asked, asked, spaced + space + b"\r\n\r\n" + body]  # who asks is known from the second on
    said = await say(*each, gateway_hosts="a", **by_keys_in(keys))
    _, plain, *others = re.sub(rb"date: [^\r]*", b"date: now", said).split(ANSWERED)
    assert others == [plain, b""]
    assert plain.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"x-request-id: mine\r\n" in plain


CHUNKED = HEAD + b"transfer-encoding: chunked\r\n\r\n"


@pytest.mark.parametrize("part", [b"x: " + b"y" * 400, b"x: y\r\n" * 80])
async def test_what_follows_a_body_in_chunks_has_an_end_too(part: bytes) -> None:
    begun = CHUNKED + b"%x\r\n%s\r\n0\r\n" % (len(BODY), BODY)
    status, extensions = refusal_of(await say(begun, *[part] * 3, gateway_max_header_bytes=1_000))
    assert (status.split()[1], extensions) == (b"431", limit("HEADER_BYTES", 1_000))


async def test_so_has_what_is_said_of_a_chunk() -> None:
    said = await say(CHUNKED + b"5;x=", *[b"y" * 400] * 3, gateway_max_header_bytes=1_000)
    assert refusal_of(said)[1] == limit("HEADER_BYTES", 1_000)


async def test_a_body_in_many_chunks_is_no_head_and_nothing_after_it_is_a_header_of_its_request() -> None:
    long = json.dumps({"query": "{ __typename }" + " " * 3_000}).encode()
    chunks = [b"64\r\n%s\r\n" % long[at : at + 100].ljust(100) for at in range(0, len(long), 100)]
    said = await say(CHUNKED, *chunks, b"0\r\nx-request-id: of-a-trailer\r\n\r\n", gateway_max_header_bytes=1_000)
    assert said.endswith(ANSWERED)
    assert b"of-a-trailer" not in said


async def test_nor_is_anything_after_a_body_that_came_in_one_piece_with_its_head() -> None:
    said = await say(CHUNKED + b"%x\r\n%s\r\n0\r\nx-request-id: of-a-trailer\r\n\r\n" % (len(BODY), BODY))
    assert said.endswith(ANSWERED)
    assert b"of-a-trailer" not in said


@pytest.mark.parametrize("begun", [b"", HEAD, ASK[:-1]])
async def test_what_never_comes_to_its_end_is_closed(begun: bytes) -> None:
    listener = listen("127.0.0.1", 0, "a test")
    app = create_app(settings_for(Sandbox(), gateway_max_arrival_seconds=1))
    async with asyncio.timeout(30), serving((app, listener)):
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        writer.write(begun)
        assert refusal_of(await reader.read()) == (b"HTTP/1.1 408 Request Timeout", limit("ARRIVAL_SECONDS", 1))
        writer.close()
