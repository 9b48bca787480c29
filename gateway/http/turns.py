"""When a request may begin: a few in each turn of the event loop, in the order they came, while there is time to spare.

Were a burst begun all at once, each step would be taken by everybody together, and nobody answered before the last
step of the last. A few at a time, the first are on their way to the upstreams while others begin. What is done for many
in a row costs less, though, so a process that has no time to spare lets all begin at once.
"""

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

FEW = 2
LOOK_EVERY = 0.05  # seconds
BUSY, IDLE = 0.75, 0.5  # shares of a core from which a process is busy, and below which it is no more

Begin = Callable[[], None]


@dataclass(slots=True)
class Turns:
    """Belongs to one event loop. `clock` gives seconds, and `spent` those of CPU that the loop's thread has taken."""

    clock: Callable[[], float] = time.monotonic
    spent: Callable[[], float] = time.thread_time
    is_busy: bool = False
    _waiting: deque[Begin] = field(default_factory=deque)
    _begun: int = 0  # in this turn of the loop
    _looked_at: float = -math.inf
    _spent_then: float = 0.0

    def wait(self, begin: Begin, loop: asyncio.AbstractEventLoop) -> None:
        """Begin now, or after those who came before."""
        now = self.clock()
        if now - self._looked_at >= LOOK_EVERY:
            self._look(now)
        if self._waiting or self._begun >= FEW:
            self._waiting.append(begin)
            return
        if not self.is_busy:
            if not self._begun:
                loop.call_soon(self._next_turn, loop)
            self._begun += 1
        begin()

    def _next_turn(self, loop: asyncio.AbstractEventLoop) -> None:
        waiting = self._waiting
        self._begun = len(waiting) if self.is_busy else min(FEW, len(waiting))
        if self._begun:
            loop.call_soon(self._next_turn, loop)
        for _ in range(self._begun):
            waiting.popleft()()

    def _look(self, now: float) -> None:
        spent = self.spent()
        share = (spent - self._spent_then) / (now - self._looked_at)
        self.is_busy = share > (IDLE if self.is_busy else BUSY)
        self._looked_at, self._spent_then = now, spent
