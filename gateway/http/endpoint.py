"""The GraphQL endpoint: Strawberry's view with our context, our errors and our page."""

from collections.abc import Callable

import msgspec
from cross_web import AsyncHTTPRequestAdapter, HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.http import GraphQLRequestData
from strawberry.http.base import BaseRequestProtocol
from strawberry.schema import BaseSchema
from strawberry.schema.exceptions import InvalidOperationTypeError

from gateway.context import Context
from gateway.errors import BAD_REQUEST
from gateway.http import graphiql
from gateway.http.operation import MALFORMED, Operation, read_body, read_parameters
from gateway.http.request_id import request_id

MakeContext = Callable[[str], Context]


class Endpoint(GraphQL[Context, None]):
    """`/graphql`. `page` is what a browser sees there; None refuses it."""

    def __init__(self, schema: BaseSchema, make_context: MakeContext, page: str | None) -> None:
        super().__init__(schema)
        self._make_context = make_context
        self._page = page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request under its id; a malformed one as a GraphQL error too."""
        request = Request(scope, receive)
        id_ = request_id(request.headers.get("x-request-id"))
        request.state.request_id = id_
        try:
            response = await self.run(request)
        except HTTPException as error:
            response = _refusal(error, request)
        except ClientDisconnect:
            return  # nobody waits for an answer
        response.headers["x-request-id"] = id_
        await response(scope, receive, send)

    async def get_context(self, request: Request | WebSocket, response: Response | WebSocket) -> Context:  # noqa: ARG002 - Strawberry's signature
        """Make the context of one request."""
        return self._make_context(request.state.request_id)

    def should_render_graphql_ide(self, request: BaseRequestProtocol) -> bool:
        """Tell a browser that opens the address from a program that asks something."""
        is_browser = request.method == "GET" and "text/html" in request.headers.get("accept", "")
        return is_browser and self._page is not None and "query" not in request.query_params

    async def render_graphql_ide(self, request: Request) -> Response:  # noqa: ARG002 - Strawberry's signature
        """Show the page to a browser."""
        return HTMLResponse(self._page, headers=graphiql.HEADERS)

    async def parse_http_body(self, request: AsyncHTTPRequestAdapter) -> GraphQLRequestData:
        """Read a request, refusing every shape that is none with a 4xx."""
        try:
            operation = await _read(request)
        except MALFORMED as error:
            raise HTTPException(400, f"This is no GraphQL request: {error}.") from error
        except RecursionError as error:
            raise HTTPException(400, "This is no GraphQL request: it is nested too deeply.") from error
        if operation.is_ambiguous:
            raise HTTPException(400, "The document holds several operations: `operationName` must name one.")
        return GraphQLRequestData(
            query=operation.query,
            variables=operation.variables,
            operation_name=operation.operation_name,
            extensions=operation.extensions,
        )

    def encode_json(self, data: object) -> bytes:
        """Encode in C."""
        return msgspec.json.encode(data)


async def _read(request: AsyncHTTPRequestAdapter) -> Operation:
    if request.method == "GET":
        return read_parameters(request.query_params)
    media_type = (request.content_type or "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise HTTPException(415, "A POST must be application/json.")
    return read_body(await request.get_body())


def _refusal(error: HTTPException, request: Request) -> Response:
    """Write a refusal as GraphQL does; 405 says which methods are taken."""
    extensions = {"code": BAD_REQUEST, "requestId": request.state.request_id}
    body = msgspec.json.encode({"errors": [{"message": error.reason, "extensions": extensions}]})
    if isinstance(error.__cause__, InvalidOperationTypeError):
        return Response(body, 405, {"allow": "POST"}, "application/json")
    headers = {"allow": "GET, POST"} if error.status_code == 405 else None  # noqa: PLR2004 - what 405 asks for
    return Response(body, error.status_code, headers, "application/json")
