"""A server of bytes over real sockets, for what an HTTP client does on the wire."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"

Answers = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass(slots=True)
class Server:
    """A server that keeps what it was sent."""

    port: int = 0
    connections: int = 0
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    heads: list[list[str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/base"

    @property
    def targets(self) -> list[str]:
        return [head[0].split(" ")[1] for head in self.heads]

    async def heard(self, count: int) -> None:
        """Wait until so many requests have come."""
        while len(self.heads) < count:
            self.asked.clear()
            await self.asked.wait()


@asynccontextmanager
async def serving(
    answer: Answers | bytes, *, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None
) -> AsyncIterator[Server]:
    """Answer every request with the same bytes, or as a function writes."""
    seen = Server()
    open_: dict[asyncio.StreamWriter, asyncio.Task[None] | None] = {}

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.connections += 1
        open_[writer] = asyncio.current_task()
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[:-2]
                head[1:] = [line.partition(":")[0].lower() + ":" + line.partition(":")[2] for line in head[1:]]
                length = [int(line.split(":")[1]) for line in head if line.startswith("content-length")]
                seen.heads.append(head)
                seen.asked.set()
                seen.bodies.append(await reader.readexactly(length[0]) if length else b"")
                if isinstance(answer, bytes):
                    writer.write(answer)
                else:
                    await answer(writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            seen.gone.set()
        finally:
            writer.close()

    server = await asyncio.start_server(handle, host, 0, ssl=tls)
    seen.port = server.sockets[0].getsockname()[1]
    try:
        yield seen
    finally:
        server.close()
        for writer in open_:
            writer.transport.abort()
        await asyncio.gather(*filter(None, open_.values()))


async def hang_up(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def hang_up_midway(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{")
    await writer.drain()
    writer.close()


async def say_nothing(_writer: asyncio.StreamWriter) -> None:
    """Leave the caller waiting."""


def in_turn(*answers: Answers | bytes) -> Answers:
    """Answer the first request by the first, and so on; those behind the last by the last."""
    left = list(answers)

    async def answer(writer: asyncio.StreamWriter) -> None:
        next_ = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(next_, bytes):
            writer.write(next_)
        else:
            await next_(writer)

    return answer
