"""`/graphql`: HTTP messages in, HTTP messages out, and one way from a request to the engine."""

import logging
import math
from collections.abc import Callable, Coroutine
from typing import Any

from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from gateway.auth.caller import Gate, OpenGate
from gateway.context import Context
from gateway.engine.answer import Answer, Asked, ReadsOnly, StreamsOnly
from gateway.engine.engine import Engine
from gateway.engine.incremental import Form
from gateway.engine.operation import NoOperation, PreparedOperation
from gateway.errors import FAILED_HERE, INTERNAL, NO_OPERATION, CannotIdentify, Forbidden, RateLimited, Unauthenticated
from gateway.http import caching, graphiql, preferences
from gateway.http.asking import Deferred, InParts, MakeContext, Options, Stream, Streamed
from gateway.http.negotiation import LEGACY_JSON, Accepted, WholeType, accepted
from gateway.http.operation import Operation, parameters_of
from gateway.http.persisted import Documents, with_document
from gateway.http.refusal import NOT_LET_IN, Refusal
from gateway.http.reply import Reply, send_reply
from gateway.http.request import METHODS, Head, Request
from gateway.http.writing import Writing
from gateway.rates.rates import Rates
from gateway.tallies import CLIENT_LEFT, HttpTally

log = logging.getLogger("gateway.http")

FAILED = Refusal(500, FAILED_HERE, code=INTERNAL)
NOT_ACCEPTABLE = "Answers are application/graphql-response+json or application/json; the Accept header takes neither."
STREAM_NEEDED = "A subscription needs an Accept header that names text/event-stream or multipart/mixed."
STREAMED = 200
ASKING = {"query", "documentId", "extensions"}


