"""What is done about an attempt that is slow: another is made in its place, or beside it."""

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import Context, copy_context
from typing import Any, Generic, TypeVar

import msgspec

from gateway.alarms import Alarms, Due

T = TypeVar("T")


class Lateness(msgspec.Struct, Generic[T], eq=False):
    """Belongs to one attempt, and to the task that makes it.

    After `slow` seconds it asks whether it `may_act`, and again after as many where it may not. Then it ends the
    attempt, or, given a `beside`, runs that as well: who answers first ends the other.
    """

    loop: asyncio.AbstractEventLoop
    alarms: Alarms
    slow: float
    may_act: Callable[[], bool]
    beside: Callable[[], Coroutine[Any, Any, T]] | None
    other: asyncio.Task[T] | None = None
    has_ended: bool = False
    _is_over: bool = False
    _task: asyncio.Task[Any] = None  # type: ignore[assignment] # a struct wants a default; it is set before anybody looks
    _cancelling: int = 0
    _due: Due = {}
    _context: Context | None = None

    def __post_init__(self) -> None:
        task = asyncio.current_task(self.loop)
        if task is None:
            raise RuntimeError("only a task can be late")
        self._task, self._cancelling = task, task.cancelling()
        if self.beside is not None:
            self._context = copy_context()  # whose calls the other's are
        self._set_alarm()

    def stop(self) -> None:
        """The attempt is over, and with it the other one."""
        self._is_over = True
        self._due.pop(self, None)
        if self.other is not None:
            self.other.cancel()

    async def rest(self) -> T:
        """Wait for the other one, which ends this attempt no more: it has failed."""
        if self.other is None:
            raise RuntimeError("no other was made")
        self._is_over = True
        return await self.other

    def is_behind(self) -> bool:
        """Whether a cancellation was this one's doing, and no one else's."""
        return self.has_ended and self._task.uncancel() <= self._cancelling

    def _set_alarm(self) -> None:
        self._due = self.alarms.set(self.loop.time() + self.slow, self.loop, self)

    def ring(self) -> None:
        """It is slow by now."""
        if not self.may_act():
            self._set_alarm()
        elif self.beside is None:
            self._end()
        else:
            self.other = self.loop.create_task(self.beside(), context=self._context)
            self.other.add_done_callback(self._other_ended)

    def _other_ended(self, other: asyncio.Task[T]) -> None:
        if not other.cancelled() and other.exception() is None:
            self._end()

    def _end(self) -> None:
        if not self._is_over and not self.has_ended:
            self.has_ended = True
            self._task.cancel()
