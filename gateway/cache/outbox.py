"""What is to be written to Redis: in order, in as few steps as may be, and never waited for by a query."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # redis is there only where it is configured
    from gateway.cache.link import Command, Link

MOST_WAITING = 10_000  # what must not be lost while Redis is away; the oldest goes first all the same
MOST_AT_ONCE, MOST_BYTES_AT_ONCE = 100, 500_000  # a letter that makes it more goes along


@dataclass(frozen=True, slots=True)
class Letter:
    """Commands to be made when their turn comes; one `vital` waits until Redis takes it, others are given up."""

    commands: "Callable[[], Sequence[Command]]"
    is_vital: bool = False


@dataclass(slots=True)
class Outbox:
    """Sends what is put in. `lost` counts letters that were given up."""

    link: "Link"
    lost: int = 0
    _letters: deque[Letter] = field(default_factory=deque)
    _awaited: dict[Letter, asyncio.Future[None]] = field(default_factory=dict)
    _sending: asyncio.Task[None] | None = None

    def put(self, letter: Letter) -> None:
        """Send a letter after all others."""
        if not self.link.is_up and not letter.is_vital:
            self.lost += 1
            return
        if len(self._letters) >= MOST_WAITING:
            self._let_go([self._letters.popleft()])
            self.lost += 1
        self._letters.append(letter)
        if self.link.is_up and self._sending is None:
            self._sending = asyncio.get_running_loop().create_task(self._send())

    async def deliver(self, letter: Letter) -> None:
        """Send a letter after all others, and wait until it was, or could not be within the time Redis is given."""
        self.put(letter)
        if self._sending is not None:
            tried = self._awaited[letter] = asyncio.get_running_loop().create_future()
            await tried

    async def emptied(self) -> None:
        """Wait until what was put in has been sent, or could not be within the time that Redis is given."""
        if self._sending is not None:
            await asyncio.wait([self._sending])

    async def resume(self) -> None:
        """Send what has waited for Redis. Raises what goes wrong with the connection, and what is refused.

        What is not vital is older than whatever happened meanwhile, and is given up.
        """
        waited = list(self._letters)
        self._letters.clear()
        self._put_back(waited)
        while self._letters:
            letters, commands = self._take()
            try:
                answers = await self.link.require(commands)
            except BaseException:
                self._put_back(letters)
                raise
            self._let_go(letters)
            if refusal := self._refused(letters, answers):
                raise refusal

    async def close(self) -> None:
        """Send what there is, as far as Redis takes it now."""
        await self.emptied()

    async def _send(self) -> None:
        try:
            while self.link.is_up and self._letters:
                letters, commands = self._take()
                answers = await self.link.send(commands)
                if answers is None:
                    self._put_back(letters)
                elif refusal := self._refused(letters, answers):
                    self.link.leave(refusal)
                self._let_go(letters)
        finally:
            self._sending = None
            self._let_go(list(self._awaited))

    def _let_go(self, letters: Sequence[Letter]) -> None:
        """Let those go on who wait for these."""
        for letter in letters:
            tried = self._awaited.pop(letter, None)
            if tried is not None and not tried.done():
                tried.set_result(None)

    def _take(self) -> "tuple[list[Letter], list[Command]]":
        """Take what goes at once, and write it, each command beside the letter that it is of.

        Large ones take a while to write, in which nothing else is done.
        """
        letters: list[Letter] = []
        commands: list[Command] = []
        size = 0
        while self._letters and len(commands) < MOST_AT_ONCE and size < MOST_BYTES_AT_ONCE:
            letter = self._letters.popleft()
            for command in letter.commands():
                letters.append(letter)
                commands.append(command)
                size += sum(len(part) for part in command if isinstance(part, bytes))
        return letters, commands

    def _refused(self, letters: Sequence[Letter], answers: Sequence[Any]) -> Exception | None:
        """Keep what must not be lost and was refused, and give the first refusal of it."""
        both = zip(letters, answers, strict=True)
        refused = [(one, answer) for one, answer in both if one.is_vital and isinstance(answer, Exception)]
        self._put_back([letter for letter, _ in refused])
        return refused[0][1] if refused else None

    def _put_back(self, letters: Sequence[Letter]) -> None:
        """Keep what must not be lost; to do it twice does no harm."""
        vital = [letter for letter in letters if letter.is_vital]
        self.lost += len(letters) - len(vital)
        self._letters.extendleft(reversed(vital))
