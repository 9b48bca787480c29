"""Whole answers kept for who asks the same again: as fresh as their least fresh document, gone with any change."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from gateway.cache.document import Document
from gateway.cache.store import DocumentStore
from gateway.graph.journal import Journal


@dataclass(slots=True)
class Answers:
    """Keeps the data of answers among the documents, within their bound in bytes.

    `scope` tells apart what another credential would be answered. Neither errors nor stale data nor changes are kept.
    """

    store: DocumentStore
    scope: str

    def key(self, text: str, operation_name: str | None, variables: Mapping[str, Any] | None) -> str:
        """Give the key of an answer: everything that it depends on but the documents."""
        given = msgspec.json.encode(variables).decode() if variables else ""
        return f"answer:{self.scope}:{self.store.changes}:{operation_name}:{given}:{text}"

    def find(self, key: str, journal: Journal) -> msgspec.Raw | None:
        """Give the data of an answer that is still fresh."""
        kept = self.store.peek(key)
        return None if kept is None else msgspec.Raw(journal.serve(kept).body)

    async def keep(self, key: str, data: msgspec.Raw, journal: Journal) -> None:
        """Keep the data of an answer for as long as every document in it is fresh; one without documents is not."""
        now = self.store.clock()
        if not journal.errors and not journal.stale and now < journal.fresh_until < math.inf:
            until = journal.fresh_until
            await self.store.keep(key, Document("answer", "", bytes(data), now, until, until))
