"""uvicorn's HTTP protocol, without what it does for every request and hardly any needs: a timer, and ASGI's scope."""

from typing import Any

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from gateway.http.staying import StayingProtocol


class SparingProtocol(StayingProtocol):
    """Closes a connection on which nothing comes, by one timer that goes on; makes a scope for what ASGI answers."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._idle_since: float | None = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self.end_timers()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self) -> None:
        """Wait no more: another protocol goes on."""
        self.end_timers()
        super().handle_websocket_upgrade()

    def end_timers(self) -> None:
        """Let nothing happen on the connection any more because time passes."""
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()
            self.timeout_keep_alive_task = None

    @property
    def has_answered(self) -> bool:
        """Whether all that was asked so far has its whole answer."""
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is None or cycle.response_complete

    def on_message_begin(self) -> None:
        """Begin a request, whose scope is made with its head."""
        self.url, self.headers, self.expect_100_continue = b"", [], False
        self._idle_since = None  # though the one before was answered since the last piece came

    def on_headers_complete(self) -> None:
        """Make the scope."""
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.headers, self.expect_100_continue = url, headers, expects
        self.scope["headers"] = headers
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        """Go on with what came meanwhile, or wait for more."""
        if self.pipeline or self.transport.is_closing():
            super().on_response_complete()
            return
        self.server_state.total_requests += 1
        self.flow.resume_reading()
        self._idle_since = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self._wait(self.timeout_keep_alive)

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection on which nothing came for so long, or look again when that may be."""
        self.timeout_keep_alive_task = None
        if self._idle_since is None:
            return  # it waits again when this request is answered
        left = self._idle_since + self.timeout_keep_alive - self.loop.time()
        if left > 0:
            self._wait(left)
        else:
            super().timeout_keep_alive_handler()

    def _wait(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(seconds, self.timeout_keep_alive_handler)

    def _unset_keepalive_if_required(self) -> None:
        self._idle_since = None  # something has come
