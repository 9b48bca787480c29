"""Answers operations: by a plan where there is one, by graphql-core where there is none or a plan is left."""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter
from typing import Any
from weakref import WeakValueDictionary

from graphql import GraphQLError, GraphQLSchema, OperationType
from graphql.execution import experimental_execute_incrementally
from graphql.execution.values import VariableValues, get_variable_values
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from gateway.auth.scopes import is_confined
from gateway.engine.answer import (
    Answer,
    Asked,
    HasJournal,
    ReadsOnly,
    Result,
    StreamsOnly,
    answered,
    encode,
    outcome_of,
    refused,
    respond,
    without_calls,
)
from gateway.engine.answers import Answers
from gateway.engine.executor import Executor
from gateway.engine.incremental import Form
from gateway.engine.operation import NoOperation, Operation
from gateway.engine.operations import Operations
from gateway.engine.parts import Parts, execute_in_parts
from gateway.engine.plan import ObjectPlan, Run, is_awaitable
from gateway.engine.rights import middleware
from gateway.engine.subscriptions import AnswerStream, Shared, open_source
from gateway.engine.validation import MAX_ERRORS
from gateway.errors import AskedTooMuch
from gateway.graph.journal import Journal
from gateway.rates.rates import Rates
from gateway.tallies import OperationTallies, Outcome

MAX_BYTES_SUGGESTED = 4_096  # of variables, which are looked at once more for that
NEEDS_NO_STREAM = "This is no subscription: it has one answer, and is sent like any other query or mutation."


