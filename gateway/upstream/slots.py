"""How many requests an upstream is sent at once: as many as it answers without taking longer for it."""

import asyncio
import math
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field

from gateway.upstream.health import Health
from gateway.upstream.latency import Latency

FEWEST = 4
WINDOW, ENOUGH = 0.1, 10  # seconds and answers after which the limit is looked at
TOLERANCE = 2.0  # how many times longer than usual answers may take
UNNOTICED = 0.05  # seconds of latency in which nobody looks for congestion
BACK = 0.05  # the share by which what is usual follows what is
MOST_WAITING = 1_000


@dataclass(slots=True)
class Slots:
    """Lends at most `most` slots, and fewer while answers take more than twice as long as usual.

    That is the gradient of Netflix's concurrency-limits. Who finds no slot waits in turn, or is turned away at once
    where the wait would be in vain: `expects` says how long it is.
    """

    most: int
    health: Health
    latency: Latency
    _limit: float = 0.0
    _usual: float = 0.0
    _total: float = 0.0
    _count: int = 0
    _look_at: float = 0.0
    _was_full: bool = False
    _waiting: deque[asyncio.Future[None]] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self._limit = self.health.limit = max(min(FEWEST, self.most), self.most // 2)

    def take(self) -> bool:
        """Take a slot where one is free."""
        health = self.health
        if health.in_flight < health.limit:
            health.in_flight += 1
            return True
        self._was_full = True
        return False

    def expects(self) -> float:
        """Give the seconds that who joins the queue is likely to wait; infinite where it is full."""
        ahead = len(self._waiting)
        return math.inf if ahead >= MOST_WAITING else (ahead + 1) * self.latency.usual / self.health.limit

    async def turn(self) -> None:
        """Wait for a slot; who is cancelled meanwhile has none."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        self.health.waiting += 1
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                with suppress(ValueError):  # it was passed over meanwhile
                    self._waiting.remove(turn)
            else:
                self.health.in_flight -= 1  # it came at the moment of leaving
                self._pass_on()
            raise
        finally:
            self.health.waiting -= 1

    def leave(self, now: float, seconds: float) -> None:
        """Give a slot back after so many seconds."""
        self.health.in_flight -= 1
        self._total += seconds
        self._count += 1
        if now >= self._look_at and self._count >= ENOUGH:
            self._adapt(now, self._total / self._count)
        if self._waiting:
            self._pass_on()

    def halve(self) -> None:
        """Send fewer: the upstream says that these are too many."""
        self._set(self._limit / 2)

    def _adapt(self, now: float, seconds: float) -> None:
        """Shrink by as much as answers take too long; grow by the root of the limit where it was reached."""
        self._usual += (
            (seconds - self._usual) * BACK if self._usual and seconds > self._usual else seconds - self._usual
        )
        gradient = TOLERANCE * max(self._usual, UNNOTICED) / max(seconds, UNNOTICED)
        if gradient < 1:
            self._set(self._limit * max(0.5, gradient))
        elif self._was_full:
            self._set(self._limit + math.sqrt(self._limit))
        self._look_at, self._total, self._count, self._was_full = now + WINDOW, 0.0, 0, False

    def _set(self, limit: float) -> None:
        self._limit = min(max(limit, FEWEST), self.most)
        self.health.limit = int(self._limit)

    def _pass_on(self) -> None:
        while self._waiting and self.health.in_flight < self.health.limit:
            turn = self._waiting.popleft()
            if not turn.done():
                self.health.in_flight += 1
                turn.set_result(None)
