"""Sockets and servers: an address is taken first, then applications are served on it until a signal says stop."""

import asyncio
import contextlib
import gc
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any, Protocol, runtime_checkable

import click
import uvicorn
from starlette.types import ASGIApp

from gateway.http.protocol import protocol
from gateway.limits import RequestLimits
from gateway.socket_protocol import SocketProtocol


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


Served = tuple[ASGIApp, socket.socket]


def serve_until_stopped(app: ASGIApp, listener: socket.socket, *beside: Served) -> None:
    """Serve until SIGINT or SIGTERM, answering what is under way; the process then ends with 0.

    What is served `beside` it is served until its end.
    """
    # Having shut down, uvicorn raises the signal again, which must not end the process as if it had been killed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    settle()
    with contextlib.suppress(KeyboardInterrupt):
        _Server(app, listener, *beside).run(sockets=[listener])


@contextlib.asynccontextmanager
async def serving(*served: Served) -> AsyncIterator[None]:
    """Serve each application on its socket, in this event loop, until the block ends."""
    servers = [_GuestServer(app, listener) for app, listener in served]
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


@runtime_checkable
class Streaming(Protocol):
    """An application with streams, which end when it is told to `drain`.

    Within `heartbeat` seconds a client that has vanished is let go; one that sends more than `message_bytes` at once
    over a WebSocket is not heard.
    """

    heartbeat: float
    message_bytes: int

    async def drain(self) -> None:
        """End every stream."""


@runtime_checkable
class Reloading(Protocol):
    """An application that reads again what may have changed when it is told to `reload`, by SIGHUP."""

    def reload(self) -> None:
        """Read it."""


class _Server(uvicorn.Server):
    """A server whose application ends its streams before the server waits for their end."""

    def __init__(self, app: ASGIApp, listener: socket.socket, *beside: Served) -> None:
        super().__init__(configured(app))
        self._app = app
        self._beside = beside
        if isinstance(app, Streaming):
            _let_go(listener, app.heartbeat / 2)

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        async with serving(*self._beside):
            await super().serve(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        if isinstance(self._app, Reloading) and hasattr(signal, "SIGHUP"):
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._app.reload)
        with super().capture_signals():
            yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        if isinstance(self._app, Streaming):
            await self._app.drain()
        await super().shutdown(sockets)


class _GuestServer(_Server):
    """A server that leaves signals to whoever runs it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def configured(app: ASGIApp) -> uvicorn.Config:
    """Leave the format of logs to the process; an access log would show query strings, which hold variables.

    An application that answers whole requests without ASGI says how by `direct`, and lets them be repeated by
    `state.repeats`; one with limits of its own says so by `state.limits`.
    """
    state = getattr(app, "state", None)
    limits = getattr(state, "limits", RequestLimits())
    http = protocol(limits, getattr(app, "direct", None), getattr(state, "repeats", None))
    options = _socket_options(app)
    return uvicorn.Config(app, http=http, log_config=None, access_log=False, server_header=False, **options)


def _socket_options(app: ASGIApp) -> dict[str, Any]:
    """Ping twice a heartbeat; compress nothing, which would take 40 kB a connection."""
    if not isinstance(app, Streaming):
        return {"ws": "none"}
    return {
        "ws": SocketProtocol,
        "ws_max_size": app.message_bytes,
        "ws_ping_interval": app.heartbeat / 2,
        "ws_ping_timeout": app.heartbeat / 2,
        "ws_per_message_deflate": False,
    }


def _let_go(listener: socket.socket, seconds: float) -> None:
    """Break off connections whose client takes nothing for so long; where the system cannot, it takes minutes."""
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(seconds * 1_000))
