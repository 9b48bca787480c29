"""One operation of a document: what its variables are, what it may cost, and its plans."""

import itertools
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
)
from graphql.execution.collect_fields import FragmentDetails
from graphql.execution.values import VariableValues
from graphql.language import DocumentNode

from gateway.auth.caller import EVERYTHING, Caller
from gateway.engine.compiler import Compiler
from gateway.engine.cost import Costing, Costs
from gateway.engine.leaves import NotPlannable
from gateway.engine.plan import ObjectPlan
from gateway.engine.rights import NOTHING, Forbidden, Rights, are_plannable, rights_of
from gateway.engine.selection import Selections
from gateway.errors import BadUserInput
from gateway.graph.cost import Estimate
from gateway.limits import CostLimits
from gateway.tallies import OperationTally

MAX_VARIANTS = 16
_serials = itertools.count()


class NoOperation(Exception):
    """A document that does not hold the operation that is meant."""


@dataclass(slots=True)
class PreparedOperation:
    """One operation of a document, ready to be executed as often as it is asked for: what it takes, and its plans.

    There is one for each choice of what `@skip` and `@include` depend on, and of what is forbidden. `decisive` are
    variables of which none may be null: graphql-core would say so at every object that they decide about. `fields` are
    those that a plan has at most; `planned` is told of them when there is one more.
    `deferring` is the document with its `@defer` and `@stream`, where a query has any; all else knows none of them.
    """

    schema: GraphQLSchema
    document: DocumentNode
    definition: OperationDefinitionNode
    fragments: dict[str, FragmentDetails]
    steering: tuple[str, ...]
    plannable: bool
    plain_variables: dict[str, tuple[type, bool]] | None
    decisive: frozenset[str]
    fields: int
    deferring: DocumentNode | None
    plans: dict[tuple[Any, ...], ObjectPlan | None] = field(default_factory=dict)
    costings: dict[Hashable, Costing] = field(default_factory=dict)
    affordable: dict[Hashable, Estimate] = field(default_factory=dict)  # by limits that it keeps, whatever it is given
    rights: Rights | None = None  # found when a first caller may not do everything
    serial: int = field(default_factory=_serials.__next__)
    tally: OperationTally | None = None
    planned: Callable[[int], None] | None = None

    @property
    def name(self) -> str | None:
        """The operation's name; None when it has none."""
        return self.definition.name.value if self.definition.name else None

    @property
    def kind(self) -> OperationType:
        """Whether it is a query, a mutation or a subscription."""
        return self.definition.operation

    def coerce(self, given: dict[str, Any]) -> VariableValues | None:
        """Take variables as they are where each is plainly of its type; None where graphql-core must look closer."""
        if self.plain_variables is None:
            return None
        coerced: dict[str, Any] = {}
        for name, (type_, required) in self.plain_variables.items():
            if name in given:
                value = given[name]
                if value.__class__ is not type_:
                    return None
                coerced[name] = value
            elif required:
                return None
        return VariableValues({}, coerced)

    def indecision(self, variables: VariableValues) -> GraphQLError | None:
        """Say of a variable that decides about fields that it is null, if one is."""
        for name in sorted(self.decisive):
            if variables.coerced.get(name, True) is None:
                message = f"Variable '${name}' is null, where @skip, @include or includeDeprecated take true or false."
                return GraphQLError(message, original_error=BadUserInput(message))
        return None

    def forbidden(self, caller: Caller) -> Forbidden:
        """The fields that a caller may not have."""
        if EVERYTHING in caller.scopes:
            return NOTHING
        if self.rights is None:
            self.rights = rights_of(self.schema, self.definition, self.fragments)
        return self.rights.forbidden(caller.scopes)

    def is_refused(self, caller: Caller) -> bool:
        """Whether a caller may not subscribe to it: its only field is forbidden."""
        root = self.schema.get_root_type(self.kind)
        return root is not None and any(place.startswith(f"{root.name}.") for place in self.forbidden(caller))

    def plan(self, variables: VariableValues, forbidden: Forbidden = NOTHING) -> ObjectPlan | None:
        """The plan for these variables, which refuses what is forbidden; None when graphql-core must answer."""
        if not self.plannable:
            return None
        choice = tuple(map(variables.coerced.get, self.steering))
        if forbidden:
            choice = (*choice, forbidden)
        if choice not in self.plans:
            if len(self.plans) >= MAX_VARIANTS:
                return None
            self.plans[choice] = self._compile(variables, forbidden)
            if self.planned is not None:
                self.planned(self.fields)
        return self.plans[choice]

    def afford(self, variables: VariableValues, most: CostLimits, *, confined: bool = False) -> Estimate:
        """Give what it could cause with these variables. Raises AskedTooMuch where that is too much."""
        known = self.affordable.get((most, confined))
        if known is not None:
            return known
        estimate = self.estimate(variables, joined=most.joined, confined=confined)
        most.check(*estimate)
        if not self.steering and not self.costings[most.joined, ()].matter:
            self.affordable[most, confined] = estimate
        return estimate

    def estimate(self, variables: VariableValues, *, joined: bool = True, confined: bool = False) -> Estimate:
        """What it can cause at most with these variables; `joined` says whether an upstream lets calls be joined.

        It is more for a caller who is `confined` to what is their own.
        """
        choice = joined, tuple(map(variables.coerced.get, self.steering))
        costing = self.costings.get(choice)
        if costing is None:
            costing = self._costing(variables, joined=joined)
            if len(self.costings) < MAX_VARIANTS:
                self.costings[choice] = costing
        return costing.estimate(variables.coerced, confined=confined)

    def _costing(self, variables: VariableValues, *, joined: bool) -> Costing:
        selections = Selections(self.schema, self.definition, self.fragments, variables)
        root = self.schema.get_root_type(self.kind)
        return Costing((), joined, ()) if root is None else Costs(selections, joined=joined).operation(root)

    def _compile(self, variables: VariableValues, forbidden: Forbidden) -> ObjectPlan | None:
        if not are_plannable(self.schema, forbidden):
            return None
        selections = Selections(self.schema, self.definition, self.fragments, variables, forbidden)
        root = self.schema.get_root_type(self.kind)
        try:
            return None if root is None else Compiler(selections).operation(root)
        except (NotPlannable, GraphQLError):
            return None


@dataclass(frozen=True, slots=True)
class Prepared:
    """A document as it was found: its operations, or the errors that keep it from being executed."""

    operations: tuple[PreparedOperation, ...] = ()
    errors: tuple[GraphQLError, ...] = ()

    @property
    def planned_fields(self) -> int:
        """How many fields all plans hold that there are so far."""
        return sum(len(operation.plans) * operation.fields for operation in self.operations)

    def find(self, name: str | None) -> PreparedOperation:
        """The operation of a name; without one the only operation there is. Raises NoOperation."""
        if not self.operations:
            raise NoOperation("The document holds no operation.")
        if name is None:
            if len(self.operations) > 1:
                raise NoOperation("The document holds several operations: `operationName` must name one.")
            return self.operations[0]
        for operation in self.operations:
            if operation.name == name:
                return operation
        raise NoOperation(f'Unknown operation named "{name}".')
