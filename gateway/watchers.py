"""The watches of a process, found by what they watch, begun with the first who subscribes and ended with the last."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from gateway.deadline import handed_down, until
from gateway.errors import LimitExceeded, ShuttingDown
from gateway.pace import Alone, Pace, WatchTurns
from gateway.watch import Look, Sleep, Updates, Watch

T = TypeVar("T")


@dataclass(slots=True)
class Watchers:
    """The watches of a process, by the keys of what they watch: at most `most`, with `most_subscribers` together."""

    pace: Pace
    most: int
    most_subscribers: int
    clock: Callable[[], float]
    sleep: Sleep
    turns: WatchTurns = field(default_factory=Alone)
    subscribed: int = 0
    _watches: dict[str, Watch[Any]] = field(default_factory=dict)
    _closing: bool = False

    def __post_init__(self) -> None:
        self.turns.listen(self._changed_elsewhere, self._left_elsewhere, self._missed)

    async def subscribe(self, key: str, look: Look[T], late: Callable[[], Exception] = TimeoutError) -> Updates[T]:
        """Subscribe to a document: what `look` finds, or whoever watches under this `key` already.

        Raises what the first look does, what `late` makes where that takes longer than this request's deadline,
        LimitExceeded, or ShuttingDown. A state older than the shortest interval is given all the same, and looked after
        at once.
        """
        watch = self._find_or_begin(key, look)
        updates = Updates(watch, self._leave)
        watch.subscribers.add(updates)
        self.subscribed += 1
        watch.hurry()
        try:
            async with until(handed_down()):
                await updates.ready()
        except TimeoutError:
            await updates.aclose()
            raise late() from None
        except BaseException:
            await updates.aclose()
            raise
        return updates

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

    def _find_or_begin(self, key: str, look: Look[T]) -> Watch[T]:
        if self._closing:
            raise ShuttingDown
        if self.subscribed >= self.most_subscribers:
            raise LimitExceeded(f"The gateway holds at most {self.most_subscribers:,} subscriptions at once.")
        if key in self._watches:
            return self._watches[key]
        if len(self._watches) >= self.most:
            raise LimitExceeded(f"The gateway watches at most {self.most:,} scans and jobs at once.")
        watch = self._watches[key] = Watch(
            key, look, pace=self.pace, clock=self.clock, sleep=self.sleep, turns=self.turns
        )
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

    def _forget(self, watch: Watch[Any]) -> None:
        if self._watches.get(watch.key) is watch:
            del self._watches[watch.key]
