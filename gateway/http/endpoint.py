"""`/graphql`: HTTP messages in, HTTP messages out, and one way from a request to the engine."""

import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from gateway.context import Context
from gateway.engine.answer import Answer, Asked, ReadsOnly, StreamsOnly
from gateway.engine.engine import Engine
from gateway.engine.incremental import Form
from gateway.engine.operation import NoOperation
from gateway.errors import NO_OPERATION
from gateway.http import caching, compression, graphiql
from gateway.http.door import Door
from gateway.http.negotiation import LEGACY_JSON, Accepted, StreamType, WholeType, accepted
from gateway.http.operation import Operation, parameters_of
from gateway.http.persisted import Documents, with_document
from gateway.http.refusal import Refusal
from gateway.http.repeats import OFFER
from gateway.http.reply import GUARDS, Reply, refused, repeat_of, send_reply
from gateway.http.request import METHODS, Request
from gateway.limits import RequestLimits
from gateway.tallies import CLIENT_LEFT, HttpTally

NOT_ACCEPTABLE = "Answers are application/graphql-response+json or application/json; the Accept header takes neither."
STREAM_NEEDED = "A subscription needs an Accept header that names text/event-stream or multipart/mixed."
STREAMED = 200
ASKING = {"query", "documentId", "extensions"}


class MakeContext(Protocol):
    """Makes what lives as long as one request."""

    def __call__(self, request_id: str, *, max_age: float = math.inf, is_traced: bool = False) -> Context:
        """Nothing kept is taken that is older than `max_age` seconds; one that `is_traced` tells where data is from."""


@dataclass(frozen=True, slots=True)
class Options:
    """What an operator decides about answers.

    `page` is what a browser sees, None refuses it; `compress_from` is the size in bytes of the smallest answer that is
    compressed, 0 compresses none; `refreshes` says whether a client's `Cache-Control` reaches the gateway's own cache;
    `limits` bound a request, and `door` says who may make one.
    """

    page: str | None = None
    compress_from: int = 0
    refreshes: bool = True
    limits: RequestLimits = field(default_factory=RequestLimits)
    door: Door = field(default_factory=Door)


@dataclass(frozen=True, slots=True)
class Streamed:
    """An operation whose answer is a stream of this type; `request.is_safe` says that it may only read."""

    request: Request
    operation: Operation
    type: StreamType


@dataclass(frozen=True, slots=True)
class Deferred:
    """What is asked by a client that takes an answer in parts of this form, and maybe as a whole, too."""

    request: Request
    asked: Asked
    make_context: Callable[[], Context]
    form: Form
    takes_whole: bool


# What answers with a stream. It raises Refusal, NoOperation or ReadsOnly before it has sent anything.
Stream = Callable[[Streamed, Receive, Send], Awaitable[None]]
# What answers in parts, or gives the whole answer that is to be sent. It raises what the engine does.
InParts = Callable[[Deferred, Receive, Send], Awaitable[Answer | None]]


