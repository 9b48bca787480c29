"""What was taken within the last minute, in one place and a fraction of a microsecond."""

import math
from collections.abc import Callable
from dataclasses import dataclass

MINUTE = 60.0
LONGEST = MINUTE + 1  # what is left of one, unless the clock was put back


@dataclass(slots=True)
class Meter:
    """Lets at most `most` be taken in any minute, as near as two numbers can tell.

    It counts by minutes, and of the one before as large a share as still lies within the last 60 seconds; `limits`
    calls that a sliding window counter. More than `most` at once is given where nothing was taken for long: it would
    never fit. Whoever keeps other meters of the same is told (`tell`) for every `step` that only this one knows of.

    What all meters came to as this one last heard is `known` of this minute; let K be that of the one before: as it was
    heard, or `known` as it ended (K is 0 after a longer silence, and no less than -late). Then at any time

        taken  = known + untold + returned
        before = K + late - returned

    of which `taken`, `before` and `returned` are never less than 0. `untold` is what was taken here since then, less
    what was given back; `returned` so much of that as had to be taken off `before`, where this minute had no more.
    `late` is by how much `taken` was more than `known` as the minute before ended. Nobody is told of that any more, but
    for what was on its way then: so it is added to what is heard.
    """

    most: float = math.inf
    taken: int = 0
    before: int = 0
    ends_at: float = 0.0
    known: int = 0
    returned: int = 0
    late: int = 0
    step: float = math.inf
    tell: Callable[["Meter"], None] | None = None

    def take(self, now: float, amount: int = 1) -> bool:
        """Take as much at a Unix second, or nothing where less is left."""
        if not 0 < self.ends_at - now < LONGEST:
            self._turn(now)
        if self.taken + self.before + amount > self.most:  # which needs a closer look
            used = self.taken + self.before * (self.ends_at - now) / MINUTE
            if used + amount > self.most and used > 0:
                return False
        self.taken += amount
        if self.tell is not None:
            self._tell()
        return True

    def add(self, amount: int) -> None:
        """Count more, or what is given back as less than nothing, without asking."""
        self._add(amount)
        if self.tell is not None:
            self._tell()

    def count(self, now: float, amount: int = 1) -> None:
        """Count what is taken at a Unix second anyway, or given back."""
        if not 0 < self.ends_at - now < LONGEST:
            self._turn(now)
        self.add(amount)

    def left(self, now: float) -> float:
        """Give what may be taken at once; infinite where nothing limits it."""
        if not 0 < self.ends_at - now < LONGEST:
            self._turn(now)
        used = self.taken + self.before * (self.ends_at - now) / MINUTE
        return min(self.most, max(0.0, self.most - used))

    def wait(self, now: float, amount: float = 1) -> float:
        """Give the seconds until so much is left, while nothing else is taken."""
        if not 0 < self.ends_at - now < LONGEST:
            self._turn(now)
        room = max(0.0, self.most - amount)
        if self.taken <= room:
            share = min(1.0, (room - self.taken) / self.before) if self.before else 1.0
            return max(0.0, self.ends_at - now - share * MINUTE)
        return self.ends_at - now + MINUTE * (1 - room / self.taken)

    @property
    def share(self) -> float:
        """How much of what may be taken was, in the minute that was counted last and the one before."""
        return (self.taken + self.before) / self.most

    @property
    def untold(self) -> int:
        """What only this one knows of: less than nothing where it was given back."""
        return self.taken - self.known - self.returned

    def is_idle(self, now: float) -> bool:
        """Whether it forgot all that was ever taken."""
        return now >= self.ends_at + MINUTE

    def hear(self, told: int, of: float, taken: int, before: int, ends_at: float) -> None:
        """Take over what all meters of the same came to, once this has `told` of so much, `of` a minute by its end."""
        untold = self.untold
        if of == self.ends_at:
            untold -= told
        else:  # it has turned meanwhile
            self.late -= told
        self.known = self.taken = taken
        self.before, self.returned, self.ends_at = max(0, before + self.late), 0, ends_at
        self._add(untold)

    def _add(self, amount: int) -> None:
        """Count more; what is given back is of this minute as far as that goes, and then of the one before."""
        self.taken += amount
        if self.taken < 0:
            returned = min(self.before, -self.taken)
            self.taken, self.before, self.returned = 0, self.before - returned, self.returned + returned

    def _tell(self) -> None:
        if self.tell is not None and abs(self.untold) >= self.step:
            self.tell(self)

    def _turn(self, now: float) -> None:
        """Begin a minute: right after the last, or now, as where the clock was put back."""
        is_next = 0 <= now - self.ends_at < MINUTE
        self.late = self.taken - self.known if is_next else 0
        self.before = self.taken if is_next else 0
        self.ends_at = self.ends_at + MINUTE if is_next else now + MINUTE
        self.taken = self.known = self.returned = 0
