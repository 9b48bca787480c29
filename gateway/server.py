"""uvicorn, configured for the gateway, and made to end without breaking off what is under way."""

import asyncio
import contextlib
import logging
import math
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from types import FrameType
from typing import Any, Protocol, runtime_checkable

import uvicorn
from starlette.types import ASGIApp

from gateway.http.departing import DepartingProtocol
from gateway.http.load import Load
from gateway.http.protocol import protocol
from gateway.limits import RequestLimits
from gateway.memory import give_back
from gateway.socket_protocol import SocketProtocol

log = logging.getLogger("gateway")

TICK = 0.1  # seconds between two ticks of uvicorn's
LONG_TURN = 0.005  # seconds that one is late where the loop is busy
AT_ONCE = 16  # more connections that are accepted in one turn then
GIVE_BACK_EVERY = 600  # ticks
LOOK = 0.05  # seconds between two looks whether something has come to its end
WITHOUT_STREAMS = 2  # seconds that what is under way may take at the end of an application that says nothing of that
LAST_WORDS = 1.0  # seconds that who connected at the last moment may take to ask something


@runtime_checkable
class Streaming(Protocol):
    """An application with streams, which end when it is told to `drain`.

    Within `heartbeat` seconds a client that has vanished is let go; one that sends more than `message_bytes` at once
    over a WebSocket is not heard. A connection may rest for `keep_alive` seconds between requests. Requests are still
    taken for `drain_grace` seconds after it was told to `leave`; what is under way then may take `drain_timeout` more.
    """

    heartbeat: float
    keep_alive: float
    message_bytes: int
    drain_grace: float
    drain_timeout: float
    load: Load

    def leave(self) -> None:
        """Say that requests are to be sent elsewhere."""

    async def drain(self) -> None:
        """End every stream."""

    def reload(self) -> None:
        """Read again what may change while it runs."""


