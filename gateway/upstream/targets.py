"""What a request is sent to: ids as segments of a path, and query strings."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from urllib.parse import quote, quote_plus

Query = Mapping[str, str | int | bool | Sequence[str] | None]

LONGEST_REMEMBERED = 1_024  # characters; clients send tags and cursors of any length

_UNRESERVED = re.compile(r"[A-Za-z0-9_-]+")


def segment(id_: str) -> str:
    """Write an id as one segment of a path, percent-encoded whole, so that it can lead to no other route."""
    if _UNRESERVED.fullmatch(id_):
        return id_
    # Dots alone would be a step up the path.
    return quote(id_, safe="") if id_.strip(".") else "%2E" * len(id_)


def encode_query(query: Query) -> str:
    """Write a query string: lists joined by commas, booleans in words, None left out; keys are written as they are."""
    return "&".join([f"{key}={_quoted(_word(value))}" for key, value in query.items() if value is not None])


_remembered = lru_cache(maxsize=1_024)(quote_plus)  # which takes ten times as long as finding it here


def _quoted(word: str) -> str:
    return _remembered(word) if len(word) <= LONGEST_REMEMBERED else quote_plus(word)


def _word(value: str | int | bool | Sequence[str] | None) -> str:  # noqa: FBT001 - a value, not a switch
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, (str, int)) else ",".join(value or ())


def target_of(path_: str, query: Query | None) -> str:
    """Write what a request is sent to: a path, and a query where it says anything."""
    return f"{path_}?{encoded}" if query and (encoded := encode_query(query)) else path_
