"""Requests a second over real sockets: a server in a process of its own, and 32 connections that never rest."""

import asyncio
import multiprocessing
import socket
import statistics
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httptools
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.serving import settle

CONNECTIONS = 32


@dataclass(frozen=True, slots=True)
class Load:
    """Requests a second, and how long they took in milliseconds."""

    rate: float
    p50: float
    p99: float


class _Connection(asyncio.Protocol):
    """Sends the same request again as soon as it is answered."""

    def __init__(self, request: bytes, times: list[float]) -> None:
        self._request = request
        self._times = times
        self._sent = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.WriteTransport = transport  # type: ignore[assignment] # a stream's always is
        self._send()

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        self._times.append(time.perf_counter() - self._sent)
        self._send()

    def _send(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._sent = time.perf_counter()
        self._transport.write(self._request)


async def load(port: int, body: bytes, seconds: float, *, path: str = "/graphql") -> Load:
    """Load a server for some seconds, after half a second to warm up."""
    lines = [
        f"POST {path} HTTP/1.1",
        "host: localhost",
        "content-type: application/json",
        f"content-length: {len(body)}",
    ]
    head = "\r\n".join([*lines, "", ""])
    times: list[float] = []
    loop = asyncio.get_running_loop()
    connections = [
        await loop.create_connection(lambda: _Connection(head.encode() + body, times), "127.0.0.1", port)
        for _ in range(CONNECTIONS)
    ]
    await asyncio.sleep(0.5)
    times.clear()
    began = time.perf_counter()
    await asyncio.sleep(seconds)
    taken = [moment * 1_000 for moment in times]
    rate = len(taken) / (time.perf_counter() - began)
    for transport, _ in connections:
        transport.abort()
    if len(taken) < 2:  # noqa: PLR2004 - quantiles need two
        return Load(rate, float("nan"), float("nan"))
    cuts = statistics.quantiles(taken, n=100)
    return Load(rate, cuts[49], cuts[98])


def bare(answer: bytes) -> ASGIApp:
    """An application that answers the same bytes whatever is asked: what a server can do at most."""
    start = {
        "type": "http.response.start",
        "status": 200,
        "headers": [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(answer))],
    }

    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(start)
        await send({"type": "http.response.body", "body": answer})

    return app


@asynccontextmanager
async def served(make_app: Callable[..., ASGIApp], *args: object) -> AsyncIterator[int]:
    """Serve an application in another process and give its port."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen(256)
    process = multiprocessing.get_context("fork").Process(target=_serve, args=(listener, make_app, args), daemon=True)
    process.start()
    try:
        yield listener.getsockname()[1]
    finally:
        process.terminate()
        process.join()
        listener.close()


def _serve(listener: socket.socket, make_app: Callable[..., ASGIApp], args: tuple[object, ...]) -> None:
    config = uvicorn.Config(make_app(*args), lifespan="off", log_config=None, access_log=False, server_header=False)
    settle()
    uvicorn.Server(config).run(sockets=[listener])
