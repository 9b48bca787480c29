"""Requests whose client has left: what is done for them ends, unless others wait for it too."""

import asyncio
from typing import Any

from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from gateway.http.heads import GuardedProtocol

HAS_LEFT = "gateway.has_left"  # stands in the state of a request whose client has


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
        if task is not None and not self._answering.response_started:
            self._answering.scope["state"][HAS_LEFT] = True
            task.cancel()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        """Start a request as uvicorn does, and remember its task."""
        self._answering = cycle
        self._running = task = self.loop.create_task(cycle.run_asgi(app))
        task.add_done_callback(self.tasks.discard)
        self.tasks.add(task)
