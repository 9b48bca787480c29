"""uvicorn's HTTP protocol, which hands what has come as a whole straight to who answers it, and writes the answer.

ASGI takes a third of the time that a short answer needs, for what such a request has no use of: messages, events and
a task. It gets all else: what comes in parts or wants its connection closed, other paths, streams, and whatever the
endpoint leaves to it. A head that comes again byte for byte is not parsed again, and a request that does is answered
without being read at all, where that is wanted.

Each module adds one thing to uvicorn's class, over those above it, and these fields:

    staying      reads a head that offers another protocol once more, without the offer: `_is_put_off` till then
    sparing      one timer for what rests: `_idle_since`; makes ASGI's scope only for what ASGI gets
    heads        counts, times what comes (`_head_bytes`, `_piece_bytes`, `_in_head`, `_arriving_since`, `_next_look`),
                 and refuses it (`_refusal`), unless an answer is owed still (to `_previous_cycle`)
    abandoned    ends what ASGI does (`_running`) for `_answering`, a cycle whose client has left
    departing    ends connections with their answers once the process leaves
    protocol     answers without ASGI: `_held_body`, `_begun_now`, `_answered`, `_pending`

A connection is in one state of each line; uvicorn's `cycle` is the last request that was not answered at once:

    coming       nothing | a request (`_arriving_since`), the first as soon as the connection is there; it may be held
                 back from ASGI (`_held_body`)
    owed         nothing (`has_answered`) | an answer of ASGI's (to `_answering`) or of ours (to `_pending`), and behind
                 it those of ASGI to what waits in `pipeline`

It rests (`_idle_since`) since its last answer or, where none was due, the timer's look, until anything comes. What is
held is answered here, or handed on to ASGI, before `data_received` ends. A request that is answered here skips the
callbacks of the layers, so this module sets their fields for it.
"""

import asyncio
from collections.abc import Coroutine
from functools import partial
from typing import Any, ClassVar, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from gateway.http.corked import Corked
from gateway.http.departing import DepartingProtocol
from gateway.http.direct import Direct
from gateway.http.known_heads import KnownHeads
from gateway.http.load import Load
from gateway.http.repeats import Repeat, Repeats
from gateway.http.reply import Reply, head_of
from gateway.http.request import Head, Request
from gateway.http.request_id import new_request_id
from gateway.http.turns import Turns
from gateway.limits import RequestLimits

DIRECT_METHODS = (b"POST", b"GET")


def protocol(
    limits: RequestLimits, load: Load, direct: Direct | None, repeats: Repeats | None
) -> type[HttpToolsProtocol]:
    """Make the protocol of one application; without `direct` ASGI gets everything."""
    own = {
        "limits": limits,
        "load": load,
        "direct": direct,
        "repeats": repeats,
        "turns": Turns(),
        "known_heads": KnownHeads(),
    }
    return type("DirectProtocol", (_DirectProtocol,), own)


class _DirectCycle:
    """A request that is answered later, in the place where uvicorn has a `RequestResponseCycle`."""

    __slots__ = (
        "arrived",
        "coming",
        "disconnected",
        "keep_alive",
        "request",
        "response_complete",
        "task",
        "waits",
        "whole",
    )

    message_event = asyncio.Event()  # uvicorn sets it for who waits for more of a request, which is nobody

    def __init__(self, request: Request, coming: Coroutine[Any, Any, Reply], arrived: float) -> None:
        self.request = request
        self.coming = coming
        self.arrived = arrived
        self.waits = True  # for its turn
        self.whole: bytes | None = None  # all of the request, where it may come again so
        self.keep_alive = True
        self.disconnected = self.response_complete = False
        self.task: asyncio.Task[None] | None = None


