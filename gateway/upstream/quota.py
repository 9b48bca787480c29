"""How many calls an upstream still takes of a credential: what it is thought to allow, until its answers say."""

import math
import re
from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from gateway.errors import UpstreamRateLimited
from gateway.rates.meter import MINUTE, Meter
from gateway.upstream.channel import Answer
from gateway.upstream.refusals import read_retry_after

FOR_PEOPLE = 0.25  # the share of a budget that polls leave alone
LONGEST_PATIENCE = 60.0  # seconds that an upstream is left alone on its word; then one call finds out if it holds
AHEAD = LONGEST_PATIENCE + 1  # what that can be by the clock, unless this was put back
SAME_WINDOW = 2.0  # seconds by which two answers may differ on when a budget is filled up again
MOMENTS = 1e9  # above are Unix seconds, below seconds from now; above a hundred times as much, milliseconds

_FAMILIES = tuple(
    (f"{family}-remaining", f"{family}-limit", f"{family}-reset")
    for family in ("ratelimit", "x-ratelimit", "x-rate-limit")
)
_SAYING = frozenset({"ratelimit", *(remaining for remaining, _, _ in _FAMILIES)})
_MEMBER = re.compile(r'(?=[^\s,])("(?:\\.|[^"\\])*+"?)?([^,]*)')  # a quoted name, and all else
_PARAMETER = re.compile(r"\b(q|r|t|remaining|reset|limit)=(\d{1,12})")
_WHOLE = re.compile(r"\s*(\d{1,15})")
_NAMES = {"r": "remaining", "t": "reset"}
TOO_MANY_REQUESTS = 429


class QuotaState(NamedTuple):
    """What an answer says of the budget: calls that remain, of how many (`limit`), and until when, in Unix seconds."""

    remaining: int
    limit: int | None
    resets_at: float | None


@dataclass(slots=True)
class Quota:
    """The budget of one credential at one upstream; `assumed` calls a minute, 0 any number, until the upstream says.

    What people ask for is refused on the upstream's own word alone: that nothing remains, or a 429 with `Retry-After`.
    A poll gives way earlier, to what is only assumed too, once less than a quarter is left.
    """

    upstream: str
    title: str
    assumed: int
    clock: Callable[[], float]
    _made: Meter = field(init=False)
    _has_heard: bool = False  # of a budget
    _told: QuotaState | None = None
    _closed_until: float = 0.0

    def __post_init__(self) -> None:
        self._made = Meter(self.assumed or math.inf)

    def admit(self) -> None:
        """Count a call that is about to be made. Raises UpstreamRateLimited where the upstream would refuse it."""
        if not (self._has_heard or self.assumed):
            return
        now = self.clock()
        told = self._allowed(now)
        if told is not None:
            if told.remaining < 1:
                raise self._spent((told.resets_at or now) - now)
            self._told = told._replace(remaining=told.remaining - 1)
        if self.assumed:
            self._made.count(now)

    def give_way(self) -> None:
        """Let a poll pass where enough is left for people too. Raises UpstreamRateLimited where it is not."""
        now = self.clock()
        told = self._allowed(now)
        if told is not None:
            if told.remaining < FOR_PEOPLE * (told.limit or 0):
                raise self._spent((told.resets_at or now) - now)
        elif self.assumed and self._made.left(now) < FOR_PEOPLE * self.assumed:
            raise self._spent(self._made.wait(now, math.ceil(FOR_PEOPLE * self.assumed)))

    def learn(self, answer: Answer) -> None:
        """Take note of what an answer says of the budget."""
        if answer.status != TOO_MANY_REQUESTS and _SAYING.isdisjoint(answer.headers):
            return
        now, self._has_heard = self.clock(), True
        if answer.status == TOO_MANY_REQUESTS:
            self._refused(read_retry_after(answer.headers, now), now)
        said = read_budget(answer.headers, now)
        if said is not None:
            self._told = self._merged(said, now)

    @property
    def left(self) -> float:
        """How many calls are thought to be left, now; infinite where nothing is known."""
        now = self.clock()
        if self._is_closed(now):
            return 0
        told = self._current(now)
        return self._made.left(now) if told is None else told.remaining

    def _refused(self, retry_after: float | None, now: float) -> None:
        """Close on the upstream's word; where it does not say until when it may mean one call alone: polls give way."""
        if retry_after is not None:
            self._closed_until = now + min(retry_after, LONGEST_PATIENCE)
        elif self.assumed:
            self._made.count(now, math.floor(self._made.left(now)))

    def _is_closed(self, now: float) -> bool:
        return 0 < self._closed_until - now < AHEAD

    def _allowed(self, now: float) -> QuotaState | None:
        """What the upstream said, while it holds. Raises UpstreamRateLimited while it takes no call at all."""
        if self._is_closed(now):
            raise self._spent(self._closed_until - now)
        return self._current(now)

    def _current(self, now: float) -> QuotaState | None:
        """What the upstream said, while it holds."""
        told = self._told
        if told is not None and told.resets_at is not None and not 0 < told.resets_at - now < AHEAD:
            self._told = None
        return self._told

    def _merged(self, said: QuotaState, now: float) -> QuotaState:
        """Believe an answer, unless calls that it has not counted yet are under way."""
        known = self._current(now)
        limit = said.limit or max(said.remaining, (known.limit if known else None) or 0)
        resets_at = min(said.resets_at or (known and known.resets_at) or now + MINUTE, now + LONGEST_PATIENCE)
        if known is None or abs(resets_at - (known.resets_at or 0)) > SAME_WINDOW:
            return QuotaState(said.remaining, limit, resets_at)
        return QuotaState(min(said.remaining, known.remaining), limit, resets_at)

    def _spent(self, seconds: float) -> UpstreamRateLimited:
        return UpstreamRateLimited(
            f"{self.title} takes no more calls for now; the gateway did not make this one.",
            upstream=self.upstream,
            retry_after=math.ceil(seconds),
        )


