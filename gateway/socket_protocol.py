"""uvicorn's WebSocket protocol, made to let go of who is gone, hold nothing for who reads nothing, and keep quiet."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

# Below warnings uvicorn and websockets log query strings and whole frames, where credentials may be.
log = logging.getLogger("gateway.websocket")
log.setLevel(logging.WARNING)


class _Inbox(asyncio.Queue[Any]):
    """As much of a queue as uvicorn uses, with one reader; a whole one is 3 kB large, a seventh of a connection."""

    def __init__(self) -> None:
        self._come: list[Any] = []
        self._next: list[Any] = []  # the oldest last
        self._reader: asyncio.Future[None] | None = None

    def empty(self) -> bool:
        return not self._come and not self._next

    def put_nowait(self, item: Any) -> None:
        self._come.append(item)
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    async def get(self) -> Any:
        while self.empty():
            self._reader = asyncio.get_running_loop().create_future()
            await self._reader
        if not self._next:
            self._come, self._next = self._next, self._come[::-1]
        return self._next.pop()


class SocketProtocol(WebSocketsSansIOProtocol):
    """One connection, from its handshake on."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.queue = _Inbox()
        self.logger = self.conn.logger = log
        self.conn.debug = False

    def data_received(self, data: bytes) -> None:
        """Say why a handshake cannot be read, and hang up; uvicorn would leave it unanswered."""
        super().data_received(data)
        if self.conn.handshake_exc is not None and not self.handshake_initiated:
            self.handshake_initiated = self.handshake_complete = self.close_sent = True
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.transport.close()

    def send(self, message: Any) -> Coroutine[Any, Any, None]:
        """Take a handshake that is refused in words for complete; uvicorn would log an error of the application."""
        if message["type"] == "websocket.http.response.body":
            self.handshake_complete = True
        return super().send(message)

    def start_keepalive(self) -> None:
        """Forget the handshake, which is over: its headers are as large as all that is remembered of a subscription."""
        super().start_keepalive()
        self.request.headers.clear()  # the parser holds it too
        del self.request, self.response

    def connection_lost(self, exc: Exception | None) -> None:
        """End the parser too: it and what it parses for hold each other, until all garbage is collected."""
        super().connection_lost(exc)
        self.conn.parser.close()

    def keepalive_timeout(self) -> None:
        """Break off: nobody reads a frame that closes, and one that is read late keeps clients from coming back."""
        self.stop_keepalive()
        self.transport.abort()

    def pause_writing(self) -> None:
        """Stop reading as well: each ping that is read is answered, whether or not answers are."""
        super().pause_writing()
        if not self.transport.is_closing():
            self.transport.pause_reading()

    def resume_writing(self) -> None:
        """Read again, unless it is the application that has not read."""
        super().resume_writing()
        if not self.read_paused and not self.transport.is_closing():
            self.transport.resume_reading()

    async def receive(self) -> Any:
        """Give what has come; uvicorn reads on then, though the client may still take nothing."""
        message = await super().receive()
        if not self.writable.is_set() and not self.transport.is_closing():
            self.transport.pause_reading()
        return message

    def handle_cont(self, event: Any) -> None:
        """Keep no pieces that hold nothing: of these there may be any number."""
        if event.data or event.fin:
            super().handle_cont(event)

    def handle_parser_exception(self) -> None:
        """Say why, then read on until the client has heard it: closing at once would take the words back."""
        if self.close_sent or self.conn.close_sent is None:
            return
        closing = self.conn.close_sent
        self.queue.put_nowait({"type": "websocket.disconnect", "code": closing.code, "reason": closing.reason})
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.transport.write_eof()
        self.close_sent = True
        self.close_timer = self.loop.call_later(self.close_timeout, self.transport.abort)

    def send_receive_event_to_app(self) -> None:
        """Close with 1007, as the protocol says, what is no UTF-8; uvicorn would log it as an error of its own."""
        if self.curr_msg_data_type == "text" and not self.close_sent:
            try:
                b"".join(self.frames).decode()
            except UnicodeDecodeError:
                self.frames = []
                self.conn.fail(1007, "Invalid UTF-8")
                self.handle_parser_exception()
                return
        super().send_receive_event_to_app()
