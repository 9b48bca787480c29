"""One operation as a client sends it, read from a body or a query string."""

from collections.abc import Mapping
from typing import Any

import msgspec

MALFORMED = (msgspec.DecodeError, UnicodeDecodeError)


class Operation(msgspec.Struct, rename="camel", frozen=True):
    """What to execute: a document, the name of an operation in it, and its variables."""

    query: str
    variables: dict[str, Any] | None = None
    operation_name: str | None = None
    extensions: dict[str, Any] | None = None


def read_body(body: bytes) -> Operation:
    """Read a JSON body. Raises one of MALFORMED, whose message shows nothing of it, or RecursionError."""
    return msgspec.json.decode(body, type=Operation)


def read_parameters(parameters: Mapping[str, str | None]) -> Operation:
    """Read a query string, where an empty value means none. Raises what `read_body` does."""
    given: dict[str, Any] = {name: value for name, value in parameters.items() if value}
    for name in given.keys() & {"variables", "extensions"}:
        given[name] = msgspec.json.decode(given[name])
    return msgspec.convert(given, Operation)
