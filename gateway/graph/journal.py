"""What one request notes while it is answered: upstream calls, stale documents, and errors beside data."""

import asyncio
import math
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec
from graphql import GraphQLError
from graphql.pyutils import Path

from gateway.auth.caller import ANYONE, Caller
from gateway.cache.document import Document
from gateway.cache.flight import DocumentOrError
from gateway.errors import GatewayError
from gateway.limits import CostLimits

MOST = CostLimits()

now_at: ContextVar[Path | None] = ContextVar("now_at", default=None)


@dataclass(slots=True)
class Trace:
    """The documents that an answer is made of, by kind and id, and the paths of the fields that asked for each."""

    documents: dict[tuple[str, str], Document] = field(default_factory=dict)
    paths: dict[tuple[str, str], dict[tuple[str | int, ...], None]] = field(default_factory=dict)

    def note(self, document: Document) -> None:
        """Note a document at the path that is resolved now."""
        key = document.kind, document.id
        self.documents[key] = document
        paths = self.paths.setdefault(key, {})
        path = now_at.get()
        if path is not None:
            paths[tuple(path.as_list())] = None

    def report(self, started: float, now: float) -> list[dict[str, Any]]:
        """Tell of each document where it came from, its age in seconds, and until when it is fresh."""
        return [
            {
                "document": kind,
                "id": id_,
                "source": "cache" if document.fetched_at < started else "upstream",
                "age": int(now - document.fetched_at),
                "expiresAt": _timestamp(document.fresh_until),
                "paths": list(self.paths[kind, id_]),
            }
            for (kind, id_), document in self.documents.items()
        ]


def _timestamp(moment: float) -> str | None:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if math.isfinite(moment) else None


class Journal(msgspec.Struct):
    """Belongs to one request of a `caller`, who may cause so much at `most`, and ends with its answer.

    With a `trace` it notes every document. So many `expected_calls` are on the caller's account.
    """

    request_id: str
    calls: dict[str, int]
    clock: Callable[[], float]
    reports_calls: bool = False
    caller: Caller = ANYONE
    most: CostLimits = MOST
    expected_calls: int = 0
    loop: asyncio.AbstractEventLoop = msgspec.field(default_factory=asyncio.get_running_loop)
    errors: list[GraphQLError] = []
    started: float = 0.0
    fresh_until: float = math.inf
    documents: list[Document] = []
    stale: dict[tuple[str, str], float] = {}
    trace: Trace | None = None

    def __post_init__(self) -> None:
        self.started = self.clock()

    @property
    def is_blank(self) -> bool:
        """Whether nothing was loaded and nothing noted: the answer depends on what it was asked with alone."""
        return not (self.documents or self.calls or self.errors or self.trace)

    def document(self, outcome: DocumentOrError) -> Document:
        """Take the document out of an outcome, noting it when it is stale. Raises the error that it is instead."""
        if not isinstance(outcome, Document):
            raise outcome
        self.serve(outcome)
        if outcome.fetched_at < self.started and not outcome.is_fresh(now := self.clock()):
            self.stale[outcome.kind, outcome.id] = now - outcome.fetched_at
        return outcome

    def serve(self, document: Document, *, is_named: bool = True) -> None:
        """Note a document that the answer is made of: it is as fresh as the least fresh of them.

        Of one that is not named the caller is not to know what it is of.
        """
        self.documents.append(document)
        if document.fresh_until < self.fresh_until:
            self.fresh_until = document.fresh_until
        if self.trace is not None and is_named:
            self.trace.note(document)

    def end_freshness(self) -> None:
        """Note that the answer holds what is true of this caller and this moment alone, so nobody keeps it."""
        self.fresh_until = -math.inf

    def add_error(self, error: GatewayError, path: list[str | int]) -> None:
        """Report an error at a path that has data all the same: a page cut short."""
        self.errors.append(GraphQLError(error.message, path=path, original_error=error))

    def extensions_without_calls(self) -> dict[str, Any]:
        """What would belong there if every document had been at hand, and fresh."""
        return {"upstreamCalls": {}} if self.reports_calls else {}

    def extensions(self) -> dict[str, Any]:
        """What belongs under `extensions` of the answer: freshness of documents, where noted, and upstream calls."""
        noted: dict[str, Any] = {}
        if self.stale or self.trace is not None:
            noted["freshness"] = self._freshness()
        if self.reports_calls:
            noted["upstreamCalls"] = self.calls
        return noted

    def _freshness(self) -> dict[str, Any]:
        freshness: dict[str, Any] = {}
        if self.trace is not None:
            freshness["expiresAt"] = _timestamp(self.fresh_until)
            freshness["documents"] = self.trace.report(self.started, self.clock())
        if self.stale:
            freshness["stale"] = [
                {"document": kind, "id": id_, "age": int(age)} for (kind, id_), age in self.stale.items()
            ]
        return freshness
