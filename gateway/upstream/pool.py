"""Connections to one address: kept alive, so many at most, and whoever waits for one is served in turn."""

import asyncio
import math
import socket
import ssl
from collections import deque
from dataclasses import dataclass, field

import aiohappyeyeballs
import httpx

from gateway.upstream.connection import Connection
from gateway.upstream.policy import Bounds

KEPT_FOR = 15.0  # seconds; less than servers keep them, so that a change seldom meets one that is being closed
NEXT_ADDRESS_AFTER = 0.25  # seconds, as RFC 8305 recommends


@dataclass(slots=True)
class Pool:
    """Lends connections. A place is held from before connecting until the connection has ended, idle or not.

    `kept_for` is the seconds that one may rest, whether or not anybody asks for another meanwhile.
    """

    host: str
    port: int
    tls: ssl.SSLContext | None
    bounds: Bounds
    kept_for: float = KEPT_FOR
    _places: int = 0
    _is_closed: bool = False
    _idle: list[Connection] = field(default_factory=list)
    _all: set[Connection] = field(default_factory=set)
    _waiting: deque[asyncio.Future[Connection | None]] = field(default_factory=deque)
    _sweep: asyncio.TimerHandle | None = None

    def census(self) -> dict[str, int]:
        """Count the connections that rest, and those that are lent or being made."""
        return {"idle": len(self._idle), "busy": self._places - len(self._idle)}

    @property
    def waiting(self) -> int:
        """Who waits for a connection."""
        return sum(not turn.done() for turn in self._waiting)

    def take_rested(self) -> Connection | None:
        """Lend the connection that rested least, where one can serve."""
        self._drop_rested(self.kept_for)
        return self._idle.pop() if self._idle and self._idle[-1].is_open else None

    async def take(self) -> Connection:
        """Lend a new connection, or the first that comes free. Raises ConnectError or ConnectTimeout."""
        connection = await self._place()
        if connection is not None and connection.is_open:
            return connection
        try:
            return await self._connect()
        except BaseException:
            self._pass_on(None)
            raise

    def put(self, connection: Connection) -> None:
        """Take back what was lent; what cannot serve again is closed, and its place is free."""
        if connection.is_reusable and not self._is_closed:
            self._pass_on(connection)
        else:
            connection.close()
            self._pass_on(None)

    async def replace(self, connection: Connection) -> Connection:
        """Lend a new connection in the place of one that has ended; when that fails, the old one is still lent."""
        connection.close()
        return await self._connect()

    async def close(self) -> None:
        """Close every connection; whoever waits, for one or for an answer, is told."""
        self._is_closed = True
        if self._sweep is not None:
            self._sweep.cancel()
        self._drop_rested(-math.inf)
        while self._waiting:
            self._places += 1
            self._pass_on(None)
        for connection in tuple(self._all):
            connection.close()
        await asyncio.sleep(0)  # the sockets are closed in the loop's next round

    async def _place(self) -> Connection | None:
        """Find a connection, or a place for one."""
        if self._idle:
            return self._idle.pop()
        if self._places < self.bounds.connections:
            self._places += 1
            return None
        return await self._turn()

    async def _turn(self) -> Connection | None:
        turn: asyncio.Future[Connection | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            return await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                self._pass_on(turn.result())  # it came at the moment of leaving
            raise

    def _pass_on(self, connection: Connection | None) -> None:
        """Give a connection, or the place for one, to who waits longest; else lay it down."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(connection)
                return
        if connection is None or self._is_closed:
            self._places -= 1
        else:
            connection.lay_down()
            self._idle.append(connection)
            if self._sweep is None:
                self._sweep = asyncio.get_running_loop().call_later(self.kept_for, self._sweep_up)

    def _drop_rested(self, longer_than: float) -> None:
        """Close those that have rested too long: the first, as the last laid down is the first taken."""
        while self._idle and self._idle[0].rested() > longer_than:
            self._idle.pop(0).close()
            self._places -= 1

    def _sweep_up(self) -> None:
        """Close those that have rested long enough, and come back for the others."""
        self._sweep = None
        self._drop_rested(self.kept_for)
        if self._idle:
            self._sweep = asyncio.get_running_loop().call_later(self.kept_for, self._sweep_up)

    def _lost(self, connection: Connection) -> None:
        self._all.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
            self._pass_on(None)

    async def _connect(self) -> Connection:
        """Connect to the address that answers first, in the time that connecting may take."""
        if self._is_closed:
            raise httpx.ConnectError("closed")
        try:
            async with asyncio.timeout(self.bounds.connect_timeout):
                connection = await self._reach()
        except TimeoutError:
            raise httpx.ConnectTimeout("took too long") from None
        except (OSError, UnicodeError) as error:
            raise httpx.ConnectError(type(error).__name__) from None  # its own words hold the address
        if self._is_closed:
            connection.close()
        if not connection.is_open:
            raise httpx.ConnectError("closed at once")
        self._all.add(connection)
        return connection

    async def _reach(self) -> Connection:
        loop = asyncio.get_running_loop()
        addresses = await loop.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        sock = await aiohappyeyeballs.start_connection(addresses, happy_eyeballs_delay=NEXT_ADDRESS_AFTER)
        _, connection = await loop.create_connection(
            lambda: Connection(self.bounds, self._lost),
            sock=sock,
            ssl=self.tls,
            server_hostname=self.host if self.tls else None,
        )
        return connection
