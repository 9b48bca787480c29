"""How many retries an upstream can bear: a share of the last seconds' calls, and a few where there were hardly any."""

from dataclasses import dataclass

from gateway.upstream.health import Health

SPAN = 3.0  # seconds that are counted together; the span before the present one counts as well
ALWAYS = 10  # retries that are allowed however few the calls


@dataclass(slots=True)
class RetryBudget:
    """Counts calls and retries, and allows a retry while they are at most a `share` of the calls.

    So an upstream that fails is asked little more than one that does not, where a number of retries for each call
    would ask it several times as much just then.
    """

    share: float
    health: Health
    _calls: int = 0
    _retries: int = 0
    _calls_before: int = 0
    _retries_before: int = 0
    _ends_at: float = 0.0

    def count(self, now: float) -> None:
        """Count a call."""
        if now >= self._ends_at:
            self._turn(now)
        self._calls += 1

    def withdraw(self, now: float) -> bool:
        """Take one retry, or say that there is none."""
        if now >= self._ends_at:
            self._turn(now)
        allowed = max(ALWAYS, int(self.share * (self._calls_before + self._calls))) if self.share else 0
        self.health.budget = allowed - self._retries_before - self._retries
        if self.health.budget < 1:
            self.health.unaffordable += 1
            return False
        self._retries += 1
        self.health.budget -= 1
        return True

    def _turn(self, now: float) -> None:
        """Begin a span; what was counted long ago counts no more."""
        is_next = now < self._ends_at + SPAN
        self._calls_before, self._retries_before = (self._calls, self._retries) if is_next else (0, 0)
        self._calls = self._retries = 0
        self._ends_at = now + SPAN
