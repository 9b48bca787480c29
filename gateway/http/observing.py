"""Requests looked at one by one, for operators who ask for it: a log of each, `Server-Timing`, and traces.

Nothing of this is in the way of a request otherwise. What is looked at goes by ASGI, and is not repeated unparsed.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field
from time import perf_counter
from typing import Literal, Protocol

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.auth.caller import Caller
from gateway.engine.subscriptions import AnswerStream
from gateway.http.answering import Answering
from gateway.http.operation import Operation
from gateway.http.request import joined
from gateway.tallies import OperationTally, Outcome
from gateway.telemetry import account

log = logging.getLogger("gateway.requests")


@dataclass(slots=True)
class ObservedRequest:
    """One request, as far as it has come: over HTTP with its status, or over WebSocket without."""

    protocol: Literal["http", "websocket"]
    method: str | None = None
    request_id: str | None = None
    status: int | None = None
    tally: OperationTally | None = None
    outcome: Outcome | None = None
    began: float = field(default_factory=perf_counter)

    @property
    def seconds(self) -> float:
        """How long it takes so far."""
        return perf_counter() - self.began


class Tracer(Protocol):
    """Traces requests."""

    def request(self, observed: ObservedRequest, headers: Mapping[str, str]) -> AbstractContextManager[object]:
        """Enter what lasts as long as a request does."""


_observed: ContextVar[ObservedRequest | None] = ContextVar("observed", default=None)


def observe(tally: OperationTally, outcome: Outcome, _seconds: float) -> None:
    """Take note of what the request under way asked for, and how that ended: what tallies `observe`."""
    observed = _observed.get()
    if observed is not None:
        observed.tally, observed.outcome = tally, outcome


@dataclass(frozen=True, slots=True)
class Observer:
    """What is done about each request: it is logged, clients are told how long it took, or it is traced."""

    logs: bool = False
    times: bool = False
    tracer: Tracer | None = None

    @property
    def is_wanted(self) -> bool:
        """Whether anything is."""
        return self.logs or self.times or self.tracer is not None

    @contextmanager
    def over(self, observed: ObservedRequest, headers: Mapping[str, str]) -> Iterator[None]:
        """Look at a request from its beginning to its end."""
        _observed.set(observed)
        account.set(None)  # this request's own is opened when there is something to execute
        with nullcontext() if self.tracer is None else self.tracer.request(observed, headers):
            try:
                yield
            finally:
                if self.logs:
                    _log(observed)


@dataclass(frozen=True, slots=True)
class ObservedEndpoint:
    """An endpoint over HTTP whose requests are looked at."""

    app: ASGIApp
    observer: Observer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        observed = ObservedRequest("http", scope["method"])

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                observed.status = message["status"]
                observed.request_id = dict(message["headers"]).get(b"x-request-id", b"").decode()
                if self.observer.times:
                    message = {**message, "headers": [*message["headers"], (b"server-timing", _timing(observed))]}
            await send(message)

        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in joined(scope["headers"]).items()}
        with self.observer.over(observed, headers):
            await self.app(scope, receive, sent)


@dataclass(frozen=True)
class ObservedAnswering(Answering):
    """Answers operations over WebSocket, each looked at until it is answered, or its stream is open."""

    observer: Observer

    async def open(
        self, operation: Operation, request_id: str, caller: Caller, *, reads_only: bool = False
    ) -> AnswerStream | bytes:
        """Answer as the other does."""
        with self.observer.over(ObservedRequest("websocket", request_id=request_id), {}):
            return await Answering.open(self, operation, request_id, caller, reads_only=reads_only)


def _timing(observed: ObservedRequest) -> bytes:
    """Write milliseconds: in all, and of this request's own calls to each upstream, which may be at the same time."""
    parts = [f"total;dur={observed.seconds * 1_000:.3f}"]
    caused = account.get()
    if caused is not None:
        for api, seconds in caused.seconds.items():
            parts.append(f'{api};dur={seconds * 1_000:.3f};desc="{caused.calls.get(api, 0)} calls"')
    return ", ".join(parts).encode()


def _log(observed: ObservedRequest) -> None:
    fields: dict[str, object] = {"protocol": observed.protocol, "request_id": observed.request_id}
    if observed.status is not None:
        fields |= {"method": observed.method, "status": observed.status}
    if observed.tally is not None and observed.outcome is not None:
        fields |= {"operation": observed.tally.name, "kind": observed.tally.kind}
        fields["outcome"] = observed.outcome.name.lower()
    log.info("request", extra={**fields, "ms": round(observed.seconds * 1_000, 3)})
