"""When a request may begin: a few in each turn of the event loop, in the order they came.

Were a burst begun all at once, each step would be taken by everybody together, and nobody answered before the last
step of the last. A few at a time, the first are on their way to the upstreams while others begin; and what a request of
many calls holds is still in the processor's caches when its next step comes.

Of many that take little it is the code that is no more in these caches: where they leave a process no time to spare all
begin at once, since what is done for many in a row costs less.
"""

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

FEW = 2  # requests
LONGEST = 0.05  # seconds that anybody waits for those who came before; then all begin
LITTLE = 0.0008  # seconds of CPU a request
LOOK_EVERY = 0.05  # seconds
BUSY, IDLE = 0.75, 0.5  # shares of a core from which a process is busy, and below which it is no more

Begin = Callable[[], None]


@dataclass(slots=True)
class Turns:
    """Belongs to one event loop. `clock` gives seconds, and `spent` those of CPU that the loop's thread has taken."""

    clock: Callable[[], float] = time.monotonic
    spent: Callable[[], float] = time.thread_time
    most: float = FEW  # in a turn
    _waiting: deque[tuple[float, Begin]] = field(default_factory=deque)  # and since when
    _room: float = 0  # for so many more in this turn; nobody waits where there is any
    _is_counting: bool = False
    _is_busy: bool = False
    _came: int = 0
    _looked_at: float = -math.inf
    _spent_then: float = 0.0

    def wait(self, begin: Begin, loop: asyncio.AbstractEventLoop) -> None:
        """Begin now, or after those who came before."""
        now = self.clock()
        if now - self._looked_at >= LOOK_EVERY:
            self._look(now)
        self._came += 1
        if self.most == math.inf and not self._waiting:
            begin()
            return
        if not self._is_counting:
            self._is_counting, self._room = True, self.most
            loop.call_soon(self._next, loop)
        if self._room:
            self._room -= 1
            begin()
        else:
            self._waiting.append((now, begin))

    def _next(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin another turn, unless nobody waits for one."""
        waiting = self._waiting
        if not waiting:
            self._is_counting = False
            return
        most = math.inf if self.clock() - waiting[0][0] > LONGEST else self.most
        count = int(min(most, len(waiting)))
        self._room = max(0, self.most - count)
        loop.call_soon(self._next, loop)
        for _ in range(count):
            waiting.popleft()[1]()

    def _look(self, now: float) -> None:
        """See whether there is time to spare, and what a request takes."""
        spent = self.spent()
        took = spent - self._spent_then
        self._is_busy = took / (now - self._looked_at) > (IDLE if self._is_busy else BUSY)
        self.most = math.inf if self._is_busy and took < LITTLE * self._came else FEW
        self._looked_at, self._spent_then, self._came = now, spent, 0
