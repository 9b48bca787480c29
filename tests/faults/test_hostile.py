"""Upstreams that answer what they should not: each is a coded error, and costs little memory."""

import asyncio
import gzip
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from tests.faults.stage import SCAN, UNKEPT, Stage, gateway_process, settings
from tests.upstream.raw_server import OK, Answers, Server, in_turn, serving

MIB = 1_048_576
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"


def body(content: bytes, *headers: bytes) -> bytes:
    return (
        HEAD
        + b"".join(b"%b\r\n" % header for header in headers)
        + b"content-length: %d\r\n\r\n%b"
        % (
            len(content),
            content,
        )
    )


def poured(start: bytes, piece: bytes, times: int) -> Answers:
    """Send a start, then the same piece so many times, for as long as it is taken."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(start)
        for _ in range(times):
            writer.write(piece)
            await writer.drain()

    return answer


BOMB = gzip.compress(gzip.compress(bytes(400 * MIB), 1), 1)
LARGE = 200 * MIB

ANSWERS: dict[str, tuple[Answers | bytes, str | None]] = {
    "truncated JSON": (body(b'{"captureData": {"sta'), "UPSTREAM_CONTRACT"),
    "no object": (body(b"[1, 2]"), "UPSTREAM_CONTRACT"),
    "wrong types": (body(b'{"captureData": 7, "body": "yes", "isReady": [[]]}'), None),  # as if they were not there
    "200 MB": (poured(HEAD + b"content-length: %d\r\n\r\n" % LARGE, bytes(MIB), 200), "UPSTREAM_CONTRACT"),
    "200 MB in chunks": (
        poured(HEAD + b"transfer-encoding: chunked\r\n\r\n", b"100000\r\n%b\r\n" % bytes(MIB), 200),
        "UPSTREAM_CONTRACT",
    ),
    "200 MB to the end": (poured(HEAD + b"\r\n", bytes(MIB), 200), "UPSTREAM_CONTRACT"),
    "headers without end": (poured(HEAD, b"x-more: " + b"x" * 4_096 + b"\r\n", 50_000), "UPSTREAM_CONTRACT"),
    "a gzip bomb": (body(BOMB, b"content-encoding: gzip, gzip"), "UPSTREAM_CONTRACT"),
    "deep JSON": (body(b"[" * MIB), "UPSTREAM_CONTRACT"),
}


def peak_mib(stage: Stage) -> float:
    """The most memory that the gateway has held so far, in MiB."""
    status = Path(f"/proc/{stage.process.process.pid}/status").read_text(encoding="utf-8")
    return next(int(line.split()[1]) / 1_024 for line in status.splitlines() if line.startswith("VmHWM"))


def gateway_over(upstream: Server, folder: Path) -> AbstractAsyncContextManager[Stage]:
    """A gateway that keeps nothing, and asks on however often it fails."""
    return gateway_process(folder, settings(upstream.url, upstream.url, **UNKEPT, GATEWAY_BREAKER_CALLS="0"))


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc, which is not here")
async def test_what_an_upstream_should_not_answer_is_a_coded_error_within_bounds(tmp_path: Path) -> None:
    now: list[Answers | bytes] = [OK]

    async def answer(writer: asyncio.StreamWriter) -> None:
        if isinstance(now[0], bytes):
            writer.write(now[0])
        else:
            await now[0](writer)

    async with serving(answer) as upstream, gateway_over(upstream, tmp_path) as stage:
        await stage.ask(SCAN, scanId="first")
        before, told = peak_mib(stage), {}
        for name, (now[0], _) in ANSWERS.items():
            asked = await asyncio.gather(*[stage.ask(SCAN, wait=20, scanId=f"{number}") for number in range(4)])
            errors = [error for one in asked for error in one.answer.get("errors", ())]
            told[name] = {error["extensions"]["code"] for error in errors}
        grown = peak_mib(stage) - before
    print(f"\nmemory grew by {grown:.0f} MiB at most")  # noqa: T201 - for who measures
    assert told == {name: {code} if code else set() for name, (_, code) in ANSWERS.items()}
    assert grown <= 400  # MiB, where four answers at a time would be 800 and more


async def test_no_redirect_is_followed(tmp_path: Path) -> None:
    statuses, told = [301, 302, 303, 307, 308], []
    async with serving(OK) as private:
        place = f"location: {private.url}/secret\r\ncontent-length: 0\r\n\r\n"
        moved = [f"HTTP/1.1 {status} Moved\r\n{place}".encode() for status in statuses]
        async with serving(in_turn(*moved)) as upstream, gateway_over(upstream, tmp_path) as stage:
            for _ in statuses:
                (error,) = (await stage.ask(SCAN, scanId="a")).answer["errors"]
                told.append((error["extensions"]["code"], error["extensions"]["upstreamStatus"]))
    assert told == [("UPSTREAM_CONTRACT", status) for status in statuses]
    assert (private.connections, len(upstream.heads)) == (0, len(statuses))
