"""HTTP/1.1 straight over sockets: which connections serve again, what is sent twice, and what no answer may do."""

import asyncio
import gzip
import shutil
import socket
import ssl
import struct
import subprocess
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from gateway.upstream.channel import Answer
from gateway.upstream.decoding import TooLarge
from gateway.upstream.http1 import Http1Channel, open_http1
from gateway.upstream.policy import Bounds
from tests.upstream.raw_server import OK, Answers, hang_up, hang_up_midway, in_turn, say_nothing, serving

HEADERS = {"authorization": "Bearer canary"}
MAX_CONNECTIONS, MAX_BODY = Bounds().connections, Bounds().body_bytes


@asynccontextmanager
async def channel_to(url: str, timeout_: float = 5) -> AsyncIterator[Http1Channel]:
    channel = open_http1(url, HEADERS, Bounds(timeout_))
    try:
        yield channel
    finally:
        await channel.close()


async def answered(answer: Answers | bytes) -> Answer:
    async with serving(answer) as server, channel_to(server.url) as channel:
        return await channel.send("GET", "/things", None)


def packed(coding: str, body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-encoding: %b\r\ncontent-length: %d\r\n\r\n%b" % (
        coding.encode(),
        len(body),
        body,
    )


def bare_deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(body) + packer.flush()


