"""One upstream call per document, however many requests wait for it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from gateway.cache.document import Document
from gateway.errors import UpstreamError

Outcome = Document | UpstreamError
Fly = Callable[[Sequence[str]], Awaitable[Mapping[str, Outcome]]]
Land = Callable[[str, Document], Awaitable[None]]


@dataclass(eq=False, slots=True)
class _Flight:
    keys: Sequence[str]
    task: asyncio.Task[Mapping[str, Outcome]]
    waiters: int = 0


@dataclass(slots=True)
class Flights:
    """The calls under way, by the keys of the documents they bring.

    A flight goes on while anyone waits for it and is cancelled with the last who does. A forgotten key is taken off its
    flight: who is aboard still gets the document, but it is not landed, and who comes later starts another.
    """

    land: Land
    _aloft: dict[str, _Flight] = field(default_factory=dict)

    async def join(self, keys: Sequence[str], fly: Fly) -> dict[str, Outcome]:
        """Wait for the documents of these keys; `fly` is called once for those that no flight brings yet.

        `fly` answers every key it is given, with a document or the error that stands for it.
        """
        new = [key for key in keys if key not in self._aloft]
        if new:
            flight = _Flight(new, asyncio.ensure_future(self._run(new, fly)))
            self._aloft.update(dict.fromkeys(new, flight))
        boarded = {key: self._aloft[key] for key in keys}
        flights = list(dict.fromkeys(boarded.values()))
        for flight in flights:
            flight.waiters += 1
        try:
            outcomes = {flight: await asyncio.shield(flight.task) for flight in flights}
        finally:
            for flight in flights:
                self._leave(flight)
        return {key: outcomes[flight][key] for key, flight in boarded.items()}

    def forget(self, key: str) -> None:
        """Take a key off its flight: what it brings is out of date."""
        self._aloft.pop(key, None)

    def __len__(self) -> int:
        return len(self._aloft)

    async def _run(self, keys: Sequence[str], fly: Fly) -> Mapping[str, Outcome]:
        me = asyncio.current_task()
        outcomes = await fly(keys)
        for key, outcome in outcomes.items():
            flight = self._aloft.get(key)
            if flight is not None and flight.task is me and isinstance(outcome, Document):
                await self.land(key, outcome)
        return outcomes

    def _leave(self, flight: _Flight) -> None:
        flight.waiters -= 1
        if flight.waiters:
            return
        flight.task.cancel()
        for key in flight.keys:
            if self._aloft.get(key) is flight:
                del self._aloft[key]
