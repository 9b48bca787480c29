"""One REST API behind one credential: calls it, keeps its documents, and names its failures."""

import logging
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import msgspec

from gateway.cache.document import Document, Kind, make_document, missing_document
from gateway.cache.flight import Outcome, Waiting
from gateway.cache.store import DocumentStore
from gateway.errors import (
    UpstreamContract,
    UpstreamError,
    UpstreamNotFound,
    UpstreamRateLimited,
    UpstreamRejected,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from gateway.tallies import CallTally
from gateway.telemetry import count_call
from gateway.upstream.answers import read_message, read_retry_after
from gateway.upstream.channel import Answer, Channel
from gateway.upstream.credentials import Credential

log = logging.getLogger("gateway.upstream")

Query = Mapping[str, str | int | bool | Sequence[str] | None]
Fetch = Callable[[Sequence[str]], Awaitable[Mapping[str, bytes | UpstreamError]]]

_BY_STATUS: Mapping[int, type[UpstreamError]] = {
    404: UpstreamNotFound,
    408: UpstreamTimeout,
    410: UpstreamNotFound,
    429: UpstreamRateLimited,
    504: UpstreamTimeout,
}
_FAILURES = (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, httpx.CookieConflict)
_UNRESERVED = re.compile(r"[A-Za-z0-9_-]+")
UNREADABLE = (msgspec.MsgspecError, RecursionError)


def path(template: str, *ids: str) -> str:
    """Put ids into a path, percent-encoded whole, so that none of them can lead to another route."""
    return template.format(*map(_segment, ids))


def _segment(id_: str) -> str:
    if _UNRESERVED.fullmatch(id_):
        return id_
    # Dots alone would be a step up the path.
    return quote(id_, safe="") if id_.strip(".") else "%2E" * len(id_)


def encode_query(query: Query) -> str:
    """Write a query string: lists joined by commas, booleans in words, None left out."""
    return urlencode({key: _word(value) for key, value in query.items() if value is not None})


def _word(value: str | int | bool | Sequence[str] | None) -> str:  # noqa: FBT001 - a value, not a switch
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int) else ",".join(value or ())


def _is_utf8(body: bytes) -> bool:
    if body.isascii():
        return True
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def scope_of(key: str) -> str:
    """Give the scope that a cache key is of."""
    return key.split(":", 2)[1]


