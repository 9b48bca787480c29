"""A flight that looks in Redis first: what another process has found, or is about to find, is not fetched again."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.cache.claims import Claim, Claims
from gateway.cache.document import Document
from gateway.cache.flight import DocumentOrError, Fly, Land
from gateway.cache.shared import SharedTier

PATIENCE = 0.25  # seconds that another process's call is waited for before one's own is made beside it


@dataclass(slots=True)
class Trip:
    """One flight to documents of these processes, or with `fly` to the upstream, whose documents all get.

    `keep` puts one into memory; `refresh` is told of those that were found stale. Without it only fresh ones are taken.
    """

    tier: SharedTier
    claims: Claims
    fly: Fly
    keep: Land
    refresh: Callable[[Sequence[str], Fly], None] | None
    _found: dict[str, Document] = field(default_factory=dict)
    _marks: dict[str, bytes] = field(default_factory=dict)

    async def __call__(self, keys: Sequence[str]) -> Mapping[str, DocumentOrError]:
        """Give an outcome for each key."""
        absent = await self._look(keys)
        if not absent:
            return self._found
        claim = await self.claims.claim(absent)
        if claim is None:
            return {**self._found, **await self.fly(absent)}
        try:
            return {**self._found, **await self._fetch(absent, claim)}
        finally:
            # Soon: what is found lands, and is written, before anybody is told that it has landed.
            asyncio.get_running_loop().call_soon(self.claims.end, claim)

    def land(self, key: str, document: Document) -> None:
        """Keep a document, and let others have it where it is not from them."""
        self.keep(key, document)
        if self._found.get(key) is not document:
            self.tier.write(key, document, self._marks.get(key, b""))
        elif self.refresh is not None and not document.is_fresh(self.tier.clock()):
            asyncio.get_running_loop().call_soon(self.refresh, [key], self.fly)

    async def _look(self, keys: Sequence[str]) -> list[str]:
        """Find what there is, and give the keys of what there is not."""
        found, now = await self.tier.find(keys), self.tier.clock()
        self._marks.update(found.marks)
        for key, document in found.documents.items():
            if self.refresh is not None or document.is_fresh(now):
                self._found[key] = document
        return [key for key in keys if key not in self._found]

    async def _fetch(self, keys: Sequence[str], claim: Claim) -> Mapping[str, DocumentOrError]:
        if claim.is_ours:
            self.tier.counts.claimed += 1
            return await self.fly(keys)
        self.tier.counts.awaited += 1
        await asyncio.wait([claim.landed], timeout=PATIENCE)
        if not claim.landed.done():
            return await self._race(keys, claim)
        absent = await self._look(keys)
        found: dict[str, DocumentOrError] = {key: self._found[key] for key in keys if key in self._found}
        return {**found, **await self.fly(absent)} if absent else found

    async def _race(self, keys: Sequence[str], claim: Claim) -> Mapping[str, DocumentOrError]:
        """Fetch beside the other process, and take what comes first."""
        own: asyncio.Future[Mapping[str, DocumentOrError]] = asyncio.ensure_future(self.fly(keys))
        marks = dict(self._marks)
        first: list[asyncio.Future[Any]] = [own, claim.landed]
        try:
            await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
            if own.done() or await self._look(keys):
                self._marks = marks  # which were there before one's own began: it may be from before a later drop
                return await own
            return {key: self._found[key] for key in keys}
        finally:
            own.cancel()
