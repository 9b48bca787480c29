"""A selection on a document, read from its bytes in C: only the selected fields are decoded and converted.

For a selection a `msgspec.Struct` is defined whose fields are the wire's keys; a generated function then puts the
values under the response's keys, converting what the wire does not hold as the graph answers it. For

    { assetId mimeType url urlExpiresAt }

of an asset, structs.py makes what its bytes are decoded to (`struct_of`) and what is encoded (`answer_of`), as if by

    class Asset(Struct):                                        class Answer(Struct):
        f0: str = field(name="id")                                  f0: Any = field(name="assetId")
        f1: str | None = field(name="mimeType", default=None)       f1: Any = field(name="mimeType")
        f2: str | None = field(name="url", default=None)            f2: Any = field(name="url")
                                                                    f3: Any = field(name="urlExpiresAt")

and columns.py writes what makes the one of the other (`generate`), all in one line:

    def finish(s): return n0(
        s.f0,
        s.f1,
        (n1 if (n1 := s.f2) is None or n1.startswith(n2) else n3(n1)),
        (n5(n4) if (n4 := s.f2).__class__ is str else n7(n6(n4))),
    )

`n0` is the class `Answer`, `n2` the schemes that a URL may begin with, `n3` leaves the plan. `n5` remembers what texts
came to by `signed_url_expiry` (`n6`) and then as a DateTime of the graph (`n7`); `n1` and `n4` are values on the way.
Where keys and values are the wire's own, the first struct is the answer as it is, and nothing is generated.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from typing import Any

import msgspec
from graphql import (
    GraphQLEnumType,
    GraphQLList,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLScalarType,
)

from gateway.cache.document import Document
from gateway.engine.columns import (
    Address,
    Column,
    Remembering,
    Shape,
    Timestamp,
    generate,
    in_common,
)
from gateway.engine.leaves import Finish, LeavePlan, NotPlannable, annotation, canonical_datetime, exact_type
from gateway.engine.selection import Selections
from gateway.engine.structs import Want, merged, page_of, struct_of
from gateway.engine.values import nullable, plain_leaf, plain_value, python_type, strawberry_field
from gateway.graph.document_type import DocumentType, Reading, Wire, readings
from gateway.graph.members import PageMembers

encode = msgspec.json.Encoder().encode
_serials = itertools.count()

# An annotation, what a decoded value must still become, and what stands for nothing where null may not.
Typed = tuple[Any, Finish | None, Callable[[], Any] | None]


@dataclass(slots=True)
class Projection:
    """What a selection on documents of one type reads from their bytes."""

    type: type[DocumentType]
    struct: Any
    decode: Callable[[bytes], Any]
    finish: Finish | None
    decode_page: Callable[[bytes], list[Any]] | None = None
    serial: int = field(default_factory=_serials.__next__)

    def read(self, body: bytes) -> Any:
        """The selected fields, ready to be encoded. Raises a `msgspec.MsgspecError` where graphql-core must decide."""
        value = self.decode(body)
        return value if self.finish is None else self.finish(value)

    def encoded(self, document: Document) -> msgspec.Raw:
        """The same, encoded; kept with the document for the next who asks."""
        known: bytes | None = document.made.get(self.serial)
        if known is None:
            known = encode(self.read(document.body))
            document.keep_fragment(self.serial, known)
        return msgspec.Raw(known)

    def encoded_value(self, value: DocumentType) -> msgspec.Raw:
        """The same of an instance, which may read a part of a document that is another's."""
        document: Document | None = value.__dict__.get("_document")
        return self.encoded(document) if document else msgspec.Raw(encode(self.read(encode(value.__dict__["_data"]))))

    def encoded_members(self, members: PageMembers[Any]) -> msgspec.Raw:
        """The same of members of pages, as one list; each page is read once."""
        lists = [self._encoded_page(page, members.key, places) for page, places in members.pages]
        if len(lists) == 1:
            return msgspec.Raw(lists[0])
        return msgspec.Raw(b"[%b]" % b",".join([one[1:-1] for one in lists]))

    def _encoded_page(self, page: Document, key: str, places: Sequence[int]) -> bytes:
        selection = (self.serial, places[0], places[-1], len(places))
        known: bytes | None = page.made.get(selection)
        if known is None:
            values = self._page_decoder(key)(page.body)
            wanted = values if len(places) == len(values) else [values[place] for place in places]
            known = encode(wanted if self.finish is None else [self.finish(value) for value in wanted])
            page.keep_fragment(selection, known)
        return known

    def _page_decoder(self, key: str) -> Callable[[bytes], list[Any]]:
        if self.decode_page is None:
            decode: Callable[[bytes], Any] = msgspec.json.Decoder(page_of(self.struct, key)).decode
            self.decode_page = lambda body: decode(body).members
        return self.decode_page


def document_of(value: DocumentType) -> Document:
    """The document that an instance reads. Raises LeavePlan for one that reads a part of another's."""
    document: Document | None = value.__dict__.get("_document")
    if document is None:
        raise LeavePlan
    return document


def project(
    type_: GraphQLObjectType, selections: Selections, grouped: Mapping[str, Any], *, as_tree: bool = False
) -> Projection:
    """Compile a selection on a document type; `as_tree` makes `read` give a dict, to which others are added.

    Raises NotPlannable when a field of it takes a resolver.
    """
    origin = python_type(type_)
    if not issubclass(origin, DocumentType):
        raise NotPlannable(type_.name)
    shape = Projector(selections).shape(type_, grouped, as_tree=as_tree)
    return Projection(origin, shape.struct, msgspec.json.Decoder(shape.struct).decode, shape.finish)


