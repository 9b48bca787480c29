"""A request that is not executed: its status, its code, and why."""

import math
from collections.abc import Mapping
from typing import Any, Self

import msgspec

from gateway.errors import BAD_REQUEST, CannotIdentify, Forbidden, GatewayError, RateLimited, Unauthenticated

# RFC 6750: where nothing was given, no error is named.
CHALLENGE = b'Bearer realm="scan-gateway"'
INVALID_TOKEN = CHALLENGE + b', error="invalid_token"'
INSUFFICIENT_SCOPE = CHALLENGE + b', error="insufficient_scope"'

NOT_LET_IN = (Unauthenticated, Forbidden, CannotIdentify)


def rate_headers(name: str, most: int, remaining: int, seconds: int) -> list[tuple[bytes, bytes]]:
    """Write what is left of a limit a minute, and for how long, as the IETF's draft of RateLimit headers has it."""
    policy = b'"%s";q=%d;w=60' % (name.encode(), most)
    return [(b"ratelimit-policy", policy), (b"ratelimit", b'"%s";r=%d;t=%d' % (name.encode(), remaining, seconds))]


class Refusal(Exception):
    """Why a request is refused, and what the client may do instead.

    `status` is None where GraphQL itself refuses: then the answer's media type decides on it. `headers` are sent too.
    """

    def __init__(
        self,
        status: int | None,
        message: str,
        *,
        code: str = BAD_REQUEST,
        headers: Mapping[bytes, bytes] | None = None,
        extensions: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers or {}
        self.extensions = {**(extensions or {}), "code": code}

    @classmethod
    def of(cls, error: GatewayError, status: int | None, headers: Mapping[bytes, bytes] | None = None) -> Self:
        """Refuse a request for what an error says."""
        return cls(status, error.message, code=error.code, headers=headers, extensions=error.extensions)

    @classmethod
    def of_caller(cls, error: Unauthenticated | Forbidden | CannotIdentify) -> Self:
        """Refuse a request whose caller is not let in: nobody knows them, they may not, or nobody can tell."""
        match error:
            case Unauthenticated():
                challenge = INVALID_TOKEN if error.was_given else CHALLENGE
                status, headers = 401, {b"www-authenticate": challenge}
            case Forbidden():
                status, headers = 403, {b"www-authenticate": INSUFFICIENT_SCOPE}
            case CannotIdentify():
                status, headers = 503, {b"retry-after": b"%d" % math.ceil(error.retry_after)}
        return cls.of(error, status, headers)

    @classmethod
    def of_rate(cls, error: RateLimited) -> Self:
        """Refuse a request that comes too early."""
        told = rate_headers(error.name, error.most, error.remaining, error.retry_after)
        return cls.of(error, 429, {b"retry-after": b"%d" % error.retry_after, **dict(told)})

    def body(self, request_id: str) -> bytes:
        """Write it as a GraphQL answer without data."""
        error = {"message": self.message, "extensions": {**self.extensions, "requestId": request_id}}
        return msgspec.json.encode({"errors": [error]})
