"""What an answer in parts comes to at most: each part is an object, and by path each has all that its fragment selects.

So what several fragments select counts for each of them there, where an answer as a whole has it once.
"""

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from graphql import (
    FieldNode,
    GraphQLObjectType,
    GraphQLStreamDirective,
    get_directive_values,
    get_operation_ast,
)
from graphql.execution.collect_fields import CollectedFields, FieldDetailsList
from graphql.execution.values import VariableValues

from gateway.engine.cost import Costs, Step
from gateway.engine.disclosure import values_of
from gateway.engine.incremental import Form
from gateway.engine.introspection import ROOTS
from gateway.engine.operation import PreparedOperation
from gateway.engine.selection import Selections, fragments_of
from gateway.errors import AskedTooMuch
from gateway.graph.cost import Bill, SelectedField, Several


def objects_in_parts(query: PreparedOperation, values: VariableValues, form: Form, introspection: int) -> int:
    """Give how many objects a query can answer in parts of a form.

    Raises AskedTooMuch where its fragments together ask more of the schema than so many values.
    """
    costs = _PartsCosts(_selections(query, values), is_branching=form is Form.BY_PATH)
    root = query.schema.query_type
    if root is None:
        return 0
    costs.check_introspection(root, introspection)
    return costs.operation(root).estimate(values.coerced).objects


def _selections(operation: PreparedOperation, values: VariableValues) -> Selections:
    """What is selected by the document that still defers."""
    document = operation.deferring or operation.document
    definition = get_operation_ast(document, operation.name) or operation.definition
    return Selections(operation.schema, definition, fragments_of(document), values)


@dataclass(frozen=True, slots=True)
class _Apart:
    """Comes apart from each object of its source, in so many parts."""

    arguments: ClassVar[tuple[str, ...]] = ()
    by_value: ClassVar[bool] = False

    parts: int

    def charge(self, bill: Bill, source: Several, _selected: SelectedField) -> Several:
        """Count each part."""
        bill.objects += self.parts * source.count
        return source


class _Parted(dict[Any, FieldDetailsList]):
    """What is selected in one place, and how many parts of it come apart."""

    parts = 0


class _PartsCosts(Costs):
    """Puts together likewise what is deferred; where it `is_branching`, each fragment for itself."""

    def __init__(self, selections: Selections, *, is_branching: bool) -> None:
        super().__init__(selections)
        self._is_branching = is_branching

    def check_introspection(self, root: GraphQLObjectType, most: int) -> None:
        """Refuse what several fragments together ask of the schema, if it is too much. Raises AskedTooMuch."""
        its = self._selections
        asked = [nodes for nodes in map(_nodes, self._root(root).values()) if nodes[0].name.value in ROOTS]
        if len(asked) > 1 and values_of(its.schema, its.definitions, asked, most) > most:
            raise AskedTooMuch("introspection", most)

    def _root(self, type_: GraphQLObjectType) -> _Parted:
        return self._parted(self._selections.collect_root(type_))

    def _fields(self, type_: GraphQLObjectType, details: FieldDetailsList) -> _Parted:
        return self._parted(self._selections.collect(type_, details))

    def _parted(self, collected: CollectedFields) -> _Parted:
        parted = _Parted()
        parted.parts = len(collected.new_defer_usages)
        for name, details in collected.grouped_field_set.items():
            for one in details:
                key: Hashable = (name, id(one.defer_usage)) if self._is_branching else name
                parted.setdefault(key, []).append(one)
        parted.parts += sum(map(self._is_streamed, parted.values()))
        return parted

    def _is_streamed(self, details: FieldDetailsList) -> bool:
        """Whether a list comes apart: its items are objects where they are any, and else come together."""
        streamed = get_directive_values(GraphQLStreamDirective, details[0].node, self._selections.variables)
        return streamed is not None and streamed.get("if") is not False

    def _steps(self, type_: GraphQLObjectType, grouped: Any) -> Iterator[Step]:
        if grouped.parts:
            yield Step(next(self._places), "", _Apart(grouped.parts), {}, ())
        yield from super()._steps(type_, grouped)


def _nodes(details: FieldDetailsList) -> list[FieldNode]:
    return [one.node for one in details]
