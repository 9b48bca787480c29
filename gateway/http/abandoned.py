"""Requests whose client has left: what is done for them ends, unless others wait for it too."""

import asyncio
from functools import partial
from typing import Any

from uvicorn._types import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, ASGISendEvent, Scope
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from gateway.http.heads import GuardedProtocol


class AbandonedProtocol(GuardedProtocol):
    """Cancels a request that has no answer yet when its connection is lost.

    A stream that has begun ends itself; a change that was sent is seen through first.
    """

    _running: asyncio.Task[Any] | None = None
    _answering: RequestResponseCycle

    def connection_lost(self, exc: Exception | None) -> None:
        """End what nobody waits for any more."""
        super().connection_lost(exc)
        task, self._running = self._running, None
        if task is None:
            return
        if not self._answering.response_complete:  # uvicorn tells the last that was asked, which waits for its turn
            self._answering.disconnected = True
            self._answering.message_event.set()
        if not self._answering.response_started:
            task.cancel()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        """Start a request as uvicorn does, and remember its task."""
        self._answering = cycle
        self._running = task = self.loop.create_task(cycle.run_asgi(partial(_until_left, cycle, app)))
        task.add_done_callback(self.tasks.discard)
        self.tasks.add(task)


async def _until_left(
    cycle: RequestResponseCycle,
    app: ASGI3Application,
    scope: Scope,
    receive: ASGIReceiveCallable,
    send: ASGISendCallable,
) -> None:
    """Answer a request; that its client has left is no failure, of which uvicorn would write a traceback."""
    try:
        is_old = cycle.scope["http_version"] == "1.0"
        await app(scope, receive, partial(_send_unchunked, cycle, send) if is_old else send)
    except asyncio.CancelledError:
        if not cycle.disconnected:
            raise


async def _send_unchunked(cycle: RequestResponseCycle, send: ASGISendCallable, message: ASGISendEvent) -> None:
    """Send as HTTP/1.0 has it, which knows no chunks: what does not say its length ends with the connection."""
    if message["type"] == "http.response.start":
        if b"content-length" not in dict(message.get("headers", ())):
            cycle.chunked_encoding = False
    elif message["type"] == "http.response.body":
        cycle.expected_content_length = len(message.get("body", b""))
    await send(message)
