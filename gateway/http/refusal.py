"""A request that is not executed: its status, its code, and why."""

from collections.abc import Mapping
from typing import Any, Self

import msgspec

from gateway.errors import BAD_REQUEST, GatewayError, Unauthenticated


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
        self.code = code
        self.headers = headers or {}
        self.extensions = {**(extensions or {}), "code": code}

    @classmethod
    def of(cls, error: GatewayError, status: int | None) -> Self:
        """Refuse a request for what an error says."""
        return cls(status, error.message, code=error.code, extensions=error.extensions)

    @classmethod
    def of_unknown(cls, error: Unauthenticated) -> Self:
        """Refuse a request whose caller nobody knows."""
        return cls(401, error.message, code=error.code, headers={b"www-authenticate": b"Bearer"})

    def body(self, request_id: str) -> bytes:
        """Write it as a GraphQL answer without data."""
        error = {"message": self.message, "extensions": {**self.extensions, "requestId": request_id}}
        return msgspec.json.encode({"errors": [error]})
