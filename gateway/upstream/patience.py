"""How long an upstream call may take: a timeout of asyncio's own would cost as much as a small call."""

import asyncio
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from gateway.alarms import Alarms, Due


@dataclass(eq=False, slots=True)
class Wait:
    """One call, entered for as long as it lasts. It raises TimeoutError when that is too long."""

    patience: "Patience"
    task: asyncio.Task[Any]
    cancelling: int
    expired: bool = False
    _due: Due = field(init=False)

    def __enter__(self) -> None:
        self._due = self.patience.begin(self)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._due.pop(self, None)
        if self.expired and kind is asyncio.CancelledError and self.task.uncancel() <= self.cancelling:
            raise TimeoutError from error

    def ring(self) -> None:
        """End the call."""
        self.expired = True
        self.task.cancel()


@dataclass(slots=True)
class Patience:
    """`seconds` for each call."""

    seconds: float
    _alarms: Alarms = field(default_factory=Alarms)
    _loop: asyncio.AbstractEventLoop | None = None

    def wait(self) -> Wait:
        """Wait for one call of this task."""
        task = None if self._loop is None else asyncio.current_task(self._loop)
        if task is None:
            self._loop = asyncio.get_running_loop()  # which is a system call on some Pythons
            task = asyncio.current_task(self._loop)
        if task is None:
            raise RuntimeError("only a task can be kept waiting")
        return Wait(self, task, task.cancelling())

    def begin(self, wait: Wait) -> Due:
        """Set the alarm that ends a call."""
        loop = wait.task.get_loop()
        return self._alarms.set(loop.time() + self.seconds, loop, wait)
