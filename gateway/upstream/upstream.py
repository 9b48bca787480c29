"""One REST API behind one credential: calls it, keeps its documents, and names its failures."""

import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter
from typing import Any, TypeVar, overload

import httpx
import msgspec

from gateway.cache.document import Document, Kind, make_document, missing_document
from gateway.cache.flight import DocumentOrError, Waiting
from gateway.cache.store import DocumentStore
from gateway.errors import (
    UpstreamContract,
    UpstreamError,
    UpstreamNotFound,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from gateway.tallies import GIVEN_UP, STATUS_WORDS, CallTally, RouteTally
from gateway.telemetry import account
from gateway.upstream.channel import Answer, Channel
from gateway.upstream.characters import is_utf8, read_whole, whole
from gateway.upstream.credentials import Credential
from gateway.upstream.failures import Failures, failure_word, origin_of
from gateway.upstream.quota import Quota
from gateway.upstream.sender import Sender
from gateway.upstream.targets import Query, target_of

log = logging.getLogger("gateway.upstream")

T = TypeVar("T")
Fetch = Callable[[Sequence[str]], Awaitable[Mapping[str, bytes | UpstreamError]]]

_FAILURES = (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, httpx.CookieConflict)
UNREADABLE = (msgspec.MsgspecError, RecursionError)


def _content(body: Any) -> bytes | None:
    return None if body is None else msgspec.json.encode(body)


def _as_it_came(body: bytes) -> bytes:
    return body


def scope_of(key: str) -> str:
    """Give the scope that a cache key is of."""
    return key.split(":", 2)[1]


@dataclass(slots=True)
class Upstream:
    """Calls one API with one credential. Knows no paths.

    `name` is what errors and counters call it; `not_found_for` is seconds; `scope` tells apart, in cache keys, what
    another credential, address or project would be answered. `quota` is what is left of the credential's budget there;
    `tally` counts its calls.
    """

    name: str
    channel: Channel
    credential: Credential
    store: DocumentStore
    clock: Callable[[], float]
    sender: Sender
    not_found_for: float
    scope: str
    quota: Quota
    tally: CallTally = field(default_factory=CallTally)
    _scoped: dict[str, str] = field(default_factory=dict)

    @property
    def failures(self) -> Failures:
        """What makes its errors."""
        return self.sender.failures

    def get(self, kind: Kind, id_: str, path_: str, *, anew: bool = False, waiting: Waiting | None = None) -> Waiting:
        """Give the document of one GET to who is `waiting`: kept (unless `anew`), under way, or fetched now."""

        async def fly(keys: Sequence[str]) -> Mapping[str, DocumentOrError]:
            try:
                return {keys[0]: await self.sender.read(partial(self._request, "GET", path_, None, made))}
            except UpstreamError as error:
                return {keys[0]: self._outcome(kind, id_, error)}

        made, waiting = partial(self._made, kind, id_), waiting or Waiting()
        self.store.load(kind.name, {self.key(kind, id_): waiting}, fly, self.sender.late, anew=anew)
        return waiting

    def load(
        self, kind: Kind, waiting: Mapping[str, Waiting], fetch: Fetch, *, anew: bool = False, apart: str = ""
    ) -> None:
        """Give documents by their ids; `fetch` brings the bodies of those that are not at hand, in one go.

        With `anew` none is at hand but what is under way. What is loaded `apart` is nobody else's, and never stale: it
        may have become so.
        """
        keys = {self.key(kind, id_, apart): id_ for id_ in waiting}

        async def fly(wanted: Sequence[str]) -> Mapping[str, DocumentOrError]:
            return await self._fly(kind, {keys[key]: key for key in wanted}, fetch)

        asked = {key: waiting[id_] for key, id_ in keys.items()}
        self.store.load(kind.name, asked, fly, self.sender.late, anew=anew, takes_stale=not apart)

    def load_one(
        self,
        kind: Kind,
        id_: str,
        fetch: Fetch,
        waiting: Waiting | None,
        *,
        anew: bool = False,
        apart: str = "",
    ) -> Waiting:
        """Give one document likewise."""
        waiting = waiting or Waiting()
        self.load(kind, {id_: waiting}, fetch, anew=anew, apart=apart)
        return waiting

    @overload
    def call(
        self, method: str, path_: str, *, query: Query | None = None, body: Any = None
    ) -> Coroutine[Any, Any, bytes]: ...

    @overload
    def call(
        self, method: str, path_: str, *, query: Query | None = None, body: Any = None, read: Callable[[bytes], T]
    ) -> Coroutine[Any, Any, T]: ...

    def call(
        self,
        method: str,
        path_: str,
        *,
        query: Query | None = None,
        body: Any = None,
        read: Callable[[bytes], Any] = _as_it_came,
    ) -> Coroutine[Any, Any, Any]:
        """Make a call that changes nothing, and give what `read` makes of the body of its answer, when awaited.

        It is made again where that may help, also when `read` raises what `msgspec` does. Raises an UpstreamError for
        anything but a 2xx.
        """
        return self.sender.read(partial(self._request, method, target_of(path_, query), _content(body), read))

    async def change(self, method: str, path_: str, *, query: Query | None = None, body: Any = None) -> bytes:
        """Make a call that changes something, once. An error that leaves open whether it was done says so."""
        return await self.sender.change(partial(self._change, method, target_of(path_, query), _content(body)))

    async def _change(self, method: str, target: str, content: bytes | None) -> bytes:
        try:
            return await self._request(method, target, content, whole)
        except (UpstreamTimeout, UpstreamUnavailable, UpstreamContract) as error:
            if isinstance(error.__cause__, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout):
                raise  # it never left
            raise error.after_change() from error.__cause__

    async def _request(self, method: str, target: str, content: bytes | None, read: Callable[[bytes], T]) -> T:
        """Make one request, where the quota has one, and read its answer; count it, whatever becomes of it.

        Raises an UpstreamError.
        """
        self.quota.admit()
        caused_by = account.get()
        if caused_by is not None:
            caused_by.calls[self.name] += 1
        route, outcome, began = self.tally.of(method, target), GIVEN_UP, perf_counter()
        route.under_way += 1
        try:
            answer = await self.channel.send(method, target, content)
            outcome = STATUS_WORDS[answer.status]
        except Exception as error:
            outcome = failure_word(error)
            if not isinstance(error, _FAILURES):
                raise
            raise self._noted(route, outcome, self.failures.of(error), origin_of(error)) from error
        finally:
            seconds = perf_counter() - began
            if caused_by is not None:
                caused_by.seconds[self.name] += seconds
            route.end(outcome, seconds)
            if log.isEnabledFor(logging.DEBUG):
                self._log_call(route, outcome, seconds)
        self.quota.learn(answer)
        return self._read(route, outcome, answer, read)

    def _log_call(self, route: RouteTally, outcome: str, seconds: float) -> None:
        fields = {"api": self.name, "method": route.method, "route": route.route, "outcome": outcome}
        log.debug("upstream call", extra={**fields, "ms": round(seconds * 1_000, 3)})

    def _read(self, route: RouteTally, outcome: str, answer: Answer, read: Callable[[bytes], T]) -> T:
        """Read a whole answer. Raises an UpstreamError."""
        if not 200 <= answer.status < 300:  # noqa: PLR2004 - HTTP's 2xx
            raise self._noted(route, outcome, self.failures.of_answer(answer))
        if not (answer.body.isascii() or is_utf8(answer.body)):
            raise self._noted(route, outcome, self.failures.broken_contract(is_transient=True))
        try:
            return read_whole(read, answer.body)
        except UNREADABLE as error:
            is_damaged = type(error) is msgspec.DecodeError  # what has another shape has it next time too
            raise self._noted(route, outcome, self.failures.broken_contract(is_transient=is_damaged)) from error

    def key(self, kind: Kind, id_: str, apart: str = "") -> str:
        """Give the cache key of a document: scoped by credential, so that two tenants never meet.

        One that is kept `apart`, for some only, has a key with that before the id, which must hold no slash then.
        """
        prefix = self.store.generations.prefix(self._scoped.get(kind.name) or self._scope(kind))
        return f"{prefix}{apart}/{id_}" if apart else prefix + id_

    def peek(self, kind: Kind, id_: str, apart: str = "") -> Document | None:
        """Give a document that is at hand and fresh, without calling and without waiting.

        Where nothing is kept, no key is made to find that out.
        """
        return self.store.peek(self.key(kind, id_, apart)) if self.store.memory.used_bytes else None

    def document(self, kind: Kind, id_: str, body: bytes) -> Document:
        """Make a document of a body that came as part of another answer. Raises UpstreamContract when it is none."""
        outcome = self._outcome(kind, id_, body)
        if isinstance(outcome, UpstreamError):
            raise outcome
        return outcome

    async def keep(self, kind: Kind, document: Document) -> None:
        """Keep a document that came by another way than being asked for."""
        await self.store.keep(self.key(kind, document.id), document)

    def adopt(self, kind: Kind, part: Document) -> Document:
        """Keep a part of another document likewise, in this process alone, and give what it is then."""
        return self.store.adopt(self.key(kind, part.id), part)

    async def drop(self, kind: Kind, id_: str) -> None:
        """Forget a document that has changed."""
        await self.store.drop(self.key(kind, id_))

    async def forget(self, kind: Kind, id_: str) -> None:
        """Forget a document that may be out of date; answers made of it live on for as long as it would."""
        await self.store.forget(self.key(kind, id_))

    def drop_all(self, kind: Kind) -> None:
        """Forget every document of a kind; those under way are not kept either."""
        self.store.drop_all(self._scope(kind))

    def _scope(self, kind: Kind) -> str:
        scoped = self._scoped[kind.name] = f"{self.name}:{self.scope}:{kind.name}"
        return scoped

    async def _fly(self, kind: Kind, keys: Mapping[str, str], fetch: Fetch) -> Mapping[str, DocumentOrError]:
        bodies: Mapping[str, bytes | UpstreamError]
        try:
            bodies = await fetch(list(keys))
        except UpstreamError as error:
            bodies = dict.fromkeys(keys, error)
        except UNREADABLE:
            bodies = dict.fromkeys(keys, self.broken_contract())
        return {key: self._outcome(kind, id_, bodies[id_]) for id_, key in keys.items()}

    def _outcome(self, kind: Kind, id_: str, body: bytes | UpstreamError) -> DocumentOrError:
        if isinstance(body, UpstreamNotFound):
            return missing_document(kind, id_, self.clock(), self.not_found_for)
        if isinstance(body, UpstreamError):
            return body
        try:
            return self._made(kind, id_, body)
        except UNREADABLE:
            return self.broken_contract()

    def _made(self, kind: Kind, id_: str, body: bytes) -> Document:
        if kind.is_nothing(body):
            return missing_document(kind, id_, self.clock(), self.not_found_for)
        return make_document(kind, id_, body, self.clock())

    def not_found(self, what: str) -> UpstreamNotFound:
        """Make the error of a document that the upstream does not have."""
        return self.failures.not_found(what)

    def broken_contract(self) -> UpstreamContract:
        """Make the error of an answer that is not what the upstream promises."""
        return self.failures.broken_contract()

    def _noted(self, route: RouteTally, outcome: str, error: UpstreamError, origin: str | None = None) -> UpstreamError:
        fields = {"api": self.name, "method": route.method, "route": route.route, "code": error.code}
        fields |= {"outcome": outcome} | ({} if origin is None else {"error": origin})
        level = logging.INFO if isinstance(error, UpstreamNotFound) else logging.WARNING  # any client causes the former
        log.log(level, "%s failed: %s", self.failures.title, error.code, extra=fields)
        return error
