"""Answers operations: by a plan where there is one, by graphql-core where there is none or a plan is left."""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple, Protocol
from weakref import WeakValueDictionary

import msgspec
from graphql import GraphQLError, GraphQLSchema, OperationType
from graphql.execution import experimental_execute_incrementally
from graphql.execution.values import VariableValues, get_variable_values
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from gateway.engine.answers import Answers
from gateway.engine.errors import present
from gateway.engine.incremental import Form
from gateway.engine.operations import MAX_SUGGESTIONS, NoOperation, Operation, Operations
from gateway.engine.parts import Parts, execute_in_parts
from gateway.engine.plan import ObjectPlan, Run, is_awaitable
from gateway.engine.subscriptions import AnswerStream, Shared, open_source
from gateway.engine.tracing import TRACING
from gateway.errors import AskedTooMuch, BadRequest
from gateway.graph.journal import Journal
from gateway.limits import CostLimits

MAX_VARIABLE_ERRORS = 10
NEEDS_NO_STREAM = "This is no subscription: it has one answer, and is sent like any other query or mutation."
encode = msgspec.json.Encoder().encode


class HasJournal(Protocol):
    """What the engine needs of a request's context."""

    @property
    def journal(self) -> Journal:
        """What the request notes."""


class ReadsOnly(Exception):
    """A mutation was asked for where only queries are taken."""


class StreamsOnly(Exception):
    """A subscription was asked for where one whole answer is given."""


class Asked(NamedTuple):
    """An operation as it was asked for. `takes_kept` says whether it may be answered by what was answered before.

    Nothing is taken then that is older than `max_age` seconds.
    """

    text: str
    variables: Mapping[str, Any] | None = None
    operation_name: str | None = None
    reads_only: bool = False
    takes_kept: bool = True
    max_age: float = math.inf


class Answer(NamedTuple):
    """The bytes of an answer's JSON, whether the operation was executed, and whether a cache may keep the answer.

    What is not executed was refused before, and has no data. A query's answer without any error may be kept: until
    `fresh_until`, in Unix seconds. One that was kept here says by `is_true` whether it would be found again.
    """

    body: bytes
    executed: bool
    cacheable: bool
    fresh_until: float
    is_true: Callable[[], bool] | None = None


class Result(NamedTuple):
    """Data, ready to be encoded, and errors; `executed` says that the operation was valid."""

    data: Any
    errors: Sequence[GraphQLError] = ()
    executed: bool = True

    @property
    def was_refused(self) -> bool:
        """Whether nothing was executed: such an error, of a document or of variables, stands at no path."""
        return self.data is None and all(error.path is None for error in self.errors)


