"""A transport that writes the head and the body of an answer at once."""

import asyncio
from typing import Any


class Corked:
    """Holds what is written until the next write or the next turn of the loop.

    So the head of an answer and its body leave by one system call, which is most of what a short answer costs; and as
    one piece, for which uvloop has a shorter way than for two.
    """

    __slots__ = ("_held", "_loop", "transport")

    def __init__(self, transport: asyncio.Transport) -> None:
        self.transport = transport
        self._loop = asyncio.get_running_loop()
        self._held = b""

    def write(self, data: bytes) -> None:
        """Hold the head of an answer, or write what follows it at once."""
        if self._held:
            held, self._held = self._held, b""
            self.transport.write(held + data)
        else:
            self._held = data
            self._loop.call_soon(self._flush)

    def writelines(self, parts: tuple[bytes, ...]) -> None:
        """Write all of it, behind what is held."""
        self._flush()
        self.transport.write(b"".join(parts))

    def is_closing(self) -> bool:
        """Whether the connection is, or is being, closed."""
        return self.transport.is_closing()

    def close(self) -> None:
        """Close the connection, once all is written."""
        self._flush()
        self.transport.close()

    def _flush(self) -> None:
        if self._held and not self.transport.is_closing():
            self.transport.write(self._held)
        self._held = b""

    def __getattr__(self, name: str) -> Any:
        return getattr(self.transport, name)
