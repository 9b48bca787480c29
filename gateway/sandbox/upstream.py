"""One simulated upstream as an ASGI application: it records each call, lets a fault hit it, and answers."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import NamedTuple, TypeAlias

import httpx
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.sandbox import errors
from gateway.sandbox.faults import Fault, Faults, UpstreamName

Sleep: TypeAlias = Callable[[float], Awaitable[None]]


class Call(NamedTuple):
    """One call: the path is below the API's base, percent-encoded as it came, without its query."""

    method: str
    path: str


@dataclass(frozen=True, slots=True)
class Received:
    """One call in full; header names are in lower case."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes


class Upstream:
    """What every simulated API has; a subclass gives `app`, which sees paths below `base` as they came."""

    name: UpstreamName
    base: str
    app: ASGIApp

    def __init__(self, faults: Faults, sleep: Sleep) -> None:
        self._faults = faults
        self._sleep = sleep
        self._answered = 0
        self.requests: list[Received] = []

    @property
    def calls(self) -> list[Call]:
        """Every call since the last clear, whatever was answered."""
        return [Call(request.method, request.path) for request in self.requests]

    def clear(self) -> None:
        """Forget the calls."""
        self.requests.clear()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Record the call, then answer it or let a fault do so."""
        body = await read_body(receive)
        # The path as it came: an id that holds %2F must not turn into another route.
        path = scope["raw_path"].decode("latin-1").removeprefix(self.base)
        request = Received(
            scope["method"], path, scope["query_string"].decode("latin-1"), dict(Headers(scope=scope)), body
        )
        self.requests.append(request)
        fault = self._faults.strike(self.name, request.method, path) or Fault()
        inner = {**scope, "path": path, "root_path": ""}
        await self._answer(fault, inner, replay(body), self._identified(send))

    async def _answer(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        if fault.delay:
            await self._sleep(fault.delay)
        if fault.cut:
            await cut(send)
        elif fault.status or fault.retry_after is not None:
            await failure(fault, self.name)(scope, receive, send)
        elif fault.malformed:
            await truncated(self.app, scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def _identified(self, send: Send) -> Send:
        """Give every answer an `x-request-id`."""
        self._answered += 1
        request_id = f"{self.name}-{self._answered:06}"

        async def identified(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["x-request-id"] = request_id
            await send(message)

        return identified


async def read_body(receive: Receive) -> bytes:
    """The whole request body."""
    body = b""
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


def replay(body: bytes) -> Receive:
    """A `receive` that gives a body already read."""

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


async def cut(send: Send) -> None:
    """Begin an answer and break it off: a server closes the connection, a transport raises what httpx would."""
    headers = [(b"content-type", b"application/json"), (b"content-length", b"1024")]
    await send({"type": "http.response.start", "status": HTTPStatus.OK, "headers": headers})
    await send({"type": "http.response.body", "body": b'{"asset', "more_body": True})
    raise httpx.RemoteProtocolError("peer closed connection without sending complete message body (sandbox fault)")


def failure(fault: Fault, upstream: str) -> ASGIApp:
    """The answer a fault asks for, with the upstream's usual body where it gives none."""
    refusal = errors.usual(upstream, fault.status or HTTPStatus.TOO_MANY_REQUESTS)
    response = (refusal if fault.body is None else errors.Refusal(refusal.status, fault.body)).response()
    response.headers.update(fault.headers)
    if fault.retry_after is not None:
        response.headers["retry-after"] = str(fault.retry_after)
    return response


async def truncated(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """The application's own answer with the second half of its body missing, and no sign of that."""
    start: Message = {}
    body = b""

    async def keep(message: Message) -> None:
        nonlocal start, body
        start = start or message
        body += message.get("body", b"")

    await app(scope, receive, keep)
    half = body[: len(body) // 2]
    MutableHeaders(scope=start)["content-length"] = str(len(half))
    await send(start)
    await send({"type": "http.response.body", "body": half})
