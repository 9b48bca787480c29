"""Answers in several parts over one HTTP response, sent for as long as the client is there."""

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from starlette.types import Receive, Send

from gateway.auth.caller import ENDED, Caller
from gateway.engine.answer import Answer
from gateway.engine.parts import Parts
from gateway.engine.subscriptions import AnswerStream
from gateway.errors import ShuttingDown, Unauthenticated
from gateway.http.answering import Answering
from gateway.http.asking import Deferred, Streamed
from gateway.http.framing import ANSWER_PARTS, FRAMINGS, Framing
from gateway.http.load import Load
from gateway.http.refusal import Refusal
from gateway.http.reply import GUARDS
from gateway.http.request import Request

T = TypeVar("T")
Answers = AnswerStream | Parts


@dataclass(frozen=True, slots=True)
class Streams:
    """Answers what is streamed, an answer only when the one before is on its way; in silence every `quiet` seconds.

    A subscription is interrupted when who asked is let in no longer, as `admits` says by the same `clock`.
    """

    answering: Answering
    quiet: float
    admits: Callable[[Caller], bool]
    clock: Callable[[], float]
    load: Load

    async def __call__(self, streamed: Streamed, receive: Receive, send: Send) -> None:
        """Answer until there is no more to say, or nobody to say it to. Raises Refusal or ReadsOnly before that."""
        await _while_there(self._answer(streamed, send), receive)

    async def in_parts(self, deferred: Deferred, receive: Receive, send: Send) -> Answer | None:
        """Answer in parts to who is there, or give the whole answer, which is not sent, where nothing was deferred.

        Raises NoOperation, ReadsOnly or StreamsOnly before it has sent anything.
        """
        return await _while_there(self._answer_in_parts(deferred, send), receive)

    async def _answer(self, streamed: Streamed, send: Send) -> None:
        request, framing = streamed.request, FRAMINGS[streamed.type.name]
        try:
            answers = await self.answering.open(
                streamed.operation, request.id, request.caller, reads_only=request.is_safe
            )
        except ShuttingDown as error:
            raise Refusal.of(error, 503) from error
        with self.load.aside():
            await self._send(answers, framing, request, request.caller, send)

    async def _answer_in_parts(self, deferred: Deferred, send: Send) -> Answer | None:
        answer = await self.answering.engine.answer_in_parts(deferred.asked, deferred.make_context, deferred.form)
        if isinstance(answer, Answer) and deferred.takes_whole:
            return answer
        answers = answer.body if isinstance(answer, Answer) else answer
        await self._send(answers, ANSWER_PARTS[deferred.form], deferred.request, None, send)
        return None

    async def _send(
        self, answers: Answers | bytes, framing: Framing, request: Request, caller: Caller | None, send: Send
    ) -> None:
        """Send answers for as long as a caller is let in; None where they are one, which like a whole one is sent."""
        coming = answers if isinstance(answers, bytes) else _Coming(answers)
        try:
            await send({"type": "http.response.start", "status": 200, "headers": _headers(framing, request.id)})
            if request.method != "HEAD":
                async for part in self._parts(framing, coming, request.id, caller):
                    await send({"type": "http.response.body", "body": part, "more_body": True})
        finally:
            if not isinstance(coming, bytes):
                await coming.aclose()
        await send({"type": "http.response.body", "body": b""})

    async def _parts(
        self, framing: Framing, coming: "_Coming | bytes", request_id: str, caller: Caller | None
    ) -> AsyncIterator[bytes]:
        yield framing.opening
        if isinstance(coming, bytes):
            yield framing.answer(coming) + framing.completion
            return
        while True:
            try:
                part = await self._next_part(framing, coming, caller)
            except StopAsyncIteration:
                yield framing.completion
                return
            except (ShuttingDown, Unauthenticated) as error:
                extensions = {**error.extensions, "requestId": request_id}
                yield framing.interruption([{"message": error.message, "extensions": extensions}])
                return
            yield part

    async def _next_part(self, framing: Framing, coming: "_Coming", caller: Caller | None) -> bytes:
        left = math.inf if caller is None else max(0.0, caller.expires_at - self.clock())
        answer = await coming.within(min(self.quiet, left))
        part = framing.heartbeat if answer is None else framing.answer(answer)
        if caller is not None and not self.admits(caller):
            raise Unauthenticated(ENDED)
        return part


class _Coming:
    """The answers to come. One that is not there in time goes on to be made: begun anew each time, none might ever be.

    `aclose` must be called.
    """

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self._next: asyncio.Future[bytes] | None = None

    async def within(self, seconds: float) -> bytes | None:
        """Give the next; None where it is not there within so many seconds. Raises what ends them."""
        if self._next is None:
            self._next = asyncio.ensure_future(anext(self._answers))
        await asyncio.wait([self._next], timeout=seconds)
        if not self._next.done():
            return None
        answer, self._next = self._next.result(), None
        return answer

    async def aclose(self) -> None:
        """End what is under way, and them."""
        if self._next is not None:
            self._next.cancel()
            await asyncio.gather(self._next, return_exceptions=True)
        await self._answers.aclose()


def _headers(framing: Framing, request_id: str) -> list[tuple[bytes, bytes]]:
    """Ask everyone on the way to hand on each part as it comes."""
    return [
        (b"content-type", framing.content_type),
        (b"cache-control", b"no-store, no-transform"),
        (b"vary", b"accept"),
        *GUARDS,
        (b"x-accel-buffering", b"no"),
        (b"x-request-id", request_id.encode()),
    ]


async def _while_there(work: Coroutine[Any, Any, T], receive: Receive) -> T | None:
    """Do something until it is done, giving or raising what it does, or until the client leaves."""
    working, leaving = asyncio.create_task(work), asyncio.create_task(_left(receive))
    try:
        await asyncio.wait([working, leaving], return_when=asyncio.FIRST_COMPLETED)
    finally:
        working.cancel()
        leaving.cancel()
        await asyncio.wait([working, leaving])
    if not leaving.cancelled():
        leaving.result()
    return None if working.cancelled() else working.result()


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
