"""What a client makes of an answer in parts, by the rules of either form, and what it would not let pass."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Merged:
    """An answer so far. `failed` says whether a part of it is null though its parent is not."""

    data: Any = None
    errors: list[Any] = field(default_factory=list)
    extensions: dict[str, Any] = field(default_factory=dict)
    failed: bool = False
    has_next: bool = True
    pending: dict[str, Any] = field(default_factory=dict)

    def take(self, part: dict[str, Any]) -> None:
        """Take in the next part; the first has `data`."""
        assert self.has_next
        self.has_next = part["hasNext"]
        self.extensions |= part.get("extensions", {})
        if "data" in part:
            self.data = part["data"]
            self.errors += part.get("errors", ())
        for pending in part.get("pending", ()):
            self.pending[pending["id"]] = pending
        for piece in part.get("incremental", ()):
            self._take_piece(piece)
        for completed in part.get("completed", ()):
            self.failed = self.failed or "errors" in completed
            self.errors += completed.get("errors", ())
            del self.pending[completed["id"]]
        assert self.has_next or not self.pending

    def _take_piece(self, piece: dict[str, Any]) -> None:
        self.errors += piece.get("errors", ())
        kind = "items" if "items" in piece else "data"
        if piece[kind] is None:
            self.failed = True
            return
        if "id" in piece:
            path = [*self.pending[piece["id"]]["path"], *piece.get("subPath", ())]
            value = (
                {len(at(self.data, path)) + i: item for i, item in enumerate(piece[kind])} if kind == "items" else None
            )
        elif kind == "items":
            *path, start = piece["path"]
            value = dict(enumerate(piece[kind], start))
        else:
            path, value = piece["path"], None
        merge(at(self.data, path), piece[kind] if value is None else value)


def at(data: Any, path: Sequence[str | int]) -> Any:
    """What stands at a path."""
    for key in path:
        data = data[key]
    return data


def merge(into: Any, value: Any) -> None:
    """Put a value into one that may have some of it; what both have must be the same."""
    keys = enumerate(value) if isinstance(value, list) else value.items()
    for key, item in keys:
        if isinstance(into, list) and key == len(into):
            into.append(item)
        elif isinstance(into, dict) and key not in into:
            into[key] = item
        elif isinstance(item, (dict, list)):
            merge(into[key], item)
        else:
            assert into[key] == item


def merged(parts: Sequence[dict[str, Any]]) -> Merged:
    """Take in all parts of an answer."""
    answer = Merged()
    for part in parts:
        answer.take(part)
    assert not answer.has_next
    return answer
