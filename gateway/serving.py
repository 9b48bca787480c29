"""Sockets and servers: an address is taken first, then applications are served on it until a signal says stop."""

import asyncio
import contextlib
import gc
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator

import click
import uvicorn
from starlette.types import ASGIApp

from gateway.http.protocol import repeating


def listen(host: str, port: int, chosen_by: str) -> socket.socket:
    """Take an address; port 0 is any free one. Raises ClickException, saying what to change, when it cannot be had."""
    listener = _tcp(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen()
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


def settle() -> None:
    """Spare what the program itself is made of from garbage collection, and collect less often: p99 falls with it."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def serve_until_stopped(app: ASGIApp, listener: socket.socket) -> None:
    """Serve until SIGINT or SIGTERM, answering what is under way; the process then ends with 0."""
    # Having shut down, uvicorn raises the signal again, which must not end the process as if it had been killed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    settle()
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(configured(app)).run(sockets=[listener])


@contextlib.asynccontextmanager
async def serving(*served: tuple[ASGIApp, socket.socket]) -> AsyncIterator[None]:
    """Serve each application on its socket, in this event loop, until the block ends."""
    servers = [_Server(configured(app)) for app, _ in served]
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


class _Server(uvicorn.Server):
    """A server that leaves signals to whoever runs it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def configured(app: ASGIApp) -> uvicorn.Config:
    """Leave the format of logs to the process; an access log would show query strings, which hold variables.

    An application that lets requests be repeated says so by `state.repeats`.
    """
    repeats = getattr(getattr(app, "state", None), "repeats", None)
    http = "auto" if repeats is None else repeating(repeats)
    return uvicorn.Config(app, http=http, log_config=None, access_log=False, server_header=False)
