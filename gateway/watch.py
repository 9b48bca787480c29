"""A document that subscribers watch: one poll, however many subscribe; quick while it moves, slow while it does not."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
from contextvars import Context
from dataclasses import dataclass
from types import TracebackType
from typing import Generic, Protocol, Self, TypeVar

from gateway.cache.store import look_past_memory
from gateway.errors import UpstreamError
from gateway.pace import Pace, WatchTurns
from gateway.telemetry import account
from gateway.upstream.quota import LONGEST_PATIENCE

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Seen(Generic[T_co]):
    """What a look found: a `version` that differs after every change, and whether no change can come any more."""

    value: T_co
    version: Hashable
    is_final: bool


class Look(Protocol[T_co]):
    """Asks how a document is; `anew` means the upstream, whatever the cache holds. Raises UpstreamErrors."""

    async def __call__(self, *, anew: bool) -> Seen[T_co]:
        """Look once."""


class Updates(AsyncIterator[T]):
    """One subscriber: the document as it is, then its newest state after each change, until it is final.

    Whoever does not read misses states, never the newest, and holds nothing up. Raises what ended the watch: an
    UpstreamError, or ShuttingDown. `aclose` ends a wait under way too.
    """

    __slots__ = ("_ended", "_leave", "_news", "_number", "watch")

    def __init__(self, watch: "Watch[T]", leave: "Callable[[Updates[T]], Awaitable[None]]") -> None:
        self.watch = watch
        self._leave = leave
        self._number = 0
        self._news: asyncio.Future[None] | None = None
        self._ended = False

    def __aiter__(self) -> Self:
        """Give itself."""
        return self

    async def __anext__(self) -> T:
        """Wait for a state that was not given yet."""
        seen = await self.ready()
        if seen is None:
            raise StopAsyncIteration
        self._number = self.watch.number
        return seen.value

    async def ready(self) -> Seen[T] | None:
        """Wait until there is a state that was not given yet, and give it; None where none will come."""
        while not self._ended:
            if self._number != self.watch.number:
                return self.watch.seen
            if self.watch.ended:
                await self.aclose()
                self.watch.raise_failure()
            else:
                self._news = asyncio.get_running_loop().create_future()
                await self._news
        return None

    def wake(self) -> None:
        """Let it look again at what it waits for."""
        if self._news is not None and not self._news.done():
            self._news.set_result(None)

    async def aclose(self) -> None:
        """Unsubscribe; a second time does nothing."""
        if not self._ended:
            self._ended = True
            self.wake()
            await self._leave(self)


class Watch(Generic[T]):
    """One document: its last state with the number of changes before it, its subscribers, and the task that looks."""

    def __init__(
        self, key: str, look: Look[T], *, pace: Pace, clock: Callable[[], float], sleep: Sleep, turns: WatchTurns
    ) -> None:
        self.key = key
        self.subscribers: set[Updates[T]] = set()
        self.seen: Seen[T] | None = None
        self.number = 0
        self.ended = False
        self._failure: tuple[Exception, TracebackType | None] | None = None
        self._look = look
        self._pace, self._clock, self._sleep, self._turns = pace, clock, sleep, turns
        self._is_due = self._is_urgent = self._has_news = False
        self._interval = pace.first
        self._looked_at = clock()
        self._not_before = 0.0
        self._nap: asyncio.Future[None] | None = None
        # A context of its own, without a deadline, as each subscriber has another: only of what it calls the first look
        # is on the account of the request that came first.
        context = Context()
        context.run(account.set, account.get())
        self.task = asyncio.create_task(self._run(), context=context)
        self.task.add_done_callback(self._end)

    def hurry(self) -> None:
        """Look now, if the shortest interval has passed and the upstream has not asked for patience."""
        now = self._clock()
        if self._nap is not None and now >= max(self._looked_at + self._pace.shortest, self._not_before):
            self._is_urgent = True
            self._nap.cancel()

    def turn(self) -> None:
        """See at once whose turn it is, unless the upstream has asked for patience."""
        if self._clock() >= self._not_before:
            self._is_due = True
            if self._nap is not None:
                self._nap.cancel()

    def news(self, *, now: bool) -> None:
        """Take what another process has found, now or when the interval ends."""
        self._has_news = True
        if now:
            self.turn()

    def raise_failure(self) -> None:
        """Raise what ended it, where anything did, as it was raised first: every subscriber raises the same."""
        if self._failure is not None:
            error, traceback = self._failure
            raise error.with_traceback(traceback)

    def fail(self, failure: Exception) -> None:
        """Begin to end it: its subscribers raise this."""
        if not self.ended:
            self._failure = (failure, None)
        self.task.cancel()

    async def stop(self, failure: Exception | None = None) -> None:
        """End it."""
        if failure is not None:
            self.fail(failure)
        self.task.cancel()
        await asyncio.wait([self.task])

    async def _run(self) -> None:
        look_past_memory()  # also at first: what another process found before this began was told to others alone
        try:
            self._take(await self._look(anew=False))
            account.set(None)
            while self.seen is None or not self.seen.is_final:
                await self._rest()
                await self._next()
        except Exception as error:  # noqa: BLE001 - whatever it is, each subscriber raises it
            self._failure = (error, error.__traceback__)

    def _end(self, _task: asyncio.Task[None]) -> None:
        self.ended = True
        self._turns.leave(self.key)
        self._wake_all()

    async def _next(self) -> None:
        """Look where it is one's turn, or cannot wait; else take what another process has found, if it has."""
        is_turn = await self._turns.take(self.key, self._pace.turn * self._interval)
        anew, has_news = is_turn or self._is_urgent, self._has_news
        self._is_urgent = self._has_news = False
        if anew or has_news:
            await self._look_again(anew=anew)
        else:
            self._interval = self._pace.longer(self._interval)

    async def _look_again(self, *, anew: bool) -> None:
        """Look, and go on after a failure that may pass."""
        self._looked_at, self._not_before = self._clock(), 0.0
        try:
            is_new = self._take(await self._look(anew=anew))
        except UpstreamError as error:
            if not error.retryable:
                raise
            self._interval = self._pace.longer(self._interval)
            if error.retry_after:
                patience = min(error.retry_after, LONGEST_PATIENCE)
                self._not_before = self._clock() + patience
                await self._turns.take(self.key, patience + self._pace.turn * self._interval)
        else:
            if is_new and anew:
                self._turns.tell(self.key)

    def _take(self, seen: Seen[T]) -> bool:
        """Make a state known where it is another one than before; else it is that of who comes from now on."""
        before, self.seen = self.seen, seen
        if before is not None and seen.version == before.version and seen.is_final == before.is_final:
            self._interval = self._pace.longer(self._interval)
            return False
        self.number += 1
        self._interval = self._pace.first
        # Soon, so that the next interval has begun when the first of many subscribers goes to work.
        asyncio.get_running_loop().call_soon(self._wake_all)
        return True

    async def _rest(self) -> None:
        if not self._is_due:
            await self._sleep_on()
        self._is_due = False

    async def _sleep_on(self) -> None:
        seconds = max(self._pace.jittered(self._interval), self._not_before - self._clock())
        self._nap = asyncio.ensure_future(self._sleep(seconds))
        try:
            await asyncio.wait([self._nap])
        finally:
            self._nap.cancel()
            await asyncio.wait([self._nap])

    def _wake_all(self) -> None:
        for subscriber in self.subscribers:
            subscriber.wake()
