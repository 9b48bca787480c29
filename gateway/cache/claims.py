"""Who fetches what several processes want at once: one of them, and the others wait a little for what it finds."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

from gateway.cache.batch import Batch
from gateway.cache.outbox import Letter
from gateway.cache.shared import CHANNEL, NAMESPACE, SharedTier

CLAIMED_FOR = 2_000  # milliseconds, should the process that has it die
CLAIMS_AT_ONCE = 4

# The first gets it; each who comes later leaves a sign there that it waits.
CLAIM = """
local ours = {}
for i, name in ipairs(KEYS) do
  if redis.call('SET', name, ARGV[1], 'NX', 'PX', ARGV[2]) then ours[i] = 1
  else redis.call('APPEND', name, '+') ours[i] = 0 end
end
return ours
"""
RELEASE = """
local held = redis.call('GET', KEYS[1])
if not held or string.sub(held, 1, #ARGV[1]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
if #held > #ARGV[1] then return redis.call('PUBLISH', ARGV[2], ARGV[3]) end
return 0
"""


@dataclass(frozen=True, slots=True)
class Claim:
    """A fetch that this process makes (`is_ours`), or another one, which then says when it has `landed`."""

    name: str
    is_ours: bool
    landed: asyncio.Future[None]


@dataclass(slots=True)
class Claims:
    """The fetches that this process has claimed, or waits for. Lives as long as the process."""

    tier: SharedTier
    _landings: dict[str, asyncio.Future[None]] = field(default_factory=dict)
    _batch: Batch[str, int] = field(init=False)

    def __post_init__(self) -> None:
        self._batch = Batch(self._claim, CLAIMS_AT_ONCE)
        self.tier.told["found"] = self._heard

    async def claim(self, keys: Sequence[str]) -> Claim | None:
        """Claim the fetch of just these documents; None where Redis does not say whose it is.

        One that is under way here already is no use: they were forgotten since, or would be fetched by that.
        """
        name = "claim:" + blake2b("\n".join(sorted(keys)).encode(), digest_size=16).hexdigest()
        if not self.tier.link.is_up or name in self._landings:
            return None
        landed = self._landings[name] = asyncio.get_running_loop().create_future()
        ours: int | None = None
        try:
            ours = await self._batch.put(name)
        finally:
            if ours is None:
                self._landings.pop(name, None)
        return None if ours is None else Claim(name, bool(ours), landed)

    def end(self, claim: Claim) -> None:
        """Wait for it no more; where it is one's own, say that it has landed, after what was written before."""
        if self._landings.get(claim.name) is claim.landed:
            del self._landings[claim.name]
        if claim.is_ours:
            news = self.tier.news("found", claim.name)
            command = ("EVAL", RELEASE, 1, NAMESPACE + claim.name, self.tier.me, CHANNEL, news)
            self.tier.outbox.put(Letter(lambda: [command]))

    async def close(self) -> None:
        """End what is under way."""
        await self._batch.close()

    async def _claim(self, names: Sequence[str]) -> Sequence[int] | None:
        places = [NAMESPACE + name for name in names]
        ours: Sequence[int] | None = await self.tier.link.evaluate(CLAIM, places, [self.tier.me, CLAIMED_FOR])
        return ours

    def _heard(self, name: str) -> None:
        landed = self._landings.get(name)
        if landed is not None and not landed.done():
            landed.set_result(None)
