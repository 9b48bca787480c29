"""How long an upstream call may take, by one timer for all: one of its own would cost as much as a small call."""

import asyncio
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

TICK = 0.005  # seconds; how late the end may come, so that many calls that end apart share a wake-up


@dataclass(eq=False, slots=True)
class Wait:
    """One call, entered for as long as it lasts. It raises TimeoutError when that is too long."""

    patience: "Patience"
    task: asyncio.Task[Any]
    due: float
    cancelling: int
    expired: bool = False

    def __enter__(self) -> None:
        self.patience.begin(self)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.patience.end(self)
        if self.expired and kind is asyncio.CancelledError and self.task.uncancel() <= self.cancelling:
            raise TimeoutError from error

    def expire(self) -> None:
        """End the call."""
        self.expired = True
        self.task.cancel()


@dataclass(slots=True)
class Patience:
    """`seconds` for each call. The timer is set while any is under way, to when the first of them is due."""

    seconds: float
    _waits: dict[Wait, None] = field(default_factory=dict)
    _timer: asyncio.TimerHandle | None = None
    _loop: asyncio.AbstractEventLoop | None = None

    def wait(self) -> Wait:
        """Wait for one call of this task."""
        task = None if self._loop is None else asyncio.current_task(self._loop)
        if task is None:
            self._loop = asyncio.get_running_loop()  # which is a system call on some Pythons
            task = asyncio.current_task(self._loop)
        if task is None:
            raise RuntimeError("only a task can be kept waiting")
        return Wait(self, task, task.get_loop().time() + self.seconds, task.cancelling())

    def begin(self, wait: Wait) -> None:
        """Count a call in."""
        self._waits[wait] = None
        if self._timer is None:
            self._timer = wait.task.get_loop().call_later(self.seconds, self._look)

    def end(self, wait: Wait) -> None:
        """Count it out."""
        del self._waits[wait]

    def _look(self) -> None:
        """End those that are due; all have the same patience, so the first is due first."""
        loop = asyncio.get_running_loop()
        now, self._timer = loop.time(), None
        for wait in self._waits:
            if wait.due > now:
                self._timer = loop.call_later(max(wait.due - now, TICK), self._look)
                return
            wait.expire()
