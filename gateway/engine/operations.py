"""Operations by their text: parsed, validated and planned once, however often they are asked."""

import gc
import itertools
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    REMOVE,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSchema,
    NamedTypeNode,
    NonNullTypeNode,
    OperationDefinitionNode,
    OperationType,
    VariableNode,
    Visitor,
    VisitorAction,
    specified_rules,
    validate,
    visit,
)
from graphql.execution.collect_fields import FragmentDetails
from graphql.execution.values import VariableValues
from graphql.language import DirectiveNode, DocumentNode
from graphql.validation import ASTValidationRule, NoSchemaIntrospectionCustomRule
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule

from gateway.engine.compiler import Compiler
from gateway.engine.cost import Costing, Costs
from gateway.engine.leaves import NotPlannable
from gateway.engine.plan import ObjectPlan
from gateway.engine.selection import Selections
from gateway.errors import AskedTooMuch
from gateway.graph.cost import Estimate
from gateway.limits import CostLimits, DocumentLimits

MAX_VARIANTS = 16
COLLECT_AFTER = 250  # operations let go; their plans' classes refer to themselves, and weigh about 100 kB each
STEERING = {"skip", "include"}
MAX_ERRORS = 10
MAX_SUGGESTIONS = 3  # errors of a document, for each of which it takes up to five milliseconds to find what is like it
RULES: tuple[type[ASTValidationRule], ...] = (*specified_rules, MaybeNullValidationRule, OneOfInputValidationRule)
DEFERRING = {"defer", "stream"}
_serials = itertools.count()


class NoOperation(Exception):
    """A document that does not hold the operation that is meant."""


@dataclass(slots=True)
class Operation:
    """One operation of a document, and its plans: one for each choice of what `@skip` and `@include` depend on.

    `deferring` is the document with its `@defer` and `@stream`, where a query has any; all else knows none of them.
    """

    schema: GraphQLSchema
    document: DocumentNode
    definition: OperationDefinitionNode
    fragments: dict[str, FragmentDetails]
    steering: tuple[str, ...]
    plannable: bool
    plain_variables: dict[str, tuple[type, bool]] | None
    deferring: DocumentNode | None = None
    plans: dict[tuple[Any, ...], ObjectPlan | None] = field(default_factory=dict)
    costings: dict[tuple[Any, ...], Costing] = field(default_factory=dict)
    is_affordable: bool = False  # whatever its variables are
    serial: int = field(default_factory=_serials.__next__)

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

    def plan(self, variables: VariableValues) -> ObjectPlan | None:
        """The plan for these variables; None when graphql-core must answer."""
        if not self.plannable:
            return None
        choice = tuple(variables.coerced.get(name) for name in self.steering)
        if choice not in self.plans:
            if len(self.plans) >= MAX_VARIANTS:
                return None
            self.plans[choice] = self._compile(variables)
        return self.plans[choice]

    def afford(self, variables: VariableValues, most: CostLimits, *, joined: bool) -> None:
        """Refuse what it could cause with these variables, where that is too much. Raises AskedTooMuch."""
        if not self.is_affordable:
            most.check(*self.estimate(variables, joined=joined))
            self.is_affordable = not self.steering and not self.costings[()].matter

    def estimate(self, variables: VariableValues, *, joined: bool = True) -> Estimate:
        """What it can cause at most with these variables; `joined` says whether an upstream lets calls be joined."""
        choice = tuple(variables.coerced.get(name) for name in self.steering)
        costing = self.costings.get(choice)
        if costing is None:
            costing = self._costing(variables, joined=joined)
            if len(self.costings) < MAX_VARIANTS:
                self.costings[choice] = costing
        return costing.estimate(variables.coerced)

    def _costing(self, variables: VariableValues, *, joined: bool) -> Costing:
        selections = Selections(self.schema, self.definition, self.fragments, variables)
        root = self.schema.get_root_type(self.kind)
        return Costing((), joined, ()) if root is None else Costs(selections, joined=joined).operation(root)

    def _compile(self, variables: VariableValues) -> ObjectPlan | None:
        selections = Selections(self.schema, self.definition, self.fragments, variables)
        root = self.schema.get_root_type(self.kind)
        try:
            return None if root is None else Compiler(selections).operation(root)
        except (NotPlannable, GraphQLError):
            return None


@dataclass(frozen=True, slots=True)
class Prepared:
    """A document as it was found: its operations, or the errors that keep it from being executed."""

    operations: tuple[Operation, ...] = ()
    errors: tuple[GraphQLError, ...] = ()

    def find(self, name: str | None) -> Operation:
        """The operation of a name; without one the only operation there is. Raises NoOperation."""
        if not self.operations:
            raise NoOperation("Can't get GraphQL operation type")
        if name is None:
            if len(self.operations) > 1:
                raise NoOperation("The document holds several operations: `operationName` must name one.")
            return self.operations[0]
        for operation in self.operations:
            if operation.name == name:
                return operation
        raise NoOperation(f'Unknown operation named "{name}".')


PLAIN = {"ID": str, "String": str, "Boolean": bool}


def _plain_variables(definition: OperationDefinitionNode) -> dict[str, tuple[type, bool]] | None:
    """The variables of an operation by name, with the class of their values and whether one must be given.

    None where one has a default, or a type that takes more than one class or needs coercion.
    """
    plain: dict[str, tuple[type, bool]] = {}
    for variable in definition.variable_definitions or ():
        required = isinstance(variable.type, NonNullTypeNode)
        named = variable.type.type if isinstance(variable.type, NonNullTypeNode) else variable.type
        class_ = PLAIN.get(named.name.value) if isinstance(named, NamedTypeNode) else None
        if class_ is None or variable.default_value is not None:
            return None
        plain[variable.variable.name.value] = (class_, required)
    return plain


