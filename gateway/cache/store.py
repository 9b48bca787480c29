"""Documents by key: from the cache while they are true, else from the upstream, once for all who ask."""

import asyncio
import logging
import math
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field

from gateway.cache.document import Document
from gateway.cache.flight import Flights, Fly, Outcome
from gateway.cache.memory import BoundedMemoryCache

log = logging.getLogger("gateway.cache")

_not_before: ContextVar[float] = ContextVar("not_before", default=-math.inf)


def take_nothing_before(moment: float) -> None:
    """From here on, let this request and what it starts take no document that was fetched before a Unix second."""
    _not_before.set(moment)


@dataclass(slots=True)
class DocumentStore:
    """A cache in front of flights.

    A fresh document is served as it is; a stale one is served while one refresh runs behind it, so an upstream that
    fails costs nothing until the document is dead. Errors are never kept. Nothing is served that the request will not
    take: see `take_nothing_before`.
    """

    memory: BoundedMemoryCache
    clock: Callable[[], float]
    flights: Flights = field(init=False)
    changes: int = 0
    _refreshes: set[asyncio.Task[dict[str, Outcome]]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.flights = Flights(self.keep)

    async def load(self, keys: Sequence[str], fly: Fly) -> dict[str, Outcome]:
        """Give the document, or the error, of each key; `fly` fetches those that are not at hand."""
        now = self.clock()
        kept = {key: document for key in keys if (document := await self._usable(key, now)) is not None}
        stale = [key for key, document in kept.items() if not document.is_fresh(now)]
        if stale:
            self._refresh(stale, fly)
        absent = [key for key in keys if key not in kept]
        return {**kept, **(await self.flights.join(absent, fly) if absent else {})}

    async def refresh(self, keys: Sequence[str], fly: Fly) -> dict[str, Outcome]:
        """Fetch each key whatever is at hand, once for all who ask; what is found takes the place of what was kept."""
        return await self.flights.join(keys, fly)

    def peek(self, key: str) -> Document | None:
        """Give a document that is in memory and fresh, at once."""
        document = self.memory.peek(key)
        if document is None or document.fetched_at < _not_before.get():
            return None
        return document if self.clock() < document.fresh_until else None

    async def keep(self, key: str, document: Document) -> None:
        """Put a document under its key."""
        await self.memory.set(key, document)

    async def drop(self, key: str) -> None:
        """Forget a document that the gateway changed, and with it every answer."""
        self.changes += 1
        await self.forget(key)

    async def forget(self, key: str) -> None:
        """Forget a document, and whatever a flight may bring under its key."""
        self.flights.forget(key)
        await self.memory.delete(key)

    async def close(self) -> None:
        """End the refreshes that nobody waits for."""
        for refresh in self._refreshes:
            refresh.cancel()
        await asyncio.gather(*self._refreshes, return_exceptions=True)

    async def _usable(self, key: str, now: float) -> Document | None:
        document: Document | None = await self.memory.get(key)
        if document is None or document.fetched_at < _not_before.get():
            return None
        return None if document.is_dead(now) else document

    def _refresh(self, keys: Sequence[str], fly: Fly) -> None:
        refresh = asyncio.ensure_future(self.flights.join(keys, fly))
        self._refreshes.add(refresh)
        refresh.add_done_callback(self._landed)

    def _landed(self, refresh: asyncio.Task[dict[str, Outcome]]) -> None:
        """Take note of a refresh that a bug ended; what an upstream did wrong is an outcome like any other."""
        self._refreshes.discard(refresh)
        if not refresh.cancelled() and (bug := refresh.exception()) is not None:
            log.error("a refresh ended with %s", type(bug).__name__)
