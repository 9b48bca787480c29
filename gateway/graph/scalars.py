"""The scalars that both sources share, and how upstream values become them."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NewType

import strawberry
from graphql import GraphQLError, ValueNode, value_from_ast_untyped
from strawberry.types.scalar import ScalarDefinition

URL = NewType("URL", str)
BigInt = NewType("BigInt", int)

SCHEMES = ("https://", "http://")  # of a URL
RFC_3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ](?!24)[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})", re.IGNORECASE
)


def read_datetime(value: object) -> datetime | None:
    """Read an ISO 8601 timestamp as UTC; one without an offset is taken for UTC. None when it is none."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def read_url(value: object) -> URL | None:
    """Pass on an absolute http(s) URL unchanged. None for anything else."""
    if isinstance(value, str) and value.startswith(SCHEMES):
        return URL(value)
    return None


def write_datetime(value: object) -> str:
    """Write a datetime as RFC 3339 in UTC, to the millisecond where it has any fraction."""
    if not isinstance(value, datetime):
        raise GraphQLError("DateTime cannot represent this value.")
    moment = value.astimezone(UTC)
    return moment.isoformat(timespec="milliseconds" if moment.microsecond else "seconds").replace("+00:00", "Z")


def _parse_datetime(value: object, node: ValueNode | None = None) -> datetime:
    """Read what a client says, who may mean its own midnight by a day, or its own clock by a time without an offset."""
    if isinstance(value, str) and RFC_3339.fullmatch(value):
        moment = read_datetime(value.upper())
        if moment is not None:
            return moment
    raise GraphQLError('DateTime takes an RFC 3339 timestamp such as "2026-11-22T10:00:00Z".', node)


def _parse_written_datetime(node: ValueNode, variables: dict[str, Any] | None = None) -> datetime:
    return _parse_datetime(value_from_ast_untyped(node, variables), node)


def _parse_url(value: object) -> URL:
    url = read_url(value)
    if url is None:
        raise GraphQLError("URL takes an absolute http(s) address.")
    return url


def _whole_number(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    raise GraphQLError("BigInt cannot represent a value that is not a whole number.")


SCALARS: Mapping[object, ScalarDefinition] = {
    datetime: strawberry.scalar(
        name="DateTime",
        description="A moment in RFC 3339, UTC.",
        specified_by_url="https://scalars.graphql.org/andimarek/date-time.html",
        serialize=write_datetime,
        parse_value=_parse_datetime,
        parse_literal=_parse_written_datetime,
    ),
    URL: strawberry.scalar(
        name="URL",
        description="An absolute http(s) address, passed on unchanged.",
        specified_by_url="https://url.spec.whatwg.org/",
        serialize=str,
        parse_value=_parse_url,
    ),
    BigInt: strawberry.scalar(
        name="BigInt",
        description="A whole number that may exceed 32 bits: a size in bytes, a count.",
        serialize=_whole_number,
        parse_value=_whole_number,
    ),
}
