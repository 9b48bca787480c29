"""What is counted while requests are answered: plain numbers, which cost next to nothing until somebody reads them."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from http import HTTPStatus
from time import perf_counter
from typing import Protocol

BOUNDS = (0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)  # seconds
LONGEST_NAME = 128  # characters; longer ones would make as much of what is told of them as a client likes
MOST_MET = 1_000  # paths, whose routes need not be read again
CLIENT_LEFT = 499  # as nginx says it
GIVEN_UP = "given up"  # a call, by who waited for it
ANONYMOUS, INVALID, OTHER = "<anonymous>", "<invalid>", "<other>"  # none of which can be a name in GraphQL


class Outcome(IntEnum):
    """How an operation ended: with data, with data and errors, without data, or before it was executed."""

    OK = 0
    PARTIAL = 1
    FAILED = 2
    REFUSED = 3


class Histogram:
    """How often something took how long: a count for each of `BOUNDS` and one for what took longer, and the seconds."""

    __slots__ = ("counts", "seconds")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)
        self.seconds = 0.0


class OperationTally(Histogram):
    """The operations of one name and kind: how they ended, and how long an answer took."""

    __slots__ = ("kind", "name", "outcomes")

    def __init__(self, name: str, kind: str) -> None:
        super().__init__()
        self.name = name
        self.kind = kind
        self.outcomes = [0] * len(Outcome)

    def give(self) -> None:
        """Count one that was given at once, being kept: it takes no time that a bucket could tell from none."""
        self.outcomes[0] += 1
        self.counts[0] += 1

    def end(self, outcome: Outcome, seconds: float) -> None:
        """Count one; all here, for it is part of every answer, however short."""
        self.outcomes[outcome] += 1
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.seconds += seconds


class Counted(Protocol):
    """An operation that is counted, and knows where once it was."""

    tally: OperationTally | None

    @property
    def name(self) -> str | None:
        """Its name, where it has one."""

    @property
    def kind(self) -> Enum:
        """Query, mutation or subscription."""


# Is told of an answer: its operation's tally, how it ended, and the seconds that it took.
Observe = Callable[[OperationTally, Outcome, float], None]


@dataclass(slots=True)
class OperationTallies:
    """A tally for each name of an operation: the first `most` that are asked are told apart, the others are one.

    So are those that are longer than `LONGEST_NAME`.

    `observe`, where there is one, is told of each answer but those kept.
    """

    most: int = 100
    observe: Observe | None = None
    invalid: OperationTally = field(default_factory=lambda: OperationTally(INVALID, ""))
    _named: dict[tuple[str, str], OperationTally] = field(default_factory=dict)

    def note(self, operation: Counted | None, outcome: Outcome, began: float) -> None:
        """Count what began at a moment of `perf_counter`; None is an operation of a document that is refused."""
        seconds = perf_counter() - began
        tally = self.invalid if operation is None else operation.tally or self.find(operation)
        tally.end(outcome, seconds)
        if self.observe is not None:
            self.observe(tally, outcome, seconds)

    def find(self, operation: Counted) -> OperationTally:
        """Find where an operation is counted, and let it know."""
        tally = operation.tally = self.of(operation.name, operation.kind.value)
        return tally

    def of(self, name: str | None, kind: str) -> OperationTally:
        """Give the tally of a valid operation."""
        key = (name or ANONYMOUS, kind)
        if key not in self._named and name is not None and not self._may_name(name):
            key = (OTHER, kind)
        if key not in self._named:
            self._named[key] = OperationTally(*key)
        return self._named[key]

    def _may_name(self, name: str) -> bool:
        return len(self._named) < self.most and len(name) <= LONGEST_NAME

    def all(self) -> list[OperationTally]:
        """Give every tally."""
        return [self.invalid, *self._named.values()]


@dataclass(slots=True)
class HttpTally:
    """GraphQL over HTTP: the requests under way, and those that ended, by status."""

    under_way: int = 0
    statuses: defaultdict[int, int] = field(default_factory=lambda: defaultdict(int))


class RouteTally(Histogram):
    """The calls of one route of an upstream: those under way, how the others ended, and how long they took."""

    __slots__ = ("method", "outcomes", "route", "under_way")

    def __init__(self, method: str, route: str) -> None:
        super().__init__()
        self.method = method
        self.route = route
        self.outcomes: defaultdict[str, int] = defaultdict(int)
        self.under_way = 0

    def end(self, outcome: str, seconds: float) -> None:
        """Count one that was under way; all here, for it is part of every call."""
        self.under_way -= 1
        self.outcomes[outcome] += 1
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.seconds += seconds


class CallTally:
    """The calls to one upstream, by its routes such as `/scans/{scanId}`; what is none of them is one route more."""

    __slots__ = ("_known", "_met", "_shapes", "_words")

    def __init__(self, routes: tuple[str, ...] = ()) -> None:
        self._shapes = {_shape(route): route for route in routes}
        self._words = {word for shape in self._shapes for word in shape.split("/")} - {"{}"}
        self._known: dict[tuple[str, str], RouteTally] = {}
        self._met: dict[tuple[str, str], RouteTally] = {}

    @property
    def under_way(self) -> int:
        """How many calls have not ended yet."""
        return sum(route.under_way for route in self._known.values())

    def of(self, method: str, target: str) -> RouteTally:
        """Give the tally of what a request is sent to, whatever its query, which may be long."""
        path = target.partition("?")[0]
        tally = self._met.get((method, path))
        if tally is None:
            if len(self._met) >= MOST_MET:
                self._met.clear()
            tally = self._met[method, path] = self._find(method, path)
        return tally

    def _find(self, method: str, path: str) -> RouteTally:
        words = self._words
        shape = "/".join([word if word in words else "{}" for word in path.split("/")])
        tally = self._known.get((method, shape))
        if tally is not None:
            return tally
        route = self._shapes.get(shape, OTHER)
        if route == OTHER:
            shape = OTHER
        return self._known.setdefault((method, shape), RouteTally(method, route))

    def all(self) -> list[RouteTally]:
        """Give every tally."""
        return list(self._known.values())


def _shape(route: str) -> str:
    return "/".join("{}" if word.startswith("{") else word for word in route.split("/"))


class _StatusWords(dict[int, str]):
    """Statuses in words; one that HTTP does not know by its class, so that no upstream can make up any number."""

    def __missing__(self, status: int) -> str:
        return f"{status // 100}xx" if 100 <= status < 600 else "odd"  # noqa: PLR2004 - HTTP's classes


STATUS_WORDS = _StatusWords({status.value: str(status.value) for status in HTTPStatus})


@dataclass(slots=True)
class CacheTally:
    """What was looked up in one tier, by kind: found fresh, found stale, or not found."""

    hits: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    stale: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    misses: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