class Endpoint:
    """Answers GraphQL over HTTP, and counts it; without `stream` and `in_parts` as a whole only."""

    def __init__(
        self,
        engine: Engine,
        make_context: MakeContext,
        documents: Documents,
        options: Options,
        stream: Stream | None = None,
        *,
        in_parts: InParts | None = None,
        clock: Callable[[], float],
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._make_context = make_context
        self._documents = documents
        self._options = options
        self._page = None if options.page is None else graphiql.reply(options.page)
        self._stream = stream
        self._in_parts = in_parts
        self.tally = HttpTally()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request under its id; a malformed one as a GraphQL error too."""
        self.tally.under_way += 1
        try:
            self.tally.statuses[await self._respond(scope, receive, send)] += 1
        finally:
            self.tally.under_way -= 1

    async def _respond(self, scope: Scope, receive: Receive, send: Send) -> int:
        request = Request(scope)
        whole: WholeType | None = None
        try:
            self._options.door.check_host(request.headers)
            takes = accepted(request.headers.get(b"accept"))
            whole = takes.whole
            reply = await self._reply(request, takes, receive, send)
        except Refusal as refusal:
            reply = refused(refusal, whole, request.id)
        except ClientDisconnect:
            return CLIENT_LEFT  # nobody waits for an answer
        if reply is not None:
            if reply.is_true is not None and (offer := scope.get("extensions", {}).get(OFFER)) is not None:
                offer["keep"](repeat_of(reply, reply.is_true, request.given_id))
            await send_reply(send, reply, request.id, with_body=request.method != "HEAD")
            return reply.status
        return STREAMED

    async def _reply(self, request: Request, takes: Accepted, receive: Receive, send: Send) -> Reply | None:
        """Answer as a whole, or None where a stream was the answer."""
        if request.method == "OPTIONS":
            return Reply(204, b"", [(b"allow", METHODS)])
        if self._page is not None and _is_for_browser(request):
            return self._page
        operation = with_document(await request.operation(receive, self._options.limits), self._documents)
        if request.is_safe:
            self._options.door.check_reading(request.headers, takes)
        try:
            if self._stream is not None and self._is_streamed(operation, takes):
                await self._stream(Streamed(request, operation, takes.streams[0]), receive, send)
                return None
            asked, make_context = self._asked(request, operation)
            if self._in_parts is not None and (form := self._form(asked, takes)) is not None:
                deferred = Deferred(request, asked, make_context, form, takes.whole is not None)
                answer = await self._in_parts(deferred, receive, send)
            elif takes.whole is None:
                raise Refusal(406, NOT_ACCEPTABLE)
            else:
                answer = await self._engine.answer(asked, make_context)
            return None if answer is None else await self._whole(request, answer, takes.whole or LEGACY_JSON)
        except NoOperation as error:
            raise Refusal(None, str(error), code=NO_OPERATION) from error
        except ReadsOnly as error:
            raise Refusal(405, "Mutations are not allowed when using GET.", headers={b"allow": b"POST"}) from error
        except StreamsOnly as error:
            raise Refusal(406, STREAM_NEEDED) from error

    def _is_streamed(self, operation: Operation, takes: Accepted) -> bool:
        """Whether a stream answers: the client takes one, and it is a subscription or all that the client takes."""
        if not takes.streams:
            return False
        return takes.whole is None or self._engine.is_subscription(operation.query or "", operation.operation_name)

    def _form(self, asked: Asked, takes: Accepted) -> Form | None:
        """In which form parts answer: the client takes one, and something is deferred, or it takes nothing else."""
        if takes.form is None:
            return None
        if takes.whole is None or self._engine.is_deferring(asked.text, asked.operation_name):
            return takes.form
        return None

    async def _whole(self, request: Request, answer: Answer, type_: WholeType) -> Reply:
        status, body = 200 if answer.executed else type_.refused, answer.body
        headers = [(b"content-type", type_.content_type), *GUARDS]
        is_cached = caching.is_wanted(request.method, request.headers)
        if is_cached:
            kept = caching.headers_of(answer, self._clock())
            if caching.is_known(request.headers, kept):
                return Reply(304, b"", kept)
            headers += kept
        if 0 < self._options.compress_from <= len(body):
            body = await compression.compressed(body, request.headers.get(b"accept-encoding"), headers)
        return Reply(status, body, headers, None if is_cached else answer.is_true)

    def _asked(self, request: Request, operation: Operation) -> tuple[Asked, Callable[[], Context]]:
        text, variables, name = operation.query or "", operation.variables, operation.operation_name
        if operation.extensions is None and b"cache-control" not in request.headers:
            return Asked(text, variables, name, request.is_safe), partial(self._make_context, request.id)
        is_traced = bool(operation.extensions and operation.extensions.get("freshness") is True)
        header = request.headers.get(b"cache-control") if self._options.refreshes else None
        max_age = math.inf if header is None else caching.max_age(header)
        make_context = partial(self._make_context, request.id, max_age=max_age, is_traced=is_traced)
        return Asked(text, variables, name, request.is_safe, not is_traced, max_age), make_context


def _is_for_browser(request: Request) -> bool:
    """Tell a browser that opens the address from a program that asks something."""
    if request.method not in ("GET", "HEAD") or b"text/html" not in request.headers.get(b"accept", b""):
        return False
    return not ASKING & parameters_of(request.query_string).keys()
