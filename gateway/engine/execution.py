"""Executes operations: by a plan where there is one, by graphql-core where there is none or a plan is left."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graphql import GraphQLError, GraphQLSchema
from graphql.execution import experimental_execute_incrementally
from graphql.execution.values import VariableValues, get_variable_values
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from gateway.auth.scopes import is_confined
from gateway.engine.answer import HasJournal, Result, encode
from gateway.engine.executor import Executor
from gateway.engine.operation import PreparedOperation
from gateway.engine.plan import ObjectPlan, Run, is_awaitable
from gateway.engine.rights import middleware
from gateway.engine.validation import MAX_ERRORS
from gateway.errors import AskedTooMuch
from gateway.graph.journal import Journal
from gateway.rates.rates import Rates

MAX_BYTES_SUGGESTED = 4_096  # of variables, which are looked at once more for that


@dataclass(frozen=True, slots=True)
class Execution:
    """Executes operations of one schema that were found valid, and counts by what.

    Each is put on its caller's account before. Where it `suggests`, an error of the variables tells what may have been
    meant.
    """

    schema: GraphQLSchema
    counts: Counter[str]
    rates: Rates
    suggests: bool
    uses_plans: bool

    async def execute(
        self, operation: PreparedOperation, variables: Mapping[str, Any] | None, context: HasJournal, root: Any = None
    ) -> Result:
        """Execute an operation that was found valid; a subscription on its event, which is the `root`.

        Raises RateLimited before anything is executed, and for no event.
        """
        given, journal = dict(variables or {}), context.journal
        values = self.admit(operation, given, journal, is_event=root is not None)
        if isinstance(values, list):
            return Result(None, values)
        try:
            plan = self._plan(operation, values, journal)
            result = None if plan is None else await self._by_plan(plan, values, context, root)
            return result or await self._by_graphql_core(operation, given, context, root)
        finally:
            self.settle(journal)

    def _plan(self, operation: PreparedOperation, values: VariableValues, journal: Journal) -> ObjectPlan | None:
        if not self.uses_plans or journal.trace is not None:
            return None
        plan = operation.plan(values, operation.forbidden(journal.caller))
        if plan is None:
            self.counts["unplanned"] += 1
        return plan

    def admit(
        self, operation: PreparedOperation, given: dict[str, Any], journal: Journal, *, is_event: bool = False
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

    def settle(self, journal: Journal) -> None:
        """Count the upstream calls that were made in place of those expected; a second time, those made since."""
        made = sum(journal.calls.values())
        self.rates.charge(journal.caller, made - journal.expected_calls, 0)
        journal.expected_calls = made

    def _coerced(self, operation: PreparedOperation, given: dict[str, Any]) -> VariableValues | list[GraphQLError]:
        definitions = operation.definition.variable_definitions or ()
        values = get_variable_values(self.schema, definitions, given, MAX_ERRORS, hide_suggestions=True)
        suggests = isinstance(values, list) and len(values) == 1 and self.suggests
        if suggests and len(encode(given)) <= MAX_BYTES_SUGGESTED:
            return get_variable_values(self.schema, definitions, given, MAX_ERRORS)
        undecided = None if isinstance(values, list) else operation.indecision(values)
        return values if undecided is None else [undecided]

    async def _by_plan(self, plan: ObjectPlan, values: VariableValues, context: HasJournal, root: Any) -> Result | None:
        """Follow a plan; None where that was left."""
        run, tree = Run(context, values), None
        try:
            tree = plan(root, run, None)
        except Exception as failure:  # noqa: BLE001 - raised by `end`
            run.leave(failure)
        try:
            if run.is_waiting:
                await run.end()
        except Exception:  # noqa: BLE001 - whatever it is, graphql-core meets it again and gives it its place
            self.counts["left"] += 1
            context.journal.errors.clear()
            return None
        self.counts["planned"] += 1
        return Result(tree, run.errors)

    async def _by_graphql_core(
        self, operation: PreparedOperation, variables: dict[str, Any], context: Any, root: Any
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
