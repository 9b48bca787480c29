"""One upstream call per document, however many requests wait for it.

    Waiting, Waiting ── _Boarding (their deadline) ──┐
    Waiting ─────────── _Boarding (their deadline) ──┴─▶ _Flight (the latest of these) ── task ──▶ fly(keys)

Who may end what, and nothing else does:

- `fly` ends its task, and that every Waiting that is left: with what came for its key, or the bug that `fly` raised.
- A boarding's alarm ends its own Waitings, each with what `late` makes; they leave the flight.
- Whoever waits cancels their own Waiting: the last task that awaits it by being cancelled, a plan that is left by
  itself. Its `on_cancel` lets it leave the flight. One that waits for another document first has that one's `cancel`.
- The last who leaves cancels the task; nobody waits for anything of it by then.
- `close` cancels the task of each flight that has a key still; a cancelled task cancels each Waiting that is left.

Before a task's end reaches any Waiting, and before the last who leaves cancels it, `_end` takes its flight off keys and
alarms, and forgets the task: so what leaves in consequence ends nothing twice, and who comes then starts another.
"""

import asyncio
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import msgspec

from gateway.alarms import Alarms, Due
from gateway.cache.document import Document
from gateway.deadline import NEVER, Deadline, hand_down, handed_down
from gateway.errors import UpstreamError

DocumentOrError = Document | UpstreamError
Fly = Callable[[Sequence[str]], Awaitable[Mapping[str, DocumentOrError]]]
Land = Callable[[str, Document], None]
Late = Callable[[], UpstreamError]  # makes what stands for a document that did not come in time


class Waiting(asyncio.Future[DocumentOrError]):
    """One who waits for a document, from before anything is called for it.

    `on_cancel` tells what is called that this one gave up. It `is_wanted` as long as a loader gathers what is asked for
    together with it.
    """

    is_wanted = False
    on_cancel: Callable[[], object] | None = None
    _awaited = 0

    def __await__(self) -> Generator[Any, None, DocumentOrError]:
        """Wait beside others of the request: who is cancelled takes none of them along, and the last gives up."""
        if not self.done():
            news = self.get_loop().create_future()
            self.add_done_callback(partial(_tell, news))
            self._awaited += 1
            try:
                yield from news
            finally:
                self._awaited -= 1
                if not self._awaited:
                    self.cancel()  # which does nothing to one that is done
        return self.result()

    __iter__ = __await__

    def cancel(self, msg: object = None) -> bool:
        """Give up waiting; who is the last to wait ends the call."""
        gives_up = super().cancel(msg)
        on_cancel, self.on_cancel = self.on_cancel, None  # which refers to who waits: none is to wait for the collector
        if gives_up and on_cancel is not None:
            on_cancel()
        return gives_up


def _tell(news: asyncio.Future[None], _: object) -> None:
    if not news.done():
        news.set_result(None)


def waiting_for(keys: Sequence[str]) -> dict[str, Waiting]:
    """Begin to wait for each of some documents."""
    return {key: Waiting() for key in keys}


class _Flight(msgspec.Struct, eq=False):
    land: Land
    is_direct: bool
    waiting: dict[str, list[Waiting]]
    deadline: Deadline
    boardings: "list[_Boarding]" = []  # that have an alarm
    aboard: int = 0
    task: asyncio.Task[None] | None = None

    def still_waiting(self) -> list[tuple[str, Waiting]]:
        return [(key, one) for key, several in self.waiting.items() for one in several if not one.done()]


class _Boarding(msgspec.Struct, eq=False):
    """Some of those who board a flight together, and so have one deadline."""

    flights: "Flights"
    flight: _Flight
    late: Late
    ones: list[Waiting] = []
    due: Due = {}

    def leave(self) -> None:
        """One of them gave up waiting."""
        self.flights.left(self.flight)

    def ring(self) -> None:
        """Let those go who still wait at their deadline."""
        for one in self.ones:
            if not one.done():
                one.on_cancel = None
                one.set_result(self.late())
                self.flights.left(self.flight)


