"""The order of a page of assets, by which a place in it is found again though others came or went before it."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from gateway.graph.ids import write_base64url
from gateway.graph.paging import Order
from gateway.graph.scalars import read_datetime
from gateway.scenario.kinds import Index

MARK_LENGTH = 8
MAX_MOMENT_LENGTH = 40


@lru_cache(maxsize=4_096)
def mark_of(asset_id: str) -> str:
    """Stand for an asset in a cursor, in eight letters."""
    return write_base64url(hashlib.blake2b(asset_id.encode(), digest_size=6).digest())


@dataclass(frozen=True, slots=True)
class AssetOrder:
    """Assets by their `moments`, as Scenario says them; of an asset its mark is told, and its moment."""

    ids: Sequence[str | None]
    moments: Sequence[Any]
    descending: bool

    def tell(self, place: int) -> str | None:
        """Tell of the asset at a place; None where it has no id, or nothing that may be a moment."""
        id_, moment = self.ids[place], self.moments[place]
        if id_ is None or not isinstance(moment, str) or len(moment) > MAX_MOMENT_LENGTH or not moment.isascii():
            return None
        return f"{mark_of(id_)}{moment}"

    def place_after(self, last: str, skip: int) -> int:
        """The place after an asset, whether it is still on the page or not.

        It is the old one where the asset stands there still. Of others of its moment those before it are passed over.
        """
        mark, moment = last[:MARK_LENGTH], read_datetime(last[MARK_LENGTH:])
        if moment is None or self._is_at(skip - 1, mark):
            return skip
        moments = [read_datetime(one) for one in self.moments]
        same = [place for place, one in enumerate(moments) if one == moment]
        passed = next((place for place in same if self._is_at(place, mark)), -1)
        after = 0
        for place, one in enumerate(moments):
            if one is not None and not (place <= passed or self._is_before(one, moment)):
                break
            after = after if one is None else place + 1
        return after

    def _is_at(self, place: int, mark: str) -> bool:
        id_ = self.ids[place] if 0 <= place < len(self.ids) else None
        return id_ is not None and mark_of(id_) == mark

    def _is_before(self, one: datetime, other: datetime) -> bool:
        return one > other if self.descending else one < other


@dataclass(frozen=True, slots=True)
class UnknownOrder:
    """Assets in an order that nobody tells: of one its mark is told, which leads to it while it is on the page."""

    ids: Sequence[str | None]

    def tell(self, place: int) -> str | None:
        """Tell of the asset at a place; None where it has no id."""
        id_ = self.ids[place]
        return None if id_ is None else mark_of(id_)

    def place_after(self, last: str, skip: int) -> int:
        """The place after an asset; where it is gone, the one after those that came before it."""
        places = (at + 1 for at, id_ in enumerate(self.ids) if id_ is not None and mark_of(id_) == last)
        return next(places, max(skip - 1, 0))


def order_of(index: Index, by: str | None, direction: str | None) -> Order:
    """The order in which a page was asked for, in Scenario's words; unknown where that was left to Scenario."""
    if by is None:
        return UnknownOrder(index.ids)
    return AssetOrder(index.ids, index.created if by == "createdAt" else index.updated, direction == "desc")
