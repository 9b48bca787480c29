"""How a leaf is read from JSON in C, and how one that a resolver returned becomes an answer's value.

Each leaf type has an annotation that msgspec decodes, and a finish for what the wire's value must still become. Where a
value is none that the annotation takes, msgspec raises, the plan is left, and graphql-core decides.
"""

import enum
from collections.abc import Callable
from datetime import datetime
from functools import cache, lru_cache
from typing import Annotated, Any, Never

import msgspec
from graphql import GraphQLEnumType, GraphQLOutputType, GraphQLScalarType
from strawberry.schema.schema_converter import GraphQLCoreConverter

from gateway.graph.enums import UpstreamEnum
from gateway.graph.scalars import read_datetime, write_datetime

Finish = Callable[[Any], Any]


class LeavePlan(Exception):
    """A plan met what it does not handle."""


class NotPlannable(Exception):
    """A selection that no plan is made for."""


BACKREF = GraphQLCoreConverter.DEFINITION_BACKREF

INT = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)]
BIG_INT = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
TEXTS: tuple[Any, ...] = (str, str | None)  # what they decode is what `Any` would

_ANNOTATIONS: dict[str, Any] = {
    "String": str,
    "ID": str,
    "Int": INT,
    "Float": float,
    "Boolean": bool,
    "BigInt": BIG_INT,
    "URL": str,
    "DateTime": str,
}
_PYTHON_TYPES: dict[str, type] = {"String": str, "ID": str, "Boolean": bool, "URL": str}


def annotation(type_: GraphQLScalarType | GraphQLEnumType) -> Any:
    """The msgspec annotation of a leaf on the wire. Raises NotPlannable for one that has none."""
    if isinstance(type_, GraphQLEnumType):
        return wire_enum(type_)
    try:
        return _ANNOTATIONS[type_.name]
    except KeyError:
        raise NotPlannable(type_.name) from None


@cache
def wire_enum(type_: GraphQLEnumType) -> type[enum.Enum]:
    """An enum that decodes the upstream's values and encodes GraphQL's names; what it does not know is UNKNOWN.

    msgspec finds members by the values that they were made with, and encodes the values that they have.
    """
    owner: type[enum.Enum] = type_.extensions[BACKREF].wrapped_cls
    if not issubclass(owner, UpstreamEnum):
        raise NotPlannable(type_.name)

    class WireEnum(enum.Enum):
        @classmethod
        def _missing_(cls, value: object) -> "WireEnum":
            owner(value)  # counts and logs it
            return cls["UNKNOWN"]

    make: Any = WireEnum  # called with names and values, an enum without members makes one that has them
    made: type[enum.Enum] = make(type_.name, {member.name: member.value for member in owner})
    for member in made:
        member._value_ = member.name
    return made


def leave(_: object) -> Never:
    """Leave the plan."""
    raise LeavePlan


@lru_cache(maxsize=4_096)
def canonical_datetime(text: str) -> str | None:
    """An upstream's timestamp as the graph writes it; None when it is none. Remembered, as pages repeat theirs."""
    moment = read_datetime(text)
    return None if moment is None else write_datetime(moment)


def exact_type(type_: GraphQLOutputType) -> type | None:
    """The Python type whose values are a leaf's values in an answer as they are; None where each must be looked at."""
    return _PYTHON_TYPES.get(type_.name) if isinstance(type_, GraphQLScalarType) else None


def value_finish(type_: GraphQLScalarType | GraphQLEnumType) -> Finish:
    """How a Python value becomes an answer's value; it is never None."""
    if isinstance(type_, GraphQLEnumType):
        return _enum_name
    if type_.name == "DateTime":
        return _datetime
    python_type = _PYTHON_TYPES.get(type_.name)
    coerce = type_.coerce_output_value
    if python_type is None:
        return coerce
    return lambda value: value if value.__class__ is python_type else coerce(value)


def _enum_name(value: Any) -> str:
    if isinstance(value, enum.Enum):
        return value.name
    raise LeavePlan


def _datetime(value: Any) -> str:
    if isinstance(value, datetime):
        return _written(value)
    raise LeavePlan


_written = lru_cache(maxsize=1_024)(write_datetime)  # which takes ten times as long as finding it here
