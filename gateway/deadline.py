"""Until when something may take: set where a request begins, and handed down to all that is done for it."""

import asyncio
import math
from collections.abc import Callable
from contextvars import ContextVar

import msgspec


class Deadline(msgspec.Struct, eq=False):
    """A moment by the event loop's clock. That of what is shared moves on with the most patient who waits for it."""

    at: float


NEVER = Deadline(math.inf)

_deadline: ContextVar[Deadline] = ContextVar("deadline", default=NEVER)

# What is done from here on has the deadline that is handed down, and so have the tasks that are started.
hand_down: Callable[[Deadline], object] = _deadline.set
handed_down: Callable[[], Deadline] = _deadline.get


def until(deadline: Deadline) -> asyncio.Timeout:
    """End what is waited for within this at a deadline, as it is now, with a TimeoutError."""
    return asyncio.timeout_at(deadline.at if math.isfinite(deadline.at) else None)
