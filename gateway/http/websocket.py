"""`/graphql` over WebSocket: who may connect, in which subprotocol, and the end of all connections."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.types import Receive, Scope, Send

from gateway.auth.caller import Caller, Gate
from gateway.errors import CannotIdentify, Unauthenticated
from gateway.http.connection import Admit, Connection, Service
from gateway.http.door import host_of
from gateway.http.refusal import NOT_LET_IN
from gateway.http.request import joined
from gateway.http.subprotocols import LEGACY_WS, TRANSPORT_WS, CloseCode, Closing, chosen

log = logging.getLogger("gateway.http")

FORBIDDEN_HOST = b"The gateway is not asked by this host name."
FORBIDDEN_ORIGIN = b"Pages of this origin may not connect; GATEWAY_WEBSOCKET_ORIGINS names those that may."


@dataclass(frozen=True, slots=True)
class SocketOptions:
    """What an operator decides about connections: how many, from whose pages, and whether in the old subprotocol.

    A page of the gateway's own origin may always connect, and so may what is no browser; `*` lets every page. Without
    `hosts` the gateway may be asked by any name. Every so many seconds, `looks_every`, it is seen who is let in still.
    """

    most: int = 10_000
    origins: frozenset[str] = frozenset()
    speaks_legacy: bool = False
    hosts: frozenset[str] = frozenset()
    looks_every: float = 15.0


def admit_by(gate: Gate) -> Admit:
    """Let in whom the gate knows by the headers of the handshake, or by what stands for them in `connection_init`."""

    async def admit(scope: Scope, payload: Mapping[str, Any]) -> Caller:
        headers = {**joined(scope["headers"]), **_said(payload)}
        try:
            return gate.known(headers) or await gate.identify(headers)
        except NOT_LET_IN as error:
            raise Closing(_code_for(error), error.message) from error

    return admit


def _said(payload: Mapping[str, Any]) -> dict[bytes, bytes]:
    """Give what stands for headers: in the payload itself, or below `headers`, where Apollo and urql put them."""
    nested = payload.get("headers")
    pairs = [*payload.items(), *(nested.items() if isinstance(nested, dict) else ())]
    return joined([(name.lower().encode(), value.encode()) for name, value in pairs if isinstance(value, str)])


def _code_for(error: Exception) -> CloseCode:
    """Let clients connect again where they may have something new by then; with nothing at all they need not."""
    match error:
        case CannotIdentify():
            return CloseCode.TRY_LATER
        case Unauthenticated(was_given=False):
            return CloseCode.UNAUTHORIZED
    return CloseCode.FORBIDDEN


@dataclass(slots=True)
class Rounds:
    """Ends the connections of who is let in no more, every so many `seconds` for as long as there are any.

    What hears nothing and says nothing would not be ended otherwise: neither asks whether its caller still is let in.
    """

    seconds: float
    connections: set[Connection]
    _timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Go round in a while, unless that is to come already."""
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self.seconds, self._go)

    def _go(self) -> None:
        self._timer = None
        for connection in self.connections:
            connection.end_unless_admitted()
        if self.connections:
            self.begin()


@dataclass(slots=True)
class SocketEndpoint:
    """Answers GraphQL over WebSocket."""

    service: Service
    options: SocketOptions
    connections: set[Connection] = field(default_factory=set)
    _rounds: Rounds = field(init=False)

    def __post_init__(self) -> None:
        self._rounds = Rounds(self.options.looks_every, self.connections)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection to its end."""
        await receive()  # websocket.connect
        refusal = self._refusal(dict(scope["headers"]))
        if refusal is not None:
            await _forbid(send, refusal)
            return
        spoken = [TRANSPORT_WS, LEGACY_WS] if self.options.speaks_legacy else [TRANSPORT_WS]
        subprotocol = chosen(scope["subprotocols"], spoken)
        try:
            await send({"type": "websocket.accept", "subprotocol": subprotocol.name if subprotocol else None})
        except OSError:
            return  # it has left already
        connection = Connection(self.service, subprotocol or TRANSPORT_WS, scope, receive, send)
        if subprotocol is None:
            await connection.close(Closing(CloseCode.UNKNOWN_SUBPROTOCOL, "Subprotocol not acceptable"))
        elif len(self.connections) >= self.options.most:
            await connection.close(Closing(CloseCode.TRY_LATER, f"At most {self.options.most:,} connections are held."))
        else:
            await self._serve(connection)

    async def finish(self) -> None:
        """Let each connection answer what is under way, then close it, so that its client goes on elsewhere."""
        ended = await asyncio.gather(*(one.finish() for one in self.connections), return_exceptions=True)
        for bug in ended:
            if isinstance(bug, Exception):  # which keeps none of the others from ending well
                log.error("a connection did not end well", exc_info=bug)

    async def _serve(self, connection: Connection) -> None:
        self.connections.add(connection)
        self._rounds.begin()
        try:
            await connection.run()
        finally:
            self.connections.discard(connection)

    def _refusal(self, headers: Mapping[bytes, bytes]) -> bytes | None:
        if self.options.hosts and host_of(headers.get(b"host", b"")) not in self.options.hosts:
            return FORBIDDEN_HOST
        return None if self._is_welcome(headers) else FORBIDDEN_ORIGIN

    def _is_welcome(self, headers: Mapping[bytes, bytes]) -> bool:
        """Tell whose page asks: a browser lets any page connect, whose user may reach what its author may not."""
        origin = headers.get(b"origin")
        if origin is None or "*" in self.options.origins:
            return True
        return origin.partition(b"://")[2] == headers.get(b"host") or origin.decode("latin-1") in self.options.origins


async def _forbid(send: Send, reason: bytes) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "websocket.http.response.start", "status": 403, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": reason})
