"""What a client sees of an error: a message, a code, and nothing that it should not."""

import logging
import traceback
from collections.abc import Iterator
from typing import Any, Protocol

import msgspec
from graphql import GraphQLError, GraphQLSyntaxError
from strawberry.extensions import SchemaExtension

from gateway.errors import INTERNAL, PARSE_FAILED, VALIDATION_FAILED, BadUserInput, GatewayError, UpstreamContract
from gateway.graph.journal import Journal

log = logging.getLogger("gateway")

_DRIFTED = {"code": UpstreamContract.code, "retryable": False}


class _HasJournal(Protocol):
    journal: Journal


class CodedErrors(SchemaExtension):
    """Codes every error of an answer, adds those that stand beside data, and tells what the request noted."""

    def __init__(self) -> None:
        self._executed = False

    def on_execute(self) -> Iterator[None]:
        """Remember that the operation was valid: what fails from here on is about values."""
        self._executed = True
        yield

    def on_operation(self) -> Iterator[None]:
        """Present the errors when everything else is done."""
        yield
        result: Any = self.execution_context.result
        errors = [*(getattr(result, "errors", None) or ()), *self._journal.errors]
        if errors and result is not None:
            result.errors = [self._present(error) for error in errors]

    def get_results(self) -> dict[str, Any]:
        """Tell stale documents, and upstream calls where the settings want it, under `extensions`."""
        stale = self._journal.stale_documents()
        results: dict[str, Any] = {"freshness": {"stale": stale}} if stale else {}
        if self._journal.reports_calls:
            results["upstreamCalls"] = dict(self._journal.calls)
        return results

    @property
    def _journal(self) -> Journal:
        context: _HasJournal = self.execution_context.context
        return context.journal

    def _present(self, error: GraphQLError) -> GraphQLError:
        message, extensions = describe(error, executed=self._executed, request_id=self._journal.request_id)
        return GraphQLError(
            message,
            nodes=error.nodes,
            source=error.source,
            positions=error.positions,
            path=error.path,
            extensions={**extensions, "requestId": self._journal.request_id},
        )


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
    log.error("%s in request %s at %s: %s in %s", INTERNAL, request_id, error.path, type(original).__name__, where)
    return "The gateway failed here; its log tells more under this requestId.", {"code": INTERNAL}


def _describe_graphql(
    error: GraphQLError, original: GraphQLError | None, *, executed: bool
) -> tuple[str, dict[str, Any]]:
    if isinstance(error, GraphQLSyntaxError):
        return error.message, {"code": PARSE_FAILED}
    if not executed:
        return error.message, {"code": VALIDATION_FAILED}
    if error.path and original is not None and original.nodes is None:
        # A scalar refused what an upstream sent; the value itself stays out of the message.
        rule = error.message.partition(":")[0].rstrip(".")
        return f"The upstream sent something else here: {rule}.", _DRIFTED
    return error.message, {"code": BadUserInput.code}
