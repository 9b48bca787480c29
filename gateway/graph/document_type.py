"""Strawberry types that read an upstream document: a field names its keys, and is read when it is asked for.

    @strawberry.type
    class Asset(DocumentType):
        name: str | None = wire("The asset's name.")
        size: BigInt | None = wire("Bytes.", key="fileSize")
        url_expires_at: datetime | None = wire("When `url` dies.", key="url", convert=signed_url_expiry)

    Asset.of(document).name

A type is the single description of a document: graphql-core reads it through attributes, an execution plan through
`readings`. A required field never fails for what its document lacks or garbles: a list is empty, an object has no keys,
an enum is UNKNOWN. Elsewhere what is missing or cannot be read is null, and the latter is noted as drift; a scalar of
another type is left to GraphQL, which refuses it for its own field only.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

import msgspec
import strawberry
from strawberry.types.base import StrawberryList, StrawberryOptional, get_object_definition
from strawberry.types.enum import StrawberryEnumDefinition
from strawberry.types.field import StrawberryField
from strawberry.utils.str_converters import to_camel_case

from gateway.cache.document import Document
from gateway.graph.scalars import URL, read_datetime, read_url
from gateway.telemetry import drift

MAX_DEPTH = 500  # of what is decoded to be encoded again; Python's own limit counts whoever called, too

Conversion = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Wire:
    """Where a field stands in its document, and how it becomes a GraphQL value."""

    keys: tuple[str, ...] = ()
    convert: Callable[..., Any] | None = None
    reads: Any = Any
    part: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """A field's `Wire` with nothing left open: the keys, and what makes a GraphQL value of what stands under them."""

    keys: tuple[str, ...]
    convert: Callable[..., Any]

    def __call__(self, data: Mapping[str, msgspec.Raw]) -> Any:
        """Read the field from a document's keys."""
        return self.convert(*map(data.get, self.keys))


def wire(
    description: str,
    *,
    key: str | None = None,
    keys: tuple[str, ...] = (),
    convert: Callable[..., Any] | None = None,
    reads: Any = Any,
    name: str | None = None,
    deprecation_reason: str | None = None,
) -> Any:
    """Declare a field that is read from the document.

    `key` is the upstream's key where it differs from the GraphQL name; `convert` takes the value of each of the `keys`
    (None where the document has none, or something else than `reads`) and its result is final; without it the field's
    type says how to read.
    """
    where = Wire((key,) if key else keys, convert, reads)
    return strawberry.field(
        description=description, name=name, metadata={Wire: where}, deprecation_reason=deprecation_reason
    )


def gathered(description: str, **keys: str) -> Any:
    """Declare a field whose own keys stand in this document, under other names: `status="body"`."""
    return strawberry.field(description=description, metadata={Wire: Wire(tuple(keys.values()), part=keys)})


class DocumentType:
    """A Strawberry type whose instances are made of a document, and decode it when a first field is read."""

    def __init_subclass__(cls) -> None:
        # Ahead of the one that a dataclass would write, which reads every field and shows signed URLs.
        cls.__repr__ = DocumentType.__repr__  # type: ignore[method-assign] # on purpose

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    @classmethod
    def of(cls, document: Document) -> Self:
        """Read a document as this type."""
        instance = cls.__new__(cls)
        instance.__dict__["_document"] = document
        return instance

    @classmethod
    def over(cls, data: Mapping[str, msgspec.Raw]) -> Self:
        """Read a part of a document as this type."""
        instance = cls.__new__(cls)
        instance.__dict__["_data"] = data
        return instance

    def decoded(self) -> Any:
        """The whole document, decoded. Raises RecursionError for one too deep to be encoded again."""
        body = self.__dict__["_document"].body
        document = msgspec.json.decode(body)
        if body.count(b"[") + body.count(b"{") > MAX_DEPTH:
            _check_depth(document)
        return document

    def __getattr__(self, name: str) -> Any:
        if name == "_data":
            value: Any = _keys(self.__dict__["_document"].body) or {}
        elif (reading := readings(type(self)).get(name)) is not None:
            value = reading(self._data)
        else:
            raise AttributeError(f"{type(self).__name__} has no field {name}")
        self.__dict__[name] = value
        return value


def _check_depth(document: Any) -> None:
    level = [document]
    for _ in range(MAX_DEPTH):
        level = [inner for outer in level for inner in _members(outer) if isinstance(inner, list | dict)]
        if not level:
            return
    raise RecursionError


