"""Timers by the thousand, of which hardly any ever rings: those that are due together share one of the event loop's.

One of its own costs a call as much as what is done for it: it is made, started, stopped, and closed in a later turn.
"""

import asyncio
from contextvars import Context
from dataclasses import dataclass, field
from typing import Protocol

TICK = 0.02  # seconds by which an alarm may be late


class Rings(Protocol):
    """Whoever an alarm is set for; they are told apart by identity."""

    def ring(self) -> None:
        """Do what the time has come for."""


Due = dict[Rings, None]  # those whose alarms are set for the same moment; whoever leaves it is not rung for


@dataclass(slots=True)
class Alarms:
    """Belong to one event loop, by whose clock they are set.

    They ring in no request's context: one would be kept for as long as the timer, and be the wrong one for most. After
    a loop stood still they let it read what came meanwhile, which is late by its own doing.
    """

    _due: dict[int, Due] = field(default_factory=dict)
    _context: Context = field(default_factory=Context)

    def set(self, moment: float, loop: asyncio.AbstractEventLoop, one: Rings) -> Due:
        """Ring at a moment, or a little later, unless `one` has left by then what this gives."""
        tick = int(moment / TICK) + 1
        due = self._due.get(tick)
        if due is None:
            due = self._due[tick] = {}
            loop.call_at(tick * TICK, self._come, tick, loop, context=self._context)
        due[one] = None
        return due

    def _come(self, tick: int, loop: asyncio.AbstractEventLoop) -> None:
        if loop.time() - tick * TICK > TICK:
            loop.call_later(TICK, self._ring, tick)
        else:
            self._ring(tick)

    def _ring(self, tick: int) -> None:
        due = self._due.pop(tick)
        for one in tuple(due):
            if due.pop(one, self) is not None:
                continue  # it has left because of one that rang before
            try:
                one.ring()
            except Exception as bug:  # noqa: BLE001 - it is told as a timer's is, and keeps no other from ringing
                asyncio.get_running_loop().call_exception_handler({"message": f"{one!r} failed", "exception": bug})
