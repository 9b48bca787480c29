"""uvicorn's HTTP protocol, which answers a request that comes again byte for byte before it is parsed.

Only what arrives in one piece, as the whole of one request on a connection that has nothing else under way, is looked
up; everything else is uvicorn's. The application says which answers may be repeated, by the ASGI extension `OFFER`.
"""

from functools import partial
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from gateway.http.repeats import OFFER, Repeat, Repeats
from gateway.http.request_id import new_request_id


def repeating(repeats: Repeats) -> type[HttpToolsProtocol]:
    """Make the protocol that answers from these."""
    return type("RepeatingProtocol", (_RepeatingProtocol,), {"repeats": repeats})


class _RepeatingProtocol(HttpToolsProtocol):
    repeats: ClassVar[Repeats]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._begun = self._complete = 0
        self._defaults: object = None
        self._default_lines = b""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._begun += 1

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._complete += 1

    def data_received(self, data: bytes) -> None:
        """Answer a known request; else parse, and where this is the whole of a request say how to repeat its answer."""
        cycle: RequestResponseCycle | None = self.cycle
        if self._begun != self._complete or not (cycle is None or cycle.response_complete):
            super().data_received(data)
            return
        repeat = None if self.flow.write_paused else self.repeats.find(data)
        if repeat is not None:
            self._repeat(repeat)
            return
        begun = self._begun
        super().data_received(data)
        if self._begun == self._complete == begun + 1 and self.cycle.keep_alive and not self.expect_100_continue:
            self.scope["extensions"] = {OFFER: {"keep": partial(self.repeats.keep, data)}}

    def _repeat(self, repeat: Repeat) -> None:
        defaults = self.server_state.default_headers
        if defaults is not self._defaults:  # uvicorn makes a new list for each second
            self._defaults = defaults
            self._default_lines = b"".join(b"%s: %s\r\n" % header for header in defaults)
        id_ = repeat.request_id or new_request_id().encode()
        head = b"%s%sx-request-id: %s\r\n\r\n" % (repeat.head, self._default_lines, id_)
        self.transport.writelines((head, repeat.body))
        self.on_response_complete()
