"""How much a process has to do, and when that is too much: then requests are refused before they cost anything.

What has to be executed waits for its first turn while the loop is busy with others. That happens in any burst; where it
goes on, more comes than can be answered, and each answer would only come later. So for as long as it does, no more are
let in than get their turn in time.
"""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.errors import Overloaded
from gateway.http.refusal import Refusal
from gateway.http.reply import Reply, refused, send_reply
from gateway.http.request import joined
from gateway.http.request_id import request_id

LATE = 0.03  # seconds that a request waits for its first turn, and nobody minds
LEAST = 1  # so many may always wait, late or not; each more makes all that come next wait for it too
OVER_AFTER = 0.5  # seconds without one that is late or refused
GROWTH = 0.25  # places for each request that gets its turn in time


@dataclass(slots=True)
class Load:
    """What one process does now: requests `under_way` and `waiting` for a first turn, at most `most`.

    Where some have been late for `patience` seconds on end, there is only `room` for so many to wait. `refused` counts
    those for whom there was none, `turned_away` who of them was told so over HTTP.

    When it `is_leaving`, connections end with their answers.
    """

    most: int = 500
    patience: float = 0.3
    clock: Callable[[], float] = time.monotonic
    under_way: int = 0
    waiting: int = 0
    room: float = math.inf
    refused: int = 0
    turned_away: int = 0
    is_leaving: bool = False
    _late_since: float = -math.inf
    _late_at: float = -math.inf

    def has_room(self) -> bool:
        """Whether one more may begin, or wait for that; who may not is counted."""
        if self.under_way + self.waiting < self.most:
            if self.waiting < self.room:
                return True
            now = self.clock()
            if now - self._late_at >= OVER_AFTER:
                self.room = math.inf
                return True
            self._late_at = now
        self.refused += 1
        return False

    def arrive(self) -> float:
        """Let one wait for its turn, and give the moment, which `enter` wants to know."""
        self.waiting += 1
        return self.clock()

    def enter(self, arrived: float) -> bool:
        """Begin with one that has its turn, unless it was late too often; it ends with one less `under_way`."""
        self.waiting -= 1
        now = self.clock()
        if now - arrived > LATE and self.waiting >= LEAST:
            if self._is_late_on_end(now):
                self.room = max(LEAST, min(self.room, self.waiting + 1) - 1)
                self.refused += 1
                return False
        elif self.room < math.inf:
            self.room = self.room + GROWTH if now - self._late_at < OVER_AFTER else math.inf
        self.under_way += 1
        return True

    def turn_away(self, request_id: str) -> Reply:
        """Answer a request for which there is no room."""
        self.turned_away += 1
        error = Overloaded()
        return refused(Refusal.of(error, 503, {b"retry-after": b"%d" % error.retry_after}), None, request_id)

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count what is under way and has not waited."""
        self.under_way += 1
        try:
            yield
        finally:
            self.under_way -= 1

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Do not count what only waits for news, as a stream does, however long it takes."""
        self.under_way -= 1
        try:
            yield
        finally:
            self.under_way += 1

    def _is_late_on_end(self, now: float) -> bool:
        if now - self._late_at > OVER_AFTER:
            self._late_since = now
        self._late_at = now
        return now - self._late_since >= self.patience


@dataclass(frozen=True, slots=True)
class Bounded:
    """An endpoint over HTTP that is asked as long as there is room."""

    app: ASGIApp
    load: Load

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or turn it away."""
        if self.load.has_room():
            with self.load.counted():
                await self.app(scope, receive, send)
        else:
            id_ = request_id(joined(scope["headers"]).get(b"x-request-id"))
            await send_reply(send, self.load.turn_away(id_), id_)