@dataclass(slots=True)
class Engine:
    """Executes operations of one schema; `counts` says how many were kept, planned, unplanned or left their plan.

    `tallies` say how they ended and how long they took.

    Who subscribes to the same with the same rights is given the same bytes, where an event is all that the answer is
    made of: `shared`.
    """

    schema: GraphQLSchema
    operations: Operations
    uses_plans: bool = True
    answers: Answers | None = None
    counts: Counter[str] = field(default_factory=Counter)
    rates: Rates = field(default_factory=Rates)
    tallies: OperationTallies = field(default_factory=OperationTallies)
    _shared: WeakValueDictionary[Hashable, Shared] = field(default_factory=WeakValueDictionary)

    async def answer(self, asked: Asked, make_context: Callable[[], HasJournal]) -> Answer:
        """Answer a request. Raises, before anything is executed, NoOperation, ReadsOnly, StreamsOnly or RateLimited.

        `make_context` is called where there is anything to execute.
        """
        began = perf_counter()
        prepared = self.operations.find(asked.text)
        if prepared.errors:
            answer = answered(Result(None, prepared.errors, executed=False), make_context().journal, is_query=False)
            self.tallies.note(None, answer.outcome, began)
            return answer
        operation = prepared.find(asked.operation_name)
        answer = await self._answer(operation, asked, make_context)
        self.tallies.note(operation, answer.outcome, began)
        return answer

    async def _answer(self, operation: Operation, asked: Asked, make_context: Callable[[], HasJournal]) -> Answer:
        if operation.kind is not OperationType.QUERY:
            _check_kind(operation, reads_only=asked.reads_only)
            context = make_context()
            return answered(await self.execute(operation, asked.variables, context), context.journal, is_query=False)
        return self.kept(operation, asked) or await self._executed(operation, asked, make_context)

    async def answer_anew(self, query: Operation, asked: Asked, make_context: Callable[[], HasJournal]) -> Answer:
        """Answer a query to which no answer is `kept`. Raises, before anything is executed, RateLimited."""
        began = perf_counter()
        answer = await self._executed(query, asked, make_context)
        self.tallies.note(query, answer.outcome, began)
        return answer

    def query(self, text: str, operation_name: str | None) -> Operation | None:
        """The query that is asked for; None for all else, and where the document is refused. Raises NoOperation."""
        prepared = self.operations.find(text)
        if prepared.errors:
            return None
        operation = prepared.find(operation_name)
        return operation if operation.kind is OperationType.QUERY else None

    def kept(self, query: Operation, asked: Asked) -> Answer | None:
        """The answer to a query that was given before, where one is kept that is true."""
        answers = self.answers
        if answers is None or not asked.takes_kept:
            return None
        kept = answers.find(answers.key(query, asked.variables, asked.caller), asked.max_age)
        if kept is None:
            return None
        self.counts["kept"] += 1
        return Answer(kept.body, True, True, kept.fresh_until, partial(answers.is_true, kept))  # noqa: FBT003 - see Answer

    async def _executed(self, query: Operation, asked: Asked, make_context: Callable[[], HasJournal]) -> Answer:
        answers = self.answers if asked.takes_kept else None
        context, changes = make_context(), 0 if answers is None else answers.store.changes
        result = await self.execute(query, asked.variables, context)
        answer = answered(result, context.journal, is_query=True)
        if answers is not None and answer.cacheable and answers.may_keep(context.journal):
            key = answers.key(query, asked.variables, asked.caller)
            answers.keep(key, without_calls(answer, result, context.journal), context.journal, changes)
        return answer

    async def answer_in_parts(self, asked: Asked, make_context: Callable[[], HasJournal], form: Form) -> Parts | Answer:
        """Answer a query with @defer or @stream in parts of a form; all else, or where nothing is deferred, as a whole.

        No part is taken from kept answers, nor kept. Raises and calls what `answer` does.
        """
        if not self.is_deferring(asked.text, asked.operation_name):
            return await self.answer(asked, make_context)
        began, context = perf_counter(), make_context()
        operation = self.operations.find(asked.text).find(asked.operation_name)
        refusal = self._admitted(operation, dict(asked.variables or {}), context.journal)
        if isinstance(refusal, list):
            answer = answered(Result(None, refusal), context.journal, is_query=True)
            self.tallies.note(operation, answer.outcome, began)
            return answer
        answers = await execute_in_parts(operation, asked.variables or {}, context, form)
        if isinstance(answers, Parts):
            self.counts["in parts"] += 1
            self.tallies.note(operation, Outcome.OK, began)
            return answers
        answer = answered(Result(answers.data, answers.errors or ()), context.journal, is_query=True)
        self.tallies.note(operation, answer.outcome, began)
        return answer

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

        `make_context` is called for every event, so that each is answered by what is true then. Raises RateLimited, or
        ShuttingDown, as the stream does: whoever subscribes again, elsewhere, goes on.
        """
        began = perf_counter()
        context, given = make_context(), dict(variables or {})
        prepared = self.operations.find(text)
        if prepared.errors:
            self.tallies.note(None, Outcome.REFUSED, began)
            return encode(respond(Result(None, prepared.errors, executed=False), context.journal))
        try:
            operation = prepared.find(operation_name)
        except NoOperation as error:
            return encode(respond(refused(str(error)), context.journal))
        if operation.kind is not OperationType.SUBSCRIPTION:
            return encode(respond(refused(NEEDS_NO_STREAM), context.journal))
        source = await self._source(operation, given, context)
        if isinstance(source, Result):
            response = respond(source, context.journal)
            self.tallies.note(operation, outcome_of(response), began)
            return encode(response)
        self.tallies.note(operation, Outcome.OK, began)

        is_traced = context.journal.trace is not None
        alike = operation.serial, encode(given), context.journal.caller.rights
        shared = Shared() if is_traced else self._shared.setdefault(alike, Shared())

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

    async def _source(
        self, operation: Operation, given: dict[str, Any], context: HasJournal
    ) -> AsyncIterator[Any] | Result:
        """Open a subscription's events, or say why it is refused."""
        values = self._admitted(operation, given, context.journal)
        if isinstance(values, list):
            return Result(None, values)
        if operation.is_refused(context.journal.caller):
            return await self.execute(operation, given, context)
        source = await open_source(operation, given, context)
        return Result(None, source) if isinstance(source, Sequence) else source

    async def execute(
        self, operation: Operation, variables: Mapping[str, Any] | None, context: HasJournal, root: Any = None
    ) -> Result:
        """Execute an operation that was found valid; a subscription on its event, which is the `root`.

        Raises RateLimited before anything is executed, and for no event.
        """
        given, journal = dict(variables or {}), context.journal
        values = self._admitted(operation, given, journal, is_event=root is not None)
        if isinstance(values, list):
            return Result(None, values)
        try:
            return await self._execute(operation, given, values, context, root)
        finally:
            self.rates.charge(journal.caller, sum(journal.calls.values()) - journal.expected_calls, 0)

    async def _execute(
        self, operation: Operation, given: dict[str, Any], values: VariableValues, context: HasJournal, root: Any
    ) -> Result:
        if not self.uses_plans or context.journal.trace is not None:
            return await self._by_graphql_core(operation, given, context, root)
        plan = operation.plan(values, operation.forbidden(context.journal.caller))
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

    def _admitted(
        self, operation: Operation, given: dict[str, Any], journal: Journal, *, is_event: bool = False
    ) -> VariableValues | list[GraphQLError]:
        """Give the variables their types; or say why they have others, or what the operation could cause with them.

        That is put on the caller's account then. Raises RateLimited.
        """
        values = operation.coerce(given) or self._coerced(operation, given)
        if isinstance(values, list):
            return values
        try:
            estimate = operation.afford(values, journal.most, confined=is_confined(journal.caller))
        except AskedTooMuch as error:
            return [GraphQLError(error.message, original_error=error)]
        (self.rates.charge if is_event else self.rates.spend)(journal.caller, *estimate)
        journal.expected_calls = estimate.upstream_calls
        return values

    def _coerced(self, operation: Operation, given: dict[str, Any]) -> VariableValues | list[GraphQLError]:
        definitions = operation.definition.variable_definitions or ()
        values = get_variable_values(self.schema, definitions, given, MAX_ERRORS, hide_suggestions=True)
        suggests = isinstance(values, list) and len(values) == 1 and self.operations.admission.suggests
        if suggests and len(encode(given)) <= MAX_BYTES_SUGGESTED:
            return get_variable_values(self.schema, definitions, given, MAX_ERRORS)
        undecided = None if isinstance(values, list) else operation.indecision(values)
        return values if undecided is None else [undecided]

    async def _by_plan(self, plan: ObjectPlan, values: VariableValues, context: Any, root: Any) -> Result:
        run, tree = Run(context, values), None
        try:
            tree = plan(root, run, None)
        except Exception as failure:  # noqa: BLE001 - raised by `end`
            run.leave(failure)
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
            middleware=middleware(
                operation.forbidden(context.journal.caller), is_traced=context.journal.trace is not None
            ),
            executor_class=Executor if self.uses_plans else StrawberryGraphQLCoreExecutionContext,
        )
        if is_awaitable(result):
            result = await result
        return Result(result.data, result.errors or ())


def _check_kind(operation: Operation, *, reads_only: bool) -> None:
    if operation.kind is OperationType.SUBSCRIPTION:
        raise StreamsOnly
    if reads_only:
        raise ReadsOnly
