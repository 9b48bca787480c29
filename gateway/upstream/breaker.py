"""Leaves an upstream alone that fails, and finds out by single calls when it is back."""

import logging
import random
from dataclasses import dataclass

from gateway.upstream.health import Health

log = logging.getLogger("gateway.upstream")

FORGOTTEN_AFTER = 10.0  # seconds without a failure
PROBES = 2  # that must succeed, one after the other, before it closes


@dataclass(slots=True)
class Breaker:
    """Opens when a `share` of the last `calls` requests failed, and closes when single ones succeed.

    These it lets through one at a time, first after `rest` seconds, a little more or less at random.
    A success rate rather than failures in a row: at 30 % of failures five in a row come about every few hundred calls.
    Whoever is admitted says how it ended, with what `admit` gave; what was admitted before a change of state says
    nothing about the state since.
    """

    name: str
    calls: int
    share: float
    rest: float
    health: Health
    _history: int = 0  # a bit a request, the last one lowest: 1 is a failure
    _failed_at: float = 0.0
    _era: int = 0
    _probe_from: float = 0.0
    _is_probing: bool = False
    _succeeded: int = 0

    def admit(self, now: float) -> int | None:
        """Let a request through, or None."""
        if self.health.breaker == "closed":
            return self._era
        if self._is_probing or now < self._probe_from:
            return None
        self.health.breaker = "half-open"
        self._is_probing = True
        self._era += 1
        return self._era

    def seconds_left(self, now: float) -> float:
        """Give the seconds until the next request may be let through."""
        return max(0.0, self._probe_from - now)

    def succeeded(self, admission: int) -> None:
        """Take note of an answer."""
        if admission != self._era:
            return
        if self.health.breaker == "closed":
            if self._history:
                self._history = self._history << 1 & (1 << self.calls) - 1
            return
        self._is_probing = False
        self._succeeded += 1
        if self._succeeded == PROBES:
            self._close()

    def failed(self, admission: int, now: float) -> None:
        """Take note of a failure that is the upstream's."""
        if admission != self._era:
            return
        if self.health.breaker != "closed":
            self._open(now)
            return
        if now > self._failed_at + FORGOTTEN_AFTER:
            self._history = 0
        self._failed_at = now
        self._history = (self._history << 1 | 1) & (1 << self.calls) - 1
        if self._history and self._history.bit_count() >= self.share * self.calls:
            self._open(now)

    def abandoned(self, admission: int) -> None:
        """Take note that nobody knows how it would have ended: another may be let through in its place."""
        if admission == self._era:
            self._is_probing = False

    def _open(self, now: float) -> None:
        if self.health.open_since is None:
            self.health.open_since = now
            self.health.opened += 1
            log.warning("%s fails: it is left alone, but for a call from time to time", self.name)
        self.health.breaker = "open"
        self.health.found_open = now
        self._is_probing = False
        self._era += 1
        self._succeeded = 0
        self._probe_from = now + self.rest * random.uniform(0.75, 1.25)  # noqa: S311 - so that replicas do not ask together

    def _close(self) -> None:
        log.warning("%s answers again", self.name)
        self.health.breaker = "closed"
        self.health.open_since = None
        self._era += 1
        self._history = 0
