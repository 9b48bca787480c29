"""Documents by key: from the cache while they are true, else from the upstream, once for all who ask."""

import asyncio
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial

from gateway.cache.document import Document, own_part
from gateway.cache.flight import DocumentOrError, Flights, Fly, Late, Waiting, waiting_for
from gateway.cache.generations import Generations
from gateway.cache.memory import BoundedMemoryCache
from gateway.cache.sharing import Sharing
from gateway.deadline import NEVER
from gateway.tallies import CacheTally

log = logging.getLogger("gateway.cache")

_not_before: ContextVar[float] = ContextVar("not_before", default=-math.inf)


def take_nothing_before(moment: float) -> None:
    """From here on, let this request and what it starts take no document that was fetched before a Unix second."""
    _not_before.set(moment)


_past_memory: ContextVar[bool] = ContextVar("past_memory", default=False)


def look_past_memory() -> None:
    """From here on, let this task load nothing from memory, which may be older than what other processes have."""
    _past_memory.set(True)


@dataclass(slots=True)
class DocumentStore:
    """A cache in front of flights.

    A fresh document is served as it is; a stale one is served while one refresh runs behind it, so an upstream that
    fails costs nothing until the document is dead. Errors are never kept. Nothing is served that the request will not
    take: see `take_nothing_before`.
    """

    memory: BoundedMemoryCache
    clock: Callable[[], float]
    generations: Generations = field(default_factory=Generations)
    sharing: Sharing | None = None
    flights: Flights = field(init=False)
    changes: int = 0
    tally: CacheTally = field(default_factory=CacheTally)
    _refreshes: set[asyncio.Future[DocumentOrError]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.flights = Flights(self._land)
        if self.sharing is not None:
            self.sharing.tell_store(self._heard_drop, self._forget, self._heard_generation)

    def load(
        self,
        kind: str,
        waiting: Mapping[str, Waiting],
        fly: Fly,
        late: Late,
        *,
        anew: bool = False,
        takes_stale: bool = True,
    ) -> None:
        """Give the document of a kind, or the error, of each key to who waits; `fly` fetches those not at hand.

        With `anew` none is at hand, and what is stale only for who `takes_stale`. Whose deadline passes meanwhile is
        given what `late` makes.
        """
        if anew:
            self.refresh(waiting, fly, late)
            return
        if self.sharing is not None and _past_memory.get():
            self._board(waiting, fly, late, takes_stale=takes_stale)
            return
        now = self.clock()
        absent, stale = {}, []
        for key, one in waiting.items():
            document = self._usable(key, now)
            if document is None or not (takes_stale or document.is_fresh(now)):
                absent[key] = one
                self.tally.misses[kind] += 1
                continue
            one.set_result(document)
            if document.is_fresh(now):
                self.tally.hits[kind] += 1
            else:
                self.tally.stale[kind] += 1
                stale.append(key)
        if stale:
            self._refresh(stale, fly, late)
        if absent:
            self._board(absent, fly, late, takes_stale=takes_stale)

    def refresh(self, waiting: Mapping[str, Waiting], fly: Fly, late: Late) -> None:
        """Fetch each key whatever is at hand, once for all who ask; what is found takes the place of what was kept."""
        if self.sharing is None:
            self.flights.board(waiting, fly, late)
        else:
            self.flights.board(waiting, fly, late, self.sharing.direct(self._land), is_direct=True)

    def peek(self, key: str) -> Document | None:
        """Give a document that is in memory and fresh, at once."""
        document: Document | None = self.memory.peek(key)
        if document is None or document.fetched_at < _not_before.get():
            return None
        if not document.is_fresh(self.clock()):
            return None
        self.tally.hits[document.kind] += 1
        return document

    async def keep(self, key: str, document: Document) -> None:
        """Put a document under its key; others get it unless it was dropped lately, be it by this process.

        For nobody knows whether a change that another one made meanwhile is in it: whoever asks next does.
        """
        self._land(key, document)
        if self.sharing is not None:
            self.sharing.tier.write(key, document, b"")

    def adopt(self, key: str, part: Document) -> Document:
        """Keep a part of another document in memory as one of its own, unless a newer one is there; give what it is.

        So what is made of it is true for as long as it is the one that is kept, whatever becomes of the whole.
        """
        kept: Document | None = self.memory.peek(key)
        if kept is not None and kept.fetched_at >= part.fetched_at:
            return part
        own = own_part(part)
        self._land(key, own)
        return own

    async def drop(self, key: str) -> None:
        """Forget a document that the gateway changed, and with it every answer; in every process."""
        self._heard_drop(key)
        if self.sharing is not None:
            await self.sharing.tier.drop(key, "drop")

    async def forget(self, key: str) -> None:
        """Forget a document, and whatever a flight may bring under its key; in every process."""
        self._forget(key)
        if self.sharing is not None:
            await self.sharing.tier.drop(key, "forget")

    def drop_all(self, kind: str) -> None:
        """Forget every document whose key begins with the present prefix of a kind; in every process."""
        self.changes += 1
        generation = self.generations.renew(kind)
        if self.sharing is not None:
            self.sharing.tier.renew(kind, generation)

    async def close(self) -> None:
        """End what is under way, and the refreshes that nobody waits for."""
        await self.flights.close()
        if self.sharing is not None:
            await self.sharing.close()

    def _heard_drop(self, key: str) -> None:
        self.changes += 1
        self._forget(key)

    def _forget(self, key: str) -> None:
        self.flights.forget(key)
        self.memory.remove(key)

    def _heard_generation(self, _kind: str) -> None:
        self.changes += 1

    def _land(self, key: str, document: Document) -> None:
        self.memory.put(key, document)

    def _usable(self, key: str, now: float) -> Document | None:
        document: Document | None = self.memory.peek(key)
        if document is None or document.fetched_at < _not_before.get():
            return None
        return None if document.is_dead(now) else document

    def _board(self, waiting: Mapping[str, Waiting], fly: Fly, late: Late, *, takes_stale: bool) -> None:
        """Ask other processes first, where there are any, unless the request wants nothing that is kept."""
        if self.sharing is None:
            self.flights.board(waiting, fly, late)
        elif _not_before.get() > -math.inf:
            self.refresh(waiting, fly, late)
        else:
            refresh = partial(self._refresh, late=late) if takes_stale else None
            trip = self.sharing.trip(fly, self._land, refresh)
            self.flights.board(waiting, trip, late, trip.land)

    def _refresh(self, keys: Sequence[str], fly: Fly, late: Late) -> None:
        refreshes = waiting_for(keys)
        if self.sharing is None:
            self.flights.board(refreshes, fly, late, deadline=NEVER)
        else:
            trip = self.sharing.trip(fly, self._land, None)
            self.flights.board(refreshes, trip, late, trip.land, deadline=NEVER)
        for refresh in refreshes.values():
            self._refreshes.add(refresh)
            refresh.add_done_callback(self._landed)

    def _landed(self, refresh: asyncio.Future[DocumentOrError]) -> None:
        """Take note of a refresh that a bug ended; what an upstream did wrong is an outcome like any other."""
        self._refreshes.discard(refresh)
        if not refresh.cancelled() and (bug := refresh.exception()) is not None:
            log.error("a refresh ended with %s", type(bug).__name__)