@dataclass(slots=True)
class Upstream:
    """Calls one API with one credential. Knows no paths.

    `name` is what errors and counters call it, `title` what people do; `timeout`, which the channel keeps to, and
    `not_found_for` are seconds; `scope` tells apart, in cache keys, what another credential, address or project would
    be answered; `tally` counts its calls.
    """

    name: str
    title: str
    channel: Channel
    credential: Credential
    store: DocumentStore
    clock: Callable[[], float]
    timeout: float
    not_found_for: float
    scope: str
    tally: CallTally = field(default_factory=CallTally)
    _generations: Counter[str] = field(default_factory=Counter)
    _prefixes: dict[str, str] = field(default_factory=dict)

    def get(self, kind: Kind, id_: str, path_: str, *, anew: bool = False, waiting: Waiting | None = None) -> Waiting:
        """Give the document of one GET to who is `waiting`: kept (unless `anew`), under way, or fetched now."""

        async def fly(keys: Sequence[str]) -> Mapping[str, Outcome]:
            try:
                body: bytes | UpstreamError = await self.call("GET", path_)
            except UpstreamError as error:
                body = error
            return {keys[0]: self._outcome(kind, id_, body)}

        waiting = waiting or Waiting()
        bring = self.store.refresh if anew else self.store.load
        bring({self.key(kind, id_): waiting}, fly)
        return waiting

    def load(self, kind: Kind, waiting: Mapping[str, Waiting], fetch: Fetch, *, anew: bool = False) -> None:
        """Give documents by their ids; `fetch` brings the bodies of those that are not at hand, in one go.

        With `anew` none is at hand but what is under way.
        """
        keys = {self.key(kind, id_): id_ for id_ in waiting}

        async def fly(wanted: Sequence[str]) -> Mapping[str, Outcome]:
            return await self._fly(kind, {keys[key]: key for key in wanted}, fetch)

        bring = self.store.refresh if anew else self.store.load
        bring({key: waiting[id_] for key, id_ in keys.items()}, fly)

    def load_one(
        self, kind: Kind, id_: str, fetch: Fetch, waiting: Waiting | None = None, *, anew: bool = False
    ) -> Waiting:
        """Give one document likewise."""
        waiting = waiting or Waiting()
        self.load(kind, {id_: waiting}, fetch, anew=anew)
        return waiting

    async def call(self, method: str, path_: str, *, query: Query | None = None, body: Any = None) -> bytes:
        """Make one call and give the body of its answer. Raises an UpstreamError for anything but a 2xx."""
        count_call(self.name)
        url = f"{path_}?{encoded}" if query and (encoded := encode_query(query)) else path_
        try:
            content = None if body is None else msgspec.json.encode(body)
            answer = await self.channel.send(method, url, content)
        except _FAILURES as error:
            raise self._noted(method, path_, self._failure(error)) from error
        if not 200 <= answer.status < 300:  # noqa: PLR2004 - HTTP's 2xx
            raise self._noted(method, path_, self._refusal(answer))
        if not _is_utf8(answer.body):
            raise self._noted(method, path_, self.broken_contract())
        return answer.body

    async def change(self, method: str, path_: str, *, query: Query | None = None, body: Any = None) -> bytes:
        """Make a call that changes something, once. An error that leaves open whether it was done says so."""
        try:
            return await self.call(method, path_, query=query, body=body)
        except (UpstreamTimeout, UpstreamUnavailable, UpstreamContract) as error:
            if isinstance(error.__cause__, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout):
                raise  # it never left
            raise error.after_change() from error.__cause__

    def key(self, kind: Kind, id_: str) -> str:
        """Give the cache key of a document: scoped by credential, so that two tenants never meet."""
        prefix = self._prefixes.get(kind.name)
        if prefix is None:
            generation = self._generations[kind.name]
            prefix = self._prefixes[kind.name] = f"{self.name}:{self.scope}:{kind.name}:{generation}:"
        return prefix + id_

    def peek(self, kind: Kind, id_: str) -> Document | None:
        """Give a document that is at hand and fresh, without calling and without waiting."""
        return self.store.peek(self.key(kind, id_))

    def document(self, kind: Kind, id_: str, body: bytes) -> Document:
        """Make a document of a body that came as part of another answer. Raises UpstreamContract when it is none."""
        outcome = self._outcome(kind, id_, body)
        if isinstance(outcome, UpstreamError):
            raise outcome
        return outcome

    async def keep(self, kind: Kind, document: Document) -> None:
        """Keep a document that came by another way than being asked for."""
        await self.store.keep(self.key(kind, document.id), document)

    async def drop(self, kind: Kind, id_: str) -> None:
        """Forget a document that has changed."""
        await self.store.drop(self.key(kind, id_))

    async def forget(self, kind: Kind, id_: str) -> None:
        """Forget a document that may be out of date; answers made of it live on for as long as it would."""
        await self.store.forget(self.key(kind, id_))

    def drop_all(self, kind: Kind) -> None:
        """Forget every document of a kind; those under way are not kept either."""
        self.store.changes += 1
        self._generations[kind.name] += 1
        self._prefixes.pop(kind.name, None)

    async def _fly(self, kind: Kind, keys: Mapping[str, str], fetch: Fetch) -> Mapping[str, Outcome]:
        bodies: Mapping[str, bytes | UpstreamError]
        try:
            bodies = await fetch(list(keys))
        except UpstreamError as error:
            bodies = dict.fromkeys(keys, error)
        except UNREADABLE:
            bodies = dict.fromkeys(keys, self.broken_contract())
        return {key: self._outcome(kind, id_, bodies[id_]) for id_, key in keys.items()}

    def _outcome(self, kind: Kind, id_: str, body: bytes | UpstreamError) -> Outcome:
        now = self.clock()
        if isinstance(body, UpstreamNotFound):
            return missing_document(kind, id_, now, self.not_found_for)
        if isinstance(body, UpstreamError):
            return body
        try:
            return make_document(kind, id_, body, now)
        except UNREADABLE:
            return self.broken_contract()

    def not_found(self, what: str) -> UpstreamNotFound:
        """Make the error of a document that the upstream does not have."""
        return UpstreamNotFound(f"{self.title} has no {what}.", upstream=self.name, status=404)

    def broken_contract(self) -> UpstreamContract:
        """Make the error of an answer that is not what the upstream promises."""
        return UpstreamContract(f"{self.title} answered something else than the JSON it promises.", upstream=self.name)

    def _failure(self, error: Exception) -> UpstreamError:
        match error:
            case httpx.TimeoutException():
                return UpstreamTimeout(f"{self.title} did not answer within {self.timeout:g} s.", upstream=self.name)
            case httpx.InvalidURL():
                return UpstreamRejected(f"{self.title} takes no address as long as this needs.", upstream=self.name)
            case httpx.DecodingError() | httpx.TooManyRedirects():
                return self.broken_contract()
        return UpstreamUnavailable(f"{self.title} could not be reached.", upstream=self.name)

    def _refusal(self, answer: Answer) -> UpstreamError:
        status = answer.status
        fallback = UpstreamContract if status < 400 else UpstreamRejected if status < 500 else UpstreamUnavailable  # noqa: PLR2004
        said = read_message(answer.body, self.credential.secrets) if 400 <= status < 500 else None  # noqa: PLR2004
        return _BY_STATUS.get(status, fallback)(
            f"{self.title} answered {status}: {said}" if said else f"{self.title} answered {status}.",
            upstream=self.name,
            status=status,
            retry_after=read_retry_after(answer.headers, self.clock()),
        )

    def _noted(self, method: str, path_: str, error: UpstreamError) -> UpstreamError:
        route = self.tally.of(method, path_).route
        fields = {"api": self.name, "method": method, "route": route, "code": error.code}
        log.warning("%s failed: %s", self.title, error.code, extra=fields)
        return error
