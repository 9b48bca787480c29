"""Load over sockets: 32 connections that never rest, driven by a loop as plain as can be, so as not to be the limit."""

import selectors
import socket
import statistics
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import click

from gateway.bench.servers import HOST, Server

PATIENCE = 30.0
BUFFER = bytearray(1 << 18)
OK, LENGTH, END = b"HTTP/1.1 200 ", b"\r\ncontent-length: ", b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Round:
    """What one server did in a while: requests a second, the milliseconds that they took, and who was busy.

    `cpu` is the server's microseconds of CPU a request, None where the system does not tell; `load_share` is how much
    of the time the load itself was at work: close to 1 it was the limit.
    """

    requests: int
    rate: float
    p50: float
    p99: float
    cpu: float | None
    load_share: float


class Connection:
    """A connection with one request under way at a time."""

    __slots__ = ("_missing", "_request", "_socket", "asked")

    def __init__(self, socket_: socket.socket, request: bytes) -> None:
        self._socket = socket_
        self._request = request
        self._missing = 0
        self.asked = 0.0

    def ask(self) -> None:
        """Send the request."""
        self.asked = time.perf_counter()
        self._socket.sendall(self._request)

    def read(self) -> bool:
        """Read what has come, and say whether the answer is whole. Raises ClickException for anything but a 200."""
        count = self._socket.recv_into(BUFFER)
        self._missing = self._missing - count if self._missing and count else self._begin(count)
        return not self._missing

    def _begin(self, count: int) -> int:
        """Read the head of an answer, which comes in one piece, and give how many bytes are still to come."""
        end = BUFFER.find(END, 0, count)
        at = BUFFER.find(LENGTH, 0, end) + len(LENGTH)
        if end < 0 or not BUFFER.startswith(OK):
            raise click.ClickException(f"A server that is measured answered {bytes(BUFFER[: min(count, 200)])!r}.")
        return end + len(END) + int(BUFFER[at : BUFFER.find(b"\r", at)]) - count


@dataclass(frozen=True, slots=True)
class ClosedLoop:
    """The connections to one server, each of which asks again once it is answered."""

    server: Server
    connections: list[Connection]
    selector: selectors.BaseSelector

    def round(self, seconds: float) -> Round:
        """Ask on every connection for some seconds, each again as soon as it is answered, and wait for the last."""
        spent, own, began = self.server.cpu(), time.process_time(), time.perf_counter()
        times = self._run(began + seconds)
        took = time.perf_counter() - began
        own, after = time.process_time() - own, self.server.cpu()
        cpu = None if spent is None or after is None else (after - spent) / len(times) * 1e6
        cuts = statistics.quantiles(times, n=100)
        return Round(len(times), len(times) / took, cuts[49] * 1e3, cuts[98] * 1e3, cpu, own / took)

    def _run(self, until: float) -> list[float]:
        times: list[float] = []
        for connection in self.connections:
            connection.ask()
        under_way = len(self.connections)
        while under_way:
            ready = self.selector.select(PATIENCE)
            if not ready:
                raise click.ClickException(f"A server that is measured did not answer within {PATIENCE:g} s.")
            for key, _ in ready:
                connection = key.data
                if connection.read():
                    now = time.perf_counter()
                    times.append(now - connection.asked)
                    if now < until:
                        connection.ask()
                    else:
                        under_way -= 1
        return times


@contextmanager
def connected(server: Server, bodies: Iterable[bytes]) -> Iterator[ClosedLoop]:
    """Connect to a server once for each body, to post it there again and again."""
    with ExitStack() as stack:
        selector = stack.enter_context(selectors.DefaultSelector())
        connections = []
        for body in bodies:
            socket_ = stack.enter_context(socket.create_connection((HOST, server.port), PATIENCE))
            socket_.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            socket_.settimeout(None)  # with one, Python asks the system before each call whether it would wait
            connections.append(Connection(socket_, _post(body)))
            selector.register(socket_, selectors.EVENT_READ, connections[-1])
        yield ClosedLoop(server, connections, selector)


def _post(body: bytes) -> bytes:
    lines = (
        "POST /graphql HTTP/1.1",
        f"host: {HOST}",
        "content-type: application/json",
        f"content-length: {len(body)}",
    )
    return "\r\n".join([*lines, "", ""]).encode() + body
