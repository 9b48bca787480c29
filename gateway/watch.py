"""Documents that subscribers watch: one poll each, however many subscribe; quick while things move, slow when not."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
from contextvars import Context
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Generic, Protocol, Self, TypeVar

from gateway.cache.store import look_past_memory
from gateway.errors import LimitExceeded, ShuttingDown, UpstreamError
from gateway.pace import Alone, Pace, Turns

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

    def __init__(self, key: str, look: Look[T], among: "Watchers") -> None:
        self.key = key
        self.subscribers: set[Updates[T]] = set()
        self.seen: Seen[T] | None = None
        self.number = 0
        self.ended = False
        self._failure: tuple[Exception, TracebackType | None] | None = None
        self._look = look
        self._pace, self._clock, self._sleep, self._turns = among.pace, among.clock, among.sleep, among.turns
        self._is_due = self._is_urgent = self._has_news = False
        self._interval = among.pace.first
        self._looked_at = among.clock()
        self._not_before = 0.0
        self._nap: asyncio.Future[None] | None = None
        # A context of its own: what it calls is not on the account of the request that came first.
        self.task = asyncio.create_task(self._run(), context=Context())
        self.task.add_done_callback(self._end)

    def hurry(self, *, after: float) -> None:
        """Look now, if the last look was `after` seconds ago or more and the upstream has not asked for patience."""
        now = self._clock()
        if self._nap is not None and now >= max(self._looked_at + after, self._not_before):
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
        try:
            self._take(await self._look(anew=False))
            look_past_memory()
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
                self._not_before = self._clock() + error.retry_after
                await self._turns.take(self.key, error.retry_after + self._pace.turn * self._interval)
        else:
            if is_new and anew:
                self._turns.tell(self.key)

    def _take(self, seen: Seen[T]) -> bool:
        """Make a state known where it is another one than before."""
        if self.seen is not None and seen.version == self.seen.version and seen.is_final == self.seen.is_final:
            self._interval = self._pace.longer(self._interval)
            return False
        self.seen = seen
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


@dataclass(slots=True)
class Watchers:
    """The watches of a process, by the keys of what they watch: at most `most`, with `most_subscribers` together."""

    pace: Pace
    most: int
    most_subscribers: int
    clock: Callable[[], float]
    sleep: Sleep = asyncio.sleep
    turns: Turns = field(default_factory=Alone)
    subscribed: int = 0
    _watches: dict[str, _Watch[Any]] = field(default_factory=dict)
    _closing: bool = False

    def __post_init__(self) -> None:
        self.turns.listen(self._changed_elsewhere, self._left_elsewhere, self._missed)

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
        watch = self._watches[key] = _Watch(key, look, self)
        watch.task.add_done_callback(lambda _: self._forget(watch))
        return watch

    async def _leave(self, updates: Updates[Any]) -> None:
        watch = updates.watch
        watch.subscribers.discard(updates)
        self.subscribed -= 1
        if not watch.subscribers and not watch.ended:
            self._forget(watch)
            await watch.stop()

    def _changed_elsewhere(self, key: str) -> None:
        if key in self._watches:
            self._watches[key].news(now=True)

    def _left_elsewhere(self, key: str) -> None:
        if key in self._watches:
            self._watches[key].turn()

    def _missed(self) -> None:
        for watch in self._watches.values():
            watch.news(now=False)

    def _forget(self, watch: _Watch[Any]) -> None:
        if self._watches.get(watch.key) is watch:
            del self._watches[watch.key]