def _members(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def _keys(text: bytes | msgspec.Raw) -> Mapping[str, msgspec.Raw] | None:
    """Take an object apart without decoding what is under its keys; None when it is none."""
    try:
        return msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    except msgspec.ValidationError:
        return None


_known_readings: dict[type, Mapping[str, Reading]] = {}


def readings(cls: type) -> Mapping[str, Reading]:
    """How each field of a document type is read, by its Python name."""
    known = _known_readings.get(cls)
    if known is None:
        fields = get_object_definition(cls, strict=True).fields
        known = {field.python_name: _reading(cls, field) for field in fields if Wire in field.metadata}
        _known_readings[cls] = known
    return known


def _reading(cls: type, field: StrawberryField) -> Reading:
    where: Wire = field.metadata[Wire]
    name = field.graphql_name or to_camel_case(field.python_name)
    if where.part is not None:
        return Reading(where.keys, _gathered(field.type, tuple(where.part)))
    if where.convert is not None:
        return Reading(where.keys or (name,), _decoded(where.convert, where.reads))
    return Reading(where.keys or (name,), _required(field.type, f"{cls.__name__}.{name}"))


def _gathered(type_: Any, own_keys: tuple[str, ...]) -> Callable[..., Any]:
    def read(*values: msgspec.Raw | None) -> Any:
        given = zip(own_keys, values, strict=True)
        return type_.over({key: value for key, value in given if value is not None})

    return read


def _decoded(convert: Callable[..., Any], reads: Any) -> Callable[..., Any]:
    decode = msgspec.json.Decoder(reads).decode

    def read(value: msgspec.Raw | None) -> Any:
        try:
            return None if value is None else decode(value)
        except msgspec.ValidationError:
            return None

    return lambda *values: convert(*map(read, values))


def _required(type_: object, place: str) -> Conversion:
    """Convert to a type that may or may not be null; where it may not, nothing is still something."""
    if isinstance(type_, StrawberryOptional):
        convert = _present(type_.of_type, place)
        return lambda value: None if _is_nothing(value) else convert(value)
    convert = _present(type_, place)
    nothing = _nothing(type_)
    return lambda value: nothing() if _is_nothing(value) or (read := convert(value)) is None else read


def _is_nothing(value: msgspec.Raw | None) -> bool:
    return value is None or bytes(value) == b"null"


def _nothing(type_: object) -> Callable[[], Any]:
    if isinstance(type_, StrawberryList):
        return list
    if isinstance(type_, StrawberryEnumDefinition):
        return lambda: type_.wrapped_cls["UNKNOWN"]
    if isinstance(type_, type) and issubclass(type_, DocumentType):
        return lambda: type_.over({})
    return lambda: None


def _present(type_: object, place: str) -> Conversion:
    """Convert a value that is not null; None, and drift, when it cannot be read."""
    if isinstance(type_, StrawberryList):
        return _list(type_.of_type, place)
    if isinstance(type_, type) and issubclass(type_, DocumentType):
        return _or_drift(lambda value: None if (keys := _keys(value)) is None else type_.over(keys), place)
    if isinstance(type_, StrawberryEnumDefinition):
        return lambda value: type_.wrapped_cls(msgspec.json.decode(value))
    if type_ is datetime:
        return _or_drift(lambda value: read_datetime(msgspec.json.decode(value)), place)
    if type_ is URL:
        return _or_drift(lambda value: read_url(msgspec.json.decode(value)), place)
    return msgspec.json.decode


def _item(type_: object, place: str) -> Conversion:
    if type_ in {str, strawberry.ID}:
        return _or_drift(_text, place)
    if isinstance(type_, StrawberryOptional):
        return _required(type_, place)
    return _number if type_ is float else _present(type_, place)


def _list(type_: object, place: str) -> Conversion:
    """Read a list; of names and objects, those items that cannot be read are left out.

    No number is, as others would take its place: one that is null costs the field, but for a list that may hold null.
    """
    item = _item(type_, place)
    may_hold_null = isinstance(type_, StrawberryOptional)

    def read(value: msgspec.Raw) -> list[Any] | None:
        try:
            items = msgspec.json.decode(value, type=list[msgspec.Raw])
        except msgspec.ValidationError:
            return None
        return [y for x in items if (y := item(x)) is not None or may_hold_null]

    return _or_drift(read, place)


def _text(value: msgspec.Raw) -> str | None:
    text = msgspec.json.decode(value)
    return text if isinstance(text, str) else None


def _number(value: msgspec.Raw) -> Any:
    """Decode what is to be a number. Raises msgspec.ValidationError for null, which GraphQL takes for a bug of ours."""
    number = msgspec.json.decode(value)
    if number is None:
        raise msgspec.ValidationError
    return number


def _or_drift(read: Conversion, place: str) -> Conversion:
    def convert(value: msgspec.Raw) -> Any:
        result = read(value)
        if result is None:
            drift.note(place, f"a {type(msgspec.json.decode(value)).__name__} that cannot be read")
        return result

    return convert
