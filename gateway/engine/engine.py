"""Answers operations: whole, in parts or one by one as events come, executed or as they were answered before."""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter
from typing import Any
from weakref import WeakValueDictionary

from graphql import ExecutionResult, GraphQLError, GraphQLSchema, OperationType
from graphql.execution.values import VariableValues

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
from gateway.engine.execution import Execution
from gateway.engine.incremental import Form
from gateway.engine.operation import NoOperation, PreparedOperation
from gateway.engine.operations import Operations
from gateway.engine.parts import Parts, execute_in_parts
from gateway.engine.parts_cost import objects_in_parts
from gateway.engine.subscriptions import AnswerStream, Shared, open_source
from gateway.errors import AskedTooMuch
from gateway.graph.journal import Journal
from gateway.rates.rates import Rates
from gateway.tallies import OperationTallies, Outcome

NEEDS_NO_STREAM = "This is no subscription: it has one answer, and is sent like any other query or mutation."


@dataclass(slots=True)
class Engine:
    """Answers operations of one schema; `counts` says how many were kept, planned, unplanned or left their plan.

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
    _execution: Execution = field(init=False)

    def __post_init__(self) -> None:
        suggests = self.operations.admission.suggests
        self._execution = Execution(self.schema, self.counts, self.rates, suggests, self.uses_plans)

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
        if operation.kind is OperationType.QUERY:
            kept = self.kept(operation, asked)
            if kept is None:
                return await self.answer_anew(operation, asked, make_context)
            answer = kept
        else:
            _check_kind(operation, reads_only=asked.reads_only)
            context = make_context()
            result = await self._execution.execute(operation, asked.variables, context)
            answer = answered(result, context.journal, is_query=False)
        self.tallies.note(operation, answer.outcome, began)
        return answer

    async def answer_anew(
        self, query: PreparedOperation, asked: Asked, make_context: Callable[[], HasJournal]
    ) -> Answer:
        """Answer a query to which no answer is `kept`. Raises, before anything is executed, RateLimited."""
        began = perf_counter()
        answers = self.answers if asked.takes_kept else None
        context, changes = make_context(), 0 if answers is None else answers.store.changes
        result = await self._execution.execute(query, asked.variables, context)
        answer = answered(result, context.journal, is_query=True)
        if answers is not None and answer.cacheable and answers.may_keep(context.journal):
            key = answers.key(query, asked.variables, asked.caller)
            answers.keep(key, without_calls(answer, result, context.journal), context.journal, changes)
        self.tallies.note(query, answer.outcome, began)
        return answer

    def query(self, text: str, operation_name: str | None) -> PreparedOperation | None:
        """The query that is asked for; None for all else, and where the document is refused. Raises NoOperation."""
        prepared = self.operations.find(text)
        if prepared.errors:
            return None
        operation = prepared.find(operation_name)
        return operation if operation.kind is OperationType.QUERY else None

    def kept(self, query: PreparedOperation, asked: Asked) -> Answer | None:
        """The answer to a query that was given before, where one is kept that is true."""
        answers = self.answers
        if answers is None or not asked.takes_kept:
            return None
        kept = answers.find(answers.key(query, asked.variables, asked.caller), asked.max_age)
        if kept is None:
            return None
        self.counts["kept"] += 1
        return Answer(kept.body, True, True, kept.fresh_until, partial(answers.is_true, kept))  # noqa: FBT003 - see Answer

    async def answer_in_parts(self, asked: Asked, make_context: Callable[[], HasJournal], form: Form) -> Parts | Answer:
        """Answer a query with @defer or @stream in parts of a form; all else, or where nothing is deferred, as a whole.

        No part is taken from kept answers, nor kept. Raises and calls what `answer` does.
        """
        if not self.is_deferring(asked.text, asked.operation_name):
            return await self.answer(asked, make_context)
        began, context = perf_counter(), make_context()
        operation = self.operations.find(asked.text).find(asked.operation_name)
        answers = await self._in_parts(operation, asked, context, form)
        if isinstance(answers, Parts):
            self.counts["in parts"] += 1
            self.tallies.note(operation, Outcome.OK, began)
            return answers
        answer = answered(answers, context.journal, is_query=True)
        self.tallies.note(operation, answer.outcome, began)
        return answer

    async def _in_parts(
        self, operation: PreparedOperation, asked: Asked, context: HasJournal, form: Form
    ) -> Parts | Result:
        """Execute a query in parts, and give back the upstream calls that it did not make as soon as it is over."""
        given = dict(asked.variables or {})
        values = self._execution.admit(operation, given, context.journal)
        if isinstance(values, list):
            return Result(None, values)
        settle = partial(self._execution.settle, context.journal)
        try:
            refusal = self._admit_parts(operation, values, context.journal, form)
            if refusal is not None:
                answers: Parts | ExecutionResult = ExecutionResult(None, [refusal])
            else:
                answers = await execute_in_parts(operation, given, context, form, settle)
        except BaseException:
            settle()
            raise
        if isinstance(answers, Parts):
            return answers
        settle()
        return Result(answers.data, answers.errors or ())

    def _admit_parts(
        self, query: PreparedOperation, values: VariableValues, journal: Journal, form: Form
    ) -> GraphQLError | None:
        """Put on its caller's account what parts come to in place of the whole; or say why not. Raises RateLimited."""
        whole = query.estimate(values, joined=journal.most.joined, confined=is_confined(journal.caller))
        self.rates.charge(journal.caller, 0, -whole.objects)
        try:
            objects = objects_in_parts(query, values, form, self.operations.admission.limits.introspection)
            journal.most.check(0, objects)
        except AskedTooMuch as error:
            return GraphQLError(error.message, original_error=error)
        except GraphQLError as error:  # a null for `if`, which graphql-core would say at every object
            return error
        self.rates.spend(journal.caller, 0, objects)
        return None

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
            response = respond(await self._execution.execute(operation, given, context, event), context.journal)
            body = encode(response)
            if self.uses_plans and "errors" not in response and context.journal.is_blank:
                shared.keep(event, body)
            return body

        return AnswerStream(source, answer)

    async def _source(
        self, operation: PreparedOperation, given: dict[str, Any], context: HasJournal
    ) -> AsyncIterator[Any] | Result:
        """Open a subscription's events, or say why it is refused."""
        if operation.is_refused(context.journal.caller):
            return await self._execution.execute(operation, given, context)
        values = self._execution.admit(operation, given, context.journal)
        if isinstance(values, list):
            return Result(None, values)
        try:
            source = await open_source(operation, given, context)
        finally:
            self._execution.settle(context.journal)
        return Result(None, source) if isinstance(source, Sequence) else source


def _check_kind(operation: PreparedOperation, *, reads_only: bool) -> None:
    if operation.kind is OperationType.SUBSCRIPTION:
        raise StreamsOnly
    if reads_only:
        raise ReadsOnly