async def to_the_end(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n{")
    await writer.drain()
    writer.write(b"}")
    writer.close()


async def byte_by_byte(writer: asyncio.StreamWriter) -> None:
    for byte in b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\n{\r\n1;a=b\r\n}\r\n0\r\nx-late: 1\r\n\r\n":
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("answer", "status", "body"),
    [
        (to_the_end, 200, b"{}"),
        (byte_by_byte, 200, b"{}"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\n" + OK, 200, b"{}"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
        (b"HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\n", 204, b""),
        (b"HTTP/1.1 304 Not Modified\r\ntransfer-encoding: chunked\r\n\r\n", 304, b""),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\ncontent-encoding: gzip\r\n\r\n", 200, b""),
        (packed("x-gzip", gzip.compress(b"{") + gzip.compress(b"}")), 200, b"{}"),
        (packed("deflate", zlib.compress(b"{}")), 200, b"{}"),
        (packed("Deflate", bare_deflate(b"{}")), 200, b"{}"),
        (packed("deflate, gzip", gzip.compress(zlib.compress(b"{}"))), 200, b"{}"),
        (packed("br", b"\x0b\x00"), 200, b"\x0b\x00"),
    ],
    ids=[
        "to the end",
        "chunked, in pieces, with a trailer",
        "after two of the 1xx",
        "204",
        "204 that announces a body",
        "304 that announces a body",
        "nothing, compressed",
        "gzip in two members",
        "deflate",
        "deflate without its head",
        "twice",
        "a coding that was not asked for",
    ],
)
async def test_a_body_ends_and_is_unpacked_as_its_head_says(answer: Answers | bytes, status: int, body: bytes) -> None:
    got = await answered(answer)
    assert (got.status, got.body) == (status, body)


async def test_headers_have_lower_case_names_and_those_of_one_name_are_joined_without_spaces_and_trailers() -> None:
    head = b"HTTP/1.1 429 Slow\r\nRetry-After: 7 \t\r\nX-A: 1 \r\nx-a: 2\r\nTransfer-Encoding: chunked\r\n\r\n"
    got = await answered(head + b"0\r\nX-Late: 1\r\n\r\n")
    assert got.headers == {"retry-after": "7", "x-a": "1, 2", "transfer-encoding": "chunked"}


@pytest.mark.parametrize(
    ("answer", "connections"),
    [
        (OK, 1),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 1),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, 1),
        (b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\n{}", 2),
        (b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}", 2),
        (OK + b"garbage", 2),
        (OK + b"H", 2),
        (OK + OK, 2),
        (packed("gzip", gzip.compress(b"{}")), 1),
    ],
    ids=["kept", "204", "1xx", "1.0", "close", "garbage", "a byte more", "two answers", "gzip"],
)
async def test_a_connection_serves_again_only_if_it_says_so_and_nothing_stands_unread(
    answer: bytes, connections: int
) -> None:
    async with serving(answer) as server, channel_to(server.url) as channel:
        first = await channel.send("POST", "/", b"1")
        assert await channel.send("POST", "/", b"2") == first
    assert (server.connections, server.bodies) == (connections, [b"1", b"2"])


async def test_a_connection_whose_request_was_answered_before_it_was_taken_serves_no_other() -> None:
    taken = asyncio.Event()

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Content Too Large\r\ncontent-length: 0\r\n\r\n")
        await taken.wait()
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    async with channel_to(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}") as channel:
        for _ in range(2):
            assert (await channel.send("POST", "/", bytes(32 * 1_048_576))).status == 413
            assert channel.pool.census() == {"idle": 0, "busy": 0}
    taken.set()
    server.close()


async def test_a_kept_connection_that_the_server_closes_is_noticed() -> None:
    async def answer_and_leave(writer: asyncio.StreamWriter) -> None:
        writer.write(OK)
        await writer.drain()
        await asyncio.sleep(0.05)  # the answer is taken by then, and the connection rests
        writer.close()

    async with serving(answer_and_leave) as server, channel_to(server.url) as channel:
        await channel.send("POST", "/", b"1")
        await server.gone.wait()
        await asyncio.sleep(0.05)
        assert (await channel.send("POST", "/", b"2")).status == 200
    assert (server.connections, server.bodies) == (2, [b"1", b"2"])


async def test_a_connection_that_has_rested_too_long_is_not_used() -> None:
    async with serving(OK) as server, channel_to(server.url) as channel:
        channel.pool.kept_for = 0.01
        for _ in range(2):
            await channel.send("POST", "/", None)
            await asyncio.sleep(0.05)
    assert server.connections == 2


async def test_a_connection_that_has_rested_too_long_is_closed_though_nobody_asks_for_another() -> None:
    async with serving(OK) as server, channel_to(server.url) as channel:
        channel.pool.kept_for = 0.01
        await channel.send("POST", "/", None)
        await server.gone.wait()
        assert (await channel.send("POST", "/", None)).status == 200
    assert server.connections == 2


async def test_what_comes_while_nothing_is_asked_ends_the_connection() -> None:
    async def answer_twice(writer: asyncio.StreamWriter) -> None:
        writer.write(OK)
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.write(b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n")

    async with serving(in_turn(answer_twice, OK)) as server, channel_to(server.url) as channel:
        await channel.send("POST", "/", b"1")
        await server.gone.wait()
        assert (await channel.send("POST", "/", b"2")).status == 200
    assert server.connections == 2


async def test_a_body_whose_length_nobody_says_is_none_where_its_connection_breaks() -> None:
    async def break_off(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n{}")
        await writer.drain()
        await asyncio.sleep(0.05)  # it has come by then
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    with pytest.raises(httpx.NetworkError):
        await answered(break_off)


async def half_a_head(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 2")
    await writer.drain()
    writer.close()


@pytest.mark.parametrize(
    ("method", "answers", "sent"),
    [
        ("GET", (OK, hang_up, OK), "answered after 3"),
        ("GET", (OK, hang_up, hang_up, OK), "failed after 3"),
        ("GET", (OK, half_a_head, OK), "failed after 2"),
        ("GET", (OK, hang_up_midway, OK), "failed after 2"),
        ("POST", (OK, hang_up, OK), "failed after 2"),
        ("PUT", (OK, hang_up, OK), "failed after 2"),
    ],
)
async def test_only_a_get_is_sent_once_more_and_only_if_a_kept_connection_broke_before_a_byte_came(
    method: str, answers: tuple[Answers | bytes, ...], sent: str
) -> None:
    async with serving(in_turn(*answers)) as server, channel_to(server.url) as channel:
        await channel.send("GET", "/", None)
        try:
            await channel.send(method, "/", None)
        except httpx.NetworkError:
            assert sent == f"failed after {len(server.heads)}"
        else:
            assert sent == f"answered after {len(server.heads)}"


async def test_a_get_whose_first_connection_broke_is_not_sent_again() -> None:
    async with serving(in_turn(hang_up, OK)) as server, channel_to(server.url) as channel:
        with pytest.raises(httpx.NetworkError):
            await channel.send("GET", "/", None)
    assert len(server.heads) == 1


async def test_those_who_wait_for_a_connection_are_served_in_turn_as_others_leave() -> None:
    async with serving(say_nothing) as server, channel_to(server.url) as channel:
        calls = [asyncio.ensure_future(channel.send("GET", "/", None)) for _ in range(MAX_CONNECTIONS)]
        await server.heard(MAX_CONNECTIONS)
        waiting = [asyncio.ensure_future(channel.send("POST", f"/{number}", None)) for number in range(4)]
        await asyncio.sleep(0)
        waiting[1].cancel()
        for number, call in enumerate(calls[:3], 1):
            call.cancel()
            await server.heard(MAX_CONNECTIONS + number)
        for call in (*calls, *waiting):
            call.cancel()
        await asyncio.wait([*calls, *waiting])
    assert server.targets[MAX_CONNECTIONS:] == ["/base/0", "/base/2", "/base/3"]


@pytest.mark.parametrize("rounds", range(3), ids=["before it comes", "as it comes", "on the way with it"])
async def test_a_place_that_comes_to_one_who_leaves_goes_to_the_next(rounds: int) -> None:
    async with serving(say_nothing) as server, channel_to(server.url, 60) as channel:
        calls = [asyncio.ensure_future(channel.send("GET", "/", None)) for _ in range(MAX_CONNECTIONS)]
        await server.heard(MAX_CONNECTIONS)
        first, second = [asyncio.ensure_future(channel.send("GET", target, None)) for target in ("/first", "/second")]
        await asyncio.sleep(0)
        calls[0].cancel()
        for _ in range(rounds):
            await asyncio.sleep(0)
        first.cancel()
        async with asyncio.timeout(10):
            await server.heard(MAX_CONNECTIONS + 1)
        for call in (*calls, second):
            call.cancel()
        await asyncio.wait([*calls, second])
        assert first.cancelled()
    assert server.targets[MAX_CONNECTIONS:] == ["/base/second"]


@pytest.mark.parametrize("answer", [b"HTTP/1.1 204 No Content\r\n\r\n", OK], ids=["heads", "bodies"])
async def test_what_a_connection_has_brought_before_counts_for_no_later_answer(answer: bytes) -> None:
    async with serving(answer) as server:
        channel = open_http1(server.url, HEADERS, Bounds(head_bytes=60, body_bytes=10))
        for _ in range(10):
            await channel.send("POST", "/", None)
        await channel.close()
    assert server.connections == 1


async def test_a_hundred_calls_that_ended_each_way_leave_their_places() -> None:
    ways: list[Answers | bytes] = [hang_up, OK, hang_up_midway, packed("gzip", b"{}"), b"nonsense\r\n\r\n"] * (
        2 * MAX_CONNECTIONS // 5
    )
    async with serving(in_turn(*ways, OK)) as server, channel_to(server.url) as channel:
        calls = [channel.send("POST", "/", b"") for _ in ways]
        ended = await asyncio.gather(*calls, return_exceptions=True)
        after = await asyncio.gather(*[channel.send("GET", "/", None) for _ in range(2 * MAX_CONNECTIONS)])
    assert len([each for each in ended if isinstance(each, Exception)]) == len(ways) * 4 // 5
    assert {each.body for each in after} == {b"{}"}
    assert server.bodies[: len(ways)] == [b""] * len(ways)


def endless(start: bytes, piece: bytes) -> Answers:
    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(start)
        while True:
            writer.write(piece)
            await writer.drain()

    return answer


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        (endless(b"HTTP/1.1 200 OK\r\n", b"x-more: " + b"x" * 4_096 + b"\r\n"), TooLarge),
        (endless(b"HTTP/1.1 200 OK\r\nx-long: ", b"x" * 4_096), TooLarge),
        (endless(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 1_048_576), TooLarge),
        (
            endless(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\nx-late: ", b"x" * 1_048_576),
            TooLarge,
        ),
        (packed("gzip", gzip.compress(bytes(MAX_BODY + 1), 1)), TooLarge),
        (packed("gzip", gzip.compress(bytes(MAX_BODY // 2 + 1), 1) * 2), TooLarge),
        (b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (MAX_BODY + 1), TooLarge),
        (packed("gzip", gzip.compress(b"", 1) * 1_000), httpx.DecodingError),
        (packed("gzip", gzip.compress(b"{}")[:-1]), httpx.DecodingError),
        (packed("deflate", b"{}"), httpx.DecodingError),
        (b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n", httpx.RemoteProtocolError),
    ],
    ids=[
        "headers",
        "header",
        "body",
        "trailer",
        "bomb",
        "bomb in two members",
        "announced",
        "members",
        "cut short",
        "no deflate",
        "another protocol",
    ],
)
async def test_an_answer_without_bounds_or_sense_ends(answer: Answers | bytes, failure: type[Exception]) -> None:
    with pytest.raises(failure):
        await answered(answer)


async def only_hints(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\n")
    await writer.drain()
    writer.close()


async def cut_within_chunks(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked \r\n\r\n5\r\nhttps\r\n")
    await writer.drain()
    writer.close()


async def test_a_body_in_chunks_whose_last_is_missing_is_no_answer_though_a_space_stands_behind_the_word() -> None:
    with pytest.raises(httpx.NetworkError, match="ended before its answer did"):
        await answered(cut_within_chunks)


async def test_what_comes_ahead_of_an_answer_is_none_though_nothing_follows() -> None:
    with pytest.raises(httpx.NetworkError, match="ended before its answer did"):
        await answered(only_hints)


async def test_a_change_without_a_body_says_that_it_has_none() -> None:
    async with serving(OK) as server, channel_to(server.url) as channel:
        await channel.send("PUT", "/", None)
        await channel.send("GET", "/", None)
    assert ["content-length: 0" in head for head in server.heads] == [True, False]


async def test_a_target_that_is_not_encoded_is_refused_without_a_call() -> None:
    async with serving(OK) as server, channel_to(server.url) as channel:
        for target in ("/a b", "/a\r\nx-injected: 1", "/ä"):
            with pytest.raises(httpx.InvalidURL):
                await channel.send("GET", target, None)
    assert server.heads == []


def test_a_header_that_would_be_two_is_refused_without_being_shown() -> None:
    with pytest.raises(ValueError, match="holds a line break") as refused:
        open_http1("http://127.0.0.1:1", {"authorization": "Bearer canary\r\nx-injected: 1"}, Bounds())
    assert "canary" not in str(refused.value)


def test_no_secret_shows_in_a_channel() -> None:
    assert "canary" not in repr(open_http1("http://127.0.0.1:1", HEADERS, Bounds()))


@pytest.mark.parametrize(
    ("base", "host"),
    [
        ("http://upstream.example", "upstream.example"),
        ("http://upstream.example:80/v1", "upstream.example"),
        ("https://upstream.example:443", "upstream.example"),
        ("http://upstream.example:443", "upstream.example:443"),
        ("http://[::1]:8080/v1", "[::1]:8080"),
        ("http://[::1]", "[::1]"),
    ],
)
def test_the_host_is_named_as_the_address_has_it(base: str, host: str) -> None:
    assert f"\r\nhost: {host}\r\n".encode() in open_http1(base, HEADERS, Bounds()).head


async def test_closing_ends_the_calls_under_way_and_those_that_wait_and_refuses_more() -> None:
    async with serving(say_nothing) as server, channel_to(server.url) as channel:
        calls = [asyncio.ensure_future(channel.send("GET", "/", None)) for _ in range(MAX_CONNECTIONS + 5)]
        await server.heard(MAX_CONNECTIONS)
        await channel.close()
        ended = await asyncio.gather(*calls, return_exceptions=True)
        with pytest.raises(httpx.ConnectError):
            await channel.send("GET", "/", None)
    assert [type(each) for each in ended] == [httpx.NetworkError] * MAX_CONNECTIONS + [httpx.ConnectError] * 5


async def test_a_name_that_no_host_can_have_is_one_that_cannot_be_reached() -> None:
    async with channel_to(f"http://{'a' * 64}.test") as channel:
        with pytest.raises(httpx.ConnectError):
            await channel.send("GET", "/", None)


async def test_a_connection_that_is_never_made_is_known_never_to_have_left() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:  # nobody accepts, so nobody says anything of TLS
        async with channel_to(f"https://127.0.0.1:{listener.getsockname()[1]}", 0.1) as channel:
            with pytest.raises(httpx.ConnectTimeout):
                await channel.send("PUT", "/", None)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for `localhost` alone, and its key, in one file."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl, which makes certificates, is not here")
    file = tmp_path_factory.mktemp("tls") / "localhost.pem"
    what = ("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", "2")
    how = (
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-out",
        file,
        "-keyout",
        f"{file}.key",
    )
    subprocess.run([openssl, "req", "-x509", *what, *how], check=True, capture_output=True)  # noqa: S603 - ours
    file.write_text(file.read_text() + Path(f"{file}.key").read_text())
    return file


@pytest.fixture
def tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    return context


async def test_tls_goes_by_the_authorities_that_the_environment_names(
    certificate: Path, tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    async with serving(OK, tls=tls) as server, channel_to(f"https://localhost:{server.port}") as channel:
        bodies = [(await channel.send("GET", "/things", None)).body for _ in range(2)]
    assert (bodies, server.connections) == ([b"{}", b"{}"], 1)
    assert f"host: localhost:{server.port}" in server.heads[0]


@pytest.mark.parametrize(("host", "is_trusted"), [("localhost", False), ("127.0.0.1", True)])
async def test_nothing_is_sent_to_a_server_that_cannot_show_that_it_is_the_upstream(
    host: str, *, is_trusted: bool, certificate: Path, tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    if is_trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    async with serving(OK, tls=tls) as server, channel_to(f"https://{host}:{server.port}") as channel:
        with pytest.raises(httpx.ConnectError):
            await channel.send("PUT", "/", None)
    assert server.heads == []
