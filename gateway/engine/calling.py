"""How a plan calls a resolver: at once, with arguments that are converted once where no variable is among them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

from graphql import (
    FieldNode,
    GraphQLField,
    GraphQLObjectType,
    ListValueNode,
    ObjectValueNode,
    ValueNode,
    VariableNode,
)
from graphql.execution.values import get_argument_values
from graphql.pyutils import Path
from strawberry.schema.schema import _OperationContextAwareGraphQLResolveInfo as RawInfo
from strawberry.types.arguments import StrawberryArgument, convert_arguments
from strawberry.types.field import StrawberryField
from strawberry.types.info import Info
from strawberry.utils.str_converters import to_camel_case

from gateway.engine.leaves import NotPlannable
from gateway.engine.plan import Call, Run, is_awaitable
from gateway.engine.rights import refuse
from gateway.engine.selection import Selections

Arguments = Callable[[Run], Mapping[str, Any]]
Convert = Callable[[dict[str, Any]], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a field stands in an operation."""

    selections: Selections
    type: GraphQLObjectType
    nodes: list[FieldNode]
    definition: StrawberryField

    @property
    def name(self) -> str:
        """The field's name."""
        return self.nodes[0].name.value

    @property
    def is_forbidden(self) -> bool:
        """Whether the field is refused."""
        return f"{self.type.name}.{self.name}" in self.selections.forbidden

    @property
    def field(self) -> GraphQLField:
        """The field in the schema."""
        field: GraphQLField = self.type.fields[self.name]
        return field

    def raw_info(self, run: Run, path: Path) -> Any:
        """What graphql-core would tell the resolver."""
        its = self.selections
        return RawInfo(
            self.name, self.nodes, self.field.type, self.type, path, its.schema, its.definitions, None, its.operation,
            run.variable_values.coerced, run.context, is_awaitable, None, None, {},
        )  # fmt: skip


class PlanInfo(Info[Any, Any]):
    """What a resolver is told; all but the context and the path is put together when somebody asks."""

    def __init__(self, place: Place, run: Run, path: Path) -> None:
        self._place, self._run, self._path = place, run, path

    @cached_property
    def _raw_info(self) -> Any:  # type: ignore[override] # a dataclass's field, which takes long to make
        return self._place.raw_info(self._run, self._path)

    @property
    def _field(self) -> Any:  # type: ignore[override] # the same
        return self._place.definition

    @property
    def context(self) -> Any:
        """The request's context."""
        return self._run.context

    @property
    def path(self) -> Path:
        """Where the field stands in the answer."""
        return self._path


def calling(place: Place) -> Call:
    """Compile the call of a field's resolver. Raises NotPlannable, or the GraphQLError of an argument.

    A subscription's resolver was called when it began: the field's value is the event.
    """
    if place.is_forbidden:
        return _refusing(place)
    if place.type is place.selections.schema.subscription_type:
        return lambda event, _run, _path: event
    resolver = place.definition.base_resolver
    if resolver is None or resolver.parent_parameter or resolver.root_parameter or place.definition.extensions:
        return _by_strawberry(place)
    function: Any = resolver.wrapped_func
    takes_self = resolver.self_parameter is not None
    arguments = _arguments(place, _conversion(place))
    if resolver.info_parameter is None:
        return _without_info(function, arguments, takes_self=takes_self)
    return _with_info(function, resolver.info_parameter.name, arguments, place, takes_self=takes_self)


def _refusing(place: Place) -> Call:
    field, node = place.field, place.nodes[0]
    return lambda _source, run, _path: refuse(field, get_argument_values(field, node, run.variable_values))


def _by_strawberry(place: Place) -> Call:
    resolve = place.field.resolve
    if resolve is None:
        raise NotPlannable(place.name)
    arguments = _arguments(place, dict)
    return lambda source, run, path: resolve(source, place.raw_info(run, path), **arguments(run))


def _conversion(place: Place) -> Convert:
    """How arguments by their GraphQL names become a resolver's."""
    arguments = place.definition.arguments
    if all(map(_is_simple, arguments)):
        names = {_graphql_name(argument): argument.python_name for argument in arguments}
        return lambda given: {names[name]: value for name, value in given.items()}
    converter = place.selections.schema._strawberry_schema.schema_converter  # type: ignore[attr-defined] # noqa: SLF001 - Strawberry's own
    return partial(
        convert_arguments, arguments=arguments, scalar_registry=converter.scalar_registry, config=converter.config
    )


def _without_info(function: Any, arguments: Arguments, *, takes_self: bool) -> Call:
    if takes_self:
        return lambda source, run, _path: function(source, **arguments(run))
    return lambda _source, run, _path: function(**arguments(run))


def _with_info(function: Any, name: str, arguments: Arguments, place: Place, *, takes_self: bool) -> Call:
    def call(source: Any, run: Run, path: Path) -> Any:
        given = {**arguments(run), name: PlanInfo(place, run, path)}
        return function(source, **given) if takes_self else function(**given)

    return call


def _arguments(place: Place, convert: Convert) -> Arguments:
    """The arguments of a call: known beforehand, or read from the variables at each."""
    node, field = place.nodes[0], place.field

    def read(run: Run) -> dict[str, Any]:
        return convert(get_argument_values(field, node, run.variable_values))

    if not any(_uses_variables(given.value) for given in node.arguments or ()):
        try:
            known = read(Run(None, place.selections.variables))
        except Exception as error:  # whatever it is, graphql-core meets it again and gives it its place
            raise NotPlannable(place.name) from error
        return lambda _run: known
    plain = _plain_variables(place)
    return read if plain is None else _remembering(read, plain)


def _plain_variables(place: Place) -> dict[str, str] | None:
    """The variables of arguments that are just a variable, by Python name; None where one is more than that."""
    arguments = {_graphql_name(argument): argument for argument in place.definition.arguments}
    plain = {}
    for given in place.nodes[0].arguments or ():
        argument = arguments[given.name.value]
        if isinstance(given.value, VariableNode) and _is_simple(argument):
            plain[argument.python_name] = given.value.name.value
        elif _uses_variables(given.value):
            return None
    return plain


def _remembering(read: Callable[[Run], dict[str, Any]], plain: Mapping[str, str]) -> Arguments:
    """Read all arguments once; from then on only those that are variables, as long as each has a value."""
    first: dict[str, Any] = {}

    def arguments(run: Run) -> Mapping[str, Any]:
        given = run.variable_values.coerced
        changing = {name: given.get(variable) for name, variable in plain.items()}
        if None in changing.values():
            return read(run)  # graphql-core knows what a missing one, or null, is here
        if not first:
            first.update(read(run))
        return {**first, **changing}

    return arguments


def _is_simple(argument: StrawberryArgument) -> bool:
    """Whether an argument's value needs no conversion by Strawberry."""
    type_ = getattr(argument.type, "of_type", argument.type)
    return type_ in {str, int, float, bool} or getattr(type_, "__name__", "") == "ID"


def _graphql_name(argument: StrawberryArgument) -> str:
    return argument.graphql_name or to_camel_case(argument.python_name)


def _uses_variables(value: ValueNode) -> bool:
    match value:
        case VariableNode():
            return True
        case ListValueNode():
            return any(map(_uses_variables, value.values))
        case ObjectValueNode():
            return any(_uses_variables(field.value) for field in value.fields)
    return False
