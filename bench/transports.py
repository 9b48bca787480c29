"""What one upstream call costs by each way to the network: `python bench/transports.py`.

A server in a process of its own answers 1 kB and 120 kB at once; figures are CPU microseconds of this process a call.
"""

import asyncio
import multiprocessing
import socket
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial

import httptools
import httpx
import uvloop

from gateway.upstream.channel import Channel, over
from gateway.upstream.http1 import open_http1
from gateway.upstream.policy import Bounds
from gateway.upstream.proxied import ProxiedChannel

BODIES = {b"/small": b'"' + b"x" * 1_022 + b'"', b"/large": b'"' + b"x" * 120_000 + b'"'}
CALLS = 2_000
HEADERS = {"accept": "application/json", "authorization": "Bearer bench"}


class _Server(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.WriteTransport = transport  # type: ignore[assignment] # a stream's always is
        self._parser = httptools.HttpRequestParser(self)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self._body = BODIES[url]

    def on_message_complete(self) -> None:
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(self._body)
        self._transport.write(head + self._body)


def _serve(listener: socket.socket) -> None:
    async def forever() -> None:
        server = await asyncio.get_running_loop().create_server(_Server, sock=listener)
        await server.serve_forever()

    uvloop.run(forever())


async def _cost(call: Callable[[], Awaitable[object]], beside: int) -> float:
    async def some(count: int) -> None:
        for _ in range(count):
            await call()

    await asyncio.gather(*[some(5) for _ in range(beside)])
    began = time.process_time()
    await asyncio.gather(*[some(CALLS // beside) for _ in range(beside)])
    return (time.process_time() - began) / (CALLS // beside * beside) * 1e6


async def _measure(url: str) -> None:
    async with AsyncExitStack() as stack:
        ways: dict[str, Channel] = {
            "httpx's own pool": over(httpx.AsyncHTTPTransport(), url, HEADERS, Bounds()),
            "aiohttp": ProxiedChannel(url, HEADERS, Bounds(), proxy=None),
            "gateway.upstream.http1": open_http1(url, HEADERS, Bounds()),
        }
        for channel in ways.values():
            stack.push_async_callback(channel.close)
        for size in ("/small", "/large"):
            for beside in (2, 16, 64):
                costs = {
                    name: await _cost(partial(channel.send, "GET", size, None), beside)
                    for name, channel in ways.items()
                }
                least = min(costs.values())
                row = "   ".join(f"{name} {cost:6,.0f} µs ({cost / least:.1f} x)" for name, cost in costs.items())
                print(f"{size[1:]}, {beside:2} at once:   {row}", flush=True)


def main() -> None:
    """Measure each way with the same server."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)
    server = multiprocessing.get_context("fork").Process(target=_serve, args=(listener,), daemon=True)
    server.start()
    uvloop.run(_measure(f"http://127.0.0.1:{listener.getsockname()[1]}"))
    server.terminate()


if __name__ == "__main__":
    main()
