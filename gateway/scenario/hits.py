"""What Scenario's search finds: ids alone, as a hit tells less than an asset, and may be behind it."""

from collections.abc import Sequence
from typing import Any

import msgspec

from gateway.cache.document import Document


class _Answer(msgspec.Struct, rename="camel"):
    hits: list[Any]
    estimated_total_hits: Any = None
    total_hits: Any = None


class Hits(msgspec.Struct):
    """One page: each hit's id, None for one that has none; the ids of those that say themselves that they bear the tag.

    And the offset of the next page, if there is one; and when each was made, as Scenario says it.
    """

    ids: Sequence[str | None]
    bearers: Sequence[str]
    next_offset: int | None
    created: Sequence[Any] = ()


def found_in(offset: int, limit: int, spellings: Sequence[str], body: bytes) -> bytes:
    """Keep of an answer what is read of it. Raises a `msgspec.MsgspecError` for one that has no hits."""
    answer = msgspec.json.decode(body, type=_Answer)
    hits = [hit if isinstance(hit, dict) else {} for hit in answer.hits]
    ids = [id_ if isinstance(id_ := hit.get("id"), str) else None for hit in hits]
    bearers = [id_ for id_, hit in zip(ids, hits, strict=True) if id_ and bears(hit.get("tags"), spellings)]
    end = offset + len(ids)
    total = answer.total_hits if answer.estimated_total_hits is None else answer.estimated_total_hits
    has_more = end < total if isinstance(total, int | float) else len(ids) >= limit
    created = [hit.get("createdAt") for hit in hits]
    return msgspec.json.encode(Hits(ids, bearers, end if ids and has_more else None, created))


def bears(tags: object, spellings: Sequence[str]) -> bool:
    """Whether one of the spellings of a tag is among some, to the letter, which search does not promise."""
    return isinstance(tags, list) and any(spelling in tags for spelling in spellings)


def hits_of(page: Document) -> Hits:
    """Read a page of hits as it is kept."""
    known: Hits | None = page.made.get("hits")
    if known is None:
        known = page.made["hits"] = msgspec.json.decode(page.body, type=Hits)
    return known
