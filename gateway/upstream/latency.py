"""How long an upstream takes, as TCP measures it (RFC 6298): a mean of the last few answers, and how far they stray."""

from dataclasses import dataclass

UNKNOWN = 1.0  # seconds that are given to the first


@dataclass(slots=True)
class Latency:
    """What is usual, in seconds; `slow_from` is the least that is ever called slow."""

    slow_from: float
    usual: float = 0.0
    _stray: float = 0.0

    def note(self, seconds: float) -> None:
        """Take note of an answer."""
        if not self.usual:
            self.usual, self._stray = seconds, seconds / 2
            return
        error = seconds - self.usual
        self.usual += error / 8
        self._stray += (abs(error) - self._stray) / 4

    def note_in_vain(self, seconds: float) -> None:
        """Take note of how long was waited for an answer that did not come.

        It would have taken longer yet, so the mean goes up where that is so, and reaches what an upstream takes that
        has become slow; were it to count as straying, a few that are never answered would make all others wait.
        """
        if seconds > self.usual:
            self.usual += (seconds - self.usual) / 8 if self.usual else seconds

    @property
    def slow(self) -> float:
        """Give the seconds after which an answer is later than is usual."""
        slow = self.usual + 4 * self._stray if self.usual else UNKNOWN
        return slow if slow > self.slow_from else self.slow_from
