"""How an upstream does, in plain numbers: written by who makes its calls, read by who shows them."""

from dataclasses import dataclass
from typing import Literal

BreakerState = Literal["closed", "half-open", "open"]


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
    in_flight: int = 0  # requests under way now
    waiting: int = 0  # calls that wait for others to end, now
    limit: int = 0  # how many requests may be under way now
    budget: int = 0  # how many retries and hedges the budget allows, as it was last asked