@dataclass(slots=True)
class Engine:
    """Executes operations of one schema; `counts` says how many were kept, planned, unplanned or left their plan.

    Who subscribes to the same is given the same bytes, where an event is all that its answer is made of: `shared`.
    """

    schema: GraphQLSchema
    operations: Operations
    uses_plans: bool = True
    answers: Answers | None = None
    counts: Counter[str] = field(default_factory=Counter)
    most: CostLimits = field(default_factory=CostLimits)
    joins_calls: bool = True
    _shared: WeakValueDictionary[tuple[int, bytes], Shared] = field(default_factory=WeakValueDictionary)

    async def answer(self, asked: Asked, make_context: Callable[[], HasJournal]) -> Answer:
        """Answer a request. Raises, before anything is executed, NoOperation, ReadsOnly or StreamsOnly.

        `make_context` is called where there is anything to execute.
        """
        prepared = self.operations.find(asked.text)
        if prepared.errors:
            return _answered(Result(None, prepared.errors, executed=False), make_context().journal, is_query=False)
        operation = prepared.find(asked.operation_name)
        if operation.kind is not OperationType.QUERY:
            _check_kind(operation, reads_only=asked.reads_only)
            context = make_context()
            return _answered(await self.execute(operation, asked.variables, context), context.journal, is_query=False)
        if self.answers is None or not asked.takes_kept:
            context = make_context()
            return _answered(await self.execute(operation, asked.variables, context), context.journal, is_query=True)
        return await self._kept_or_executed(self.answers, operation, asked, make_context)

    async def _kept_or_executed(
        self, answers: Answers, operation: Operation, asked: Asked, make_context: Callable[[], HasJournal]
    ) -> Answer:
        key = answers.key(operation, asked.variables)
        kept = answers.find(key, asked.max_age)
        if kept is not None:
            self.counts["kept"] += 1
            return Answer(kept.body, True, True, kept.fresh_until, partial(answers.is_true, kept))  # noqa: FBT003 - see Answer
        context, changes = make_context(), answers.store.changes
        result = await self.execute(operation, asked.variables, context)
        answer = _answered(result, context.journal, is_query=True)
        if answer.cacheable:
            answers.keep(key, _without_calls(answer, result, context.journal), context.journal, changes)
        return answer

    async def answer_in_parts(self, asked: Asked, make_context: Callable[[], HasJournal], form: Form) -> Parts | Answer:
        """Answer a query with @defer or @stream in parts of a form; all else, or where nothing is deferred, as a whole.

        No part is taken from kept answers, nor kept. Raises and calls what `answer` does.
        """
        if not self.is_deferring(asked.text, asked.operation_name):
            return await self.answer(asked, make_context)
        context = make_context()
        operation = self.operations.find(asked.text).find(asked.operation_name)
        refusal = self._admitted(operation, dict(asked.variables or {}))
        if isinstance(refusal, list):
            return _answered(Result(None, refusal), context.journal, is_query=True)
        answers = await execute_in_parts(operation, asked.variables or {}, context, form)
        if isinstance(answers, Parts):
            self.counts["in parts"] += 1
            return answers
        return _answered(Result(answers.data, answers.errors or ()), context.journal, is_query=True)

    def is_deferring(self, text: str, operation_name: str | None) -> bool:
        """Whether parts of the answer may come later; not where the document is refused. Raises NoOperation."""
        prepared = self.operations.find(text)
        return not prepared.errors and prepared.find(operation_name).deferring is not None

    def is_subscription(self, text: str, operation_name: str | None) -> bool:
        """Whether a subscription is asked for; not where the document is refused. Raises NoOperation."""
        prepared = self.operations.find(text)
        if prepared.errors:
            return False
        return prepared.find(operation_name).kind is OperationType.SUBSCRIPTION

    def kind_of(self, text: str, operation_name: str | None) -> OperationType | None:
        """Whether a query, a mutation or a subscription is meant; None when nothing in the text can be executed."""
        prepared = self.operations.find(text)
        try:
            return None if prepared.errors else prepared.find(operation_name).kind
        except NoOperation:
            return None

    async def subscribe(
        self,
        text: str,
        variables: Mapping[str, Any] | None,
        operation_name: str | None,
        make_context: Callable[[], HasJournal],
    ) -> AnswerStream | bytes:
        """Answer a subscription with a stream of answers in JSON, or with one that says why it is refused.

        `make_context` is called for every event, so that each is answered by what is true then. Raises ShuttingDown,
        as the stream does: whoever subscribes again, elsewhere, goes on.
        """
        context, given = make_context(), dict(variables or {})
        prepared = self.operations.find(text)
        if prepared.errors:
            return encode(respond(Result(None, prepared.errors, executed=False), context.journal))
        try:
            operation = prepared.find(operation_name)
        except NoOperation as error:
            return encode(respond(refused(str(error)), context.journal))
        if operation.kind is not OperationType.SUBSCRIPTION:
            return encode(respond(refused(NEEDS_NO_STREAM), context.journal))
        refusal = self._admitted(operation, given)
        if isinstance(refusal, list):
            return encode(respond(Result(None, refusal), context.journal))
        source = await open_source(operation, given, context)
        if isinstance(source, Sequence):
            return encode(respond(Result(None, source), context.journal))

        is_traced = context.journal.trace is not None
        shared = Shared() if is_traced else self._shared.setdefault((operation.serial, encode(given)), Shared())

        async def answer(event: Any) -> bytes:
            known = shared.find(event)
            if known is not None:
                self.counts["shared"] += 1
                return known
            context = make_context()
            response = respond(await self.execute(operation, given, context, event), context.journal)
            body = encode(response)
            if self.uses_plans and "errors" not in response and context.journal.is_blank:
                shared.keep(event, body)
            return body

        return AnswerStream(source, answer)

    async def execute(
        self, operation: Operation, variables: Mapping[str, Any] | None, context: HasJournal, root: Any = None
    ) -> Result:
        """Execute an operation that was found valid; a subscription on its event, which is the `root`."""
        given = dict(variables or {})
        values = self._admitted(operation, given)
        if isinstance(values, list):
            return Result(None, values)
        if not self.uses_plans or context.journal.trace is not None:
            return await self._by_graphql_core(operation, given, context, root)
        plan = operation.plan(values)
        if plan is None:
            self.counts["unplanned"] += 1
            return await self._by_graphql_core(operation, given, context, root)
        try:
            result = await self._by_plan(plan, values, context, root)
        except Exception:  # noqa: BLE001 - whatever it is, graphql-core meets it again and gives it its place
            self.counts["left"] += 1
            context.journal.errors.clear()
            return await self._by_graphql_core(operation, given, context, root)
        self.counts["planned"] += 1
        return result

    def _admitted(self, operation: Operation, given: dict[str, Any]) -> VariableValues | list[GraphQLError]:
        """Give the variables their types; or say why they have others, or what the operation could cause with them."""
        values = operation.coerce(given) or self._coerced(operation, given)
        if isinstance(values, list):
            return values
        try:
            operation.afford(values, self.most, joined=self.joins_calls)
        except AskedTooMuch as error:
            return [GraphQLError(error.message, original_error=error)]
        return values

    def _coerced(self, operation: Operation, given: dict[str, Any]) -> VariableValues | list[GraphQLError]:
        definitions = operation.definition.variable_definitions or ()
        values = get_variable_values(self.schema, definitions, given, MAX_VARIABLE_ERRORS, hide_suggestions=True)
        if isinstance(values, list) and len(values) <= MAX_SUGGESTIONS and self.operations.admission.suggests:
            return get_variable_values(self.schema, definitions, given, MAX_SUGGESTIONS)
        return values

    async def _by_plan(self, plan: ObjectPlan, values: VariableValues, context: Any, root: Any) -> Result:
        run = Run(context, values)
        try:
            tree = plan(root, run, None)
        finally:
            if run.is_waiting:
                await run.end()
        return Result(tree, run.errors)

    async def _by_graphql_core(
        self, operation: Operation, variables: dict[str, Any], context: Any, root: Any
    ) -> Result:
        # `execute` refuses a schema that has @defer, though a document without it is answered as a whole.
        result: Any = experimental_execute_incrementally(
            self.schema,
            operation.document,
            root,
            variable_values=variables,
            operation_name=operation.name,
            context_value=context,
            is_awaitable=is_awaitable,
            middleware=None if context.journal.trace is None else TRACING,
            executor_class=StrawberryGraphQLCoreExecutionContext,
        )
        if is_awaitable(result):
            result = await result
        return Result(result.data, result.errors or ())


def refused(message: str) -> Result:
    """Refuse an operation for the way in which it was sent."""
    return Result(None, [GraphQLError(message, original_error=BadRequest(message))], executed=False)


def _answered(result: Result, journal: Journal, *, is_query: bool) -> Answer:
    response = respond(result, journal)
    is_good = is_query and "errors" not in response
    return Answer(encode(response), "data" in response, is_good, journal.fresh_until)


def _without_calls(answer: Answer, result: Result, journal: Journal) -> bytes:
    """What an answer would have been without upstream calls to tell of."""
    extensions = journal.extensions_without_calls()
    return encode({"data": result.data, "extensions": extensions}) if extensions else answer.body


def _check_kind(operation: Operation, *, reads_only: bool) -> None:
    if operation.kind is OperationType.SUBSCRIPTION:
        raise StreamsOnly
    if reads_only:
        raise ReadsOnly


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