@dataclass(slots=True)
class Flights:
    """The calls under way, by the keys of the documents they bring.

    A flight goes on while anyone waits for it and is cancelled with the last who does. Who waits has a deadline, which
    is that of its request, and is given what stands for a document that is late; the flight's own is the last of
    these. A forgotten key is taken off its flight: who is aboard still gets the document, but it is not landed, and who
    comes later starts another.
    """

    land: Land
    _aloft: dict[str, _Flight] = field(default_factory=dict)
    _alarms: Alarms = field(default_factory=Alarms)

    def board(
        self,
        waiting: Mapping[str, Waiting],
        fly: Fly,
        late: Late,
        land: Land | None = None,
        *,
        is_direct: bool = False,
        deadline: Deadline | None = None,
    ) -> None:
        """Let these wait for the documents of their keys; `fly` is called once for those that no flight brings yet.

        `fly` answers every key it is given, with a document or the error that stands for it; `land` then takes the
        documents. Who needs a direct flight boards no other; it takes the place of one under way. They wait until the
        deadline that was handed down here, or that is given.
        """
        if not waiting:
            return
        until, loop = (deadline or handed_down()).at, next(iter(waiting.values())).get_loop()
        if until <= loop.time():
            for one in waiting.values():
                one.set_result(late())
            return
        new: _Flight | None = None
        boarding: _Boarding | None = None
        for key, one in waiting.items():
            flight = self._aloft.get(key)
            if flight is None or (is_direct and not flight.is_direct):
                if new is None:
                    new = _Flight(land or self.land, is_direct, {}, Deadline(until))
                flight = self._aloft[key] = new
                flight.waiting[key] = [one]
            else:
                flight.waiting[key].append(one)
            if boarding is None or boarding.flight is not flight:
                boarding = self._boarding(flight, late, until, loop)
            flight.aboard += 1
            boarding.ones.append(one)
            one.on_cancel = boarding.leave
        if new is not None:
            new.task = loop.create_task(self._run(new, fly), name="flight")

    def _boarding(self, flight: _Flight, late: Late, until: float, loop: asyncio.AbstractEventLoop) -> _Boarding:
        boarding = _Boarding(self, flight, late)
        if until > flight.deadline.at:
            flight.deadline.at = until
        if until < NEVER.at:
            boarding.due = self._alarms.set(until, loop, boarding)
            flight.boardings.append(boarding)
        return boarding

    def forget(self, key: str) -> None:
        """Take a key off its flight: what it brings is out of date."""
        self._aloft.pop(key, None)

    async def close(self) -> None:
        """End what is under way."""
        tasks = [flight.task for flight in self._aloft.values() if flight.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def __len__(self) -> int:
        return len(self._aloft)

    async def _run(self, flight: _Flight, fly: Fly) -> None:
        hand_down(flight.deadline)
        try:
            outcomes = await fly(list(flight.waiting))
        except asyncio.CancelledError:
            self._end(flight)
            for _, one in flight.still_waiting():
                one.cancel()
            raise
        except Exception as bug:  # noqa: BLE001 - it is raised where each of them waits
            self._end(flight)
            for _, one in flight.still_waiting():
                one.on_cancel = None
                one.set_exception(bug)
            return
        for key, outcome in outcomes.items():
            if self._aloft.get(key) is flight and outcome.__class__ is Document:
                flight.land(key, outcome)
        self._end(flight)
        for key, several in flight.waiting.items():
            for one in several:
                if not one.done():
                    one.on_cancel = None
                    one.set_result(outcomes[key])

    def left(self, flight: _Flight) -> None:
        """End a flight with the last who gave up waiting for it."""
        flight.aboard -= 1
        task = flight.task
        if not flight.aboard and task is not None:
            self._end(flight)
            task.cancel()

    def _end(self, flight: _Flight) -> None:
        for boarding in flight.boardings:
            boarding.due.pop(boarding, None)
        flight.boardings.clear()
        flight.task = None  # which refers to the flight: nothing is to wait for the garbage collector
        for key in flight.waiting:
            if self._aloft.get(key) is flight:
                del self._aloft[key]
