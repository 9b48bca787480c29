"""How many retries an upstream can bear: a share of the calls, and a few where there are hardly any."""

from dataclasses import dataclass

from gateway.upstream.health import Health

PERIOD = 0.5  # seconds; what calls earn in one can be taken from the next on
FEW = 1  # retries that a period earns however few its calls
SAVED = 10  # retries that are kept for bad times, or as many as one period has earned


@dataclass(slots=True)
class RetryBudget:
    """Counts calls, each of which earns a `share` of a retry, and gives out what was earned.

    So an upstream that fails is asked little more than one that does not, where a number of retries for each call
    would ask it several times as much just then: over any time by `share` more at most, and `SAVED` retries. Periods
    begin at the same moments for all upstreams, so that operations which need several are answered whole more often.
    """

    share: float
    health: Health
    _calls: int = 0
    _left: float = SAVED
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
        is_allowed = self.share > 0 and self._left >= 1
        if is_allowed:
            self._left -= 1
        else:
            self.health.unaffordable += 1
        self.health.budget = int(self._left) if self.share else 0
        return is_allowed

    def _turn(self, now: float) -> None:
        """Begin a period with what the last ones have earned."""
        periods = 1 + (now - self._ends_at) // PERIOD
        earned = max(self.share * self._calls, FEW * periods)
        most = SAVED if periods > 1 else max(SAVED, earned + self._left % 1)
        self._left = min(self._left + earned, most)
        self._calls = 0
        self._ends_at = (now // PERIOD + 1) * PERIOD
