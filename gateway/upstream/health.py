"""How an upstream does, in plain numbers: written by who makes its calls, read by who shows them."""

import math
from dataclasses import dataclass
from typing import Literal
from weakref import finalize

BreakerState = Literal["closed", "half-open", "open"]
STATES: tuple[BreakerState, ...] = ("closed", "half-open", "open")  # the worst last
UNASKED = 600.0  # seconds after which a breaker that nobody has found open since says nothing any more
GROWING = (
    "calls",
    "retries",
    "hedges",
    "failures",
    "given_up",
    "too_late",
    "unaffordable",
    "refused",
    "shed",
    "opened",
)
OF_NOW = ("in_flight", "waiting", "limit", "budget")


@dataclass(slots=True)
class Health:
    """One API behind one credential, since the process began; what is not said to be of now only grows.

    A call is what somebody wants to know or changed; it is made by one request as a rule, by several where it is tried
    again, and by none where it is refused.
    """

    calls: int = 0
    retries: int = 0  # requests made after one that failed, or was given up
    hedges: int = 0  # requests made beside one that was slow
    failures: int = 0  # requests that failed as they do when the upstream is at fault, or not there
    given_up: int = 0  # requests that were slow, and given up for another
    too_late: int = 0  # calls that came to nothing before their operations' deadlines
    unaffordable: int = 0  # retries and hedges that the budget did not allow
    refused: int = 0  # calls that were not made because the breaker was open
    shed: int = 0  # calls that were not made because too many were waiting
    opened: int = 0  # how often the breaker opened

    breaker: BreakerState = "closed"  # now
    open_since: float | None = None  # by the event loop's clock; None while it is closed
    found_open: float = 0.0  # by the same clock: when a request last failed so that it opened, or stayed open
    answered_at: float = -math.inf  # by the same clock: when a request last ended otherwise
    in_flight: int = 0  # requests under way now
    waiting: int = 0  # calls that wait for others to end, now
    limit: int = 0  # how many requests may be under way now
    budget: int = 0  # how many retries and hedges the budget allows, as it was last asked


class Healths:
    """How one API does under every credential that is used now; what was counted under others counts on."""

    def __init__(self) -> None:
        self._present: dict[int, Health] = {}
        self._past = Health()

    def follow(self, owner: object, health: Health) -> None:
        """Take a health into account for as long as its owner lives, and what it counted for ever."""
        self._present[id(health)] = health
        finalize(owner, self._bury, health).atexit = False

    def joined(self, now: float) -> Health:
        """Add up all; the breaker is that of the credential that is worst off, of those that were asked with lately."""
        present = list(self._present.values())
        joined = Health()
        for name in GROWING:
            setattr(joined, name, sum(getattr(health, name) for health in (self._past, *present)))
        for name in OF_NOW:
            setattr(joined, name, sum(getattr(health, name) for health in present))
        breakers = (health.breaker for health in present if now - health.found_open < UNASKED)
        joined.breaker = max(breakers, key=STATES.index, default="closed")
        return joined

    def is_gone(self, now: float, patience: float) -> bool:
        """Whether a breaker has been open for `patience` seconds, and a request found it so within the last as many.

        Where nothing is asked any more, nobody can know whether the API is back. One that has answered others within
        that time, whose breakers are closed, is not gone.
        """
        present = self._present.values()
        if any(health.breaker == "closed" and now - health.answered_at < patience for health in present):
            return False
        return any(
            health.open_since is not None and now - health.open_since >= patience and now - health.found_open < patience
            for health in present
        )

    def _bury(self, health: Health) -> None:
        del self._present[id(health)]
        for name in GROWING:
            setattr(self._past, name, getattr(self._past, name) + getattr(health, name))
