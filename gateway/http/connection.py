"""One WebSocket connection: its operations, each a task, and the one who listens."""

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from typing import Any

import msgspec
from starlette.types import Receive, Scope, Send

from gateway.auth.caller import ENDED, Caller, OpenGate
from gateway.errors import FAILED_HERE, INTERNAL, LimitExceeded, Overloaded, RateLimited, ShuttingDown
from gateway.http.answering import Answering
from gateway.http.load import Load
from gateway.http.operation import Operation, within
from gateway.http.persisted import Documents, with_document
from gateway.http.refusal import Refusal
from gateway.http.request_id import request_id
from gateway.http.subprotocols import (
    CloseCode,
    Closing,
    Message,
    Subprotocol,
    errors_of,
    read_message,
    read_operation,
    write,
)
from gateway.limits import RequestLimits
from gateway.rates.rates import Rates

log = logging.getLogger("gateway.http")

# Gives the caller by what the client said at the beginning. Raises Closing, as FORBIDDEN or UNAUTHORIZED.
Admit = Callable[[Scope, Mapping[str, Any]], Awaitable[Caller]]


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """How long a client may take to begin, in seconds, and how many operations it may have under way."""

    init_timeout: float = 10.0
    operations: int = 100


@dataclass(frozen=True, slots=True)
class Service:
    """What every connection is served with; `admits` says whether who was let in still is, by the same `clock`."""

    answering: Answering
    documents: Documents
    limits: ConnectionLimits
    admit: Admit
    requests: RequestLimits = field(default_factory=RequestLimits)
    admits: Callable[[Caller], bool] = OpenGate().admits
    clock: Callable[[], float] = time.time
    rates: Rates = field(default_factory=Rates)
    load: Load = field(default_factory=Load)


class _Gone(Exception):
    """The client has left."""


