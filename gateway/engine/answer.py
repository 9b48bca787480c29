"""What the engine is asked, and what it answers: put together, and written as JSON."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import msgspec
from graphql import GraphQLError

from gateway.auth.caller import ANYONE, Caller
from gateway.engine.errors import present
from gateway.errors import BadRequest
from gateway.graph.journal import Journal
from gateway.tallies import Outcome

encode = msgspec.json.Encoder().encode
OK = Outcome.OK


class HasJournal(Protocol):
    """What the engine needs of a request's context."""

    @property
    def journal(self) -> Journal:
        """What the request notes."""


class ReadsOnly(Exception):
    """A mutation was asked for where only queries are taken."""


class StreamsOnly(Exception):
    """A subscription was asked for where one whole answer is given."""


class Asked(msgspec.Struct, frozen=True):
    """An operation as a caller asked for it. `takes_kept` says whether it may be answered by what was answered before.

    Nothing is taken then that is older than `max_age` seconds.
    """

    text: str
    variables: Mapping[str, Any] | None = None
    operation_name: str | None = None
    reads_only: bool = False
    takes_kept: bool = True
    max_age: float = math.inf
    caller: Caller = ANYONE


class Answer(msgspec.Struct, frozen=True):
    """The bytes of an answer's JSON, whether the operation was executed, and whether a cache may keep the answer.

    What is not executed was refused before, and has no data. A query's answer without any error may be kept: until
    `fresh_until`, in Unix seconds. One that was kept here says by `is_true` whether it would be found again. `outcome`
    is for who counts.
    """

    body: bytes
    executed: bool
    cacheable: bool
    fresh_until: float
    is_true: Callable[[], bool] | None = None
    outcome: Outcome = OK


class Result(msgspec.Struct, frozen=True):
    """Data, ready to be encoded, and errors; `executed` says that the operation was valid."""

    data: Any
    errors: Sequence[GraphQLError] = ()
    executed: bool = True

    @property
    def was_refused(self) -> bool:
        """Whether nothing was executed: such an error, of a document or of variables, stands at no path."""
        return self.data is None and all(error.path is None for error in self.errors)


def refused(message: str) -> Result:
    """Refuse an operation for the way in which it was sent."""
    return Result(None, [GraphQLError(message, original_error=BadRequest(message))], executed=False)


def answered(result: Result, journal: Journal, *, is_query: bool) -> Answer:
    """Write an answer, and say whether it may be kept."""
    response = respond(result, journal)
    is_good = is_query and "errors" not in response
    return Answer(encode(response), "data" in response, is_good, journal.fresh_until, None, outcome_of(response))


def outcome_of(response: Mapping[str, Any]) -> Outcome:
    """Say how an operation ended."""
    if "errors" not in response:
        return OK
    if "data" not in response:
        return Outcome.REFUSED
    return Outcome.FAILED if response["data"] is None else Outcome.PARTIAL


def without_calls(answer: Answer, result: Result, journal: Journal) -> bytes:
    """What an answer would have been without upstream calls to tell of."""
    extensions = journal.extensions_without_calls()
    return encode({"data": result.data, "extensions": extensions}) if extensions else answer.body


def respond(result: Result, journal: Journal) -> dict[str, Any]:
    """Put an answer together: data where it was executed, errors in their order, and what the request noted."""
    response: dict[str, Any] = {} if result.was_refused else {"data": result.data}
    errors = [*result.errors, *journal.errors]
    if errors:
        response["errors"] = [
            present(error, executed=result.executed, request_id=journal.request_id) for error in errors
        ]
    extensions = journal.extensions()
    if extensions:
        response["extensions"] = extensions
    return response
