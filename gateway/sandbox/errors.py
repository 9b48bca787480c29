"""How the upstreams refuse: an exception that carries the answer, in each of the body shapes met in the wild.

Prism writes NestJS's `{statusCode, message, error?}`; `message` is a list where a value is invalid.
Scenario has no single schema, so its refusals differ on purpose:

    {message}                 as an API gateway: 401, foreign project 403, unknown route 404
    {status, code, message}   as its general docs: query 400, foreign asset 403, unknown asset 404, other statuses
    {error, code}             as its quota docs: lock 409, `Invalid target format` 400
    {message, details}        as its limits: 429
    text                      as live probes: body 400, unknown job 404
The file hosts answer XML, as S3 and CloudFront do.
"""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from http.client import responses
from typing import TypeAlias, cast
from xml.sax.saxutils import escape

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

Body: TypeAlias = str | dict[str, object]
Handler: TypeAlias = Callable[[Request, Exception], Awaitable[Response]]


class Refusal(Exception):
    """An answer that is no success: its status, and its body as text, XML or a JSON object."""

    def __init__(self, status: int, body: Body) -> None:
        super().__init__(status, body)
        self.status = status
        self.body = body

    def response(self) -> Response:
        """The refusal as it is sent."""
        return Response(self.content, self.status, media_type=self.media_type)

    @property
    def content(self) -> bytes:
        """The body as it is sent."""
        return self.body.encode() if isinstance(self.body, str) else msgspec.json.encode(self.body)

    @property
    def media_type(self) -> str:
        """What the body is."""
        if not isinstance(self.body, str):
            return "application/json"
        if self.body.startswith("{"):
            return "application/json"
        return "application/xml" if self.body.startswith("<?xml") else "text/plain"


def phrase_of(status: int) -> str:
    """What HTTP calls a status; those of proxies' own, as 520, are nowhere defined."""
    return responses.get(status, "Unknown Status")


def nest(status: int, message: str | list[str]) -> Refusal:
    """Prism's refusal; a message that is only the status's own phrase has no `error` beside it."""
    phrase = phrase_of(status)
    body: dict[str, object] = {"message": message, "statusCode": status}
    return Refusal(status, body if message == phrase else {**body, "error": phrase})


def bare(status: int) -> Refusal:
    """Scenario's refusal as its API gateway writes it."""
    return Refusal(status, {"message": phrase_of(status)})


def documented(status: int, message: str) -> Refusal:
    """Scenario's refusal as its general docs have it."""
    code = phrase_of(status).upper().replace("'", "").replace("-", "_").replace(" ", "_")
    return Refusal(status, {"status": "error", "code": code, "message": message})


def coded(status: int, code: str, error: str) -> Refusal:
    """Scenario's refusal as its quota docs have it."""
    return Refusal(status, {"error": error, "code": code})


def limited() -> Refusal:
    """Scenario's refusal of one call too many."""
    details = {"actionName": "api-requests", "actionLimit": 100}
    return Refusal(HTTPStatus.TOO_MANY_REQUESTS, {"message": "Too many requests", "details": details})


def xml(status: int, code: str, message: str) -> Refusal:
    """A file host's refusal."""
    error = f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
    return Refusal(status, f'<?xml version="1.0" encoding="UTF-8"?>\n{error}')


def usual(upstream: str, status: int) -> Refusal:
    """What an upstream answers with a status when nothing more is known."""
    phrase = phrase_of(status)
    if upstream == "prism":
        return nest(status, phrase)
    if upstream == "files":
        return xml(status, phrase.replace(" ", ""), phrase)
    return limited() if status == HTTPStatus.TOO_MANY_REQUESTS else documented(status, phrase)


def handlers(unrouted: Callable[[Request, int], Refusal]) -> dict[type[Exception], Handler]:
    """The exception handlers of an application whose routes raise refusals; `unrouted` is for where none matches."""

    async def refused(_: Request, error: Exception) -> Response:
        return cast("Refusal", error).response()

    async def not_routed(request: Request, error: Exception) -> Response:
        return unrouted(request, cast("HTTPException", error).status_code).response()

    return {Refusal: refused, HTTPException: not_routed}