class Endpoint:
    """Answers GraphQL over HTTP, and counts it; without `in_parts` each query as a whole only."""

    def __init__(
        self,
        engine: Engine,
        make_context: MakeContext,
        documents: Documents,
        options: Options,
        stream: Stream,
        *,
        in_parts: InParts | None = None,
        gate: Gate | None = None,
        rates: Rates | None = None,
        clock: Callable[[], float],
    ) -> None:
        self._engine = engine
        self._make_context = make_context
        self._documents = documents
        self._options = options
        self._door, self._limits = options.door, options.limits
        self._gate = gate or OpenGate()
        self._rates = rates or Rates()
        self._writing = Writing(
            options.compress_from, options.repeats, self._gate, self._rates, clock, options.tells_rates
        )
        self._page = None if options.page is None else graphiql.reply(options.page)
        self._stream = stream
        self._in_parts = in_parts
        self.tally = HttpTally()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request under its id; a malformed one as a GraphQL error too."""
        self.tally.under_way += 1
        status = CLIENT_LEFT  # where this is cancelled
        try:
            status = await self._respond(scope, receive, send)
        except Exception:
            status = 500
            raise
        finally:
            self.tally.under_way -= 1
            self.tally.statuses[status] += 1

    async def _respond(self, scope: Scope, receive: Receive, send: Send) -> int:
        request = Request(Head(scope["method"], scope["headers"], scope["query_string"]))
        try:
            reply = await self._reply(request, receive, send)
        except ClientDisconnect:
            return CLIENT_LEFT  # nobody waits for an answer
        if reply is not None:
            await send_reply(send, reply, request.id, with_body=request.method != "HEAD")
            return reply.status
        return STREAMED

    def direct(self, request: Request, body: bytes) -> Reply | Coroutine[Any, Any, Reply] | None:
        """Answer a POST or GET that is here as a whole: at once or later; or not, which leaves it to ASGI.

        That is what streams, changes anything, needs the headers of CORS, or comes from who is not known yet. What
        answers later may be cancelled, and raises nothing else.
        """
        takes = request.head.takes
        if takes is None and self._door.speaks_with(request.headers):
            return None
        whole: WholeType | None = None
        try:
            takes = takes or self._takes(request)
            whole = takes.whole
            reply = None if whole is None else self._direct(request, body, takes, whole)
        except (Refusal, RateLimited, NoOperation) as error:
            reply = self._writing.refusal(request, _refusal_of(error), whole)
        except Exception:
            log.exception("%s in request %s", INTERNAL, request.id)
            reply = self._writing.refusal(request, FAILED, whole)
        if reply.__class__ is Reply:
            self.tally.statuses[reply.status] += 1
        return reply

    def _direct(
        self, request: Request, body: bytes, takes: Accepted, type_: WholeType
    ) -> Reply | Coroutine[Any, Any, Reply] | None:
        if request.head.takes is None:
            if self._shows_page(request):
                return None
            request.check(self._limits)
            request.head.takes = takes
        caller = self._gate.known(request.headers)
        if caller is None:
            return None
        request.caller = caller
        self._rates.check(caller)
        operation = self._operation(request, body, takes)
        query = self._engine.query(operation.query or "", operation.operation_name)
        if query is None or (takes.form is not None and query.deferring is not None):
            self._rates.leave(caller)
            return None
        asked = self._asked(request, operation)
        answer = self._engine.kept(query, asked)
        if answer is not None:
            (query.tally or self._engine.tallies.find(query)).give()
        if answer is None or self._writing.is_compressed(answer):
            return self._later(request, query, asked, answer, type_)
        return self._writing.plain(request, answer, type_)

    async def _later(
        self, request: Request, query: PreparedOperation, asked: Asked, answer: Answer | None, type_: WholeType
    ) -> Reply:
        self.tally.under_way += 1
        status = CLIENT_LEFT
        try:
            answer = answer or await self._engine.answer_anew(query, asked, self._context_of(request, asked))
            reply = await self._writing.whole(request, answer, type_)
            status = reply.status
        except RateLimited as error:
            reply = self._writing.refusal(request, Refusal.of_rate(error), type_)
            status = reply.status
        except Exception:
            log.exception("%s in request %s", INTERNAL, request.id)
            reply = self._writing.refusal(request, FAILED, type_)
            status = reply.status
        finally:
            self.tally.under_way -= 1
            self.tally.statuses[status] += 1
        return reply

    async def _reply(self, request: Request, receive: Receive, send: Send) -> Reply | None:
        """Answer as a whole, or None where a stream was the answer."""
        whole: WholeType | None = None
        try:
            takes = self._takes(request)
            whole = takes.whole
            if request.method == "OPTIONS":
                return Reply(204, b"", [(b"allow", METHODS)])
            if self._page is not None and self._shows_page(request):
                return self._page
            request.check(self._limits)
            request.caller = self._gate.known(request.headers) or await self._gate.identify(request.headers)
            self._rates.check(request.caller)
            operation = self._operation(request, await request.body(receive, self._limits), takes)
            return await self._answered(request, operation, takes, receive, send)
        except (Refusal, *NOT_LET_IN, RateLimited, NoOperation, ReadsOnly, StreamsOnly) as error:
            return self._writing.refusal(request, _refusal_of(error), whole)
        except ClientDisconnect:
            raise
        except Exception:
            log.exception("%s in request %s", INTERNAL, request.id)
            return self._writing.refusal(request, FAILED, whole)

    async def _answered(
        self, request: Request, operation: Operation, takes: Accepted, receive: Receive, send: Send
    ) -> Reply | None:
        if self._is_streamed(operation, takes):
            await self._stream(Streamed(request, operation, takes.streams[0]), receive, send)
            return None
        asked = self._asked(request, operation)
        make_context = self._context_of(request, asked)
        answer: Answer | None
        if self._in_parts is not None and (form := self._form(asked, takes)) is not None:
            deferred = Deferred(request, asked, make_context, form, takes.whole is not None)
            answer = await self._in_parts(deferred, receive, send)
        elif takes.whole is None:
            raise Refusal(406, NOT_ACCEPTABLE)
        else:
            answer = await self._engine.answer(asked, make_context)
        return None if answer is None else await self._writing.whole(request, answer, takes.whole or LEGACY_JSON)

    def _takes(self, request: Request) -> Accepted:
        """Let a request in by its host, and read what answers it takes. Raises Refusal."""
        self._door.check_host(request.headers)
        return accepted(request.headers.get(b"accept"))

    def _shows_page(self, request: Request) -> bool:
        """Tell a browser that opens the address from a program that asks something."""
        if self._page is None or request.method not in ("GET", "HEAD"):
            return False
        if b"text/html" not in request.headers.get(b"accept", b""):
            return False
        return not ASKING & parameters_of(request.query_string).keys()

    def _operation(self, request: Request, body: bytes, takes: Accepted) -> Operation:
        """Read what is asked, with its document, which may be known by a name only. Raises Refusal."""
        operation = request.operation(body, self._limits)
        if request.is_safe and (operation.query or operation.document_id or operation.extensions):
            self._door.check_reading(request.headers, takes)  # before a document is kept
        return with_document(operation, self._documents)

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

    def _asked(self, request: Request, operation: Operation) -> Asked:
        text, variables, name = operation.query or "", operation.variables, operation.operation_name
        if operation.extensions is None and b"cache-control" not in request.headers:
            return Asked(text, variables, name, request.is_safe, caller=request.caller)
        is_traced = bool(operation.extensions and operation.extensions.get("freshness") is True)
        header = request.headers.get(b"cache-control") if self._options.refreshes else None
        max_age = math.inf if header is None else caching.max_age(header)
        return Asked(text, variables, name, request.is_safe, not is_traced, max_age, request.caller)

    def _context_of(self, request: Request, asked: Asked) -> Callable[[], Context]:
        """What makes the context of what is asked, where that is executed."""
        prefer = request.headers.get(b"prefer")
        wait = math.inf if prefer is None else preferences.wait(prefer)
        return lambda: self._make_context(
            request.id, asked.caller, max_age=asked.max_age, wait=wait, is_traced=not asked.takes_kept
        )


def _refusal_of(error: Exception) -> Refusal:
    """Refuse for whatever was wrong with a request; `error` is one of those that Endpoint catches."""
    match error:
        case Refusal():
            return error
        case Unauthenticated() | Forbidden() | CannotIdentify():
            return Refusal.of_caller(error)
        case RateLimited():
            return Refusal.of_rate(error)
        case ReadsOnly():
            return Refusal(405, "Mutations are not allowed when using GET.", headers={b"allow": b"POST"})
        case StreamsOnly():
            return Refusal(406, STREAM_NEEDED)
    return Refusal(None, str(error), code=NO_OPERATION)
