"""From a text to the operations of its document: which are taken, parsed, limited and validated."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from graphql import (
    REMOVE,
    ArgumentNode,
    ExecutableDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLSchema,
    NamedTypeNode,
    NonNullTypeNode,
    OperationDefinitionNode,
    OperationType,
    VariableNode,
    Visitor,
    VisitorAction,
    parse,
    visit,
)
from graphql.language import DirectiveNode, DocumentNode

from gateway import lexer
from gateway.engine.disclosure import values_asked
from gateway.engine.operation import Prepared, PreparedOperation
from gateway.engine.selection import fragments_of
from gateway.engine.validation import find_errors
from gateway.errors import AskedTooMuch
from gateway.limits import DocumentLimits, Measured

STEERING = {"skip", "include"}
INTROSPECTING = {"includeDeprecated"}
DEFERRING = {"defer", "stream"}
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
    """Finds the variables that `@skip` and `@include` depend on, directives unknown to plans, and nested variables.

    `decisive` are the former, and those of introspection's own arguments: each says of many objects at once what they
    hold, and so would an error for it. It is of one definition until it takes in those of the fragments in `spread`,
    which are then all that the definition reaches.
    """

    def __init__(self) -> None:
        super().__init__()
        self.variables: list[str] = []
        self.decisive: set[str] = set()
        self.is_known = True
        self.nests_variables = False
        self.spread: set[str] = set()
        self._depth = 0

    @classmethod
    def of(cls, definition: ExecutableDefinitionNode) -> Self:
        """Look at a definition."""
        steering = cls()
        visit(definition, steering)
        return steering

    def take_in(self, fragments: Mapping[str, Self]) -> Self:
        """Add what is in the fragments that are spread here, and in those spread in them."""
        taken: set[str] = set()
        while more := self.spread - taken:
            taken |= more
            for name in more:
                self._add(fragments[name])
        return self

    def _add(self, other: Self) -> None:
        self.variables += [name for name in other.variables if name not in self.variables]
        self.decisive |= other.decisive
        self.is_known = self.is_known and other.is_known
        self.nests_variables = self.nests_variables or other.nests_variables
        self.spread |= other.spread

    def enter_fragment_spread(self, node: FragmentSpreadNode, *_: Any) -> None:
        self.spread.add(node.name.value)

    def enter_list_value(self, *_: Any) -> None:
        self._depth += 1

    def leave_list_value(self, *_: Any) -> None:
        self._depth -= 1

    enter_object_value = enter_list_value
    leave_object_value = leave_list_value

    def enter_variable(self, *_: Any) -> None:
        # Inside a list or an object, graphql-core wants to know where a variable's value came from.
        self.nests_variables = self.nests_variables or self._depth > 0

    def enter_argument(self, node: ArgumentNode, *_: Any) -> None:
        if node.name.value in INTROSPECTING and isinstance(node.value, VariableNode):
            self.decisive.add(node.value.name.value)

    def enter_directive(self, node: DirectiveNode, *_: Any) -> None:
        self.is_known = self.is_known and node.name.value in STEERING
        for argument in node.arguments or ():
            if isinstance(argument.value, VariableNode):
                name = argument.value.name.value
                if name not in self.variables:
                    self.variables.append(name)
                if node.name.value in STEERING:
                    self.decisive.add(name)


class _Whole(Visitor):
    """Takes out what defers parts of an answer, so that nothing does."""

    def enter_directive(self, node: DirectiveNode, *_: Any) -> VisitorAction:
        return REMOVE if node.name.value in DEFERRING else None


@dataclass(frozen=True, slots=True)
class Admission:
    """Which documents are taken: how large they may be, whether they may ask for the schema, and be told what exists.

    `suggests` says whether a name that does not exist is answered with those that are like it; `stock` that
    graphql-core reads and validates each document as it would by itself.
    """

    limits: DocumentLimits = field(default_factory=DocumentLimits)
    introspects: bool = True
    suggests: bool = True
    stock: bool = False

    def prepare(self, schema: GraphQLSchema, text: str) -> Prepared:
        """Parse and validate a document; whatever goes wrong is among its errors."""
        try:
            return self._prepare(schema, text)
        except AskedTooMuch as error:
            return refused_document(error)
        except GraphQLError as error:
            return Prepared(errors=(error,))
        except RecursionError:
            return Prepared(errors=(GraphQLError("The document is nested too deeply."),))
        except ValueError as error:
            return Prepared(errors=(GraphQLError("A value cannot be read.", original_error=error),))

    def _prepare(self, schema: GraphQLSchema, text: str) -> Prepared:
        measured = self.limits.parse(text, parse if self.stock else lexer.parse)
        document = measured.document
        if not any(isinstance(definition, OperationDefinitionNode) for definition in document.definitions):
            return Prepared()
        errors = find_errors(
            schema, text, measured, introspects=self.introspects, suggests=self.suggests, stock=self.stock
        )
        if errors:
            return Prepared(errors=tuple(errors))
        self.limits.check_introspection(values_asked(schema, document, self.limits.introspection))
        return Prepared(_operations(schema, measured))


def refused_document(error: AskedTooMuch) -> Prepared:
    """A document that is too much for a limit."""
    return Prepared(errors=(GraphQLError(error.message, original_error=error),))


def _operations(schema: GraphQLSchema, measured: Measured) -> tuple[PreparedOperation, ...]:
    given = measured.document
    document: DocumentNode = visit(given, _Whole()) if schema.get_directive("defer") else given
    fragments = fragments_of(document)
    definitions = [one for one in document.definitions if isinstance(one, OperationDefinitionNode)]
    known = {name: _Steering.of(details.definition) for name, details in fragments.items()}
    return tuple(
        PreparedOperation(
            schema,
            document,
            definition,
            {name: its for name, its in fragments.items() if name in steering.spread},
            tuple(steering.variables),
            steering.is_known and definition.operation is not OperationType.MUTATION,
            None if steering.nests_variables else _plain_variables(definition),
            frozenset(steering.decisive),
            fields,
            given if document is not given and definition.operation is OperationType.QUERY else None,
        )
        for definition, fields in zip(definitions, measured.fields, strict=True)
        for steering in [_Steering.of(definition).take_in(known)]
    )