class _Steering(Visitor):
    """Finds the variables that `@skip` and `@include` depend on, directives unknown to plans, and nested variables."""

    def __init__(self) -> None:
        super().__init__()
        self.variables: list[str] = []
        self.is_known = True
        self.nests_variables = False
        self._depth = 0

    def enter_list_value(self, *_: Any) -> None:
        self._depth += 1

    def leave_list_value(self, *_: Any) -> None:
        self._depth -= 1

    enter_object_value = enter_list_value
    leave_object_value = leave_list_value

    def enter_variable(self, *_: Any) -> None:
        # Inside a list or an object, graphql-core wants to know where a variable's value came from.
        self.nests_variables = self.nests_variables or self._depth > 0

    def enter_directive(self, node: DirectiveNode, *_: Any) -> None:
        self.is_known = self.is_known and node.name.value in STEERING
        for argument in node.arguments or ():
            if isinstance(argument.value, VariableNode) and argument.value.name.value not in self.variables:
                self.variables.append(argument.value.name.value)


class _Whole(Visitor):
    """Takes out what defers parts of an answer, so that nothing does."""

    def enter_directive(self, node: DirectiveNode, *_: Any) -> VisitorAction:
        return REMOVE if node.name.value in DEFERRING else None


@dataclass(frozen=True, slots=True)
class Admission:
    """Which documents are taken: how large they may be, whether they may ask for the schema, and be told what exists.

    `suggests` says whether a name that does not exist is answered with those that are like it.
    """

    limits: DocumentLimits = field(default_factory=DocumentLimits)
    introspects: bool = True
    suggests: bool = True

    def prepare(self, schema: GraphQLSchema, text: str) -> Prepared:
        """Parse and validate a document; whatever goes wrong is among its errors."""
        try:
            document = self.limits.parse(text)
            definitions = document.definitions
            if not any(isinstance(definition, OperationDefinitionNode) for definition in definitions):
                return Prepared()
            errors = self._validate(schema, document)
            return Prepared(errors=tuple(errors)) if errors else Prepared(_operations(schema, document))
        except AskedTooMuch as error:
            return _refused(error)
        except GraphQLError as error:
            return Prepared(errors=(error,))
        except RecursionError:
            return Prepared(errors=(GraphQLError("The document is nested too deeply."),))
        except ValueError as error:
            return Prepared(errors=(GraphQLError("A value cannot be read.", original_error=error),))

    def _validate(self, schema: GraphQLSchema, document: DocumentNode) -> list[GraphQLError]:
        rules = RULES if self.introspects else (*RULES, NoSchemaIntrospectionCustomRule)
        errors = validate(schema, document, rules, MAX_ERRORS, hide_suggestions=True)
        if self.suggests and 0 < len(errors) <= MAX_SUGGESTIONS:
            return validate(schema, document, rules, MAX_SUGGESTIONS)
        return errors


def _refused(error: AskedTooMuch) -> Prepared:
    return Prepared(errors=(GraphQLError(error.message, original_error=error),))


def _operations(schema: GraphQLSchema, given: DocumentNode) -> tuple[Operation, ...]:
    document: DocumentNode = visit(given, _Whole()) if schema.get_directive("defer") else given
    steering = _Steering()
    visit(document, steering)
    fragments = {
        definition.name.value: FragmentDetails(definition, None)
        for definition in document.definitions
        if isinstance(definition, FragmentDefinitionNode)
    }
    return tuple(
        Operation(
            schema,
            document,
            definition,
            fragments,
            tuple(steering.variables),
            steering.is_known and definition.operation is not OperationType.MUTATION,
            None if steering.nests_variables else _plain_variables(definition),
            given if document is not given and definition.operation is OperationType.QUERY else None,
        )
        for definition in document.definitions
        if isinstance(definition, OperationDefinitionNode)
    )


@dataclass(slots=True)
class Operations:
    """The documents asked last, at most `most`; invalid ones are kept apart, for `invalid_for` seconds."""

    schema: GraphQLSchema
    most: int = 1_000
    most_invalid: int = 100
    invalid_for: float = 10.0
    admission: Admission = field(default_factory=Admission)
    clock: Callable[[], float] = time.monotonic
    _valid: OrderedDict[str, Prepared] = field(default_factory=OrderedDict)
    _invalid: OrderedDict[str, tuple[float, Prepared]] = field(default_factory=OrderedDict)
    _gone: int = 0

    def find(self, text: str) -> Prepared:
        """The document of a text, prepared now when it was not before."""
        known = self._valid.get(text)
        if known is not None:
            self._valid.move_to_end(text)
            return known
        until, refused = self._invalid.get(text, (0.0, None))
        if refused is not None and self.clock() < until:
            return refused
        try:
            self.admission.limits.check_bytes(text)
        except AskedTooMuch as error:
            return _refused(error)  # and not kept, for its size
        return self._keep(text, self.admission.prepare(self.schema, text))

    def __len__(self) -> int:
        return len(self._valid) + len(self._invalid)

    def _keep(self, text: str, prepared: Prepared) -> Prepared:
        if prepared.errors:
            self._invalid[text] = (self.clock() + self.invalid_for, prepared)
            self._invalid.move_to_end(text)
            while len(self._invalid) > self.most_invalid:
                self._invalid.popitem(last=False)
        else:
            self._valid[text] = prepared
            while len(self._valid) > self.most:
                _, gone = self._valid.popitem(last=False)
                self._gone += any(operation.plans for operation in gone.operations)
            if self._gone >= COLLECT_AFTER:
                self._gone = 0
                gc.collect()
        return prepared
