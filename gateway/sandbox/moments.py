"""Dates and ids in the forms that the upstreams write them."""

from datetime import UTC, datetime
from random import Random

BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
HEX = "0123456789abcdef"

MINUTE = 60.0
HOUR = 60 * MINUTE
DAY = 24 * HOUR


def utc(moment: float) -> datetime:
    """The date of a moment in epoch seconds."""
    return datetime.fromtimestamp(moment, UTC)


def iso(moment: float) -> str:
    """`2026-03-01T12:00:00.000Z`: milliseconds and Z, so that dates sort as strings."""
    return utc(moment).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def epoch(date: str) -> float:
    """Epoch seconds of an ISO date, UTC where it names no zone; ValueError for anything else."""
    parsed = datetime.fromisoformat(date)
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()


def key(rng: Random, prefix: str = "", length: int = 22) -> str:
    """An opaque id such as `asset_GTrL3mq4SXWyMxkHRxpw4a`."""
    return prefix + "".join(rng.choices(BASE58, k=length))


def hexadecimal(rng: Random) -> str:
    """An opaque id of 32 lower-case hexadecimal digits."""
    return "".join(rng.choices(HEX, k=32))
