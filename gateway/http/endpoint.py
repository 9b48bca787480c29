"""`/graphql`: HTTP messages in, HTTP messages out, and one way from a request to the engine."""

from collections.abc import Callable
from urllib.parse import parse_qsl

import msgspec
from starlette.requests import ClientDisconnect
from starlette.responses import HTMLResponse
from starlette.types import Message, Receive, Scope, Send

from gateway.context import Context
from gateway.engine.engine import Engine, ReadsOnly
from gateway.engine.operations import NoOperation
from gateway.errors import BAD_REQUEST
from gateway.http import graphiql
from gateway.http.operation import MALFORMED, Operation, read_body, read_parameters
from gateway.http.request_id import request_id

MakeContext = Callable[[str], Context]


class Refusal(Exception):
    """A request that is not executed: its status and why, and which methods would be taken."""

    def __init__(self, status: int, message: str, allow: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.allow = allow


class Endpoint:
    """Answers GraphQL over HTTP. `page` is what a browser sees here; None refuses it."""

    def __init__(self, engine: Engine, make_context: MakeContext, page: str | None) -> None:
        self._engine = engine
        self._make_context = make_context
        self._page = page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request under its id; a malformed one as a GraphQL error too."""
        headers = dict(scope["headers"])
        id_ = request_id(headers.get(b"x-request-id"))
        if self._is_for_browser(scope, headers):
            await HTMLResponse(self._page, headers={**graphiql.HEADERS, "x-request-id": id_})(scope, receive, send)
            return
        try:
            status, body, allow = 200, await self._answer(scope, headers, receive, id_), None
        except Refusal as refusal:
            status, body, allow = refusal.status, _refused(refusal, id_), refusal.allow
        except ClientDisconnect:
            return  # nobody waits for an answer
        await send(_start(status, body, id_, allow))
        await send({"type": "http.response.body", "body": body})

    def _is_for_browser(self, scope: Scope, headers: dict[bytes, bytes]) -> bool:
        """Tell a browser that opens the address from a program that asks something."""
        if self._page is None or scope["method"] != "GET" or b"text/html" not in headers.get(b"accept", b""):
            return False
        return "query" not in dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))

    async def _answer(self, scope: Scope, headers: dict[bytes, bytes], receive: Receive, id_: str) -> bytes:
        operation = await _read(scope, headers, receive)
        if not operation.query:
            raise Refusal(400, "No GraphQL query found in the request")
        try:
            return await self._engine.answer(
                operation.query,
                operation.variables,
                operation.operation_name,
                self._make_context(id_),
                reads_only=scope["method"] == "GET",
            )
        except NoOperation as error:
            raise Refusal(400, str(error)) from error
        except ReadsOnly as error:
            raise Refusal(405, "mutations are not allowed when using GET", "POST") from error


async def _read(scope: Scope, headers: dict[bytes, bytes], receive: Receive) -> Operation:
    """Read a request, refusing every shape that is none with a 4xx."""
    try:
        if scope["method"] == "POST":
            media_type = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
            if media_type != b"application/json":
                raise Refusal(415, "A POST must be application/json.")
            return read_body(await _body(receive))
        if scope["method"] == "GET":
            return read_parameters(dict(parse_qsl(scope["query_string"].decode("latin-1"))))
    except MALFORMED as error:
        raise Refusal(400, f"This is no GraphQL request: {error}.") from error
    except RecursionError as error:
        raise Refusal(400, "This is no GraphQL request: it is nested too deeply.") from error
    raise Refusal(405, "GraphQL only supports GET and POST requests.", "GET, POST")


async def _body(receive: Receive) -> bytes:
    """Read a body, which mostly comes in one message. Raises ClientDisconnect when the client leaves before its end."""
    parts: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return parts[0] if len(parts) == 1 else b"".join(parts)


def _start(status: int, body: bytes, id_: str, allow: str | None) -> Message:
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"x-request-id", id_.encode()),
    ]
    if allow is not None:
        headers.append((b"allow", allow.encode()))
    return {"type": "http.response.start", "status": status, "headers": headers}


def _refused(refusal: Refusal, id_: str) -> bytes:
    error = {"message": refusal.message, "extensions": {"code": BAD_REQUEST, "requestId": id_}}
    return msgspec.json.encode({"errors": [error]})
