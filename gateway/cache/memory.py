"""The first cache tier: aiocache in memory, bounded in bytes, least recently used out first."""

from collections import OrderedDict
from typing import Any

from aiocache.base import BaseCache
from aiocache.serializers import NullSerializer

from gateway.cache.document import Document

ENTRY_OVERHEAD = 600  # bytes that Python spends on a key, a Document and their places: measured with tracemalloc


class BoundedMemoryCache(BaseCache):
    """Documents by key, at most `max_bytes` of them together; a larger one is not kept.

    Times are the documents' own, so `ttl` is ignored: whoever reads one asks it.
    """

    NAME = "bounded-memory"

    def __init__(self, max_bytes: int) -> None:
        super().__init__(serializer=NullSerializer(), timeout=0)
        self.max_bytes = max_bytes
        self.used_bytes = 0
        self._entries: OrderedDict[str, Document] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    @staticmethod
    def weigh(key: str, document: Document) -> int:
        """Give the bytes that an entry counts for."""
        return len(key) + document.size + ENTRY_OVERHEAD

    def peek(self, key: str) -> Document | None:
        """Give a document at once, as `get` does after aiocache's own bookkeeping."""
        document = self._entries.get(key)
        if document is not None:
            self._entries.move_to_end(key)
        return document

    async def _get(self, key: str, encoding: str = "utf-8", _conn: Any = None) -> Document | None:
        return self.peek(key)

    async def _set(
        self, key: str, value: Document, ttl: float | None = None, _cas_token: Any = None, _conn: Any = None
    ) -> bool:
        self._drop(key)
        weight = self.weigh(key, value)
        if weight > self.max_bytes:
            return False
        while self.used_bytes + weight > self.max_bytes:
            self._drop(next(iter(self._entries)))
        self._entries[key] = value
        self.used_bytes += weight
        return True

    async def _delete(self, key: str, _conn: Any = None) -> int:
        return self._drop(key)

    async def _exists(self, key: str, _conn: Any = None) -> bool:
        return key in self._entries

    async def _clear(self, namespace: str | None = None, _conn: Any = None) -> bool:
        for key in [key for key in self._entries if key.startswith(namespace or "")]:
            self._drop(key)
        return True

    def _drop(self, key: str) -> int:
        document = self._entries.pop(key, None)
        if document is None:
            return 0
        self.used_bytes -= self.weigh(key, document)
        return 1
