"""One whole HTTP answer: put together, and sent."""

from collections.abc import Callable
from http import HTTPStatus
from typing import NamedTuple

from starlette.types import Send

from gateway.http.negotiation import LEGACY_JSON, WholeType
from gateway.http.refusal import Refusal
from gateway.http.repeats import Repeat

Header = tuple[bytes, bytes]

# No answer is read as anything but what it says it is, or by the element of another site's page.
GUARDS: tuple[Header, ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


class Reply(NamedTuple):
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
    if reply.status not in (204, 304):
        headers.append((b"content-length", b"%d" % len(reply.body)))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body if with_body else b""})


def repeat_of(reply: Reply, is_true: Callable[[], bool], request_id: bytes | None) -> Repeat:
    """Write the answer as it is sent when its request comes again."""
    lines = [b"HTTP/1.1 %d %s" % (reply.status, HTTPStatus(reply.status).phrase.encode())]
    lines += [b"%s: %s" % header for header in (*reply.headers, (b"content-length", b"%d" % len(reply.body)))]
    return Repeat(b"\r\n".join([*lines, b""]), reply.body, request_id, is_true)


def refused(refusal: Refusal, type_: WholeType | None, request_id: str) -> Reply:
    """Answer a request that is not executed; no cache keeps that."""
    written = type_ or LEGACY_JSON
    kept = (b"cache-control", b"no-store")
    headers = [(b"content-type", written.content_type), kept, *GUARDS, *refusal.headers.items()]
    return Reply(refusal.status or written.refused, refusal.body(request_id), headers)
