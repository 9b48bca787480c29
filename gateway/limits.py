"""What may be asked, of every request before anything is done for it.

Documents are counted before they are validated, in steps that grow with their length alone: a fragment is counted once,
however often it is spread, and what it stands for is then multiplied.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec
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

from gateway.errors import AskedTooMuch
from gateway.lexer import has_more_than, parse


@dataclass(frozen=True, slots=True)
class DocumentLimits:
    """How large a document may be; a field's name after `GATEWAY_MAX_`, in capitals, is its setting.

    `depth` holds for fields in each other, and for lists and objects in each other where a value is written. `fields`
    are counted with every fragment in the place where it is spread; `merges` are pairs of fields that stand
    under one name in one place of the answer, each of which validation compares.
    """

    document_bytes: int = 32_768
    tokens: int = 1_000
    definitions: int = 50
    depth: int = 15
    fields: int = 1_000
    root_fields: int = 50
    aliases: int = 100
    directives: int = 50
    fragments: int = 50
    merges: int = 300

    def parse(self, text: str) -> "Measured":
        """Parse a document. Raises AskedTooMuch, at the first token too many or for anything else of its size."""
        if has_more_than(text, self.tokens):
            raise AskedTooMuch("tokens", self.tokens)
        document = parse(text)
        return Measured(document, self.check(document))

    def check_bytes(self, text: str) -> None:
        """Refuse a text for its length alone. Raises AskedTooMuch."""
        most = self.document_bytes
        if len(text) > most or (not text.isascii() and len(text.encode(errors="surrogatepass")) > most):
            raise AskedTooMuch("document_bytes", most, len(text.encode(errors="surrogatepass")))

    def check(self, document: DocumentNode) -> int:
        """Refuse a document for what it holds, or give its `merges`. Raises AskedTooMuch."""
        self._check("definitions", len(document.definitions))
        counting = _Counting.of(document)
        for name in ("aliases", "directives", "fragments"):
            self._check(name, getattr(counting, name))
        for name in ("depth", "fields", "root_fields"):
            self._check(name, max((getattr(size, name) for size in counting.operations), default=0))
        self._check("depth", counting.value_depth)
        merges = _merges(counting, self.merges)
        self._check("merges", merges)
        return merges

    def _check(self, name: str, asked: int) -> None:
        most: int = getattr(self, name)
        if asked > most:
            raise AskedTooMuch(name, most, asked)


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """How much a request may hold besides its document; a field's name is its setting's, as above.

    `variables_depth` is how many lists and objects may stand in each other, `list_items` how much may stand in one.
    """

    body_bytes: int = 1_048_576
    url_bytes: int = 16_384
    header_bytes: int = 65_536
    arrival_seconds: int = 15
    variables_bytes: int = 262_144
    variables_depth: int = 10
    list_items: int = 2_000

    def check_variables(self, variables: Mapping[str, Any] | None, size: int | None = None) -> None:
        """Refuse variables for their size or shape. Raises AskedTooMuch.

        `size` is that of what they came in, where it is known: most are weighed by it.
        """
        if not variables:
            return
        if size is None or size > self.variables_bytes:
            weight = len(msgspec.json.encode(variables))
            if weight > self.variables_bytes:
                raise AskedTooMuch("variables_bytes", self.variables_bytes, weight)
        for value in variables.values():
            if value.__class__ is list or value.__class__ is dict:  # in most requests none is
                self._check_each((value,), self.variables_depth)

    def _check_each(self, values: Iterable[Any], depth: int) -> None:
        for value in values:
            if isinstance(value, list | dict):
                if not depth:
                    raise AskedTooMuch("variables_depth", self.variables_depth)
                if len(value) > self.list_items:
                    raise AskedTooMuch("list_items", self.list_items, len(value))
                self._check_each(value if isinstance(value, list) else value.values(), depth - 1)


class CostLimits(NamedTuple):
    """How much an operation may cause at most, by what is known of it before it is executed.

    Where calls are not `joined`, each document takes one of its own.
    """

    upstream_calls: int = 300
    objects: int = 10_000
    joined: bool = True

    def check(self, upstream_calls: int, objects: int) -> None:
        """Refuse an operation for what it could cause. Raises AskedTooMuch."""
        if upstream_calls > self.upstream_calls:
            raise AskedTooMuch("upstream_calls", self.upstream_calls, upstream_calls)
        if objects > self.objects:
            raise AskedTooMuch("objects", self.objects, objects)


class Measured(NamedTuple):
    """A document that keeps its limits, and how many pairs of fields validation compares in it."""

    document: DocumentNode
    merges: int


class _Size(NamedTuple):
    """What a selection set comes to with its fragments in their places."""

    depth: int = 0
    fields: int = 0
    root_fields: int = 0


@dataclass(slots=True)
class _Counting:
    """One walk over everything that a document holds, each part once."""

    definitions: Mapping[str, FragmentDefinitionNode]
    aliases: int = 0
    directives: int = 0
    fragments: int = 0
    value_depth: int = 0
    operations: list[_Size] = field(default_factory=list)
    sets: list[SelectionSetNode] = field(default_factory=list)
    _known: dict[str, _Size] = field(default_factory=dict)

    @classmethod
    def of(cls, document: DocumentNode) -> "_Counting":
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
        self.value_depth = max(self.value_depth, _value_depth(value))

    def _fragment(self, name: str) -> _Size:
        """Size a fragment, which is nothing inside itself: validation refuses that."""
        known = self._known.get(name)
        if known is not None or name not in self.definitions:
            return known or _Size()
        self._known[name] = _Size()
        definition = self.definitions[name]
        self._note_directives(definition.directives)
        size = self._known[name] = self._size(definition.selection_set)
        return size

    def _size(self, selection_set: SelectionSetNode) -> _Size:
        self.sets.append(selection_set)
        depth = fields = root_fields = 0
        spread: set[str] = set()
        for selection in selection_set.selections:
            self._note_directives(selection.directives)
            size = self._selection(selection, spread)
            depth = max(depth, size.depth)
            fields += size.fields
            root_fields += size.root_fields
        return _Size(depth, fields, root_fields)

    def _selection(self, selection: SelectionNode, spread: set[str]) -> _Size:
        if isinstance(selection, FieldNode):
            self.aliases += selection.alias is not None
            self._note_arguments(selection.arguments)
            below = self._size(selection.selection_set) if selection.selection_set else _Size()
            return _Size(1 + below.depth, 1 + below.fields, 1)
        if not isinstance(selection, FragmentSpreadNode):
            inline: _Size = self._size(selection.selection_set)  # type: ignore[attr-defined] # an inline fragment
            return inline
        self.fragments += 1
        name = selection.name.value
        if name in spread:  # a second time in one place it adds nothing
            return _Size()
        spread.add(name)
        return self._fragment(name)


def _value_depth(value: ValueNode | None) -> int:
    match value:
        case ListValueNode():
            return 1 + max(map(_value_depth, value.values), default=0)
        case ObjectValueNode():
            return 1 + max((_value_depth(one.value) for one in value.fields), default=0)
    return 0


def _merges(counting: _Counting, most: int) -> int:
    """Count the pairs of fields that validation compares, up to the first beyond `most`."""
    pairs = 0
    waiting: list[tuple[SelectionSetNode, ...]] = [(one,) for one in counting.sets]
    seen: set[frozenset[int]] = set()
    while waiting and pairs <= most:
        for same in _by_name(waiting.pop(), counting.definitions):
            pairs += len(same) * (len(same) - 1) // 2
            below = tuple(one.selection_set for one in same if one.selection_set)
            key = frozenset(map(id, below))
            if len(below) > 1 and pairs <= most and key not in seen:
                seen.add(key)
                waiting.append(below)
    return pairs


def _by_name(
    sets: Iterable[SelectionSetNode], fragments: Mapping[str, FragmentDefinitionNode]
) -> list[list[FieldNode]]:
    """Gather the fields that stand under one name where all of these sets meet, where there are several."""
    by_name: dict[str, list[FieldNode]] = {}
    for one in _fields(sets, fragments):
        by_name.setdefault((one.alias or one.name).value, []).append(one)
    return [same for same in by_name.values() if len(same) > 1]


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
