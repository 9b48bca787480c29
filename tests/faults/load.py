"""Load that does not wait: so many requests a second, whatever becomes of those before."""

import asyncio
import statistics
import time
from dataclasses import dataclass, field

CONNECTIONS = 1_000  # that are kept, and as many more as it takes


@dataclass(frozen=True, slots=True)
class Answered:
    """One answer: its status, the head, the body, and the seconds that it took."""

    status: int
    head: bytes
    body: bytes
    seconds: float
    at: float


@dataclass(slots=True)
class OpenLoop:
    """Requests that are sent to an address at a rate, over connections that are kept, and the answers that came."""

    host: str
    port: int
    request: bytes
    answers: list[Answered] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    began: float = 0.0
    _idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = field(default_factory=list)

    async def run(self, rate: float, seconds: float) -> None:
        """Send for some seconds, then wait for every answer."""
        began, sent = time.monotonic(), 0
        self.began = began
        tasks = []
        while (now := time.monotonic() - began) < seconds:
            while sent < now * rate:
                tasks.append(asyncio.create_task(self._ask()))
                sent += 1
            await asyncio.sleep(0.005)
        await asyncio.gather(*tasks)

    async def _ask(self) -> None:
        began = time.monotonic()
        while not await self._asked(began):
            pass  # on another connection, as clients do: the server had let go of the one that rested

    async def _asked(self, began: float) -> bool:
        is_kept, writer = bool(self._idle), None
        try:
            reader, writer = self._idle.pop() if is_kept else await asyncio.open_connection(self.host, self.port)
            writer.write(self.request)
            head = await reader.readuntil(b"\r\n\r\n")
            body = await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]))
        except (OSError, asyncio.IncompleteReadError) as error:
            if writer is not None:
                writer.close()
            if is_kept and _came_to_nothing(error):
                return False
            self.failures.append(repr(error))
            return True
        self.answers.append(Answered(int(head[9:12]), head, body, time.monotonic() - began, began))
        if len(self._idle) < CONNECTIONS:
            self._idle.append((reader, writer))
        else:
            writer.close()
        return True

    def close(self) -> None:
        """Hang up."""
        for _, writer in self._idle:
            writer.close()

    def took(self, status: int) -> list[float]:
        """Give the seconds that each answer of a status took."""
        return [one.seconds for one in self.answers if one.status == status]


async def loaded(host: str, port: int, request: bytes, rate: float, seconds: float) -> OpenLoop:
    """Ask at a rate for some seconds, and give the answers."""
    load = OpenLoop(host, port, request)
    try:
        await load.run(rate, seconds)
    finally:
        load.close()
    return load


def flood(host: str, port: int, request: bytes, rate: float, seconds: float) -> OpenLoop:
    """Do the same in a process of its own."""
    load = asyncio.run(loaded(host, port, request, rate, seconds))
    return OpenLoop(host, port, request, load.answers, load.failures)


def _came_to_nothing(error: Exception) -> bool:
    return isinstance(error, ConnectionError) or (isinstance(error, asyncio.IncompleteReadError) and not error.partial)


def p99(times: list[float]) -> float:
    return statistics.quantiles(times, n=100)[98]


def post(host: str, body: bytes) -> bytes:
    """Write a request."""
    head = (
        f"POST /graphql HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
    )
    return head.encode() + b"\r\n" + body
