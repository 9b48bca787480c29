"""Answers in several parts over one HTTP response, sent for as long as the client is there."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass
from typing import Any

from starlette.types import Receive, Send

from gateway.engine.subscriptions import AnswerStream
from gateway.errors import ShuttingDown
from gateway.http.answering import Answering
from gateway.http.endpoint import Streamed
from gateway.http.framing import FRAMINGS, Framing
from gateway.http.refusal import Refusal
from gateway.http.reply import GUARDS


@dataclass(frozen=True, slots=True)
class Streams:
    """Answers what is streamed, an answer only when the one before is on its way; in silence every `quiet` seconds."""

    answering: Answering
    quiet: float

    async def __call__(self, streamed: Streamed, receive: Receive, send: Send) -> None:
        """Answer until there is no more to say, or nobody to say it to. Raises Refusal or ReadsOnly before that."""
        await _while_there(self._answer(streamed, send), receive)

    async def _answer(self, streamed: Streamed, send: Send) -> None:
        request, framing = streamed.request, FRAMINGS[streamed.type.name]
        try:
            answers = await self.answering.open(streamed.operation, request.id, reads_only=request.is_safe)
        except ShuttingDown as error:
            raise Refusal(503, error.message, code=error.code) from error
        try:
            await send({"type": "http.response.start", "status": 200, "headers": _headers(framing, request.id)})
            if request.method != "HEAD":
                async for part in self._parts(framing, answers, request.id):
                    await send({"type": "http.response.body", "body": part, "more_body": True})
        finally:
            if isinstance(answers, AnswerStream):
                await answers.aclose()
        await send({"type": "http.response.body", "body": b""})

    async def _parts(self, framing: Framing, answers: AnswerStream | bytes, request_id: str) -> AsyncIterator[bytes]:
        yield framing.opening
        if isinstance(answers, bytes):
            yield framing.answer(answers) + framing.completion
            return
        while True:
            try:
                part = await self._next_part(framing, answers)
            except StopAsyncIteration:
                yield framing.completion
                return
            except ShuttingDown as error:
                extensions = {**error.extensions, "requestId": request_id}
                yield framing.interruption([{"message": error.message, "extensions": extensions}])
                return
            yield part

    async def _next_part(self, framing: Framing, answers: AnswerStream) -> bytes:
        try:
            async with asyncio.timeout(self.quiet):
                return framing.answer(await anext(answers))
        except TimeoutError:
            return framing.heartbeat


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


async def _while_there(work: Coroutine[Any, Any, None], receive: Receive) -> None:
    """Do something until it is done, raising what it does, or until the client leaves."""
    working, leaving = asyncio.create_task(work), asyncio.create_task(_left(receive))
    try:
        await asyncio.wait([working, leaving], return_when=asyncio.FIRST_COMPLETED)
    finally:
        working.cancel()
        leaving.cancel()
        await asyncio.wait([working, leaving])
    for task in (working, leaving):
        if not task.cancelled():
            task.result()


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
