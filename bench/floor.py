"""What a gateway over sockets could do at most in Python here: `python bench/floor.py`.

A server that knows each request by its body makes the calls that it takes, by the gateway's own way to the network,
and writes the answer that it was told beforehand: no GraphQL, no document is read, nothing is guarded. `gateway bench`
compares "plans, cold, sockets" with the same bare server; what is between the two is the gateway's own work.
"""

import asyncio
import socket
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial

import httptools
import uvloop

from gateway.bench.cpu import answers
from gateway.bench.modes import PATHS
from gateway.bench.queries import Query, make_sandbox, queries
from gateway.bench.served import BARE, Comparison
from gateway.bench.servers import Serve, bare, serving
from gateway.bench.upstream import Call, Remote, record, remote
from gateway.memory import settle
from gateway.sandbox import Sandbox
from gateway.upstream.channel import BASE_HEADERS, Channel
from gateway.upstream.http1 import open_http1
from gateway.upstream.policy import Bounds

SECONDS = 3.0
FLOOR = "the calls alone"

Calls = Sequence[tuple[str, Call]]  # with the upstream's name
Known = Mapping[bytes, tuple[Calls, bytes]]


class _Server(asyncio.Protocol):
    def __init__(self, channels: Mapping[str, Channel], known: Known) -> None:
        self._channels = channels
        self._known = known
        self._parser = httptools.HttpRequestParser(self)
        self._body = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.WriteTransport = transport  # type: ignore[assignment] # a stream's always is

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        body, self._body = self._body, b""
        self._task = asyncio.create_task(self._answer(*self._known[body]))

    async def _answer(self, calls: Calls, answer: bytes) -> None:
        await asyncio.gather(*[self._channels[name].send(*call) for name, call in calls])
        self._transport.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(answer), answer))


async def _serve(listener: socket.socket, url: str, known: Known) -> None:
    async with AsyncExitStack() as stack:
        channels = {name: open_http1(f"{url}{path}", BASE_HEADERS, Bounds()) for name, path in PATHS.items()}
        for channel in channels.values():
            stack.push_async_callback(channel.close)
        server = await asyncio.get_running_loop().create_server(lambda: _Server(channels, known), sock=listener)
        await server.serve_forever()


def _serving(url: str, known: Known, listener: socket.socket) -> None:
    settle()
    uvloop.run(_serve(listener, url, known))


def _measure(sandbox: Sandbox, query: Query) -> None:
    upstreams, known = record(sandbox), {}
    for body in query.bodies:
        before = {name: set(upstream.answers) for name, upstream in upstreams.items()}
        (answer,) = asyncio.run(answers(sandbox, upstreams, Query(query.name, (body,))))
        calls = [(name, call) for name, its in upstreams.items() for call in its.answers if call not in before[name]]
        known[body] = calls, answer
    with remote(upstreams) as near:
        serves: dict[str, tuple[Serve, Remote | None]] = {BARE: (serving(bare, known[query.bodies[0]][1]), None)}
        serves[FLOOR] = (partial(_serving, near.server.url, known), near)
        told = [answer for _, answer in known.values()]
        its = Comparison(query, told, serves).measure(SECONDS)[FLOOR]
    print(
        f"{query.name:10} {its.requests_per_second:8,.0f}/s  {its.of_bare:.3f} of bare;"
        f"  {its.cpu_microseconds or 0:8,.0f} µs of CPU  {its.cpu_of_bare or 0:.3f} of bare;"
        f"  {its.upstream_calls:g} calls"
    )


def main() -> None:
    """Measure each of the three queries of `gateway bench`."""
    sandbox = make_sandbox()
    for query in queries(sandbox):
        _measure(sandbox, query)


if __name__ == "__main__":
    main()
