"""Documents by key: from the cache while they are true, else from the upstream, once for all who ask."""

import asyncio
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field

from gateway.cache.document import Document
from gateway.cache.flight import Flights, Fly, Outcome, Waiting, waiting_for
from gateway.cache.memory import BoundedMemoryCache
from gateway.tallies import CacheTally

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
    tally: CacheTally = field(default_factory=CacheTally)
    _refreshes: set[asyncio.Future[Outcome]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.flights = Flights(self._land)

    def load(self, waiting: Mapping[str, Waiting], fly: Fly) -> None:
        """Give the document, or the error, of each key to who waits; `fly` fetches those that are not at hand."""
        now = self.clock()
        absent, stale = {}, []
        for key, one in waiting.items():
            document = self._usable(key, now)
            if document is None:
                absent[key] = one
                self.tally.misses[_kind_in(key)] += 1
                continue
            one.set_result(document)
            if document.is_fresh(now):
                self.tally.hits[document.kind] += 1
            else:
                self.tally.stale[document.kind] += 1
                stale.append(key)
        if stale:
            self._refresh(stale, fly)
        if absent:
            self.flights.board(absent, fly)

    def refresh(self, waiting: Mapping[str, Waiting], fly: Fly) -> None:
        """Fetch each key whatever is at hand, once for all who ask; what is found takes the place of what was kept."""
        self.flights.board(waiting, fly)

    def peek(self, key: str) -> Document | None:
        """Give a document that is in memory and fresh, at once."""
        document: Document | None = self.memory.peek(key)
        if document is None or document.fetched_at < _not_before.get():
            return None
        if self.clock() >= document.fresh_until:
            return None
        self.tally.hits[document.kind] += 1
        return document

    async def keep(self, key: str, document: Document) -> None:
        """Put a document under its key."""
        self._land(key, document)

    async def drop(self, key: str) -> None:
        """Forget a document that the gateway changed, and with it every answer."""
        self.changes += 1
        await self.forget(key)

    async def forget(self, key: str) -> None:
        """Forget a document, and whatever a flight may bring under its key."""
        self.flights.forget(key)
        self.memory.remove(key)

    async def close(self) -> None:
        """End what is under way, and the refreshes that nobody waits for."""
        await self.flights.close()

    def _land(self, key: str, document: Document) -> None:
        self.memory.put(key, document)

    def _usable(self, key: str, now: float) -> Document | None:
        document: Document | None = self.memory.peek(key)
        if document is None or document.fetched_at < _not_before.get():
            return None
        return None if document.is_dead(now) else document

    def _refresh(self, keys: Sequence[str], fly: Fly) -> None:
        refreshes = waiting_for(keys)
        self.flights.board(refreshes, fly)
        for refresh in refreshes.values():
            self._refreshes.add(refresh)
            refresh.add_done_callback(self._landed)

    def _landed(self, refresh: asyncio.Future[Outcome]) -> None:
        """Take note of a refresh that a bug ended; what an upstream did wrong is an outcome like any other."""
        self._refreshes.discard(refresh)
        if not refresh.cancelled() and (bug := refresh.exception()) is not None:
            log.error("a refresh ended with %s", type(bug).__name__)


def _kind_in(key: str) -> str:
    """Find the kind of a document in its key, as `Upstream.key` writes it; empty where somebody else wrote it."""
    parts = key.split(":", 3)
    return parts[2] if len(parts) == 4 else ""  # noqa: PLR2004 - name, scope, kind and the rest
