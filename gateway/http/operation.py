"""One operation as a client sends it, read from a body or a query string."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec
from graphql import GraphQLSyntaxError, OperationDefinitionNode, parse

MALFORMED = (msgspec.DecodeError, UnicodeDecodeError)
_KEYWORD = re.compile(r"\b(?:query|mutation|subscription)\b")


class Operation(msgspec.Struct, rename="camel", frozen=True):
    """What to execute: a document, the name of an operation in it, and its variables."""

    query: str
    variables: dict[str, Any] | None = None
    operation_name: str | None = None
    extensions: dict[str, Any] | None = None

    @property
    def is_ambiguous(self) -> bool:
        """True when the document holds several operations and no name says which."""
        if self.operation_name is not None or len(_KEYWORD.findall(self.query)) < 2:  # noqa: PLR2004 - several
            return False
        try:
            document = parse(self.query)
        except GraphQLSyntaxError:
            return False  # executing it reports where it breaks
        return sum(isinstance(definition, OperationDefinitionNode) for definition in document.definitions) > 1


def read_body(body: bytes) -> Operation:
    """Read a JSON body. Raises one of MALFORMED, whose message shows nothing of it, or RecursionError."""
    return msgspec.json.decode(body, type=Operation)


def read_parameters(parameters: Mapping[str, str | None]) -> Operation:
    """Read a query string, where an empty value means none. Raises what `read_body` does."""
    given: dict[str, Any] = {name: value for name, value in parameters.items() if value}
    for name in given.keys() & {"variables", "extensions"}:
        given[name] = msgspec.json.decode(given[name])
    return msgspec.convert(given, Operation)
