"""Questions put together: what one step of the program asks, and what comes while an answer is under way."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

LARGEST = 250  # questions in one go: four times so many documents are read in a third of GATEWAY_REDIS_TIMEOUT

Q = TypeVar("Q")
A = TypeVar("A")


@dataclass(slots=True)
class Batch(Generic[Q, A]):
    """Asks many questions in one go, LARGEST at most, and `most` times at once; the others wait and go together.

    `ask` gives an answer to each question, in order, or None where there is none for any; it raises nothing.
    """

    ask: Callable[[Sequence[Q]], Awaitable[Sequence[A] | None]]
    most: int
    _waiting: list[tuple[Q, asyncio.Future[A | None]]] = field(default_factory=list)
    _running: set[asyncio.Task[None]] = field(default_factory=set)
    _is_due: bool = False

    def put(self, question: Q) -> asyncio.Future[A | None]:
        """Give what will be the answer, or None; who gives it up disturbs nobody else."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[A | None] = loop.create_future()
        self._waiting.append((question, answer))
        if not self._is_due and len(self._running) < self.most:
            self._is_due = True
            loop.call_soon(self._start)
        return answer

    async def close(self) -> None:
        """End what is under way, and what waits for it, without an answer."""
        given_up, self._waiting = self._waiting, []
        for _, answer in given_up:
            if not answer.done():
                answer.set_result(None)
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    def _start(self) -> None:
        self._is_due = False
        while self._waiting and len(self._running) < self.most:
            some, self._waiting = self._waiting[:LARGEST], self._waiting[LARGEST:]
            task = asyncio.get_running_loop().create_task(self._run(some))
            self._running.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._start()

    async def _run(self, some: Sequence[tuple[Q, asyncio.Future[A | None]]]) -> None:
        answers: Sequence[A] | None = None
        try:
            answers = await self.ask([question for question, _ in some])
        finally:
            for place, (_, future) in enumerate(some):
                if not future.done():
                    future.set_result(None if answers is None else answers[place])