class Connection:
    """Listens to one client until either side has enough."""

    __slots__ = (
        "_begins",
        "_caller",
        "_closed",
        "_ids",
        "_receive",
        "_scope",
        "_send",
        "_service",
        "_subprotocol",
        "_tasks",
    )

    def __init__(self, service: Service, subprotocol: Subprotocol, scope: Scope, receive: Receive, send: Send) -> None:
        self._service = service
        self._subprotocol = subprotocol
        self._scope = scope
        self._receive = receive
        self._send = send
        self._tasks: set[asyncio.Task[None]] = set()
        self._ids: dict[str, asyncio.Task[None]] = {}
        self._closed = False
        self._begins = True
        self._caller: Caller | None = None

    @property
    def under_way(self) -> int:
        """How many operations are under way."""
        return len(self._tasks)

    async def run(self) -> None:
        """Answer the client's operations; what is under way when it ends, ends with it."""
        try:
            await self._listen()
        except _Gone:
            pass  # nobody is there to be told
        except Closing as closing:
            await self._stop()
            await self.close(closing)
        finally:
            await self._stop()

    async def finish(self) -> None:
        """Answer what is under way, and what comes meanwhile; then begin no more, and send the client elsewhere."""
        await self._answered()
        self._begins = False
        await self._answered()
        await self.close(Closing(CloseCode.RESTARTING, "The gateway ends; connect again."))

    async def _answered(self) -> None:
        if self._tasks:
            await asyncio.wait(self._tasks)

    def end_unless_admitted(self) -> None:
        """End what is under way, and begin to close, where who is connected is let in no more."""
        if self._closed or self._caller is None or self._service.admits(self._caller):
            return
        for task in self._tasks:
            task.cancel()
        closing = asyncio.create_task(self.close(Closing(CloseCode.FORBIDDEN, ENDED)))
        self._tasks.add(closing)
        closing.add_done_callback(self._tasks.discard)

    async def close(self, closing: Closing) -> None:
        """Say why it ends; a second time does nothing."""
        if self._closed:
            return
        self._closed = True
        with suppress(OSError, RuntimeError):  # it is closed already: by the client, or for what that has sent
            await self._send({"type": "websocket.close", "code": closing.code, "reason": closing.reason})

    async def _listen(self) -> None:
        try:
            async with asyncio.timeout(self._service.limits.init_timeout):
                while self._caller is None:
                    await self._handle(await self._next_message())
        except TimeoutError:
            raise Closing(CloseCode.INIT_TIMEOUT, "Connection initialisation timeout") from None
        try:
            async with asyncio.timeout(self._left_to(self._caller)):
                while True:
                    await self._handle(await self._next_message())
        except TimeoutError:
            raise Closing(CloseCode.FORBIDDEN, ENDED) from None

    def _left_to(self, caller: Caller) -> float | None:
        """How many seconds a caller is let in for; None without an end."""
        return None if math.isinf(caller.expires_at) else max(0.0, caller.expires_at - self._service.clock())

    async def _next_message(self) -> Message:
        event = await self._receive()
        if event["type"] == "websocket.disconnect":
            raise _Gone
        text = event.get("text")
        return read_message(event["bytes"] if text is None else text)

    async def _handle(self, message: Message) -> None:
        match message.type:
            case "connection_init":
                await self._begin(message)
            case self._subprotocol.begin:
                await self._start(*read_operation(message))
            case self._subprotocol.end:
                self._cancel(message.id)
            case "ping" if self._subprotocol.has_pings:
                payload = None if message.payload is None else msgspec.json.encode(message.payload)
                await self._say("pong", payload=payload)
            case "pong" if self._subprotocol.has_pings:
                pass
            case "connection_terminate" if not self._subprotocol.has_pings:
                raise Closing(CloseCode.DONE)
            case _:
                raise Closing(CloseCode.BAD_MESSAGE, "Invalid message: no client says its `type`.")

    async def _begin(self, message: Message) -> None:
        if self._caller is not None:
            raise Closing(CloseCode.TOO_MANY_INITS, "Too many initialisation requests")
        self._caller = await self._service.admit(self._scope, message.payload or {})
        await self._say("connection_ack")

    async def _start(self, id_: str, operation: Operation) -> None:
        if self._caller is None:
            raise Closing(CloseCode.UNAUTHORIZED, "Unauthorized")
        if not self._begins:
            return  # who is sent elsewhere asks it there
        if not self._service.admits(self._caller):
            raise Closing(CloseCode.FORBIDDEN, ENDED)
        if id_ in self._ids:
            raise Closing(CloseCode.ID_IN_USE, f"Subscriber for {id_} already exists")
        most = self._service.limits.operations
        if len(self._tasks) >= most:
            error = LimitExceeded(f"A connection has at most {most:,} operations under way.")
            await self._refuse(id_, Refusal.of(error, None), request_id(None))
            return
        task = self._ids[id_] = asyncio.create_task(self._answer(id_, operation, self._caller))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _cancel(self, id_: str | None) -> None:
        task = self._ids.pop(id_ or "", None)
        if task is not None:
            task.cancel()

    async def _answer(self, id_: str, operation: Operation, caller: Caller) -> None:
        with suppress(ShuttingDown, _Gone):  # the connection ends, and with it all that is under way
            await self._answer_or_refuse(id_, operation, request_id(None), caller)

    async def _answer_or_refuse(self, id_: str, operation: Operation, own_id: str, caller: Caller) -> None:
        try:
            self._service.rates.check(caller)
            asked = within(self._service.requests, operation)
            await self._send_answers(id_, with_document(asked, self._service.documents), own_id, caller)
        except (ShuttingDown, _Gone):
            raise
        except RateLimited as error:
            await self._refuse(id_, Refusal.of_rate(error), own_id)
        except Refusal as refusal:
            await self._refuse(id_, refusal, own_id)
        except Exception:
            log.exception(INTERNAL, extra={"request_id": own_id, "code": INTERNAL})
            await self._refuse(id_, Refusal(None, FAILED_HERE, code=INTERNAL), own_id)

    async def _send_answers(self, id_: str, operation: Operation, own_id: str, caller: Caller) -> None:
        if not self._service.load.has_room():
            raise Refusal.of(Overloaded(), None)
        with self._service.load.counted():
            answers = await self._service.answering.open(operation, own_id, caller)
        if isinstance(answers, bytes):
            await self._end(id_, answers)
            return
        async with aclosing(answers):
            async for answer in answers:
                if not self._service.admits(caller):
                    await self.close(Closing(CloseCode.FORBIDDEN, ENDED))
                    raise _Gone
                await self._say(self._subprotocol.answer, id_, answer)
        self._ids.pop(id_, None)  # before the client hears of it, who may use the id again
        await self._say("complete", id_)

    async def _refuse(self, id_: str, refusal: Refusal, own_id: str) -> None:
        await self._end(id_, refusal.body(own_id))

    async def _end(self, id_: str, answer: bytes) -> None:
        """Send an answer after which none comes: where the operation was refused, its errors are all that is said."""
        self._ids.pop(id_, None)
        errors = errors_of(answer) if self._subprotocol.refuses else None
        if errors is not None:
            await self._say("error", id_, errors)
            return
        await self._say(self._subprotocol.answer, id_, answer)
        await self._say("complete", id_)

    async def _say(self, type_: str, id_: str | None = None, payload: bytes | None = None) -> None:
        if self._closed:
            return
        try:
            await self._send({"type": "websocket.send", "text": write(type_, id_, payload)})
        except OSError:
            raise _Gone from None

    async def _stop(self) -> None:
        """End all that is under way."""
        self._ids.clear()  # or each task would hold its connection, and that the task
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
