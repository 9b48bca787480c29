"""What the schema tells of itself: compiled from a selection into plain functions, which nothing is awaited in.

Each value is what graphql-core's own resolver says, of which there is one for every field of introspection. What one of
them does not take is left to graphql-core, with its errors.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from graphql import (
    GraphQLBoolean,
    GraphQLField,
    GraphQLList,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    GraphQLString,
    SchemaMetaFieldDef,
    TypeMetaFieldDef,
    introspection_types,
)
from graphql.execution.collect_fields import FieldDetailsList
from graphql.execution.values import get_argument_values

from gateway.engine.leaves import LeavePlan
from gateway.engine.plan import Call
from gateway.engine.selection import Selections
from gateway.engine.values import nullable, plain_leaf

Tell = Callable[[Any], Any]
Columns = Sequence[tuple[str, Tell]]
Resolve = Any  # one of graphql-core's own, of which every field of introspection has one

ROOTS: Mapping[str, GraphQLField] = {"__schema": SchemaMetaFieldDef, "__type": TypeMetaFieldDef}
_PLAIN: dict[Any, type] = {GraphQLString: str, GraphQLBoolean: bool}  # answered as they are
_TYPE: Any = introspection_types["__Type"]
_INPUT_VALUE: Any = introspection_types["__InputValue"]
# A kind is that of a class of types; a default that of an argument or input field, which lives as long as its schema.
_KEYS: dict[Resolve, Callable[[Any], Hashable]] = {
    _TYPE.fields["kind"].resolve: lambda type_: type_.__class__,
    _INPUT_VALUE.fields["defaultValue"].resolve: lambda named: id(named[1]),
}


@dataclass(frozen=True, slots=True)
class ResolveInfo:
    """As much of a `GraphQLResolveInfo` as resolvers of introspection look at; and `known` what takes them long."""

    schema: GraphQLSchema
    known: dict[Hashable, Any] = field(default_factory=dict)


@lru_cache(maxsize=8)
def told_by(schema: GraphQLSchema) -> ResolveInfo:
    """What resolvers of introspection are told."""
    return ResolveInfo(schema)


@dataclass(frozen=True, slots=True)
class Introspection:
    """Compiles what one operation selects of the schema; what a fragment selects in many places, once."""

    selections: Selections
    _known: dict[Hashable, Columns] = field(default_factory=dict)

    def call(self, details: FieldDetailsList) -> Call:
        """Compile `__schema` or `__type`; anew for each request where the operation has variables.

        Raises the GraphQLError of an argument, as what is returned does.
        """
        if self.selections.operation.variable_definitions:
            return lambda _source, run, _path: introspect(
                replace(self.selections, variables=run.variable_values), details
            )
        tell = self.root(details)
        return lambda source, _run, _path: tell(source)

    def root(self, details: FieldDetailsList) -> Tell:
        """Compile `__schema` or `__type` with the variables at hand. Raises what `call` does."""
        return self._field(ROOTS[details[0].node.name.value], details)

    def _field(self, its: GraphQLField, details: FieldDetailsList) -> Tell:
        inner, may_be_null = nullable(its.type)
        info = told_by(self.selections.schema)
        if not isinstance(inner, GraphQLObjectType | GraphQLList):
            key_of, finish = _KEYS.get(its.resolve), plain_leaf(its.type)
            if key_of is not None:
                return _remembering(its.resolve, info, finish, key_of)
            return _leaf(its.resolve, info, finish, _PLAIN.get(inner))
        arguments = get_argument_values(its, details[0].node, self.selections.variables) if its.args else {}
        if isinstance(inner, GraphQLObjectType):
            complete = _object(self._columns(inner, details))
        else:
            complete = self._list(inner.of_type, details)
        return _composite(its.resolve, info, arguments, complete, may_be_null=may_be_null)

    def _list(self, type_: GraphQLOutputType, details: FieldDetailsList) -> Tell:
        """Compile a list, in which nothing is null."""
        item, _ = nullable(type_)
        if isinstance(item, GraphQLObjectType):
            return _objects(self._columns(item, details))
        finish = plain_leaf(type_)
        return lambda values: [finish(value) for value in values]

    def _columns(self, type_: GraphQLObjectType, details: FieldDetailsList) -> Columns:
        nodes = type_.name, *(id(one.node) for one in details)
        if nodes not in self._known:
            found = self.selections.collect(type_, details).grouped_field_set
            self._known[nodes] = [(key, self._column(type_, some)) for key, some in found.items()]
        return self._known[nodes]

    def _column(self, type_: GraphQLObjectType, details: FieldDetailsList) -> Tell:
        name = details[0].node.name.value
        return (lambda _: type_.name) if name == "__typename" else self._field(type_.fields[name], details)


def introspect(selections: Selections, details: FieldDetailsList) -> Any:
    """Give what `__schema` or `__type` answers, and what is deferred there at once.

    Raises what graphql-core must decide about.
    """
    return Introspection(selections).root(details)(None)


def _object(columns: Columns) -> Tell:
    return lambda source: {key: tell(source) for key, tell in columns}


def _objects(columns: Columns) -> Tell:
    return lambda sources: [{key: tell(source) for key, tell in columns} for source in sources]


def _composite(
    resolve: Resolve, info: ResolveInfo, arguments: dict[str, Any], complete: Tell, *, may_be_null: bool
) -> Tell:
    def tell(source: Any) -> Any:
        value = resolve(source, info, **arguments)
        if value is not None:
            return complete(value)
        if not may_be_null:
            raise LeavePlan
        return None

    return tell


def _leaf(resolve: Resolve, info: ResolveInfo, complete: Tell, plain: type | None) -> Tell:
    def tell(source: Any) -> Any:
        value = resolve(source, info)
        return value if value.__class__ is plain else complete(value)

    return tell


def _remembering(resolve: Resolve, info: ResolveInfo, complete: Tell, key_of: Callable[[Any], Hashable]) -> Tell:
    known = info.known

    def tell(source: Any) -> Any:
        key = key_of(source)
        if key not in known:
            known[key] = complete(resolve(source, info))
        return known[key]

    return tell
