"""An upstream that answers at once what the sandbox answered before: in process, or over sockets in one of its own."""

import asyncio
import ctypes
import multiprocessing.sharedctypes
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import httptools
import httpx
import uvloop

from gateway.bench.modes import PATHS, URL, bench_settings
from gateway.bench.servers import Server, started
from gateway.memory import settle
from gateway.process import create_gateway
from gateway.sandbox import Sandbox
from gateway.upstream.channel import NO_HEADERS, Answer, Channel

Call = tuple[str, str, bytes | None]
Replies = Mapping[tuple[bytes, bytes, bytes], bytes]


class Recorded:
    """A channel that answers from memory what `inner` answered to the same call the first time, and counts the calls.

    It waits for nothing but its `latency` in seconds, so that what is measured is the gateway's own work.
    """

    def __init__(self, inner: Channel, latency: float = 0.0) -> None:
        self.inner = inner
        self.latency = latency
        self.calls = 0
        self.answers: dict[Call, Answer] = {}

    def delayed(self, latency: float) -> "Recorded":
        """Answer the same, but later."""
        other = Recorded(self.inner, latency)
        other.answers = self.answers
        return other

    async def send(
        self,
        method: str,
        target: str,
        content: bytes | None,
        headers: Mapping[str, str] = NO_HEADERS,  # noqa: ARG002 - as every channel
    ) -> Answer:
        """Answer from memory, or record."""
        self.calls += 1
        if self.latency:
            await asyncio.sleep(self.latency)
        call = (method, target, content)
        return self.answers.get(call) or await self._record(call)

    async def _record(self, call: Call) -> Answer:
        came = await self.inner.send(*call)
        answer = self.answers[call] = Answer(came.status, dict(came.headers), came.body)  # headers as from the network
        return answer

    async def close(self) -> None:
        """Close what was recorded from."""
        await self.inner.close()


def record(sandbox: Sandbox) -> Mapping[str, Recorded]:
    """Make a channel for each upstream, which records from the sandbox what the gateway asks it."""
    transport = httpx.ASGITransport(app=sandbox.app)
    gateway = create_gateway(bench_settings(sandbox, URL), transports={"prism": transport, "scenario": transport})
    sources = gateway.tenants.of().sources
    upstreams = (sources.prism.upstream, sources.scenario.upstream)
    return {upstream.name: Recorded(upstream.channel) for upstream in upstreams}


@dataclass(frozen=True, slots=True)
class Remote:
    """An upstream in a process of its own, and how often it was called."""

    server: Server
    counter: ctypes.c_uint64

    @property
    def calls(self) -> int:
        """Give how often it was called so far."""
        return self.counter.value


@contextmanager
def remote(upstreams: Mapping[str, Recorded], latency: float = 0.0) -> Iterator[Remote]:
    """Serve what was recorded over sockets, each answer `latency` seconds late."""
    replies = {
        (method.encode(), f"{PATHS[name]}{target}".encode(), content or b""): _reply(answer)
        for name, upstream in upstreams.items()
        for (method, target, content), answer in upstream.answers.items()
    }
    counter = multiprocessing.sharedctypes.RawValue(ctypes.c_uint64)

    def serve(listener: socket.socket) -> None:
        settle()
        uvloop.run(_serve(listener, replies, latency, counter))

    with started(serve) as server:
        yield Remote(server, counter)


def _reply(answer: Answer) -> bytes:
    head = f"HTTP/1.1 {answer.status} Recorded\r\ncontent-type: application/json\r\ncontent-length: {len(answer.body)}"
    return f"{head}\r\n\r\n".encode() + answer.body


async def _serve(listener: socket.socket, replies: Replies, latency: float, counter: ctypes.c_uint64) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Replying(replies, latency, counter), sock=listener)
    await server.serve_forever()


class _Replying(asyncio.Protocol):
    """Answers what is known, and closes the connection at anything else."""

    def __init__(self, replies: Replies, latency: float, counter: ctypes.c_uint64) -> None:
        self._replies = replies
        self._latency = latency
        self._counter = counter
        self._parser = httptools.HttpRequestParser(self)
        self._target = self._content = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.WriteTransport = transport  # type: ignore[assignment] # a stream's always is

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_url(self, part: bytes) -> None:
        self._target += part

    def on_body(self, part: bytes) -> None:
        self._content += part

    def on_message_complete(self) -> None:
        self._counter.value += 1
        reply = self._replies.get((self._parser.get_method(), self._target, self._content))
        self._target = self._content = b""
        if reply is None:
            self._transport.abort()
        elif self._latency:
            asyncio.get_running_loop().call_later(self._latency, self._transport.write, reply)
        else:
            self._transport.write(reply)
