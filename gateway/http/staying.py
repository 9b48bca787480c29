"""uvicorn's HTTP protocol, which speaks HTTP/1.1 on where a client offers another protocol that is not spoken here.

Java's client offers HTTP/2 with its first request, and curl with `--http2`. To httptools all that follows such a head
is in the other protocol: the request would be answered without its body, and none of those behind it.
"""

from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

INVALID = "Invalid HTTP request received."


class StayingProtocol(HttpToolsProtocol):
    """Reads a head whose offer is not taken once more, without that."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._is_put_off = False

    def data_received(self, data: bytes) -> None:
        """Read what has come, to its end."""
        self._unset_keepalive_if_required()
        try:
            self._parse(data)
        except httptools.HttpParserError:
            self.logger.info(INVALID)  # no warning: anybody may send it
            self.send_400_response(INVALID)

    def on_headers_complete(self) -> None:
        """Leave a request until its head is read once more, where it offers what is not spoken here."""
        parser = self.parser
        self._is_put_off = parser.should_upgrade() and parser.get_method() != b"CONNECT" and not self._should_upgrade()
        if not self._is_put_off:
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Take nothing for the end of a request that is left until then."""
        if not self._is_put_off:
            super().on_message_complete()

    def _should_upgrade(self) -> bool:
        """Take an offer of WebSocket by GET alone (RFC 6455, 4.1): by another method it would be no handshake."""
        return bool(self.parser.get_method() == b"GET" and super()._should_upgrade())

    def _parse(self, data: bytes | memoryview) -> None:
        while True:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as offer:
                if self._is_put_off:
                    self.parser.feed_data(self._head_without_offer())
                    data = memoryview(data)[offer.args[0] :]
                    continue
                self._change_protocol()
            return

    def _change_protocol(self) -> None:
        if self._should_upgrade():
            self.handle_websocket_upgrade()
        else:
            self._unsupported_upgrade_warning()

    def _head_without_offer(self) -> bytes:
        first = b"%s %s HTTP/%s" % (self.parser.get_method(), self.url, self.parser.get_http_version().encode())
        rest = [b"%s: %s" % header for header in self.headers if header[0] != b"upgrade"]
        return b"\r\n".join([first, *rest, b"", b""])
