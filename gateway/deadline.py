"""Until when something may take: set where a request begins, and handed down to all that is done for it."""

import math
from contextvars import ContextVar


class Deadline:
    """A moment by the event loop's clock. That of what is shared moves on with the most patient who waits for it."""

    __slots__ = ("at",)

    def __init__(self, at: float) -> None:
        self.at = at


NEVER = Deadline(math.inf)

_deadline: ContextVar[Deadline] = ContextVar("deadline", default=NEVER)


def hand_down(deadline: Deadline) -> None:
    """From here on, let this be the deadline of what is done here, and of the tasks that are started."""
    _deadline.set(deadline)


def handed_down() -> Deadline:
    """Give the deadline of what is done here."""
    return _deadline.get()
