"""uvicorn's HTTP protocol, with fewer system calls, and with answers to requests that come again byte for byte.

Only what arrives in one piece, as the whole of one request on a connection that has nothing else under way, is looked
up, before it is parsed; everything else is uvicorn's. The application says which answers may be repeated, by the ASGI
extension `OFFER`.
"""

import asyncio
from functools import partial
from typing import Any, ClassVar, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from gateway.http.departures import DepartingProtocol
from gateway.http.repeats import OFFER, Repeat, Repeats
from gateway.http.request_id import new_request_id
from gateway.limits import RequestLimits


def protocol(repeats: Repeats | None, limits: RequestLimits) -> type[HttpToolsProtocol]:
    """Make the protocol, which repeats answers where there is something to keep them in."""
    if repeats is None:
        return type("FrugalProtocol", (_FrugalProtocol,), {"limits": limits})
    return type("RepeatingProtocol", (_RepeatingProtocol,), {"repeats": repeats, "limits": limits})


class _Corked:
    """A transport that holds what is written until the next write or the next turn of the loop.

    So the head of an answer and its body leave by one system call, which is most of what a short answer costs.
    """

    __slots__ = ("_held", "_loop", "transport")

    def __init__(self, transport: asyncio.Transport) -> None:
        self.transport = transport
        self._loop = asyncio.get_running_loop()
        self._held = b""

    def write(self, data: bytes) -> None:
        if self._held:
            held, self._held = self._held, b""
            self.transport.writelines((held, data))
        else:
            self._held = data
            self._loop.call_soon(self._flush)

    def is_closing(self) -> bool:
        return self.transport.is_closing()

    def close(self) -> None:
        self._flush()
        self.transport.close()

    def _flush(self) -> None:
        if self._held and not self.transport.is_closing():
            self.transport.write(self._held)
        self._held = b""

    def __getattr__(self, name: str) -> Any:
        return getattr(self.transport, name)


class _FrugalProtocol(DepartingProtocol):
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's own
        super().connection_made(cast("asyncio.Transport", _Corked(transport)))

    def handle_websocket_upgrade(self) -> None:
        if isinstance(self.transport, _Corked):
            self.transport = self.transport.transport
        super().handle_websocket_upgrade()
        del self.parser  # it and this hold each other, until all garbage is collected


class _RepeatingProtocol(_FrugalProtocol):
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
        self.transport.write(b"%s%sx-request-id: %s\r\n\r\n" % (repeat.head, self._default_lines, id_))
        self.transport.write(repeat.body)
        self.on_response_complete()