def read_budget(headers: Mapping[str, str], now: float) -> QuotaState | None:
    """Read `RateLimit`, or `RateLimit-Remaining`, `-Limit` and `-Reset`, with or without `X-`; None where none says."""
    for remaining, limit, reset in _FAMILIES:
        if remaining in headers and (left := _whole(headers[remaining])) is not None:
            return QuotaState(left, _whole(headers.get(limit)), _moment(_whole(headers.get(reset)), now))
    combined = headers.get("ratelimit")
    return None if combined is None else _binding(combined, headers.get("ratelimit-policy", ""), now)


def _binding(combined: str, policies: str, now: float) -> QuotaState | None:
    """Give what binds first of what the IETF's draft puts into one header: the fewest calls, and these for longest."""
    quotas = {name: said["q"] for name, said in _members(policies) if "q" in said}
    alone = next(iter(quotas.values())) if len(quotas) == 1 else None
    told = [
        QuotaState(said["remaining"], said.get("limit") or quotas.get(name, alone), _moment(said.get("reset"), now))
        for name, said in _budgets(combined)
    ]
    return min(told, key=lambda one: (one.remaining, -(one.resets_at or math.inf)), default=None)


def _budgets(combined: str) -> list[tuple[str, dict[str, int]]]:
    """Read one budget a member; the draft once had a member for each parameter of the only one."""
    members = list(_members(combined))
    budgets = [(name, said) for name, said in members if "remaining" in said]
    if len(budgets) != 1:
        return budgets
    name, its_own = budgets[0]
    return [(name, dict(ChainMap(its_own, *(said for _, said in members))))]


def _members(header: str) -> Iterator[tuple[str, dict[str, int]]]:
    """Read the members of a list by their names."""
    for quoted, rest in _MEMBER.findall(header):
        said = {_NAMES.get(name, name): int(value) for name, value in _PARAMETER.findall(rest)}
        yield quoted or rest.partition(";")[0].strip(), said


def _moment(reset: int | None, now: float) -> float | None:
    if reset is None:
        return None
    return now + reset if reset < MOMENTS else reset / 1_000 if reset > 100 * MOMENTS else float(reset)


def _whole(text: str | None) -> int | None:
    if text is None:
        return None
    found = _WHOLE.match(text)
    return int(found[1]) if found else None
