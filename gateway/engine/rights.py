"""What of an operation a caller may not have: known once for an operation and the caller's scopes, refused by field."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from graphql import (
    FieldNode,
    GraphQLField,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLResolveInfo,
    GraphQLSchema,
    MiddlewareManager,
    OperationDefinitionNode,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    is_abstract_type,
    is_list_type,
    is_non_null_type,
    is_nullable_type,
    visit,
)
from graphql.execution.collect_fields import FragmentDetails
from strawberry.types.field import StrawberryField

from gateway.auth.scopes import Need
from gateway.engine.leaves import BACKREF
from gateway.engine.tracing import TRACING, traced
from gateway.graph.promise import or_failure
from gateway.graph.scopes import need_of

MAX_KNOWN = 64

Forbidden = frozenset[str]  # fields, by their coordinates in the schema: `Query.scan`
NOTHING: Forbidden = frozenset()


@dataclass(frozen=True, slots=True)
class Rights:
    """What an operation's fields need, by their coordinates."""

    needs: Mapping[str, Need]
    _known: dict[frozenset[str], Forbidden] = field(default_factory=dict)

    def forbidden(self, scopes: frozenset[str]) -> Forbidden:
        """The fields that take more than these scopes."""
        known = self._known.get(scopes)
        if known is None:
            known = frozenset(place for place, need in self.needs.items() if not need.is_met_by(scopes))
            if len(self._known) < MAX_KNOWN:
                self._known[scopes] = known
        return known


def rights_of(
    schema: GraphQLSchema, definition: OperationDefinitionNode, fragments: Mapping[str, FragmentDetails]
) -> Rights:
    """Look at every field of an operation and of the fragments that it reaches, whether it may be skipped or not."""
    types = TypeInfo(schema)
    finder = _Finder(schema, types)
    for part in (definition, *[fragment.definition for fragment in fragments.values()]):
        visit(part, TypeInfoVisitor(types, finder))
    return Rights(finder.needs)


class _Finder(Visitor):
    """Finds what needs scopes; a field of an interface may be that of any type behind it."""

    def __init__(self, schema: GraphQLSchema, types: TypeInfo) -> None:
        super().__init__()
        self.needs: dict[str, Need] = {}
        self._schema = schema
        self._types = types

    def enter_field(self, node: FieldNode, *_: Any) -> None:
        parent, name = self._types.get_parent_type(), node.name.value
        for type_ in self._schema.get_possible_types(parent) if is_abstract_type(parent) else [parent]:
            if isinstance(type_, GraphQLObjectType) and name in type_.fields:
                need = need_in_schema(type_.fields[name])
                if need is not None:
                    self.needs[f"{type_.name}.{name}"] = need


def need_in_schema(of: GraphQLField) -> Need | None:
    """What a field of the schema needs; None for nothing."""
    definition = of.extensions.get(BACKREF)
    return need_of(definition) if isinstance(definition, StrawberryField) else None


def refuse(of: GraphQLField, arguments: Mapping[str, Any]) -> Any:
    """Refuse a field that needs anything. Raises Forbidden.

    A list that may not be null, and answers what an argument names, is refused item by item, so that no more than this
    becomes null.
    """
    need = need_in_schema(of)
    if need is None:
        raise LookupError(str(of))
    if _has_items_of_its_own(of.type):
        named = next(value for value in arguments.values() if isinstance(value, list))
        return [or_failure(need.refuse) for _ in named]
    return need.refuse()


def _has_items_of_its_own(type_: GraphQLOutputType) -> bool:
    return is_non_null_type(type_) and is_list_type(type_.of_type) and is_nullable_type(type_.of_type.of_type)


def are_plannable(schema: GraphQLSchema, forbidden: Forbidden) -> bool:
    """Whether a plan can refuse these fields, which it does in the place of a resolver."""
    for place in forbidden:
        type_, _, name = place.partition(".")
        its: Any = schema.type_map[type_]
        if its.fields[name].extensions[BACKREF].is_basic_field:
            return False
    return True


@lru_cache(maxsize=MAX_KNOWN)
def middleware(forbidden: Forbidden, *, is_traced: bool) -> MiddlewareManager | None:
    """What stands around resolvers where graphql-core executes: who refuses, and who notes where data is from."""
    if not forbidden:
        return TRACING if is_traced else None

    def refusing(resolve: Callable[..., Any], source: Any, info: GraphQLResolveInfo[Any], **arguments: Any) -> Any:
        if f"{info.parent_type.name}.{info.field_name}" in forbidden:
            return refuse(info.parent_type.fields[info.field_name], arguments)
        return resolve(source, info, **arguments)

    return MiddlewareManager(refusing, traced) if is_traced else MiddlewareManager(refusing)
