"""A query's answer in parts, as bytes: what is not deferred, then each `@defer` and `@stream` when it is there."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self, cast

import msgspec
from graphql import ExecutionResult, GraphQLError
from graphql.execution import (
    CompletedResult,
    ExperimentalIncrementalExecutionResults,
    IncrementalResult,
    IncrementalStreamResult,
    InitialIncrementalExecutionResult,
    PendingResult,
    SubsequentIncrementalExecutionResult,
)

from gateway.engine.errors import present
from gateway.engine.incremental import EXECUTORS, Form, PartsExecutor
from gateway.engine.operation import PreparedOperation
from gateway.engine.plan import is_awaitable
from gateway.engine.rights import middleware
from gateway.graph.journal import Journal

Place = Sequence[str | int]
Object = dict[str, Any]
encode = msgspec.json.Encoder().encode


@dataclass(slots=True)
class Writer:
    """Writes what graphql-core answers as parts of a form. `starts` says where the items of streamed lists begin.

    An error that the request noted, beside data that it has all the same, goes with the part that has this data.
    """

    form: Form
    journal: Journal
    starts: Mapping[tuple[str | int, ...], int]
    _pending: dict[str, PendingResult] = field(default_factory=dict)
    _streamed: dict[str, int] = field(default_factory=dict)

    def first(self, result: InitialIncrementalExecutionResult) -> Object:
        """Write what is not deferred."""
        part: Object = {"data": result.data}
        self._add_errors(part, result.errors, [], result.data)
        self._announce(part, result.pending)
        return self._finished(part, has_next=result.has_next, is_edge=True)

    def next(self, result: SubsequentIncrementalExecutionResult) -> Object:
        """Write what has come since the part before."""
        part: Object = {}
        self._announce(part, result.pending or ())
        pieces = [self._piece(piece) for piece in result.incremental or ()]
        completed = result.completed or ()
        if self.form is Form.BY_PATH:
            pieces += [self._failure(one) for one in completed if one.errors]
        if pieces:
            part["incremental"] = pieces
        if completed and self.form is Form.BY_ID:
            part["completed"] = [self._completed(one) for one in completed]
        return self._finished(part, has_next=result.has_next, is_edge=not result.has_next)

    def _finished(self, part: Object, *, has_next: bool, is_edge: bool) -> Object:
        """Say at both edges what the request noted, as far as it has got."""
        if is_edge and (extensions := self.journal.extensions()):
            part["extensions"] = extensions
        part["hasNext"] = has_next
        return part

    def _announce(self, part: Object, pending: Sequence[PendingResult]) -> None:
        self._pending.update({one.id: one for one in pending})
        self._streamed.update({one.id: start for one in pending if (start := self._start(one)) is not None})
        if pending and self.form is Form.BY_ID:
            part["pending"] = [one.formatted for one in pending]

    def _start(self, pending: PendingResult) -> int | None:
        return self.starts.get(tuple(pending.path))

    def _piece(self, result: IncrementalResult) -> Object:
        if isinstance(result, IncrementalStreamResult):
            path = self._path(result.id)
            self._streamed[result.id] += len(result.items)
            piece: Object = {"items": result.items, **self._belonging(result.id, path)}
            self._add_errors(piece, result.errors, path[:-1], dict(enumerate(result.items, cast("int", path[-1]))))
            return piece
        path = [*self._path(result.id), *(result.sub_path or ())]
        piece = {"data": result.data, **self._belonging(result.id, path)}
        if result.sub_path and self.form is Form.BY_ID:
            piece["subPath"] = result.sub_path
        self._add_errors(piece, result.errors, path, result.data)
        return piece

    def _path(self, id_: str) -> list[str | int]:
        """Where the data of a fragment belongs, or the next item of a list."""
        path = self._pending[id_].path
        return [*path, self._streamed[id_]] if id_ in self._streamed else path

    def _belonging(self, id_: str, path: Place) -> Object:
        if self.form is Form.BY_ID:
            return {"id": id_}
        label = self._pending[id_].label
        return {"path": path} if label is None else {"path": path, "label": label}

    def _failure(self, completed: CompletedResult) -> Object:
        """Write a fragment, or the rest of a list, as null."""
        kind = "items" if completed.id in self._streamed else "data"
        failure: Object = {kind: None, **self._belonging(completed.id, self._path(completed.id))}
        self._add_errors(failure, completed.errors, self._pending[completed.id].path, None)
        return failure

    def _completed(self, result: CompletedResult) -> Object:
        completed: Object = {"id": result.id}
        if result.errors:
            self._add_errors(completed, result.errors, self._pending[result.id].path, None)
        return completed

    def _add_errors(self, piece: Object, errors: Sequence[GraphQLError] | None, path: Place, data: Any) -> None:
        """Add the errors of some data at a path, and those that were noted about it."""
        noted = self._take_noted(path, data)
        if errors or noted:
            request_id = self.journal.request_id
            piece["errors"] = [present(one, executed=True, request_id=request_id) for one in (*(errors or ()), *noted)]

    def _take_noted(self, path: Place, data: Any) -> list[GraphQLError]:
        """Take what was noted about some data at a path: once each, as other fragments with the same have their own."""
        noted: dict[Place, GraphQLError] = {}
        for error in self.journal.errors:
            place = tuple(error.path or ())
            if place not in noted and _is_in(place, path, data):
                noted[place] = error
        self.journal.errors = [
            error for error in self.journal.errors if noted.get(tuple(error.path or ())) is not error
        ]
        return list(noted.values())


def _is_in(place: Place, path: Place, data: Any) -> bool:
    """Whether some data at a path holds this place, or a null in its stead."""
    if len(place) <= len(path) or list(place[: len(path)]) != list(path):
        return False
    for key in place[len(path) :]:
        if data is None:
            return True
        try:
            data = data[key]
        except LookupError:
            return False
    return True


class Parts(AsyncIterator[bytes]):
    """The parts of an answer, in JSON. A cancelled wait loses none; `aclose`, which must be called, ends the others.

    `settle` is called before the last is given, and by `aclose` once nothing is under way.
    """

    def __init__(
        self,
        results: ExperimentalIncrementalExecutionResults,
        executor: PartsExecutor,
        writer: Writer,
        settle: Callable[[], None],
    ) -> None:
        self._executor = executor
        self._writer = writer
        self._settle = settle
        self._first: bytes | None = encode(writer.first(results.initial_result))
        self._results: AsyncGenerator[SubsequentIncrementalExecutionResult, None] = results.subsequent_results
        self._next: asyncio.Future[SubsequentIncrementalExecutionResult] | None = None

    def __aiter__(self) -> Self:
        """Give itself."""
        return self

    async def __anext__(self) -> bytes:
        """Wait for the next part."""
        if self._first is not None:
            first, self._first = self._first, None
            return first
        if self._next is None:
            self._next = asyncio.ensure_future(anext(self._results))
        await asyncio.wait([self._next])
        result, self._next = self._next.result(), None
        if not result.has_next:
            self._settle()
        return encode(self._writer.next(result))

    async def aclose(self) -> None:
        """End what is under way."""
        try:
            if self._next is not None:
                self._next.cancel()
                await asyncio.wait([self._next])
            await self._results.aclose()
            await self._executor.end()
        finally:
            self._settle()


async def execute_in_parts(
    operation: PreparedOperation, variables: Mapping[str, Any], context: Any, form: Form, settle: Callable[[], None]
) -> Parts | ExecutionResult:
    """Execute an operation that was found valid: in parts, or as a whole where nothing is deferred after all."""
    executor = EXECUTORS[form].build(
        operation.schema,
        operation.deferring or operation.document,
        context_value=context,
        raw_variable_values=dict(variables),
        operation_name=operation.name,
        enable_early_execution=True,
        middleware=middleware(operation.forbidden(context.journal.caller), is_traced=context.journal.trace is not None),
        is_awaitable=is_awaitable,
    )
    if not isinstance(executor, PartsExecutor):
        return ExecutionResult(None, cast("list[GraphQLError]", executor))
    results: Any = None
    try:
        results = executor.execute_operation()
        if is_awaitable(results):
            results = await results
    finally:
        if not isinstance(results, ExperimentalIncrementalExecutionResults):
            await executor.end()
    if isinstance(results, ExperimentalIncrementalExecutionResults):
        return Parts(results, executor, Writer(form, context.journal, executor.starts), settle)
    result: ExecutionResult = results
    return result
