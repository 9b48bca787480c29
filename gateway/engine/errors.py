"""What a client sees of an error: a message, a code, and nothing that it should not."""

import logging
import traceback
from typing import Any

import msgspec
from graphql import GraphQLError, GraphQLSyntaxError

from gateway.errors import (
    FAILED_HERE,
    INTERNAL,
    PARSE_FAILED,
    VALIDATION_FAILED,
    BadUserInput,
    GatewayError,
    UpstreamContract,
)

log = logging.getLogger("gateway")

MAX_MESSAGE = 1_000  # characters; GraphQL's own may show a whole value of the document, indented as deep as it goes

_DRIFTED = {"code": UpstreamContract.code, "retryable": False}


def present(error: GraphQLError, *, executed: bool, request_id: str) -> dict[str, Any]:
    """Write an error for the client; `executed` says that the operation was valid, so this one is about values."""
    message, extensions = describe(error, executed=executed, request_id=request_id)
    formatted: dict[str, Any] = {"message": message}
    if error.locations:
        formatted["locations"] = [{"line": place.line, "column": place.column} for place in error.locations]
    if error.path is not None:
        formatted["path"] = error.path
    formatted["extensions"] = {**extensions, "requestId": request_id}
    return formatted


def describe(error: GraphQLError, *, executed: bool, request_id: str) -> tuple[str, dict[str, Any]]:
    """Give the message and the `extensions` of an error; a bug of the gateway is logged and masked."""
    original = error.original_error
    if isinstance(original, GatewayError):
        return original.message, original.extensions
    if original is None or isinstance(original, GraphQLError):
        return _describe_graphql(error, original, executed=executed)
    if isinstance(original, msgspec.DecodeError):  # documents are decoded when a first field of theirs is read
        return "The upstream sent something here that cannot be read.", _DRIFTED
    if not executed and isinstance(original, ValueError):  # a number too long for Python to read
        return "A value in the document cannot be read.", {"code": VALIDATION_FAILED}
    frame = traceback.extract_tb(original.__traceback__)[-1:]
    where = ", ".join(f"{line.name}:{line.lineno}" for line in frame)
    log.error(
        "%s at %s: %s in %s",
        INTERNAL,
        error.path,
        type(original).__name__,
        where,
        extra={"request_id": request_id, "code": INTERNAL},
    )
    return FAILED_HERE, {"code": INTERNAL}


def _describe_graphql(
    error: GraphQLError, original: GraphQLError | None, *, executed: bool
) -> tuple[str, dict[str, Any]]:
    if isinstance(error, GraphQLSyntaxError):
        return _bounded(error.message), {"code": PARSE_FAILED}
    if not executed:
        return _bounded(error.message), {"code": VALIDATION_FAILED}
    if error.path and original is not None and original.nodes is None:
        # A scalar refused what an upstream sent; the value itself stays out of the message.
        rule = error.message.partition(":")[0].rstrip(".")
        return f"The upstream sent something else here: {rule}.", _DRIFTED
    return _bounded(error.message), {"code": BadUserInput.code}


def _bounded(message: str) -> str:
    return message if len(message) <= MAX_MESSAGE else f"{message[:MAX_MESSAGE]} …"
