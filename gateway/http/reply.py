"""One whole HTTP answer: put together, and sent."""

from collections.abc import Callable
from functools import lru_cache
from http import HTTPStatus

import msgspec
from starlette.types import Send

from gateway.http.negotiation import LEGACY_JSON, WholeType
from gateway.http.refusal import Refusal

Header = tuple[bytes, bytes]

# No answer is read as anything but what it says it is, or by the element of another site's page.
GUARDS: tuple[Header, ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
NO_STORE: Header = (b"cache-control", b"no-store")

WITHOUT_BODY = (204, 304)
_STATUS_LINES = {one.value: f"HTTP/1.1 {one.value} {one.phrase}\r\n".encode() for one in HTTPStatus}


class Reply(msgspec.Struct, frozen=True):
    """Status, body, and the headers beside those that every answer has.

    `is_true` is there where the same request may be answered so again for as long as it says yes.
    """

    status: int
    body: bytes
    headers: list[Header]
    is_true: Callable[[], bool] | None = None


async def send_reply(send: Send, reply: Reply, request_id: str, *, with_body: bool = True) -> None:
    """Send an answer under the request's id; to HEAD without its body."""
    headers = [*reply.headers, (b"x-request-id", request_id.encode())]
    if reply.status not in WITHOUT_BODY:
        headers.append((b"content-length", b"%d" % len(reply.body)))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body if with_body else b""})


def head_of(reply: Reply) -> bytes:
    """Write the lines of an answer's head that say no more than the reply does, from its status on."""
    lines = _lines(reply.status, tuple(reply.headers))
    return lines if reply.status in WITHOUT_BODY else b"%scontent-length: %d\r\n" % (lines, len(reply.body))


@lru_cache(maxsize=64)  # nearly all answers have the same
def _lines(status: int, headers: tuple[Header, ...]) -> bytes:
    return b"".join([_STATUS_LINES[status], *(b"%s: %s\r\n" % header for header in headers)])


def refused(refusal: Refusal, type_: WholeType | None, request_id: str) -> Reply:
    """Answer a request that is not executed; no cache keeps that."""
    written = type_ or LEGACY_JSON
    headers = [(b"content-type", written.content_type), NO_STORE, *GUARDS, *refusal.headers.items()]
    return Reply(refusal.status or written.refused, refusal.body(request_id), headers)