class Server(uvicorn.Server):
    """A server that ends in steps: not ready, but accepting; no longer accepting; its streams ended; all answered.

    The first is left out where it is ended by SIGINT: who presses Ctrl+C has nothing that sends requests elsewhere.
    What is `beside` it is entered before, and left after all that.
    """

    def __init__(
        self, app: ASGIApp, listener: socket.socket, beside: AbstractAsyncContextManager[object] | None = None
    ) -> None:
        super().__init__(configured(app))
        self._beside = beside or contextlib.nullcontext()
        self._app = _streaming(app)
        self._listener = listener
        self._is_in_haste = True  # unless a signal asks for patience
        self._spare: socket.socket  # the same as the listener, which is the loop's
        self._accepts_more = False
        self._ticked = time.monotonic()
        self._connecting: set[asyncio.Task[Any]] = set()
        if self._app is not None:
            _let_go(listener, self._app.heartbeat / 2)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take the signals that end it, and SIGHUP, by which the application reads again what it can."""
        with super().capture_signals(), _hangups(self._reload):
            yield

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until it has ended."""
        async with self._beside:
            await super().serve(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept, and say so."""
        await super().startup(sockets)
        self._spare = self._listener.dup()
        self._spare.setblocking(False)  # noqa: FBT003 - the standard library's own signature
        if self._app is not None:
            log.info("accepting requests")

    async def on_tick(self, counter: int) -> bool:
        """Accept more at once while turns of the loop are long, and once a minute see to the process's memory.

        Loops accept one connection in each turn, which shares those that come together among processes; but where the
        loop is busy, who comes would wait longer to be accepted than it takes to be refused.
        """
        now = time.monotonic()
        is_busy, self._ticked = now - self._ticked > TICK + LONG_TURN, now
        if is_busy != self._accepts_more:
            self._accepts_more = is_busy
            loop = asyncio.get_running_loop()
            with contextlib.suppress(NotImplementedError):  # Windows' own loop
                loop.add_reader(self._spare, self._accept, AT_ONCE) if is_busy else loop.remove_reader(self._spare)
        if counter and not counter % GIVE_BACK_EVERY:
            give_back()
        return await super().on_tick(counter)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to end; a second signal ends the grace."""
        self._is_in_haste = self.should_exit or sig == signal.SIGINT
        super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End in steps; what is under way when the time is over is broken off by uvicorn."""
        if self._app is not None:
            self._app.leave()
            for protocol_ in self._http_connections():
                protocol_.depart()
            if not self._is_in_haste:
                await self._until(lambda: self._is_in_haste, self._app.drain_grace)
            end = asyncio.get_running_loop().time() + self._app.drain_timeout
        await self._stop_accepting()
        if self._app is not None:
            await self._end_streams(self._app)
            await self._until(self._has_heard_all, LAST_WORDS)
            self.config.timeout_graceful_shutdown = math.ceil(max(0.0, end - asyncio.get_running_loop().time()))
        await super().shutdown(sockets)

    def _reload(self) -> None:
        log.info("told by SIGHUP to read again")
        if self._app is not None:
            self._app.reload()

    async def _until(self, is_over: Callable[[], bool], seconds: float) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while not is_over() and loop.time() < end:  # noqa: ASYNC110 - uvicorn tells nobody about its connections
            await asyncio.sleep(LOOK)

    async def _stop_accepting(self) -> None:
        """Close the socket, though not on those who are connected and wait to be accepted: the system resets them.

        Who asks nothing is let go at once, who has begun to, or has just connected, is waited for.
        """
        if self._accepts_more:
            asyncio.get_running_loop().remove_reader(self._spare)
        with self._spare:
            for server in self.servers:
                server.close()
            self._listener.close()
            while self._accept(AT_ONCE):
                pass
        await asyncio.gather(*self._connecting, return_exceptions=True)
        await asyncio.sleep(0)  # for the requests that have come already
        for protocol_ in self._http_connections():
            if self._is_in_haste or not protocol_.is_asking:
                protocol_.shutdown()

    def _accept(self, most: int) -> int:
        """Accept so many who wait, if there are as many, and give how many there were."""
        loop, count = asyncio.get_running_loop(), 0
        # Nobody waits, or has had the patience; or what the system has to give is used up, which the loop tells too.
        with contextlib.suppress(OSError):
            while count < most:
                connection, _ = self._spare.accept()
                count += 1
                connecting = loop.create_task(loop.connect_accepted_socket(self._protocol, connection))
                self._connecting.add(connecting)
                connecting.add_done_callback(self._connecting.discard)
        return count

    async def _end_streams(self, app: Streaming) -> None:
        try:
            async with asyncio.timeout(app.drain_timeout):
                await app.drain()
        except TimeoutError:
            log.warning("operations over WebSocket are broken off: they took longer than GATEWAY_DRAIN_TIMEOUT")

    def _has_heard_all(self) -> bool:
        return self._is_in_haste or not any(protocol_.is_asking for protocol_ in self._http_connections())

    def _http_connections(self) -> list[DepartingProtocol]:
        return [one for one in self.server_state.connections if isinstance(one, DepartingProtocol)]

    def _protocol(self) -> asyncio.Protocol:
        make: Any = self.config.http_protocol_class
        made: asyncio.Protocol = make(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)
        return made


class GuestServer(Server):
    """A server that leaves signals to whoever runs it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take none."""
        yield


def configured(app: ASGIApp) -> uvicorn.Config:
    """Leave the format of logs to the process; an access log would show query strings, which hold variables.

    An application that answers whole requests without ASGI says how by `direct`, and lets them be repeated by
    `state.repeats`; one with limits of its own says so by `state.limits`.
    """
    state, streaming = getattr(app, "state", None), _streaming(app)
    limits, load = getattr(state, "limits", RequestLimits()), streaming.load if streaming else Load()
    http = protocol(limits, load, getattr(app, "direct", None), getattr(state, "repeats", None))
    options = _options(streaming) if streaming else {"ws": "none", "timeout_graceful_shutdown": WITHOUT_STREAMS}
    return uvicorn.Config(app, http=http, log_config=None, access_log=False, server_header=False, **options)


def _streaming(app: Any) -> Streaming | None:
    return app if isinstance(app, Streaming) else None


def _options(app: Streaming) -> dict[str, Any]:
    """Over WebSocket ping twice a heartbeat, and compress nothing, which would take 40 kB a connection."""
    return {
        "timeout_keep_alive": app.keep_alive,
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


@contextlib.contextmanager
def _hangups(reload: Callable[[], None]) -> Iterator[None]:
    """Call something by SIGHUP, where the system has it; also by one that was held back until now."""
    if not hasattr(signal, "SIGHUP"):
        yield
        return
    loop = asyncio.get_running_loop()
    before = signal.signal(signal.SIGHUP, lambda *_: loop.call_soon_threadsafe(reload))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGHUP])
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)
