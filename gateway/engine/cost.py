"""What an operation can cause at most: the costs of its fields, put together once and added up with its variables."""

import itertools
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    FieldNode,
    GraphQLArgument,
    GraphQLField,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    ListValueNode,
    ObjectValueNode,
    Undefined,
    ValueNode,
    VariableNode,
    get_named_type,
    is_abstract_type,
    is_object_type,
    print_ast,
    value_from_ast_untyped,
)
from graphql.execution.collect_fields import FieldDetailsList, get_field_entry_key
from strawberry.types.field import StrawberryField

from gateway.engine.leaves import BACKREF
from gateway.engine.selection import Grouped, Selections
from gateway.graph.cost import ENTRY, Again, Bill, Cost, Estimate, Given, SelectedField, Several

KEPT = {int, str, bool, type(None), type(Undefined)}  # lists are added up anew
MAX_KNOWN = 16
LONGEST_KNOWN = 256  # characters of a text: nothing else bounds what is kept of those that clients send


class _Variable(str):
    """The name of a variable, where a value would stand."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class _Argument:
    """An argument in the words of the document, which may hold variables, and what it is when left out."""

    written: Any
    default: Any
    takes_list: bool

    def value(self, variables: Mapping[str, Any]) -> Any:
        """What it comes to with these variables."""
        if isinstance(self.written, _Variable):
            return variables.get(self.written, self.default)
        return _with_values(self.written, variables)

    def keys(self, variables: Mapping[str, Any]) -> list[Hashable]:
        """What tells apart the things that it names."""
        if isinstance(self.written, _Variable) and self.takes_list:
            return [(self.written, place) for place in range(len(self.value(variables) or ()))]
        written = self.written if isinstance(self.written, list) else [self.written]
        return [(one,) if isinstance(one, _Variable) else str(one) for one in written]

    def matter(self, *, by_value: bool) -> set[str]:
        """The variables with which it is another thing: by its value, or by what tells things apart alone."""
        if by_value or (isinstance(self.written, _Variable) and self.takes_list):
            return set(_variables(self.written))
        return set()


def _with_values(written: Any, variables: Mapping[str, Any]) -> Any:
    match written:
        case _Variable():
            return variables.get(written)
        case list():
            return [_with_values(one, variables) for one in written]
        case dict():
            return {key: _with_values(one, variables) for key, one in written.items()}
    return written


def _variables(written: Any) -> Iterator[str]:
    if isinstance(written, _Variable):
        yield written
    parts = written.values() if isinstance(written, dict) else written if isinstance(written, list) else ()
    for part in parts:
        yield from _variables(part)


@dataclass(frozen=True, slots=True)
class Step:
    """A field with a cost, or with some below it."""

    place: int
    text: str
    cost: Cost | None
    given: Mapping[str, Given]
    below: "Sequence[Step]"

    def charge(self, bill: Bill, source: Several, variables: Mapping[str, Any]) -> None:
        """Put the field and what is below it on a bill."""
        here = source
        if self.cost is not None:
            here = self.cost.charge(bill, source, SelectedField(self.place, self.text, self.given, variables))
        if here.count:
            for step in self.below:
                step.charge(bill, here, variables)


@dataclass(slots=True)
class Costing:
    """What an operation can cause; added up once for the same values of the variables that `matter`."""

    steps: Sequence[Step]
    joined: bool
    matter: Sequence[str]
    known: dict[Hashable, Estimate] = field(default_factory=dict)

    def estimate(self, variables: Mapping[str, Any], *, confined: bool = False) -> Estimate:
        """Add up, with these variables, for a caller who may be confined to what is their own."""
        given = tuple([variables.get(name, Undefined) for name in self.matter])  # without one, a default may count
        key = (*given, confined) if confined else given
        if not all(value.__class__ in KEPT for value in given):
            return self._add_up(variables, confined=confined)
        estimate = self.known.get(key)
        if estimate is None:
            estimate = self._add_up(variables, confined=confined)
            if len(self.known) < MAX_KNOWN and all(map(_is_short, given)):
                self.known[key] = estimate
        return estimate

    def _add_up(self, variables: Mapping[str, Any], *, confined: bool) -> Estimate:
        bill = Bill(self.joined, confined)
        for step in self.steps:
            step.charge(bill, Several(1, ENTRY), variables)
        return bill.total()


def _is_short(value: object) -> bool:
    return not isinstance(value, str) or len(value) <= LONGEST_KNOWN


class Costs:
    """Puts the costs of one operation together, for one choice of the variables that steer it."""

    def __init__(self, selections: Selections, *, joined: bool = True) -> None:
        self._selections = selections
        self._joined = joined
        self._places = itertools.count()
        self._matter: set[str] = set()
        self._collected: dict[Hashable, Grouped] = {}

    def operation(self, root: GraphQLObjectType) -> Costing:
        """Look at everything that is selected."""
        steps = list(self._steps(root, self._root(root)))
        return Costing(steps, self._joined, sorted(self._matter))

    def _root(self, type_: GraphQLObjectType) -> Grouped:
        return self._selections.collect_root(type_).grouped_field_set

    def _fields(self, type_: GraphQLObjectType, details: FieldDetailsList) -> Grouped:
        """Give what is selected, at once or deferred: it costs the same. A fragment may select it in many places."""
        nodes = type_.name, *(id(one.node) for one in details)
        known = self._collected.get(nodes)
        if known is None:
            known = self._collected[nodes] = self._selections.collect(type_, details).grouped_field_set
        return known

    def _steps(self, type_: GraphQLObjectType, grouped: Grouped) -> Iterator[Step]:
        first: dict[str, str] = {}  # the response key under which each field comes first
        for details in grouped.values():
            node = details[0].node
            name = node.name.value
            if name.startswith("__"):
                continue
            below = list(self._below(type_, name, details))
            cost = cost_of(type_.fields[name])
            key = get_field_entry_key(node)
            if cost is None and first.setdefault(name, key) != key:
                cost = Again()
            if cost is not None or below:
                given = {} if cost is None else self._given(cost, type_.fields[name].args, node)
                yield Step(next(self._places), _text(node), cost, given, below)

    def _below(self, type_: GraphQLObjectType, name: str, details: Any) -> Iterator[Step]:
        named = get_named_type(type_.fields[name].type)
        if is_object_type(named):
            yield from self._steps(named, self._fields(named, details))
        elif is_abstract_type(named):
            for each in self._selections.schema.get_possible_types(named):
                yield from self._steps(each, self._fields(each, details))

    def _given(self, cost: Cost, arguments: Mapping[str, GraphQLArgument], node: FieldNode) -> dict[str, Given]:
        written = {argument.name.value: argument.value for argument in node.arguments or ()}
        given: dict[str, Given] = {}
        for name in cost.arguments:
            argument = _argument(arguments[name], written.get(name))
            self._matter |= argument.matter(by_value=cost.by_value)
            given[name] = argument
        return given


def cost_of(field: GraphQLField) -> Cost | None:
    """The cost that a field of the schema declares."""
    definition = field.extensions.get(BACKREF)
    cost: Cost | None = definition.metadata.get(Cost) if isinstance(definition, StrawberryField) else None
    return cost


def _argument(argument: GraphQLArgument, written: ValueNode | None) -> _Argument:
    default = None if argument.default_value is Undefined else argument.default_value
    type_ = argument.type.of_type if isinstance(argument.type, GraphQLNonNull) else argument.type
    value = default if written is None else _value(written)
    return _Argument(value, default, isinstance(type_, GraphQLList))


def _value(node: ValueNode) -> Any:
    if isinstance(node, VariableNode):
        return _Variable(node.name.value)
    if isinstance(node, ListValueNode):
        return [_value(one) for one in node.values]
    if isinstance(node, ObjectValueNode):
        return {one.name.value: _value(one.value) for one in node.fields}
    return value_from_ast_untyped(node)


def _text(node: FieldNode) -> str:
    """Write a field's name and arguments, the same where they are."""
    return " ".join([node.name.value, *sorted(print_ast(argument) for argument in node.arguments or ())])
