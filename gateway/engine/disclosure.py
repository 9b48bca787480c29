"""How much of the schema a document asks for, counted in the schema itself before anything is executed."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLField,
    GraphQLObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
    SelectionSetNode,
    StringValueNode,
    TypeMetaFieldDef,
    get_named_type,
    get_nullable_type,
    is_list_type,
)

from gateway.counting import by_name
from gateway.engine.introspection import ROOTS, told_by

ENTRY: Sequence[Any] = (None,)  # what the roots are resolved of


class _Place(NamedTuple):
    """Selections on objects of one type: `sources` are what graphql-core's resolvers take for them."""

    type: GraphQLObjectType
    sets: Sequence[SelectionSetNode]
    sources: Sequence[Any]


def values_asked(schema: GraphQLSchema, document: DocumentNode, most: int) -> int:
    """Count the values that all operations of a valid document ask of the schema, up to some beyond `most`.

    They are counted as if nothing were skipped, deprecated things were asked for, and `__type` with a variable for its
    name were every type: so it takes no variables.
    """
    fragments = {one.name.value: one for one in document.definitions if isinstance(one, FragmentDefinitionNode)}
    roots: list[Sequence[FieldNode]] = []
    for one in document.definitions:
        if isinstance(one, OperationDefinitionNode):
            roots += by_name([one.selection_set], fragments).values()
    return values_of(schema, fragments, roots, most)


def values_of(
    schema: GraphQLSchema,
    fragments: Mapping[str, FragmentDefinitionNode],
    roots: Iterable[Sequence[FieldNode]],
    most: int,
) -> int:
    """Count likewise what some fields of the root ask, each of which is answered once, whatever nodes it has."""
    disclosure, asked = _Disclosure(schema, fragments, list(schema.type_map.values())), 0
    waiting = list(disclosure.roots(roots))
    while waiting and asked <= most:
        place = waiting.pop()
        for nodes in by_name(place.sets, fragments).values():
            asked += len(place.sources)
            if asked <= most:
                waiting += disclosure.below(place, nodes)
    return asked


@dataclass(frozen=True, slots=True)
class _Disclosure:
    """Finds what is selected of the schema in one document."""

    schema: GraphQLSchema
    fragments: Mapping[str, FragmentDefinitionNode]
    types: Sequence[Any]
    _known: dict[tuple[int, int], tuple[Sequence[Any], Sequence[Any]]] = field(default_factory=dict)

    def roots(self, roots: Iterable[Sequence[FieldNode]]) -> Iterator[_Place]:
        """Give what stands below each `__schema` and `__type`."""
        for nodes in roots:
            its = ROOTS.get(nodes[0].name.value)
            if its is not None:
                yield from self._place(its, nodes, ENTRY)

    def below(self, place: _Place, nodes: Sequence[FieldNode]) -> Iterator[_Place]:
        """Give the objects that a field answers, if any."""
        its = place.type.fields.get(nodes[0].name.value)
        if its is not None:
            yield from self._place(its, nodes, place.sources)

    def _place(self, its: GraphQLField, nodes: Sequence[FieldNode], sources: Sequence[Any]) -> Iterator[_Place]:
        sets = [node.selection_set for node in nodes if node.selection_set]
        named = get_named_type(its.type)
        if sets and isinstance(named, GraphQLObjectType):
            objects = self._named(nodes[0]) if its is TypeMetaFieldDef else self._objects(its, sources)
            if objects:
                yield _Place(named, sets, objects)

    def _objects(self, its: GraphQLField, sources: Sequence[Any]) -> Sequence[Any]:
        """Give what a field answers of each source, found once for all of its aliases."""
        key = id(its), id(sources)
        if key not in self._known:
            self._known[key] = sources, list(self._resolved(its, sources))
        return self._known[key][1]

    def _resolved(self, its: GraphQLField, sources: Sequence[Any]) -> Iterator[Any]:
        resolve: Any = its.resolve
        arguments, info = dict.fromkeys(its.args, True), told_by(self.schema)
        is_list = is_list_type(get_nullable_type(its.type))
        for source in sources:
            answer = resolve(source, info, **arguments)
            if answer is not None and is_list:
                yield from answer
            elif answer is not None:
                yield answer

    def _named(self, node: FieldNode) -> Sequence[Any]:
        """Give the type of a name, if there is one; of a variable, all of them."""
        value = next((one.value for one in node.arguments or () if one.name.value == "name"), None)
        if isinstance(value, StringValueNode):
            named = self.schema.get_type(value.value)
            return [] if named is None else [named]
        return self.types
