"""What a selection wants of a document's keys, and the function, generated, that makes its object of the values.

projection.py shows one.
"""

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any

import msgspec

from gateway.engine.leaves import TEXTS, Finish, leave
from gateway.engine.structs import Want, answer_of
from gateway.graph.scalars import SCHEMES


@dataclass(frozen=True, slots=True)
class Remembering:
    """A finish that knows texts it has met before: pages repeat their URLs and ids.

    What `convert` makes of all else may have to be completed: not a value of the `exact` type, where there is one, nor
    None then.
    """

    remembered: Finish
    convert: Finish
    complete: Finish
    exact: type | None

    def __call__(self, value: Any) -> Any:
        """Finish a value."""
        return self.remembered(value) if value.__class__ is str else self.complete(self.convert(value))


@dataclass(frozen=True, slots=True)
class Timestamp:
    """A finish for timestamps, which are text on both sides; None from `canonical` is left to `otherwise`."""

    canonical: Finish
    otherwise: Finish

    def __call__(self, text: str | None) -> Any:
        """Finish a value."""
        return None if text is None else self.canonical(text) or self.otherwise(text)


@dataclass(frozen=True, slots=True)
class Address:
    """A finish for URLs, which are text on both sides; a pattern in the annotation takes ten times as long."""

    def __call__(self, text: str | None) -> str | None:
        """Finish a value. Raises LeavePlan for one that is none."""
        return text if text is None or text.startswith(SCHEMES) else leave(text)


@dataclass(frozen=True, slots=True)
class Column:
    """A response key: the values that it is made of, and what makes it of them.

    That may be an object: of columns that stand in this very document, or of a `part` of it that is its one value. A
    key that is not the field's own name `is_aliased`.
    """

    response_key: str
    wants: Sequence[Want]
    finish: Callable[..., Any] | None = None
    columns: "Sequence[Column] | None" = None
    part: "Shape | None" = None
    is_aliased: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether the value is the answer's as it is decoded."""
        return self.finish is None and self.columns is None and (self.part is None or self.part.finish is None)


@dataclass(frozen=True, slots=True)
class Shape:
    """A selection compiled: the struct that a document decodes to, and what makes the answer's value of one.

    `slots` are the struct's names for the document's keys; those in `shared` are decoded at once, others are kept raw.
    `merged` are objects that serve conversions as well, with what stands for one that is missing.
    """

    struct: Any
    columns: Sequence[Column]
    slots: Mapping[str, str]
    shared: AbstractSet[str]
    merged: Mapping[str, Any]
    finish: Finish | None = None


def in_common(several: Sequence[Want]) -> Want | None:
    """What serves all who want a key; None where each must decode it for itself.

    Who wants anything takes a text as well as who wants just that; one that is none leaves the plan either way.
    """
    exact = [want for want in several if want.annotation is not Any] or several
    is_one = all(want == exact[0] for want in exact)
    return exact[0] if is_one and (len(exact) == len(several) or exact[0].annotation in TEXTS) else None


def generate(shape: Shape, *, as_tree: bool) -> Finish:
    """Write the function that makes the answer's object of a struct: `n0(s.f0, n1(s.f1), …)`.

    That is a struct too, which is made and encoded in half the time of a dict; but a dict `as_tree`, or where a key is
    an alias, of which clients have any number: `{"name": s.f0, "expires": n0(s.f1), …}`.
    """
    writer = _Writer()
    made = writer.tree(shape, shape.columns, "s") if as_tree else writer.object(shape, shape.columns, "s")
    # Response keys are GraphQL names, which the lexer let through; all else in this source is ours.
    exec(f"def finish(s): return {made}", writer.names)  # noqa: S102 - see above
    finish: Finish = writer.names.pop("finish")  # which holds the names, and is not to be held by them
    return finish


@dataclass(slots=True)
class _Writer:
    """Writes expressions; `names` are what they use. Simple calls are written out, which spares one a value."""

    names: dict[str, Any] = field(default_factory=dict)

    def object(self, shape: Shape, columns: Sequence[Column], source: str) -> str:
        if any(column.is_aliased for column in columns):
            return self.tree(shape, columns, source)
        struct = self._named(answer_of(tuple(column.response_key for column in columns)))
        return f"{struct}({', '.join(self._made(shape, column, source) for column in columns)})"

    def tree(self, shape: Shape, columns: Sequence[Column], source: str) -> str:
        items = [f"{column.response_key!r}: {self._made(shape, column, source)}" for column in columns]
        return f"{{{', '.join(items)}}}"

    def _made(self, shape: Shape, column: Column, source: str) -> str:
        if column.columns is not None:
            return self.object(shape, column.columns, source)
        if not column.wants and column.finish is not None:
            return self._named(column.finish())
        values = [self._value(shape, want, source) for want in column.wants]
        if column.part is not None and (column.part.finish is not None or column.wants[0].key in shape.merged):
            each = self._name()
            return (
                f"(None if ({each} := {values[0]}) is None else {self.object(column.part, column.part.columns, each)})"
            )
        return ", ".join(values) if column.finish is None else self._finished(column.finish, values)

    def _finished(self, finish: Callable[..., Any], values: Sequence[str]) -> str:
        if isinstance(finish, Remembering):
            each, known = self._name(), self._named(finish.remembered)
            return f"({known}({each}) if ({each} := {values[0]}).__class__ is str else {self._converted(finish, each)})"
        if isinstance(finish, Timestamp):
            each, canonical, other = self._name(), self._named(finish.canonical), self._named(finish.otherwise)
            return f"(None if ({each} := {values[0]}) is None else {canonical}({each}) or {other}({each}))"
        if isinstance(finish, Address):
            each, schemes, other = self._name(), self._named(SCHEMES), self._named(leave)
            return f"({each} if ({each} := {values[0]}) is None or {each}.startswith({schemes}) else {other}({each}))"
        return f"{self._named(finish)}({', '.join(values)})"

    def _converted(self, finish: Remembering, source: str) -> str:
        value, complete = f"{self._named(finish.convert)}({source})", self._named(finish.complete)
        if finish.exact is None:
            return f"{complete}({value})"
        each, exact = self._name(), self._named(finish.exact)
        return f"{each} if ({each} := {value}) is None or {each}.__class__ is {exact} else {complete}({each})"

    def _value(self, shape: Shape, want: Want, source: str) -> str:
        value = f"{source}.{shape.slots[want.key]}"
        if want.key in shape.merged and want.default is None:  # a conversion takes None for what is missing
            return f"(None if {value} is {self._named(shape.merged[want.key])} else {value})"
        return value if want.key in shape.shared else f"{self._named(_decode_apart(want))}({value})"

    def _named(self, value: Any) -> str:
        name = self._name()
        self.names[name] = value
        return name

    def _name(self) -> str:
        name = f"n{len(self.names)}"
        self.names[name] = None
        return name


def _decode_apart(want: Want) -> Finish:
    decode = msgspec.json.Decoder(want.annotation).decode

    def read(raw: msgspec.Raw) -> Any:
        if raw:
            return decode(raw)
        if want.required:
            raise msgspec.ValidationError
        return want.default() if want.default else None

    return read
