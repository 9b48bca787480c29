"""One operation as a client sends it, read from a body or a query string."""

from collections import Counter
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from gateway.errors import AskedTooMuch
from gateway.http.refusal import Refusal
from gateway.limits import RequestLimits

MAX_PARAMETERS = 100


class Operation(msgspec.Struct, rename="camel", frozen=True):
    """What to execute: a document, or what it is known by; the name of an operation in it; and its variables."""

    query: str | None = None
    document_id: str | None = None
    variables: dict[str, Any] | None = None
    operation_name: str | None = None
    extensions: dict[str, Any] | None = None


def read_body(body: bytes) -> Operation:
    """Read a JSON body. Raises Refusal, whose message shows nothing of it."""
    try:
        return msgspec.json.decode(body, type=Operation)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        is_batch = body.lstrip().startswith(b"[{")
        raise _malformed("a batch is not taken, one request holds one operation" if is_batch else str(error)) from error
    except RecursionError as error:
        raise _malformed("it is nested too deeply") from error


def read_parameters(parameters: dict[str, str]) -> Operation:
    """Read the parameters of a query string, where an empty value means none. Raises what `read_body` does."""
    given: dict[str, Any] = {name: value for name, value in parameters.items() if value}
    try:
        for name in given.keys() & {"variables", "extensions"}:
            given[name] = msgspec.json.decode(given[name])
        return msgspec.convert(given, Operation)
    except msgspec.DecodeError as error:
        raise _malformed(str(error)) from error
    except RecursionError as error:
        raise _malformed("it is nested too deeply") from error


def parameters_of(query_string: bytes) -> dict[str, str]:
    """Take a query string apart. Raises Refusal where it is not UTF-8, or says the same parameter twice."""
    try:
        pairs = parse_qsl(query_string.decode(), keep_blank_values=True, errors="strict", max_num_fields=MAX_PARAMETERS)
    except UnicodeDecodeError as error:
        raise _malformed(str(error)) from error
    except ValueError as error:
        raise _malformed(f"it has more than {MAX_PARAMETERS} parameters") from error
    parameters = dict(pairs)
    if len(parameters) < len(pairs):
        twice = next(name for name, times in Counter(name for name, _ in pairs).items() if times > 1)
        if twice in Operation.__struct_encode_fields__:
            raise _malformed(f"it has `{twice}` more than once")
    return parameters


def within(limits: RequestLimits, operation: Operation, size: int | None = None) -> Operation:
    """Pass on an operation that came in so many bytes, if that is known. Raises Refusal for variables too large."""
    try:
        limits.check_variables(operation.variables, size)
    except AskedTooMuch as error:
        raise Refusal.of(error, 413) from None
    return operation


def _malformed(why: str) -> Refusal:
    return Refusal(400, f"This is no GraphQL request: {why}.")
