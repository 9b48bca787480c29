"""How much a document holds: each fragment is looked at once, and its size counts wherever it is spread."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from graphql import (
    ArgumentNode,
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    ListValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    ValueNode,
)
from graphql.execution.collect_fields import get_field_entry_key


class Size(NamedTuple):
    """What a selection set comes to with its fragments in their places."""

    depth: int = 0
    fields: int = 0
    root_fields: int = 0


@dataclass(slots=True)
class Counting:
    """One walk over everything that a document holds, each part once."""

    definitions: Mapping[str, FragmentDefinitionNode]
    aliases: int = 0
    directives: int = 0
    fragments: int = 0
    values: int = 0
    value_depth: int = 0
    operations: list[Size] = field(default_factory=list)
    sets: list[SelectionSetNode] = field(default_factory=list)
    inline: dict[int, int] = field(default_factory=dict)  # sets of inline fragments, by identity, and what they are in
    _known: dict[str, Size] = field(default_factory=dict)

    @classmethod
    def of(cls, document: DocumentNode) -> "Counting":
        """Count a document."""
        fragments = [one for one in document.definitions if isinstance(one, FragmentDefinitionNode)]
        counting = cls({one.name.value: one for one in fragments})
        for one in document.definitions:
            if isinstance(one, OperationDefinitionNode):
                counting._note_directives(one.directives)
                for variable in one.variable_definitions or ():
                    counting._note_directives(variable.directives)
                    counting._note_value(variable.default_value)
                counting.operations.append(counting._size(one.selection_set))
            elif isinstance(one, FragmentDefinitionNode):
                counting._fragment(one.name.value)
                if counting.definitions[one.name.value] is not one:  # of two by one name validation looks at both
                    counting._size(one.selection_set)
        return counting

    def _note_directives(self, directives: Iterable[DirectiveNode] | None) -> None:
        for directive in directives or ():
            self.directives += 1
            self._note_arguments(directive.arguments)

    def _note_arguments(self, arguments: Iterable[ArgumentNode] | None) -> None:
        for argument in arguments or ():
            self._note_value(argument.value)

    def _note_value(self, value: ValueNode | None) -> None:
        if value is not None:
            self.value_depth = max(self.value_depth, self._value_depth(value))

    def _value_depth(self, value: ValueNode) -> int:
        self.values += 1
        match value:
            case ListValueNode():
                return 1 + max(map(self._value_depth, value.values), default=0)
            case ObjectValueNode():
                return 1 + max((self._value_depth(one.value) for one in value.fields), default=0)
        return 0

    def _fragment(self, name: str) -> Size:
        """Size a fragment, which is nothing inside itself: validation refuses that."""
        known = self._known.get(name)
        if known is not None or name not in self.definitions:
            return known or Size()
        self._known[name] = Size()
        definition = self.definitions[name]
        self._note_directives(definition.directives)
        size = self._known[name] = self._size(definition.selection_set)
        return size

    def _size(self, selection_set: SelectionSetNode) -> Size:
        self.sets.append(selection_set)
        depth = fields = root_fields = 0
        spread: set[str] = set()
        for selection in selection_set.selections:
            self._note_directives(selection.directives)
            size = self._selection(selection, selection_set, spread)
            depth = max(depth, size.depth)
            fields += size.fields
            root_fields += size.root_fields
        return Size(depth, fields, root_fields)

    def _selection(self, selection: SelectionNode, within: SelectionSetNode, spread: set[str]) -> Size:
        if isinstance(selection, FieldNode):
            self.aliases += selection.alias is not None
            self._note_arguments(selection.arguments)
            below = self._size(selection.selection_set) if selection.selection_set else Size()
            return Size(1 + below.depth, 1 + below.fields, 1)
        if not isinstance(selection, FragmentSpreadNode):
            inline: SelectionSetNode = selection.selection_set  # type: ignore[attr-defined] # an inline fragment
            self.inline[id(inline)] = id(within)
            return self._size(inline)
        self.fragments += 1
        name = selection.name.value
        if name in spread:  # a second time in one place it adds nothing
            return Size()
        if not _is_deferred(selection):  # where each of them is answered with all that it holds
            spread.add(name)
        return self._fragment(name)


def _is_deferred(spread: FragmentSpreadNode) -> bool:
    return any(directive.name.value == "defer" for directive in spread.directives or ())


def merges(counting: Counting, most: int) -> int:
    """Count the pairs of fields that validation compares, up to the first beyond `most`."""
    pairs = 0
    seen: set[frozenset[int]] = set()
    without: set[int] = set()  # sets in which no two fields meet, so neither do they in the inline fragments there
    for one in counting.sets:
        is_without = counting.inline.get(id(one)) in without
        found = 0 if is_without else _pairs(one, counting.definitions, seen, most - pairs)
        if not found:
            without.add(id(one))
        pairs += found
        if pairs > most:
            break
    return pairs


def _pairs(
    one: SelectionSetNode, fragments: Mapping[str, FragmentDefinitionNode], seen: set[frozenset[int]], most: int
) -> int:
    """Count those in one set, and below fields that meet there, but for what was `seen`; up to one beyond `most`."""
    pairs = 0
    waiting: list[tuple[SelectionSetNode, ...]] = [(one,)]
    while waiting and pairs <= most:
        several = [same for same in by_name(waiting.pop(), fragments).values() if len(same) > 1]
        for same in several:
            pairs += len(same) * (len(same) - 1) // 2
            below = tuple(field.selection_set for field in same if field.selection_set)
            key = frozenset(map(id, below))
            if len(below) > 1 and pairs <= most and key not in seen:
                seen.add(key)
                waiting.append(below)
    return pairs


def by_name(
    sets: Iterable[SelectionSetNode], fragments: Mapping[str, FragmentDefinitionNode]
) -> dict[str, list[FieldNode]]:
    """Gather the fields that stand under one name where all of these sets meet, whatever their directives say."""
    found: dict[str, list[FieldNode]] = {}
    for one in _fields(sets, fragments):
        found.setdefault(get_field_entry_key(one), []).append(one)
    return found


def _fields(sets: Iterable[SelectionSetNode], fragments: Mapping[str, FragmentDefinitionNode]) -> Iterator[FieldNode]:
    """Give every field of these sets, those of each fragment once."""
    spread: set[str] = set()
    waiting = list(sets)
    while waiting:
        for selection in waiting.pop().selections:
            if isinstance(selection, FieldNode):
                yield selection
            elif not isinstance(selection, FragmentSpreadNode):
                waiting.append(selection.selection_set)  # type: ignore[attr-defined] # an inline fragment
            elif (name := selection.name.value) in fragments and name not in spread:
                spread.add(name)
                waiting.append(fragments[name].selection_set)
