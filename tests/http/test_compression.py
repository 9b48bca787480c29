"""Large answers are compressed for clients that take it; small ones and those asked for plainly are not."""

import gzip
import sys
from typing import Any

import httpx
import pytest

from gateway.http.compression import CODINGS, compressed, taken
from gateway.http.reply import Header
from tests.world import World, world

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

LARGE = "{ assets(first: 50) { nodes { assetId name kind mimeType url createdAt } } }"
SMALL = "{ assets(first: 1) { nodes { assetId } } }"
PLAIN = {b"zstd": zstd.decompress, b"gzip": gzip.decompress}


async def ask(gateway: World, query: str, accepts: str | None, method: str = "POST") -> httpx.Response:
    """Ask with exactly this Accept-Encoding, and give the answer as it came, not yet decompressed."""
    headers = {"content-type": "application/json", **({} if accepts is None else {"accept-encoding": accepts})}
    client = gateway.client
    client.headers.pop("accept-encoding", None)
    if method == "GET":
        request = client.build_request("GET", "/graphql", params={"query": query}, headers=headers)
    else:
        request = client.build_request("POST", "/graphql", json={"query": query}, headers=headers)
    return await client.send(request, stream=True)


async def raw(answer: httpx.Response) -> bytes:
    body = b"".join([part async for part in answer.aiter_raw()])
    assert int(answer.headers["content-length"]) == len(body)
    return body


@pytest.mark.parametrize(
    ("accepts", "coding"),
    [
        ("gzip", "gzip"),
        ("zstd", "zstd"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip, deflate, br", "gzip"),
        ("GZIP", "gzip"),
        ("gzip;q=1, zstd;q=0.5", "gzip"),
        ("gzip;q=0, *", "zstd"),
        ("*", "zstd"),
        ("zstd;q=0, gzip;q=0.1", "gzip"),
        ("gzip, identity;q=0.5", "gzip"),
        ("identity, gzip;q=0.5", None),
        ("identity", None),
        ("gzip;q=0", None),
        ("*;q=0", None),
        ("br, deflate", None),
        ("", None),
        (None, None),
        ("gzip, " * 1_000, None),
    ],
)
async def test_a_large_answer_is_compressed_as_the_client_takes_it(
    accepts: str | None, coding: str | None, gateway: World
) -> None:
    plain = await raw(await ask(gateway, LARGE, None))
    answer = await ask(gateway, LARGE, accepts)
    assert answer.headers.get("content-encoding") == coding
    assert answer.headers["vary"] == "accept-encoding"
    body = await raw(answer)
    assert (PLAIN[coding.encode()](body) if coding else body) == plain
    assert len(plain) > 8_192
    assert coding is None or len(body) < len(plain) / 2


async def test_a_small_answer_is_not_compressed(gateway: World) -> None:
    answer = await ask(gateway, SMALL, "gzip, zstd")
    assert "content-encoding" not in answer.headers
    assert "vary" not in answer.headers


@pytest.mark.parametrize(
    ("given", "coding"), [({"gateway_compress_from": 0}, None), ({"gateway_compress_from": 1}, "zstd")]
)
async def test_the_operator_says_from_what_size_on(given: dict[str, Any], coding: str | None) -> None:
    async with world(given) as gateway:
        for query in (LARGE, SMALL):
            assert (await ask(gateway, query, "gzip, zstd")).headers.get("content-encoding") == coding


async def test_the_tag_is_the_same_however_the_answer_is_compressed(gateway: World) -> None:
    answers = [await ask(gateway, LARGE, accepts, "GET") for accepts in (None, "gzip", "zstd")]
    assert len({answer.headers["etag"] for answer in answers}) == 1
    assert [answer.headers["vary"] for answer in answers] == ["accept, authorization, accept-encoding"] * 3
    same = {"if-none-match": answers[0].headers["etag"], "accept-encoding": "gzip"}
    again = await gateway.client.get("/graphql", params={"query": LARGE}, headers=same)
    assert (again.status_code, "content-encoding" in again.headers) == (304, False)
    assert again.headers["vary"] == answers[0].headers["vary"]


async def test_what_a_client_makes_of_it_is_the_answer(gateway: World) -> None:
    answers = [await gateway.client.post("/graphql", json={"query": LARGE}) for _ in range(2)]
    assert answers[0].headers["content-encoding"] in {"gzip", "zstd"}
    assert len(answers[0].json()["data"]["assets"]["nodes"]) == 50
    assert answers[0].content == answers[1].content


@pytest.mark.parametrize("coding", CODINGS)
async def test_a_very_large_body_is_compressed_beside_the_loop(coding: bytes) -> None:
    body = bytes(range(256)) * 4_000
    headers: list[Header] = []
    small = await compressed(body, coding, headers)
    assert PLAIN[coding](small) == body
    assert headers == [(b"vary", b"accept-encoding"), (b"content-encoding", coding)]
    assert taken(coding) == coding
