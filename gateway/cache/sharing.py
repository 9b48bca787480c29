"""What processes that use one Redis have together: the tier of documents, the claims on fetches, and the news."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gateway.cache.claims import Claims
from gateway.cache.document import Document
from gateway.cache.flight import Fly, Land
from gateway.cache.generations import Generations
from gateway.cache.leases import Leases
from gateway.cache.shared import CHANNEL, SharedTier
from gateway.cache.trip import Trip

Told = Callable[[str], None]


def over_redis(url: str, timeout: float, generations: Generations, clock: Callable[[], float]) -> "Sharing":
    """Share by the Redis of a URL, which is waited for `timeout` seconds at most. Raises MissingRedisError."""
    try:
        from gateway.cache.link import Link  # noqa: PLC0415 - an extra, imported where it is configured
    except ModuleNotFoundError as error:
        raise MissingRedisError from error
    tier = SharedTier(Link(url, CHANNEL, timeout), generations, clock)
    return Sharing(tier, Claims(tier), Leases(tier))


class MissingRedisError(Exception):
    """Redis is configured, and its client is not installed."""


@dataclass(frozen=True, slots=True)
class Sharing:
    """Lives as long as the process."""

    tier: SharedTier
    claims: Claims
    leases: Leases

    def tell_store(self, drop: Told, forget: Told, generation: Told) -> None:
        """Let a store know what others drop and forget, by key, and of which kinds they begin another generation."""
        self.tier.told |= {"drop": drop, "forget": forget, "generation": generation}

    def trip(self, fly: Fly, keep: Land, refresh: Callable[[Sequence[str], Fly], None] | None) -> Trip:
        """Plan a flight that looks in Redis first."""
        return Trip(self.tier, self.claims, fly, keep, refresh)

    def direct(self, keep: Land) -> Land:
        """Give what lands the documents of a flight to the upstream."""

        def land(key: str, document: Document) -> None:
            keep(key, document)
            self.tier.write(key, document, b"")

        return land

    def open(self) -> None:
        """Begin to listen."""
        self.tier.link.open()

    async def close(self) -> None:
        """Send what there is to be sent, and leave Redis."""
        await self.claims.close()
        await self.leases.close()
        await self.tier.close()
