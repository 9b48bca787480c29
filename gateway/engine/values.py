"""Completing what a resolver or a conversion returned as a Python value, without waiting for anything."""

from collections.abc import Callable, Mapping
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLScalarType,
)
from strawberry.types.field import StrawberryField

from gateway.engine.leaves import BACKREF, Finish, LeavePlan, NotPlannable, value_finish
from gateway.engine.selection import Grouped, Selections


def strawberry_field(type_: GraphQLObjectType, name: str) -> StrawberryField:
    """The Strawberry field behind a field of the schema. Raises NotPlannable for introspection's own."""
    field = type_.fields.get(name)
    definition = None if field is None else field.extensions.get(BACKREF)
    if not isinstance(definition, StrawberryField):
        raise NotPlannable(name)
    return definition


def python_type(type_: GraphQLObjectType) -> type:
    """The class behind an object type."""
    origin: type = type_.extensions[BACKREF].origin
    return origin


def nullable(type_: GraphQLOutputType) -> tuple[GraphQLOutputType, bool]:
    """Take a type's NonNull off, and say whether there was none."""
    if isinstance(type_, GraphQLNonNull):
        return type_.of_type, False
    return type_, True


def plain_value(type_: GraphQLOutputType, selections: Selections, details: Any) -> Finish:
    """How a plain Python value of a type becomes an answer's value. Raises NotPlannable where that takes a resolver.

    The result raises LeavePlan for anything that GraphQL would refuse.
    """
    inner, may_be_null = nullable(type_)
    return _null_or(_present(inner, selections, details), may_be_null=may_be_null)


def plain_leaf(type_: GraphQLOutputType) -> Finish:
    """The same for a leaf, whose selection does not matter."""
    inner, may_be_null = nullable(type_)
    if not isinstance(inner, GraphQLScalarType | GraphQLEnumType):
        raise NotPlannable(str(type_))
    return _null_or(value_finish(inner), may_be_null=may_be_null)


def _null_or(finish: Finish, *, may_be_null: bool) -> Finish:
    def complete(value: Any) -> Any:
        if value is not None:
            return finish(value)
        if not may_be_null:
            raise LeavePlan
        return None

    return complete


def _present(type_: GraphQLOutputType, selections: Selections, details: Any) -> Finish:
    if isinstance(type_, GraphQLScalarType | GraphQLEnumType):
        return value_finish(type_)
    if isinstance(type_, GraphQLList):
        item = plain_value(type_.of_type, selections, details)
        return lambda value: _list(item, value)
    if isinstance(type_, GraphQLObjectType):
        return _object(type_, selections, details)
    raise NotPlannable(str(type_))


def _list(item: Finish, value: Any) -> list[Any]:
    if value.__class__ is not list:
        raise LeavePlan
    return [item(one) for one in value]


def _object(type_: GraphQLObjectType, selections: Selections, details: Any) -> Finish:
    origin = python_type(type_)
    columns = plain_columns(type_, selections.below(type_, details), selections)

    def complete(value: Any) -> Mapping[str, Any]:
        if value.__class__ is not origin:
            raise LeavePlan
        return {key: read(value) for key, read in columns}

    return complete


def plain_columns(
    type_: GraphQLObjectType, grouped: Grouped, selections: Selections
) -> list[tuple[str, Callable[[Any], Any]]]:
    """How each response key is read from an instance of a type. Raises NotPlannable for one that takes a resolver."""
    return [(key, _column(type_, its, selections)) for key, its in grouped.items()]


def _column(type_: GraphQLObjectType, details: Any, selections: Selections) -> Callable[[Any], Any]:
    name = details[0].node.name.value
    if name == "__typename":
        return lambda _: type_.name
    field = strawberry_field(type_, name)
    if not field.is_basic_field:
        raise NotPlannable(name)
    complete, python_name = plain_value(type_.fields[name].type, selections, details), field.python_name
    return lambda source: complete(getattr(source, python_name))
