"""What one request notes while it is answered: upstream calls, stale documents, and errors beside data."""

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from graphql import GraphQLError

from gateway.cache.document import Document
from gateway.cache.flight import Outcome
from gateway.errors import GatewayError


@dataclass(slots=True)
class Journal:
    """Belongs to one request and ends with its answer."""

    request_id: str
    calls: Counter[str]
    clock: Callable[[], float]
    reports_calls: bool = False
    errors: list[GraphQLError] = field(default_factory=list)
    started: float = field(init=False)
    fresh_until: float = math.inf
    stale: dict[tuple[str, str], float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.started = self.clock()

    def document(self, outcome: Outcome) -> Document:
        """Take the document out of an outcome, noting it when it is stale. Raises the error that it is instead."""
        if isinstance(outcome, GatewayError):
            raise outcome
        self.serve(outcome)
        now = self.clock()
        if outcome.fetched_at < self.started and not outcome.is_fresh(now):
            self.stale[outcome.kind, outcome.id] = now - outcome.fetched_at
        return outcome

    def serve(self, document: Document) -> Document:
        """Note a document that the answer is made of: it is as fresh as the least fresh of them."""
        self.fresh_until = min(self.fresh_until, document.fresh_until)
        return document

    def add_error(self, error: GatewayError, path: list[str | int]) -> None:
        """Report an error at a path that has data all the same: a page cut short."""
        self.errors.append(GraphQLError(error.message, path=path, original_error=error))

    def extensions(self) -> dict[str, Any]:
        """What belongs under `extensions` of the answer: stale documents with their age in seconds, upstream calls."""
        noted: dict[str, Any] = {}
        if self.stale:
            stale = [{"document": kind, "id": id_, "age": int(age)} for (kind, id_), age in self.stale.items()]
            noted["freshness"] = {"stale": stale}
        if self.reports_calls:
            noted["upstreamCalls"] = dict(self.calls)
        return noted
