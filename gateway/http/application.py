"""The ASGI application: where requests go first, and what its server wants to know of it."""

from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Lifespan, Receive, Scope, Send

from gateway.http.direct import Direct
from gateway.http.websocket import SocketEndpoint
from gateway.settings import Settings

PATH = "/graphql"


class App(Starlette):
    """A Starlette application that goes straight to its endpoints: routing would cost a fourth of a warm answer.

    A server may answer by `direct`, where there is that, what has come as a whole. Streams end when told to `drain`;
    `heartbeat` and `message_bytes` are what it wants of its server.
    """

    def __init__(
        self,
        endpoint: ASGIApp,
        sockets: SocketEndpoint,
        routes: list[BaseRoute],
        lifespan: Lifespan["App"],
        settings: Settings,
        *,
        direct: Direct | None,
    ) -> None:
        super().__init__(routes=[Route(PATH, endpoint), *routes], lifespan=lifespan)
        self._endpoint = endpoint
        self.direct = direct
        self._sockets = sockets
        self.heartbeat = settings.gateway_heartbeat
        self.message_bytes = settings.gateway_websocket_message_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "http" and scope["path"] == PATH:
            await self._endpoint(scope, receive, send)
        elif scope["type"] == "websocket" and scope["path"] == PATH:
            await self._sockets(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)

    def reload(self) -> None:
        """Read again who may be let in, and for whom."""
        self.state.gateway.tenants.reload()
        self.state.gate.reload()

    async def drain(self) -> None:
        """End what would not end by itself, so that clients go on elsewhere: streams, then WebSockets."""
        self.state.ready = False
        await self.state.gateway.watchers.close()
        await self._sockets.finish()


async def healthz(_request: Request) -> JSONResponse:
    """Say that the process runs."""
    return JSONResponse({"status": "ok"})


async def readyz(request: Request) -> JSONResponse:
    """Say whether requests may be sent here: not once it shuts down."""
    ready: Any = request.app.state.ready
    return JSONResponse({"status": "ready" if ready else "draining"}, 200 if ready else 503)
