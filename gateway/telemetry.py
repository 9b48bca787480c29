"""What is noticed on the way: upstream values that the graph does not know, and the calls that a request causes."""

import logging
from collections import Counter, defaultdict
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial

import msgspec

log = logging.getLogger("gateway")

MAX_DRIFTS = 1_000
MAX_SHOWN = 64


@dataclass(slots=True)
class Drift:
    """Upstream values that this graph does not know, by place and value; at most 1,000 are told apart."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)

    def note(self, place: str, value: object) -> None:
        """Count a value met at a place such as `Asset.kind`, and log it when it is new there."""
        seen = (place, str(value).partition("?")[0][:MAX_SHOWN])  # past a "?" could be a signature
        if seen not in self.counts and len(self.counts) >= MAX_DRIFTS:
            seen = (place, "…")
        self.counts[seen] += 1
        if self.counts[seen] == 1:
            log.warning("upstream drift at %s: %r is not known to this graph", *seen)


drift = Drift()


class Account(msgspec.Struct, eq=False):
    """What a request is answerable for: its id, and the calls that it and what it started made, by upstream.

    `seconds` has the time that they took.
    """

    request_id: str
    calls: dict[str, int] = msgspec.field(default_factory=partial(defaultdict, int))
    seconds: dict[str, float] = msgspec.field(default_factory=partial(defaultdict, float))


account: ContextVar[Account | None] = ContextVar("account", default=None)


def watch_calls(request_id: str) -> dict[str, int]:
    """Count, from here on, the upstream calls that this request and what it starts make, by upstream."""
    opened = Account(request_id)
    account.set(opened)
    return opened.calls
