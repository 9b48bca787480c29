"""Sockets and servers: an address is taken first, then applications are served on it until a signal says stop."""

import asyncio
import contextlib
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator

import click
from starlette.types import ASGIApp

from gateway.memory import settle
from gateway.server import GuestServer, Server
from gateway.supervisor import supervise

if sys.platform != "win32":
    import resource

MARGIN = 5.0  # seconds beyond those that a process may take to end
DESCRIPTORS = 10_240  # of a process, where the system names no most; macOS allows as many whatever it names
BACKLOG = 2_048  # connections that wait to be accepted, where the system lets as many; uvicorn's own number


def listen(host: str, port: int, chosen_by: str) -> socket.socket:
    """Take an address; port 0 is any free one. Raises ClickException, saying what to change, when it cannot be had."""
    listener = _tcp(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except (OSError, UnicodeError) as error:
        listener.close()
        reason = getattr(error, "strerror", None) or "no such host"
        raise click.ClickException(
            f"Cannot listen on {host}:{port}: {reason}. Choose another with {chosen_by}."
        ) from None
    return listener


def _tcp(family: socket.AddressFamily) -> socket.socket:
    # Named as TCP, asyncio switches Nagle's algorithm off, which would hold back every answer for 40 ms.
    return socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)


def url_of(listener: socket.socket) -> str:
    """Give the address of a socket, with the port that it got where any would do."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


Served = tuple[ASGIApp, socket.socket]


def serve_until_stopped(app: ASGIApp, listener: socket.socket, *beside: Served) -> None:
    """Serve until SIGINT or SIGTERM, answering what is under way; the process then ends with 0.

    What is served `beside` it is served until its end.
    """
    # Having shut down, uvicorn raises the signal again, which must not end the process as if it had been killed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    settle()
    let_many_connect()
    with contextlib.suppress(KeyboardInterrupt):
        Server(app, listener, serving(*beside)).run(sockets=[listener])


def serve_with_workers(
    work: Callable[[socket.socket], None], listener: socket.socket, count: int, patience: float
) -> int:
    """Let so many processes `work`, each serving an application of its own, until a signal; give the exit code.

    A process that has not ended `patience` seconds and a few more after it had to is killed. Raises ClickException
    where the system cannot do this.
    """
    settle()
    let_many_connect()
    return supervise(work, listener, count, patience + MARGIN)


def let_many_connect() -> None:
    """Take as many descriptors as the system lets a process have; many shells and services begin with 1,024.

    Workers inherit it.
    """
    if sys.platform == "win32":
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = DESCRIPTORS if hard == resource.RLIM_INFINITY else hard
    if resource.RLIM_INFINITY != soft < most:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


@contextlib.contextmanager
def caught_signals() -> Iterator[asyncio.Event]:
    """Set an event by SIGINT and SIGTERM, even where they are ignored, as SIGINT is in a script's background jobs."""
    loop, caught = asyncio.get_running_loop(), asyncio.Event()
    before = {
        number: signal.signal(number, lambda *_: loop.call_soon_threadsafe(caught.set))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.asynccontextmanager
async def serving(*served: Served) -> AsyncIterator[None]:
    """Serve each application on its socket, in this event loop, until the block ends."""
    servers = [GuestServer(app, listener) for app, listener in served]
    running = [
        asyncio.create_task(server.serve(sockets=[listener]))
        for server, (_, listener) in zip(servers, served, strict=True)
    ]
    try:
        yield
    finally:
        for server in servers:
            server.should_exit = True
        await asyncio.gather(*running)
