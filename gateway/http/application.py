"""The ASGI application: where requests go first, and what its server wants to know of it."""

from collections.abc import Callable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Lifespan, Receive, Scope, Send

from gateway.http.direct import Direct
from gateway.http.load import Load
from gateway.http.websocket import SocketEndpoint
from gateway.settings import Settings

PATH = "/graphql"

# Says in a word or two why requests may not be sent here; None while they may.
Unready = Callable[[], str | None]


class App(Starlette):
    """A Starlette application that goes straight to its endpoints: routing would cost a fourth of a warm answer.

    A server may answer by `direct`, where there is that, what has come as a whole. To end the application, it tells it
    first to `leave`, then to `drain`; `heartbeat` and what follows it here are what the application wants of its
    server. `unready` says why requests may not be sent here, beside that it is leaving.
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
        load: Load,
        unready: Unready,
    ) -> None:
        lenient = Route(f"{PATH}/", slashed, methods=["GET", "POST"])
        super().__init__(routes=[Route(PATH, endpoint), lenient, *routes], lifespan=lifespan)
        self.router.redirect_slashes = False  # which names the scheme and the host by which it thinks it is asked
        self._endpoint = endpoint
        self.direct = direct
        self.sockets = sockets
        self.heartbeat = settings.gateway_heartbeat
        self.keep_alive = settings.gateway_keep_alive
        self.message_bytes = settings.gateway_websocket_message_bytes
        self.drain_grace = settings.gateway_drain_grace
        self.drain_timeout = settings.gateway_drain_timeout
        self.load = load
        self.unready = unready

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "http" and scope["path"] == PATH:
            await self._endpoint(scope, receive, send)
        elif scope["type"] == "websocket" and scope["path"] == PATH:
            await self.sockets(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)

    def leave(self) -> None:
        """Say that requests are to be sent elsewhere, and let connections end with their answers."""
        self.load.is_leaving = True
        if self.state.repeats is not None:
            self.state.repeats.end()

    def reload(self) -> None:
        """Read again who may be let in, and for whom."""
        self.state.gateway.tenants.reload()
        self.state.gate.reload()

    async def drain(self) -> None:
        """End what would not end by itself, so that clients go on elsewhere: streams, then WebSockets."""
        self.leave()
        await self.state.gateway.watchers.close()
        await self.sockets.finish()


async def slashed(request: Request) -> RedirectResponse:
    """Lead who writes a slash too many to the endpoint, by no scheme, host or path of which only proxies know."""
    query = request.url.query
    return RedirectResponse(f"..{PATH}?{query}" if query else f"..{PATH}")


async def healthz(_request: Request) -> JSONResponse:
    """Say that the process runs."""
    return JSONResponse({"status": "ok"})


async def readyz(request: Request) -> JSONResponse:
    """Say whether requests may be sent here: not once it is leaving, or while it could not answer them."""
    app: App = request.app
    why = "draining" if app.load.is_leaving else app.unready()
    return JSONResponse({"status": why or "ready"}, 503 if why else 200)
