"""Which of several processes looks after a document: who has a lease on it, until it is left or runs out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from gateway.cache.batch import Batch
from gateway.cache.outbox import Letter
from gateway.cache.shared import CHANNEL, NAMESPACE, SharedTier

TAKES_AT_ONCE = 4

TAKE = """
local mine = {}
for i, name in ipairs(KEYS) do
  local holder = redis.call('GET', name)
  if holder and holder ~= ARGV[1] then mine[i] = 0
  else redis.call('SET', name, ARGV[1], 'PX', ARGV[i + 1]) mine[i] = 1 end
end
return mine
"""
LEAVE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
return redis.call('PUBLISH', ARGV[2], ARGV[3])
"""


@dataclass(slots=True)
class LeaseCounts:
    """How often this process was to look, and how often another one did."""

    taken: int = 0
    left_to_others: int = 0


@dataclass(slots=True)
class Leases:
    """The leases that this process has or wants, by the keys of what is watched. Lives as long as the process."""

    tier: SharedTier
    counts: LeaseCounts = field(default_factory=LeaseCounts)
    _batch: Batch[tuple[str, int], int] = field(init=False)

    def __post_init__(self) -> None:
        self._batch = Batch(self._take, TAKES_AT_ONCE)

    def listen(self, changed: Callable[[str], None], vacant: Callable[[str], None], missed: Callable[[], None]) -> None:
        """Let a watcher know what others found changed, what they left, and that it may have missed either."""
        self.tier.told |= {"changed": changed, "vacant": vacant}
        self.tier.missed = missed

    async def take(self, key: str, seconds: float) -> bool:
        """Take or extend a lease. False where another process has it; without Redis everybody has it."""
        mine: int | None = None
        if self.tier.link.is_up:
            mine = await self._batch.put((f"{NAMESPACE}lease:{key}", max(1, int(seconds * 1000))))
        is_mine = mine != 0
        if is_mine:
            self.counts.taken += 1
        else:
            self.counts.left_to_others += 1
        return is_mine

    def tell(self, key: str) -> None:
        """Say that it has changed, after its documents were written."""
        self.tier.tell("changed", key)

    def leave(self, key: str) -> None:
        """Let another one take it at once."""
        command = (
            "EVAL", LEAVE, 1, f"{NAMESPACE}lease:{key}", self.tier.me, CHANNEL, self.tier.news("vacant", key)
        )  # fmt: skip
        self.tier.outbox.put(Letter(lambda: [command]))

    async def close(self) -> None:
        """End what is under way."""
        await self._batch.close()

    async def _take(self, asked: Sequence[tuple[str, int]]) -> Sequence[int] | None:
        lives = [milliseconds for _, milliseconds in asked]
        mine: Sequence[int] | None = await self.tier.link.evaluate(
            TAKE, [name for name, _ in asked], [self.tier.me, *lives]
        )
        return mine
