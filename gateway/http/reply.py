"""One whole HTTP answer: put together, and sent."""

from starlette.types import Send

from gateway.http.negotiation import LEGACY_JSON, WholeType
from gateway.http.refusal import Refusal

Header = tuple[bytes, bytes]
Reply = tuple[int, bytes, list[Header]]  # status, body, and the headers beside those that every answer has


async def send_reply(send: Send, reply: Reply, request_id: str, *, with_body: bool = True) -> None:
    """Send an answer under the request's id; to HEAD without its body."""
    status, body, own = reply
    headers = [*own, (b"x-request-id", request_id.encode())]
    if status not in (204, 304):
        headers.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body if with_body else b""})


def refused(refusal: Refusal, type_: WholeType | None, request_id: str) -> Reply:
    """Answer a request that is not executed; no cache keeps that."""
    written = type_ or LEGACY_JSON
    headers = [(b"content-type", written.content_type), (b"cache-control", b"no-store"), *refusal.headers.items()]
    return refusal.status or written.refused, refusal.body(request_id), headers
