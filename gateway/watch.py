"""Documents that subscribers watch: one poll each, however many subscribe; quick while things move, slow when not."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
from contextvars import Context
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Generic, Protocol, Self, TypeVar

from gateway.errors import LimitExceeded, ShuttingDown, UpstreamError

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


@dataclass(frozen=True, slots=True)
class Pace:
    """How long to wait between two looks, in seconds.

    `shortest` after a change, then `growth` times longer after every look that finds none, or fails, up to `longest`.
    A share of it, `jitter` at most, is left out at random, so that watches do not all look at once.
    """

    shortest: float = 2.0
    longest: float = 30.0
    growth: float = 1.5
    jitter: float = 0.1

    @property
    def first(self) -> float:
        """The interval after a change."""
        return min(self.shortest, self.longest)

    def longer(self, interval: float) -> float:
        """The interval after one that brought no change."""
        return min(interval * self.growth, self.longest)

    def jittered(self, interval: float) -> float:
        """What to wait of an interval."""
        return interval * (1 - self.jitter * random.random())  # noqa: S311 - spreads load


class Updates(AsyncIterator[T]):
    """One subscriber: the document as it is, then its newest state after each change, until it is final.

    Whoever does not read misses states, never the newest, and holds nothing up. Raises what ended the watch: an
    UpstreamError, or ShuttingDown. `aclose` ends a wait under way too.
    """

    __slots__ = ("_ended", "_leave", "_news", "_number", "watch")

    def __init__(self, watch: "_Watch[T]", leave: "Callable[[Updates[T]], Awaitable[None]]") -> None:
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


class _Watch(Generic[T]):
    """One document: its last state with the number of changes before it, its subscribers, and the task that looks."""

    def __init__(self, key: str, look: Look[T], pace: Pace, clock: Callable[[], float], sleep: Sleep) -> None:
        self.key = key
        self.subscribers: set[Updates[T]] = set()
        self.seen: Seen[T] | None = None
        self.number = 0
        self.ended = False
        self._failure: tuple[Exception, TracebackType | None] | None = None
        self._look = look
        self._pace = pace
        self._clock = clock
        self._sleep = sleep
        self._interval = pace.first
        self._looked_at = clock()
        self._not_before = 0.0
        self._nap: asyncio.Future[None] | None = None
        # A context of its own: what it calls is not on the account of the request that came first.
        self.task = asyncio.create_task(self._run(), context=Context())
        self.task.add_done_callback(self._end)

    def hurry(self, *, after: float) -> None:
        """Look now, if the last look was `after` seconds ago or more and the upstream has not asked for patience."""
        now = self._clock()
        if self._nap is not None and now >= max(self._looked_at + after, self._not_before):
            self._nap.cancel()

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
        try:
            self._take(await self._look(anew=False))
            while self.seen is None or not self.seen.is_final:
                await self._rest()
                await self._look_again()
        except Exception as error:  # noqa: BLE001 - whatever it is, each subscriber raises it
            self._failure = (error, error.__traceback__)

    def _end(self, _task: asyncio.Task[None]) -> None:
        self.ended = True
        self._wake_all()

    async def _look_again(self) -> None:
        """Look, and go on after a failure that may pass."""
        self._looked_at, self._not_before = self._clock(), 0.0
        try:
            self._take(await self._look(anew=True))
        except UpstreamError as error:
            if not error.retryable:
                raise
            self._interval = self._pace.longer(self._interval)
            self._not_before = self._clock() + (error.retry_after or 0)

    def _take(self, seen: Seen[T]) -> None:
        if self.seen is not None and seen.version == self.seen.version and seen.is_final == self.seen.is_final:
            self._interval = self._pace.longer(self._interval)
            return
        self.seen = seen
        self.number += 1
        self._interval = self._pace.first
        # Soon, so that the next interval has begun when the first of many subscribers goes to work.
        asyncio.get_running_loop().call_soon(self._wake_all)

    async def _rest(self) -> None:
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


@dataclass(slots=True)
class Watchers:
    """The watches of a process, by the keys of what they watch: at most `most`, with `most_subscribers` together."""

    pace: Pace
    most: int
    most_subscribers: int
    clock: Callable[[], float]
    sleep: Sleep = asyncio.sleep
    subscribed: int = 0
    _watches: dict[str, _Watch[Any]] = field(default_factory=dict)
    _closing: bool = False

    async def subscribe(self, key: str, look: Look[T]) -> Updates[T]:
        """Subscribe to a document: what `look` finds, or whoever watches under this `key` already.

        Raises what the first look does, LimitExceeded, or ShuttingDown. A state older than the shortest interval is
        given all the same, and looked after at once.
        """
        watch = self._find_or_begin(key, look)
        updates = Updates(watch, self._leave)
        watch.subscribers.add(updates)
        self.subscribed += 1
        watch.hurry(after=self.pace.shortest)
        try:
            await updates.ready()
        except BaseException:
            await updates.aclose()
            raise
        return updates

    def heard(self, key: str) -> None:
        """Look now at a document that was heard to have changed, where it is watched."""
        if key in self._watches:
            self._watches[key].hurry(after=0)

    def end(self, concerns: Callable[[str], bool], failure: Exception) -> None:
        """End the watches of some keys: their subscribers raise this."""
        for watch in self._watches.values():
            if concerns(watch.key):
                watch.fail(failure)

    def __len__(self) -> int:
        return len(self._watches)

    async def close(self) -> None:
        """End every watch: its subscribers raise ShuttingDown, and so does whoever comes after."""
        self._closing = True
        await asyncio.gather(*(watch.stop(ShuttingDown()) for watch in list(self._watches.values())))

    def _find_or_begin(self, key: str, look: Look[T]) -> _Watch[T]:
        if self._closing:
            raise ShuttingDown
        if self.subscribed >= self.most_subscribers:
            raise LimitExceeded(f"The gateway holds at most {self.most_subscribers:,} subscriptions at once.")
        if key in self._watches:
            return self._watches[key]
        if len(self._watches) >= self.most:
            raise LimitExceeded(f"The gateway watches at most {self.most:,} scans and jobs at once.")
        watch = self._watches[key] = _Watch(key, look, self.pace, self.clock, self.sleep)
        watch.task.add_done_callback(lambda _: self._forget(watch))
        return watch

    async def _leave(self, updates: Updates[Any]) -> None:
        watch = updates.watch
        watch.subscribers.discard(updates)
        self.subscribed -= 1
        if not watch.subscribers and not watch.ended:
            self._forget(watch)
            await watch.stop()

    def _forget(self, watch: _Watch[Any]) -> None:
        if self._watches.get(watch.key) is watch:
            del self._watches[watch.key]