@dataclass(frozen=True, slots=True)
class Projector:
    """Compiles selections on documents."""

    selections: Selections

    def shape(self, type_: GraphQLObjectType, grouped: Mapping[str, Any], *, as_tree: bool = False) -> Shape:
        """Compile the selected fields of one object."""
        columns = self._columns(type_, grouped)
        wants: dict[str, list[Want]] = {}
        for column in columns:
            for want in column.wants:
                wants.setdefault(want.key, []).append(want)
        both = {key: one for key, several in wants.items() if len(several) > 1 and (one := merged(tuple(several)))}
        common = {key: both.get(key) or in_common(several) for key, several in wants.items()}
        slots = {key: f"f{number}" for number, key in enumerate(wants)}
        struct = struct_of(type_.name, tuple(common.items()))
        shared = frozenset(key for key, want in common.items() if want is not None)
        missing = {key: want.default() for key, want in both.items() if want.default}
        shape = Shape(struct, columns, slots, shared, missing)
        direct = not both and all(column.is_plain and column.wants[0].key in shared for column in columns)
        if not as_tree and direct and [column.response_key for column in columns] == list(wants):
            return shape
        return replace(shape, finish=generate(shape, as_tree=as_tree))

    def _columns(self, type_: GraphQLObjectType, grouped: Mapping[str, Any]) -> list[Column]:
        return [
            replace(self._column(type_, key, details), is_aliased=key != details[0].node.name.value)
            for key, details in grouped.items()
        ]

    def _column(self, type_: GraphQLObjectType, response_key: str, details: Any) -> Column:
        name = details[0].node.name.value
        if name == "__typename":
            return Column(response_key, (), lambda: type_.name)
        definition = strawberry_field(type_, name)
        where: Wire | None = definition.metadata.get(Wire)
        if where is None:
            raise NotPlannable(name)
        field_type = type_.fields[name].type
        if where.part is not None:
            return self._gathered(response_key, where.part, field_type, details)
        reading = readings(python_type(type_))[definition.python_name]
        if where.convert is None:
            return self._typed_column(response_key, reading, field_type, details)
        wants = [Want(key, Any if where.reads is Any else where.reads | None) for key in reading.keys]
        inner, _ = nullable(field_type)
        if len(wants) == 1 and isinstance(inner, GraphQLScalarType | GraphQLEnumType):
            return Column(response_key, wants, remembering(where.convert, field_type))
        complete, convert = plain_value(field_type, self.selections, details), where.convert
        return Column(response_key, wants, lambda *values: complete(convert(*values)))

    def _gathered(self, response_key: str, part: Mapping[str, str], type_: GraphQLOutputType, details: Any) -> Column:
        """An object whose keys stand in this very document: its columns are read with those of this one."""
        inner, _ = nullable(type_)
        if not isinstance(inner, GraphQLObjectType):
            raise NotPlannable(str(type_))
        columns = [
            replace(column, wants=[replace(want, key=part[want.key]) for want in column.wants])
            for column in self._columns(inner, self.selections.below(inner, details))
        ]
        return Column(response_key, [want for column in columns for want in column.wants], columns=columns)

    def _typed_column(self, response_key: str, reading: Reading, type_: GraphQLOutputType, details: Any) -> Column:
        inner, may_be_null = nullable(type_)
        (key,) = reading.keys
        if isinstance(inner, GraphQLObjectType):
            part = self.shape(inner, self.selections.below(inner, details))
            want = Want(key, part.struct | None) if may_be_null else Want(key, part.struct, part.struct)
            return Column(response_key, [want], part=part)
        read, finish, empty = self._typed(inner, reading.convert, details)
        if may_be_null:
            return Column(response_key, [Want(key, read | None)], finish)
        return Column(response_key, [Want(key, read, empty, required=empty is None)], finish)

    def _typed(self, type_: GraphQLOutputType, convert: Finish, details: Any) -> Typed:
        if isinstance(type_, GraphQLEnumType):
            wire_type = annotation(type_)
            return wire_type, None, unknown_of(wire_type)
        if isinstance(type_, GraphQLScalarType):
            return annotation(type_), _leaf_finish(type_, convert), None
        if isinstance(type_, GraphQLList):
            return self._typed_list(type_, convert, details)
        if isinstance(type_, GraphQLObjectType):
            shape = self.shape(type_, self.selections.below(type_, details))
            return shape.struct, _unless_null(shape.finish), shape.struct
        raise NotPlannable(str(type_))

    def _typed_list(self, type_: GraphQLList[Any], convert: Finish, details: Any) -> Typed:
        inner, may_be_null = nullable(type_.of_type)
        if may_be_null:
            raise NotPlannable(str(type_))
        read, finish, _ = self._typed(inner, convert, details)
        annotated: Any = list[read]  # type: ignore[valid-type] # an annotation made at run time
        if finish is None:
            return annotated, None, list
        each = finish
        return annotated, lambda values: None if values is None else [each(value) for value in values], list


@cache
def unknown_of(wire_type: Any) -> Callable[[], Any]:
    """What gives an enum's member for what is not there, the same each time."""
    return lambda: wire_type["UNKNOWN"]


def _leaf_finish(type_: GraphQLScalarType, convert: Finish) -> Finish | None:
    if type_.name == "DateTime":
        return Timestamp(canonical_datetime, convert)
    return Address() if type_.name == "URL" else None


@cache
def remembering(convert: Callable[[Any], Any], type_: GraphQLOutputType) -> Finish:
    """Convert a value to what the graph answers."""
    complete, (inner, may_be_null) = plain_leaf(type_), nullable(type_)
    exact = exact_type(inner) if may_be_null else None
    return Remembering(lru_cache(maxsize=2_048)(lambda value: complete(convert(value))), convert, complete, exact)


def _unless_null(finish: Finish | None) -> Finish | None:
    return None if finish is None else lambda value: None if value is None else finish(value)
