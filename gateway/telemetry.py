"""What the gateway notices about itself and its upstreams: counted here, logged once."""

import logging
from collections import Counter
from contextvars import ContextVar
from dataclasses import dataclass, field

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

_calls: ContextVar[dict[str, int] | None] = ContextVar("upstream_calls", default=None)


def watch_calls() -> dict[str, int]:
    """Count, from here on, the upstream calls that this request and what it starts make, by upstream."""
    calls: dict[str, int] = {}
    _calls.set(calls)
    return calls


def count_call(upstream: str) -> None:
    """Count one call to an upstream for the request that caused it."""
    calls = _calls.get()
    if calls is not None:
        calls[upstream] = calls.get(upstream, 0) + 1
