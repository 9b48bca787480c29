"""uvicorn's HTTP protocol, kept from listening without end to what is no body, and to requests that never end."""

import asyncio
from http import HTTPStatus
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from gateway.errors import AskedTooMuch
from gateway.http.refusal import Refusal
from gateway.http.reply import refused
from gateway.http.request_id import new_request_id
from gateway.http.sparing import SparingProtocol
from gateway.limits import RequestLimits


class GuardedProtocol(SparingProtocol):
    """Counts what comes of a request beside its body, and looks from time to time whether what has begun has ended."""

    limits: ClassVar[RequestLimits] = RequestLimits()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._refusal: Refusal | None = None
        self._head_bytes = 0  # that came after those with which the head, or a part of the body, began
        self._piece_bytes = 0  # that came last
        self._in_head = False
        self._arriving_since: float | None = None  # the connection, or a request that has not ended yet
        self._previous_cycle: RequestResponseCycle | None = None  # the last when the request that comes began
        self._next_look: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's own
        """Begin to look: who connects has something to say."""
        super().connection_made(transport)
        self._arriving_since = self.loop.time()
        self._look_later(self.limits.arrival_seconds)

    def end_timers(self) -> None:
        """Look no more."""
        super().end_timers()
        if self._next_look is not None:
            self._next_look.cancel()

    def data_received(self, data: bytes) -> None:
        """Count what comes of a head that has not ended yet, and what brings nothing of the body after it."""
        self._piece_bytes = len(data)
        self._head_bytes += self._piece_bytes
        super().data_received(data)
        if self._arriving_since is not None and self._head_bytes > self.limits.header_bytes:
            self._refuse(self._too_long(None))

    def on_message_begin(self) -> None:
        """Count from here on; what came with its beginning is weighed at its end."""
        super().on_message_begin()
        self._arriving_since = self.loop.time()
        self._previous_cycle = self.cycle
        self._head_bytes = 0
        self._in_head = True

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take what the head says; what follows a body in chunks is no part of that (RFC 9110, 6.5.1).

        Nor is white space behind a value, which the parser leaves there (RFC 9112, 5.1).
        """
        if self._in_head:
            # For each header: `super` takes as long as that.
            HttpToolsProtocol.on_header(self, name, value.rstrip(b" \t"))

    def check_head(self) -> None:
        """Refuse a head that is too long; raising ends the parser, which says so."""
        self._in_head = False
        came, self._head_bytes = self._head_bytes + self._piece_bytes, 0
        if came <= self.limits.header_bytes:
            return  # as all that came is not longer
        size = len(self.url) + sum([len(name) + len(value) for name, value in self.headers])
        if size > self.limits.header_bytes:
            self._refusal = self._too_long(size)
            raise self._refusal

    def on_body(self, body: bytes) -> None:
        """Count from here on."""
        self._head_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Wait for the next, however long it takes."""
        self._arriving_since = self._previous_cycle = None
        super().on_message_complete()

    def timeout_keep_alive_handler(self) -> None:
        """Wait anew where what came gets no answer: the rest of a body that has its own already, or an empty line."""
        super().timeout_keep_alive_handler()
        if self._idle_since is None and self.has_answered:
            if self._arriving_since is None:
                self._idle_since = self.loop.time()
            self._wait(self.timeout_keep_alive)

    def send_400_response(self, msg: str) -> None:
        """Refuse what cannot be parsed, or was refused while it was."""
        self._in_head = False
        if self._refusal is not None:
            self._refuse(self._refusal)
        elif not self._gives_way():
            super().send_400_response(msg)

    def _too_long(self, size: int | None) -> Refusal:
        return Refusal.of(AskedTooMuch("header_bytes", self.limits.header_bytes, size), 431)

    def _refuse(self, refusal: Refusal) -> None:
        self._in_head = False
        if self._gives_way():
            return
        id_ = new_request_id()
        reply = refused(refusal, None, id_)
        lines = [b"HTTP/1.1 %d %s" % (reply.status, HTTPStatus(reply.status).phrase.encode())]
        ours = [
            (b"x-request-id", id_.encode()),
            (b"content-length", b"%d" % len(reply.body)),
            (b"connection", b"close"),
        ]
        lines += [b"%s: %s" % header for header in (*reply.headers, *ours)]
        self.transport.write(b"\r\n".join([*lines, b"", reply.body]))
        self.transport.close()

    def _gives_way(self) -> bool:
        """Give way to the answer to what was asked before, where it is not whole yet: a refusal would be taken for it.

        Then the connection ends with that answer, as if nothing had come behind.
        """
        previous = self._previous_cycle
        if previous is None or previous.response_complete:
            return False
        if self.cycle is not previous:
            self.pipeline.popleft()
            self.cycle = previous
        previous.keep_alive = False
        self.flow.pause_reading()
        return True

    def _look_later(self, seconds: float) -> None:
        self._next_look = self.loop.call_later(seconds, self._look)

    def _look(self) -> None:
        """Close a connection on which something has begun long ago that we would have read by now."""
        most = self.limits.arrival_seconds
        left: float = most
        if self._arriving_since is not None and not self.flow.read_paused:
            left += self._arriving_since - self.loop.time()
        if left > 0:
            self._look_later(left)
        elif not self.transport.is_closing():
            self._refuse(Refusal.of(AskedTooMuch("arrival_seconds", most), 408))
