"""From a validated operation to a plan, by walking its selections against the schema once."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphql import (
    FieldNode,
    GraphQLEnumType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLScalarType,
    GraphQLUnionType,
)
from graphql.pyutils import Path
from strawberry.types.field import StrawberryField

from gateway.engine.calling import Place, calling
from gateway.engine.introspection import ROOTS, Introspection
from gateway.engine.leaves import LeavePlan, NotPlannable
from gateway.engine.plan import Complete, FieldPlan, ListPlan, ObjectPlan, Run, document_value
from gateway.engine.projection import Projection, document_of, project
from gateway.engine.selection import Grouped, Selections
from gateway.engine.values import nullable, plain_columns, plain_value, python_type, strawberry_field
from gateway.graph.document_type import DocumentType, Wire


@dataclass(frozen=True, slots=True)
class Compiler:
    """Compiles one operation for one choice of the variables that steer it."""

    selections: Selections

    def operation(self, root: GraphQLObjectType) -> ObjectPlan:
        """Compile the operation. Raises NotPlannable when graphql-core must answer it."""
        return self._object(root, self.selections.root(root), origin=None)

    def _object(self, type_: GraphQLObjectType, grouped: Grouped, origin: type | None) -> ObjectPlan:
        plain, fields, introspection = {}, [], Introspection(self.selections)
        for key, details in grouped.items():
            name = details[0].node.name.value
            definition = None if name.startswith("__") else strawberry_field(type_, name)
            if name in ROOTS:
                nodes, call = [detail.node for detail in details], introspection.call(details)
                fields.append(FieldPlan(key, type_.name, nodes, may_be_null=False, call=call, complete=_as_it_is))
            elif definition is None or definition.is_basic_field:
                plain[key] = details
            else:
                fields.append(self._field(type_, key, details, definition))
        return ObjectPlan(origin, list(grouped), self._plain(type_, plain) if plain else None, fields)

    def _plain(self, type_: GraphQLObjectType, grouped: Grouped) -> Callable[[Any], Mapping[str, Any]]:
        """Compile the fields that need no resolver: a document's are read from its bytes, others are attributes."""
        if type_ is self.selections.schema.query_type:
            return lambda _: dict.fromkeys(grouped, type_.name)
        if issubclass(python_type(type_), DocumentType):
            projection = project(type_, self.selections, grouped, as_tree=True)
            return lambda source: projection.read(document_of(source).body)
        columns = plain_columns(type_, grouped, self.selections)
        return lambda source: {key: read(source) for key, read in columns}

    def _field(self, type_: GraphQLObjectType, key: str, details: Any, definition: StrawberryField) -> FieldPlan:
        nodes = [detail.node for detail in details]
        field = type_.fields[nodes[0].name.value]
        inner, may_be_null = nullable(field.type)
        call = calling(Place(self.selections, type_, nodes, definition))
        return FieldPlan(key, type_.name, nodes, may_be_null, call, self._present(inner, details, nodes))

    def _present(self, type_: GraphQLOutputType, details: Any, nodes: list[FieldNode]) -> Complete:
        if isinstance(type_, GraphQLScalarType | GraphQLEnumType):
            finish = plain_value(GraphQLNonNull(type_), self.selections, details)
            return lambda value, _run, _path: finish(value)
        if isinstance(type_, GraphQLList):
            inner, may_be_null = nullable(type_.of_type)
            projection = self._projection(inner, details)
            item = document_value(projection) if projection else self._present(inner, details, nodes)
            return ListPlan(item, nodes, may_be_null, projection)
        if isinstance(type_, GraphQLObjectType):
            projection = self._projection(type_, details)
            if projection is not None:
                return document_value(projection)
            return self._object(type_, self.selections.below(type_, details), python_type(type_))
        if isinstance(type_, GraphQLInterfaceType | GraphQLUnionType):
            return self._one_of(self.selections.schema.get_possible_types(type_), details, nodes)
        raise NotPlannable(str(type_))

    def _one_of(self, types: Sequence[GraphQLObjectType], details: Any, nodes: list[FieldNode]) -> Complete:
        """Complete a value as the one of these types that it is of."""
        plans = {python_type(type_): self._present(type_, details, nodes) for type_ in types}

        def complete(value: Any, run: Run, path: Path) -> Any:
            plan = plans.get(value.__class__)
            if plan is None:
                raise LeavePlan
            return plan(value, run, path)

        return complete

    def _projection(self, type_: GraphQLOutputType, details: Any) -> Projection | None:
        """The projection of a document that no resolver is selected of."""
        if not isinstance(type_, GraphQLObjectType) or not issubclass(python_type(type_), DocumentType):
            return None
        grouped = self.selections.below(type_, details)
        return None if self._has_resolvers(type_, grouped) else project(type_, self.selections, grouped)

    def _has_resolvers(self, type_: GraphQLObjectType, grouped: Grouped) -> bool:
        names = {details[0].node.name.value for details in grouped.values()} - {"__typename"}
        return any(Wire not in strawberry_field(type_, name).metadata for name in names)


def _as_it_is(value: Any, _run: Run, _path: Path) -> Any:
    return value
