"""One connection of HTTP/1.1: a request out by one write, its answer in, and whether it may serve another."""

import asyncio
from collections.abc import Callable
from typing import cast

import httptools
import httpx

from gateway.upstream.channel import Answer
from gateway.upstream.decoding import TooLarge, decode_answer
from gateway.upstream.policy import Bounds

_BODILESS = (204, 304)
_SWITCHED = 101


class Connection(asyncio.Protocol):
    """Belongs to one caller at a time."""

    __slots__ = (
        "_answer",
        "_bounds",
        "_fruitless",
        "_headed",
        "_headers",
        "_laid_down",
        "_loop",
        "_lost",
        "_parser",
        "_parts",
        "_received",
        "_served",
        "_transport",
        "is_open",
        "is_reusable",
    )

    def __init__(self, bounds: Bounds, lost: Callable[["Connection"], None]) -> None:
        self._bounds = bounds
        self._lost = lost
        self._loop = asyncio.get_running_loop()  # once: it is a system call on some Pythons
        self._parser = httptools.HttpResponseParser(self)
        self._answer: asyncio.Future[Answer] | None = None
        self._served = self._received = self._fruitless = 0
        self.is_open = self.is_reusable = False

    async def ask(self, request: bytes) -> Answer:
        """Send a request and wait for its answer. Raises NetworkError, RemoteProtocolError or DecodingError."""
        self._answer = self._loop.create_future()
        self._received = self._fruitless = 0
        self.on_message_begin()
        self._transport.write(request)
        try:
            answer = await self._answer
        finally:
            self._answer = None
        self._served += 1
        coding = answer.headers.get("content-encoding")
        if not coding:
            return answer
        body = decode_answer(answer.status, answer.body, coding, self._bounds.body_bytes)
        return Answer(answer.status, answer.headers, body)

    @property
    def was_stale(self) -> bool:
        """Whether it had served before and ended before a byte of this answer came: the server had let go of it."""
        return self._served > 0 and not self._received

    def lay_down(self) -> None:
        """Begin to rest."""
        self._laid_down = self._loop.time()

    def rested(self) -> float:
        """Give the seconds since it was laid down."""
        return self._loop.time() - self._laid_down

    def close(self) -> None:
        """Hang up at once; whoever waits for an answer is told."""
        self._break(httpx.NetworkError("closed"))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        self._transport = cast("asyncio.Transport", transport)
        self.is_open = True

    def data_received(self, data: bytes) -> None:
        """Read a piece of the answer; what nobody asked for ends the connection."""
        if not self._is_awaited():
            self.close()
            return
        pieces = len(self._parts)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._break(httpx.NetworkError(type(error).__name__))
        self._received += len(data)
        self._fruitless = self._fruitless + len(data) if len(self._parts) == pieces else 0
        bounds = self._bounds
        if self._fruitless > bounds.head_bytes or self._received > bounds.body_bytes + bounds.head_bytes:
            self._break(TooLarge("more came than is taken"))

    def eof_received(self) -> None:
        """Read the end: the transport closes itself."""
        self._end(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Leave the pool."""
        self._end(exc)
        self._lost(self)

    def on_message_begin(self) -> None:
        """Begin an answer, or the next after one of the 1xx; one more than was asked for spends the connection."""
        self._headers: dict[str, str] = {}
        self._parts: list[bytes] = []
        self._headed = False
        self.is_reusable = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header, unless it comes behind the body; several of a name are one (RFC 9110, 5.3).

        White space behind a value is no part of it (RFC 9112, 5.1); the parser leaves it there.
        """
        if self._headed:
            return
        key, text = name.decode("latin-1").lower(), value.rstrip(b" \t").decode("latin-1")
        self._headers[key] = f"{self._headers[key]}, {text}" if key in self._headers else text

    def on_headers_complete(self) -> None:
        """Answer at once where no body may follow, though the head announces one; take none that will be too large."""
        self._headed = True
        length = self._headers.get("content-length")
        if length is not None and length.isdecimal() and int(length[:19]) > self._bounds.body_bytes:
            self._break(TooLarge("more is announced than is taken"))
            return
        if self._parser.get_status_code() in _BODILESS and self._announces_body():
            self._complete(is_reusable=False)

    def on_body(self, body: bytes) -> None:
        """Keep a piece."""
        self._parts.append(body)

    def on_message_complete(self) -> None:
        """Answer, unless the answer proper is still to come."""
        status = self._parser.get_status_code()
        if status == _SWITCHED:
            self._break(httpx.RemoteProtocolError("switched to a protocol that was not asked for"))
        elif status < 200:  # noqa: PLR2004 - HTTP's 1xx are interim
            self._headed = False
        else:
            unwritten = self._transport.get_write_buffer_size()
            self._complete(is_reusable=self._parser.should_keep_alive() and not unwritten)

    def _is_awaited(self) -> bool:
        return self._answer is not None and not self._answer.done()

    def _announces_body(self) -> bool:
        return self._headers.get("content-length", "0") != "0" or "transfer-encoding" in self._headers

    def _complete(self, *, is_reusable: bool) -> None:
        if self._answer is not None and not self._answer.done():
            body = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
            self._answer.set_result(Answer(self._parser.get_status_code(), self._headers, body))
            self.is_reusable = is_reusable

    def _end(self, error: Exception | None) -> None:
        """Take the end for the body's where nothing else says where it ends."""
        if error is None and self._is_awaited() and self._headed and not self._is_framed():
            self._complete(is_reusable=False)
        self._break(httpx.NetworkError(type(error).__name__ if error else "ended before its answer did"))

    def _is_framed(self) -> bool:
        coding = self._headers.get("transfer-encoding", "").lower()
        return "content-length" in self._headers or coding.endswith("chunked")

    def _break(self, error: httpx.TransportError | httpx.DecodingError) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)
        self.is_open = self.is_reusable = False
        self._transport.abort()
