"""An HTTP request and a WebSocket driven message by message, without a socket, beside a clock that tests move."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from starlette.types import ASGIApp, Message, Scope

from tests.world import settle


class Gone(OSError):
    """What a server raises when it is asked to send to a client that has left."""


@dataclass
class _Driven:
    """An application with a client that says what a test says; `reads` is cleared while it takes nothing."""

    app: ASGIApp
    scope: Scope
    inbox: asyncio.Queue[Message] = field(default_factory=asyncio.Queue)
    sent: list[Message] = field(default_factory=list)
    reads: asyncio.Event = field(default_factory=asyncio.Event)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    has_left: bool = False

    def __post_init__(self) -> None:
        self.reads.set()
        self.task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        await self.app(self.scope, self.inbox.get, self._send)

    async def _send(self, message: Message) -> None:
        await self.reads.wait()
        if self.has_left:
            raise Gone
        self.sent.append(message)
        self.news.set()

    async def until_sent(self, count: int) -> None:
        """Wait until so many messages were sent."""
        while len(self.sent) < count:
            self.news.clear()
            await self.news.wait()


@dataclass
class Exchange(_Driven):
    """One HTTP request."""

    @property
    def status(self) -> int:
        status: int = self.sent[0]["status"]
        return status

    @property
    def headers(self) -> dict[str, str]:
        return {name.decode(): value.decode() for name, value in self.sent[0]["headers"]}

    @property
    def body(self) -> str:
        return b"".join(message["body"] for message in self.sent[1:]).decode()

    @property
    def is_complete(self) -> bool:
        return len(self.sent) > 1 and not self.sent[-1].get("more_body")

    async def leave(self) -> None:
        self.has_left = True
        self.inbox.put_nowait({"type": "http.disconnect"})
        await settle()


def ask(
    app: ASGIApp, query: str, accept: str, *, method: str = "POST", credential: str | None = None, **variables: Any
) -> Exchange:
    """Begin to ask something over HTTP, with the request id `test`, bearing a credential where one is given."""
    body = json.dumps({"query": query, "variables": variables}).encode()
    pairs = {"query": query, "variables": json.dumps(variables)}
    headers = {"accept": accept, "content-type": "application/json", "x-request-id": "test"}
    if credential is not None:
        headers["authorization"] = f"Bearer {credential}"
    scope = {
        "type": "http",
        "method": method,
        "path": "/graphql",
        "query_string": b"" if method == "POST" else urlencode(pairs).encode(),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    exchange = Exchange(app, scope)
    exchange.inbox.put_nowait({"type": "http.request", "body": body if method == "POST" else b""})
    return exchange


@dataclass
class Socket(_Driven):
    """One WebSocket."""

    async def say(self, message: Any) -> None:
        """Send JSON, or what is text or bytes as it is."""
        kind = "bytes" if isinstance(message, bytes) else "text"
        content = message if isinstance(message, (str, bytes)) else json.dumps(message)
        self.inbox.put_nowait({"type": "websocket.receive", kind: content})
        await settle()

    async def leave(self, code: int = 1001) -> None:
        self.has_left = True
        self.inbox.put_nowait({"type": "websocket.disconnect", "code": code})
        await settle()

    def heard(self) -> list[Any]:
        """What has come since the last look: messages read as JSON, without requests' ids, and a closing as a pair."""
        sent, self.sent[:] = list(self.sent), []
        return [_read(message) for message in sent if message["type"] != "websocket.accept"]


def _read(message: Message) -> Any:
    if message["type"] == "websocket.close":
        return message["code"], message["reason"]
    read = json.loads(message["text"])
    if read["type"] == "error":
        for error in read["payload"]:
            assert error["extensions"].pop("requestId")
    return read


async def connect(
    app: ASGIApp, *subprotocols: str, admitted: bool = True, headers: dict[str, str] | None = None
) -> Socket:
    """Open a WebSocket, as `graphql-transport-ws` where nothing else is said, and let it be admitted."""
    scope = {
        "type": "websocket",
        "path": "/graphql",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in (headers or {}).items()],
        "subprotocols": list(subprotocols) or ["graphql-transport-ws"],
    }
    one = Socket(app, scope)
    one.inbox.put_nowait({"type": "websocket.connect"})
    await settle()
    if admitted:
        await one.say({"type": "connection_init"})
        assert one.heard() == [{"type": "connection_ack"}]
    return one