class _DirectProtocol(DepartingProtocol):
    direct: ClassVar[Direct | None]
    repeats: ClassVar[Repeats | None]
    turns: ClassVar[Turns]
    known_heads: ClassVar[KnownHeads]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._held_body: bytes | None = None  # the body of a request that ASGI has not got yet
        self._begun_now = 0  # requests that began in what came last
        self._answered: tuple[Request, bytes, Reply | _DirectCycle] | None = None  # the last of them, and its body
        self._pending: _DirectCycle | None = None
        self._defaults: object = None
        self._default_lines = b""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's own
        super().connection_made(cast("asyncio.Transport", Corked(transport)))

    def connection_lost(self, exc: Exception | None) -> None:
        """End what nobody waits for any more."""
        super().connection_lost(exc)
        cycle = self._pending
        if cycle is None:
            return
        cycle.disconnected = True  # uvicorn tells the last that was asked, which may wait for this one
        if cycle.task is not None:
            cycle.task.cancel()
        if cycle.waits:
            cycle.coming.close()
            self.load.waiting -= 1

    def handle_websocket_upgrade(self) -> None:
        if isinstance(self.transport, Corked):
            self.transport = self.transport.transport
        super().handle_websocket_upgrade()
        del self.parser  # it and this hold each other, until all garbage is collected

    def data_received(self, data: bytes) -> None:
        """Answer a request that is known; else read on, and let ASGI have what has come in part only."""
        is_between = self._is_between()
        if is_between and self._answer_unparsed(data):
            return
        self._begun_now = 0
        super().data_received(data)
        if self._held_body is not None:
            self._hand_on(self._held_body)
        answered, self._answered = self._answered, None
        if answered is not None and is_between and self._begun_now == 1:
            request, body, answer = answered
            self.known_heads.keep(data, request.head, body)
            self._repeat_later(data, request, answer)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._begun_now += 1

    def on_headers_complete(self) -> None:
        """Hold a request back that may be here as a whole, and need no more than an answer."""
        self.check_head()
        if self._may_be_direct():
            self._held_body = b""
        else:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if self._held_body is None:
            super().on_body(body)
        else:
            self._head_bytes = 0
            self._held_body += body

    def on_message_complete(self) -> None:
        """Answer a request that was held back, or let ASGI do it."""
        body = self._held_body
        if body is not None:
            request = Request(Head(self.parser.get_method().decode(), self.headers, self.url.partition(b"?")[2]))
            answer = self._answer(request, body)
            if answer is not None:
                self._answered = request, body, answer
                self._held_body = self._arriving_since = self._previous_cycle = None
                return
            self._hand_on(body)
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        self._held_body = None
        super().send_400_response(msg)

    def _should_upgrade(self) -> bool:
        """Speak HTTP on while an answer is to come: it would stand in the other protocol's way (RFC 9110, 7.8)."""
        return self.has_answered and super()._should_upgrade()

    def _is_between(self) -> bool:
        """Whether nothing is under way on the connection, and the client reads what it was answered."""
        cycle: RequestResponseCycle | None = self.cycle
        is_over = cycle is None or cycle.response_complete
        return is_over and self._arriving_since is None and not self.flow.write_paused

    def _may_be_direct(self) -> bool:
        if self.direct is None or self.expect_100_continue or self.flow.write_paused or self.load.is_leaving:
            return False
        cycle: RequestResponseCycle | None = self.cycle
        if not (cycle is None or cycle.response_complete) or self.url.partition(b"?")[0] != self.direct.path:
            return False
        parser = self.parser
        if not parser.should_keep_alive() or parser.should_upgrade() or b"#" in self.url:
            return False
        return parser.get_method() in DIRECT_METHODS and parser.get_http_version() == "1.1"

    def _hand_on(self, body: bytes) -> None:
        self._held_body = None
        super().on_headers_complete()
        if body:
            super().on_body(body)

    def _answer_unparsed(self, data: bytes) -> bool:
        """Answer a request that has come before, or whose head has."""
        repeat = None if self.repeats is None else self.repeats.find(data)
        if repeat is not None:
            self._write(repeat.head, repeat.body, repeat.request_id or new_request_id().encode())
            self.on_response_complete()
            return True
        known = None if self.load.is_leaving else self.known_heads.find(data)
        if known is None:
            return False
        self._idle_since = None
        request = Request(known[0])
        answer = self._answer(request, known[1])
        if answer is None:
            return False
        self._repeat_later(data, request, answer)
        return True

    def _answer(self, request: Request, body: bytes) -> Reply | _DirectCycle | None:
        """Answer a request, at once or later; None leaves it to ASGI."""
        reply = self.direct.answer(request, body) if self.direct else None
        if reply is None:
            return None
        if not isinstance(reply, Reply) and not self.load.has_room():
            reply.close()
            reply = self.load.turn_away(request.id)
        if isinstance(reply, Reply):
            self._write(self._head(reply), reply.body, request.id.encode())
            self.on_response_complete()
            return reply
        self._pending = cycle = _DirectCycle(request, reply, self.load.arrive())
        self.cycle = cycle  # type: ignore[assignment] # it does what is asked of uvicorn's own
        self.turns.wait(partial(self._begin, cycle), self.loop)
        return cycle

    def _begin(self, cycle: _DirectCycle) -> None:
        if not cycle.disconnected:
            cycle.arrived = self.load.clock()  # late is who waits for the loop, not who lets others begin before
            cycle.task = task = self.loop.create_task(self._answer_later(cycle), name="answer")
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    async def _answer_later(self, cycle: _DirectCycle) -> None:
        load, coming, cycle.waits = self.load, cycle.coming, False
        if load.enter(cycle.arrived):
            try:
                reply = await coming
            finally:
                load.under_way -= 1
        else:
            coming.close()
            reply = load.turn_away(cycle.request.id)
        if self.flow.write_paused:
            await self.flow.drain()
        if cycle.disconnected:
            return
        head = self._head(reply)
        if cycle.whole is not None:
            self._keep(cycle.whole, cycle.request, reply, head)
        if not cycle.keep_alive:
            head += b"connection: close\r\n"
        self._write(head, reply.body, cycle.request.id.encode())
        cycle.response_complete = True
        self._pending = None
        if not cycle.keep_alive:
            self.transport.close()
        self.on_response_complete()

    def _head(self, reply: Reply) -> bytes:
        return head_of(reply) + self.direct.headers if self.direct else head_of(reply)

    def _write(self, head: bytes, body: bytes, request_id: bytes) -> None:
        defaults = self.server_state.default_headers
        if defaults is not self._defaults:  # uvicorn makes a new list for each second
            self._defaults = defaults
            self._default_lines = b"".join([b"%s: %s\r\n" % header for header in defaults])
        self.transport.writelines((b"%s%sx-request-id: %s\r\n\r\n" % (head, self._default_lines, request_id), body))

    def _repeat_later(self, data: bytes, request: Request, answer: Reply | _DirectCycle) -> None:
        """Let an answer be found when all of its request, which this is, comes again."""
        if self.repeats is None:
            return
        if isinstance(answer, _DirectCycle):
            answer.whole = data
        else:
            self._keep(data, request, answer, self._head(answer))

    def _keep(self, data: bytes, request: Request, reply: Reply, head: bytes) -> None:
        if self.repeats is not None and reply.is_true is not None:
            self.repeats.keep(data, Repeat(head, reply.body, request.given_id, reply.is_true))
