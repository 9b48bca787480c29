"""The first cache tier: aiocache in memory, bounded in bytes, least recently used out first."""

from collections import OrderedDict
from typing import Any, Protocol

from aiocache.base import BaseCache
from aiocache.serializers import NullSerializer

from gateway.cache.document import Tenure

WIDEST = 4  # bytes that Python spends on each character of a text that has an emoji; keys of answers hold variables
ENTRY_OVERHEAD = 600  # bytes that Python spends on a key, a Document and their places: measured with tracemalloc


class Entry(Protocol):
    """What can be kept: a document, or what is made of some. `size` is in bytes."""

    @property
    def size(self) -> int:
        """How many bytes it takes."""

    @property
    def tenure(self) -> Tenure:
        """Is told when it is kept, and when no more."""


class BoundedMemoryCache(BaseCache):
    """Documents and the like by key, at most `max_bytes` of them together; a larger one is not kept.

    Times are the documents' own, so `ttl` is ignored: whoever reads one asks it.
    """

    NAME = "bounded-memory"

    def __init__(self, max_bytes: int) -> None:
        super().__init__(serializer=NullSerializer(), timeout=0)
        self.max_bytes = max_bytes
        self.used_bytes = 0
        self._entries: OrderedDict[str, Entry] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    @staticmethod
    def weigh(key: str, entry: Entry) -> int:
        """Give the bytes that an entry counts for."""
        return (len(key) if key.isascii() else len(key) * WIDEST) + entry.size + ENTRY_OVERHEAD

    def peek(self, key: str) -> Any:
        """Give what is kept under a key, or None; at once, where `get` does aiocache's own bookkeeping first."""
        entry = self._entries.get(key)
        if entry is not None:
            self._entries.move_to_end(key)
        return entry

    def put(self, key: str, entry: Entry) -> bool:
        """Keep something at once, as `set` does; False for what is too large."""
        if not self.max_bytes:
            return False  # nothing is kept, so that nothing need be weighed
        self.remove(key)
        weight = self.weigh(key, entry)
        if weight > self.max_bytes:
            return False
        while self.used_bytes + weight > self.max_bytes:
            self.remove(next(iter(self._entries)))
        self._entries[key] = entry
        self.used_bytes += weight
        entry.tenure.begin()
        return True

    def remove(self, key: str) -> int:
        """Forget something at once, as `delete` does; the number of those that there were."""
        entry = self._entries.pop(key, None)
        if entry is None:
            return 0
        self.used_bytes -= self.weigh(key, entry)
        entry.tenure.end()
        return 1

    async def _get(self, key: str, encoding: str = "utf-8", _conn: Any = None) -> Any:
        return self.peek(key)

    async def _set(
        self, key: str, value: Entry, ttl: float | None = None, _cas_token: Any = None, _conn: Any = None
    ) -> bool:
        return self.put(key, value)

    async def _delete(self, key: str, _conn: Any = None) -> int:
        return self.remove(key)

    async def _exists(self, key: str, _conn: Any = None) -> bool:
        return key in self._entries

    async def _clear(self, namespace: str | None = None, _conn: Any = None) -> bool:
        for key in [key for key in self._entries if key.startswith(namespace or "")]:
            self.remove(key)
        return True
