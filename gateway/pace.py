"""When, and by which of several processes, a document is looked at that they watch."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


class WatchTurns(Protocol):
    """Which of several processes looks at what they all watch, by its key."""

    def listen(self, changed: Callable[[str], None], vacant: Callable[[str], None], missed: Callable[[], None]) -> None:
        """Let a process know what others found changed, what they left, and that it may have missed either."""

    async def take(self, key: str, seconds: float) -> bool:
        """Take the turn, or keep it, for so long; False where another process has it."""

    def tell(self, key: str) -> None:
        """Say that it was found changed."""

    def leave(self, key: str) -> None:
        """Let another one take the turn at once."""


class Alone:
    """No other process watches: the turn is always one's own."""

    def listen(self, changed: Callable[[str], None], vacant: Callable[[str], None], missed: Callable[[], None]) -> None:
        """There is nobody to listen to."""

    async def take(self, key: str, seconds: float) -> bool:  # noqa: ARG002 - the signature of WatchTurns
        """Give the turn."""
        return True

    def tell(self, key: str) -> None:
        """There is nobody to tell."""

    def leave(self, key: str) -> None:
        """There is nobody to leave it to."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How long to wait between two looks, in seconds.

    `shortest` after a change, then `growth` times longer after every look that finds none, or fails, up to `longest`.
    A share of it, `jitter` at most, is left out at random, so that watches do not all look at once. A process whose
    turn it is to look may miss some intervals, `turn` of them, before another takes over.
    """

    shortest: float = 2.0
    longest: float = 30.0
    growth: float = 1.5
    jitter: float = 0.1
    turn: float = 3.0

    @property
    def first(self) -> float:
        """The interval after a change."""
        return min(self.shortest, self.longest)

    def longer(self, interval: float) -> float:
        """The interval after one that brought no change."""
        return min(interval * self.growth, self.longest)

    def jittered(self, interval: float) -> float:
        """What to wait of an interval."""
        return interval * (1 - self.jitter * random.random())  # noqa: S311 - spreads load
