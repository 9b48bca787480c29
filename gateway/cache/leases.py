"""Which of several processes looks after a document: who has a lease on it, until it is left or runs out."""

from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.cache.outbox import Letter
from gateway.cache.shared import CHANNEL, NAMESPACE, SharedTier

TAKE = """
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
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

    def listen(self, changed: Callable[[str], None], vacant: Callable[[str], None], missed: Callable[[], None]) -> None:
        """Let a watcher know what others found changed, what they left, and that it may have missed either."""
        self.tier.told |= {"changed": changed, "vacant": vacant}
        self.tier.missed = missed

    async def take(self, key: str, seconds: float) -> bool:
        """Take or extend a lease. False where another process has it; without Redis everybody has it."""
        mine: int | None = None
        if self.tier.link.is_up:
            name = f"{NAMESPACE}lease:{key}"
            mine = await self.tier.link.evaluate(TAKE, [name], [self.tier.me, max(1, int(seconds * 1000))])
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
