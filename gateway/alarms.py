"""Timers by the thousand, of which hardly any ever rings: those that are due together share one of the event loop's.

One of its own costs a call as much as what is done for it: it is made, started, stopped, and closed in a later turn.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

TICK = 0.005  # seconds by which an alarm may be late


class Alarm:
    """Rings once, unless it is stopped."""

    __slots__ = ("_beside", "_ring")

    def __init__(self, ring: Callable[[], object], beside: "dict[Alarm, None]") -> None:
        self._ring = ring
        self._beside = beside
        beside[self] = None

    def stop(self) -> None:
        """Do not ring, and let go of what would have; nothing where it rang already."""
        self._beside.pop(self, None)
        self._ring = _nothing

    def ring(self) -> None:
        """Ring now."""
        ring, self._ring = self._ring, _nothing
        ring()


@dataclass(slots=True)
class Alarms:
    """Belong to one event loop, by whose clock they are set."""

    _due: dict[int, dict[Alarm, None]] = field(default_factory=dict)

    def at(self, moment: float, loop: asyncio.AbstractEventLoop, ring: Callable[[], object]) -> Alarm:
        """Ring at a moment, or up to `TICK` seconds later."""
        tick = int(moment / TICK) + 1
        due = self._due.get(tick)
        if due is None:
            due = self._due[tick] = {}
            loop.call_at(tick * TICK, self._ring, tick)
        return Alarm(ring, due)

    def _ring(self, tick: int) -> None:
        due = self._due.pop(tick)
        for alarm in tuple(due):
            if due.pop(alarm, self) is None:  # not stopped by one that rang before it
                alarm.ring()


def _nothing() -> None:
    """Let who set an alarm, and holds it, be no part of a circle that the garbage collector must find."""
