"""Enums that an upstream owns, and may therefore extend without telling."""

from enum import Enum
from typing import Any, Self

import strawberry

from gateway.telemetry import drift


class UpstreamEnum(Enum):
    """An enum whose values are the upstream's spelling and whose names are GraphQL's.

    A value never seen before is UNKNOWN, counted and logged once.
    """

    @classmethod
    def _missing_(cls, value: object) -> Self:
        drift.note(cls.__name__, value)
        return cls["UNKNOWN"]


def value(upstream: str, description: str) -> Any:
    """A member: the upstream's spelling and one sentence."""
    return strawberry.enum_value(upstream, description=description)


def unknown() -> Any:
    """The member that stands for whatever this graph does not know."""
    return value("unknown", "A value that this graph does not know; the upstream may be newer.")
