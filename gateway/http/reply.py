"""One whole HTTP answer, ready to be sent."""

from typing import NamedTuple

from starlette.types import Send

from gateway.http.negotiation import LEGACY_JSON, WholeType
from gateway.http.refusal import Refusal

Header = tuple[bytes, bytes]


class Reply(NamedTuple):
    """A status, a body, and headers beside those that every answer has."""

    status: int
    body: bytes
    headers: list[Header]

    async def send(self, send: Send, request_id: str, *, with_body: bool = True) -> None:
        """Send it under the request's id; to HEAD without its body."""
        headers = [*self.headers, (b"x-request-id", request_id.encode())]
        if self.status not in (204, 304):
            headers.append((b"content-length", b"%d" % len(self.body)))
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body if with_body else b""})


def refused(refusal: Refusal, type_: WholeType | None, request_id: str) -> Reply:
    """Answer a request that is not executed; no cache keeps that."""
    written = type_ or LEGACY_JSON
    headers = [(b"content-type", written.content_type), (b"cache-control", b"no-store"), *refusal.headers.items()]
    return Reply(refusal.status or written.refused, refusal.body(request_id), headers)
