"""One HTTP request as it came in."""

from collections.abc import Iterable, Sequence

from starlette.requests import ClientDisconnect
from starlette.types import Receive

from gateway.auth.caller import Caller
from gateway.errors import AskedTooMuch
from gateway.http.negotiation import Accepted, check_body_type
from gateway.http.operation import Operation, parameters_of, read_body, read_parameters, within
from gateway.http.refusal import Refusal
from gateway.http.request_id import request_id
from gateway.limits import RequestLimits

METHODS = b"GET, HEAD, POST, OPTIONS"


class Head:
    """What comes before the body: method, headers by their names in lower case, and query string.

    What it `takes` is there once it was let in by all that it says itself.
    """

    __slots__ = ("headers", "is_safe", "method", "query_string", "takes")

    def __init__(self, method: str, headers: Sequence[tuple[bytes, bytes]], query_string: bytes) -> None:
        by_name = dict(headers)
        self.headers: dict[bytes, bytes] = by_name if len(by_name) == len(headers) else joined(headers)
        self.method = method
        self.is_safe = method != "POST"  # so it may only read
        self.query_string = query_string
        self.takes: Accepted | None = None


class Request:
    """A request without its body: its head, of which there may have been others, its id, and who asks.

    The `caller` is there once the gate has let them in.
    """

    __slots__ = ("caller", "head", "headers", "id", "is_safe", "method", "query_string")
    caller: Caller

    def __init__(self, head: Head) -> None:
        self.head = head
        self.headers = head.headers
        self.method = head.method
        self.is_safe = head.is_safe
        self.query_string = head.query_string
        self.id = request_id(self.headers.get(b"x-request-id"))

    @property
    def given_id(self) -> bytes | None:
        """The id where it is the client's own."""
        given = self.headers.get(b"x-request-id")
        return given if given == self.id.encode() else None

    def check(self, limits: RequestLimits) -> None:
        """Raise Refusal for what asks nothing, or too much, whatever its body is."""
        if len(self.query_string) > limits.url_bytes:
            raise Refusal.of(AskedTooMuch("url_bytes", limits.url_bytes, len(self.query_string)), 414)
        if self.method == "POST":
            check_body_type(self.headers.get(b"content-type"))
            if self.headers.get(b"content-encoding", b"identity") != b"identity":
                raise Refusal(415, "A body must not be compressed.", headers={b"accept-encoding": b"identity"})
        elif self.method not in ("GET", "HEAD"):
            raise Refusal(405, "GraphQL only supports GET and POST requests.", headers={b"allow": METHODS})

    async def body(self, receive: Receive, limits: RequestLimits) -> bytes:
        """Read the body of a POST; that of a GET says nothing. Raises Refusal for one too long, or ClientDisconnect."""
        if self.is_safe:
            return b""
        return await _body(receive, limits.body_bytes, self.headers.get(b"content-length"))

    def operation(self, body: bytes, limits: RequestLimits) -> Operation:
        """Read what is asked. Raises Refusal for every shape that asks nothing, or too much."""
        if self.is_safe:
            return within(limits, read_parameters(parameters_of(self.query_string)), len(self.query_string))
        if len(body) > limits.body_bytes:
            raise Refusal.of(AskedTooMuch("body_bytes", limits.body_bytes, len(body)), 413)
        return within(limits, read_body(body), len(body))


def joined(raw: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Join the values of a header that came more than once, as HTTP defines it."""
    headers: dict[bytes, bytes] = {}
    for name, value in raw:
        headers[name] = headers[name] + b", " + value if name in headers else value
    return headers


async def _body(receive: Receive, most: int, announced: bytes | None) -> bytes:
    """Read a body, which mostly comes in one message, until it is longer than `most` or says that it will be.

    Raises Refusal then, or ClientDisconnect when the client leaves before its end.
    """
    if announced is not None and announced.isdigit() and (size := int(announced[:19])) > most:
        raise Refusal.of(AskedTooMuch("body_bytes", most, size), 413)
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > most:
            raise Refusal.of(AskedTooMuch("body_bytes", most), 413)
        if not message.get("more_body"):
            return parts[0] if len(parts) == 1 else b"".join(parts)
