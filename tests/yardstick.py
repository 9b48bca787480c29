"""CPU by a measure that every machine has of its own: what graphql-core takes for an ordinary query, at that moment.

A limit in seconds would tell how fast a machine is, and what else it does. One in yards tells of the gateway.
"""

import time

from graphql import parse, validate

from gateway.demo import QUERY
from gateway.schema import schema

GRAPHQL = schema._schema  # noqa: SLF001 - graphql-core's own
YARD_MS = 3.0  # on the machine that the limits in milliseconds were written for: two cores of an EPYC, Python 3.11
ROUNDS = 3


def yard() -> float:
    """The seconds of this thread's CPU that parsing and validating the demo's query takes now."""
    began = time.thread_time()
    for _ in range(ROUNDS):
        assert validate(GRAPHQL, parse(QUERY)) == []
    return (time.thread_time() - began) / ROUNDS


def yards(milliseconds: float) -> float:
    """How many yards so much CPU is on the machine that limits were written for."""
    return milliseconds / YARD_MS


class Measured:
    """What something took each time that it was tried, in seconds of CPU, and yards taken before, between and after.

    The quietest of each count: what else a machine does can only add to them.
    """

    def __init__(self) -> None:
        self.tries: list[float] = []
        self.yard = yard()

    def note(self, seconds: float) -> None:
        self.tries.append(seconds)
        self.yard = min(self.yard, yard())

    @property
    def yards(self) -> float:
        """How many yards it took."""
        return min(self.tries) / self.yard

    def __str__(self) -> str:
        return f"{min(self.tries) * 1_000:7.1f} ms of CPU, {self.yards:5.1f} yards of {self.yard * 1_000:.1f} ms"
