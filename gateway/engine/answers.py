"""Answers kept for who asks the same again, for as long as every document in them is the one that is kept, and fresh.

So a kept answer is what executing the operation would give; it is found by the operation and its variables.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from gateway.auth.caller import Caller
from gateway.cache.document import Tenure, holds
from gateway.cache.store import DocumentStore
from gateway.engine.operation import PreparedOperation
from gateway.graph.journal import Journal

DOCUMENT_PLACE = 8  # bytes that an answer spends on remembering a document


@dataclass(frozen=True, slots=True)
class Kept:
    """The bytes of an answer, the times of its least fresh and of its oldest document, and what keeps it true."""

    body: bytes
    fresh_until: float
    fetched_at: float
    changes: int
    documents: Sequence[Tenure]
    tenure: Tenure = field(default_factory=Tenure)

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.body) + DOCUMENT_PLACE * len(self.documents)


@dataclass(slots=True)
class Answers:
    """Keeps answers among the documents, within their bound in bytes: of queries, without errors or stale data."""

    store: DocumentStore

    def key(self, operation: PreparedOperation, variables: Mapping[str, Any] | None, caller: Caller) -> str:
        """Give the key of an answer: everything that it depends on but the documents."""
        given = msgspec.json.encode(variables).decode() if variables else ""
        return f"answer:{operation.serial}:{caller.rights}:{given}"

    def find(self, key: str, max_age: float) -> Kept | None:
        """Give an answer that is still true, and made of nothing that is older than `max_age` seconds."""
        kept: Kept | None = self.store.memory.peek(key)
        if kept is None or not self.is_true(kept):
            return None
        return kept if kept.fetched_at >= self.store.clock() - max_age else None

    def is_true(self, kept: Kept) -> bool:
        """Whether every document in an answer is the one that is kept, and fresh, and nothing was changed since."""
        if kept.changes != self.store.changes or not holds(kept.fetched_at, self.store.clock(), kept.fresh_until):
            return False
        return all(document.is_kept for document in kept.documents)

    def may_keep(self, journal: Journal) -> bool:
        """Whether an answer can be given again: it has documents, and each is kept, and fresh."""
        documents = journal.documents
        if journal.stale or not documents or not all(document.tenure.is_kept for document in documents):
            return False
        return self.store.clock() < journal.fresh_until < math.inf

    def keep(self, key: str, body: bytes, journal: Journal, changes: int) -> None:
        """Keep an answer, where it `may_keep` what the journal tells of; `changes` is from before it was made."""
        oldest = min(document.fetched_at for document in journal.documents)
        tenures = tuple(document.tenure for document in journal.documents)
        self.store.memory.put(key, Kept(body, journal.fresh_until, oldest, changes, tenures))
