"""What the failures of an upstream are called, and which of them may be gone when the same is asked again."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import httpx

from gateway.errors import (
    UpstreamContract,
    UpstreamError,
    UpstreamNotFound,
    UpstreamRateLimited,
    UpstreamRejected,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from gateway.upstream.channel import Answer
from gateway.upstream.decoding import TooLarge
from gateway.upstream.refusals import read_message, read_retry_after

_BY_STATUS: Mapping[int, type[UpstreamError]] = {
    404: UpstreamNotFound,
    408: UpstreamTimeout,
    410: UpstreamNotFound,
    429: UpstreamRateLimited,
    504: UpstreamTimeout,
}
_TRANSIENT = frozenset({408, 429, 500, 502, 503, 504})
# In this order: some are kinds of others.
_WORDS: tuple[tuple[type[Exception], str], ...] = (
    (httpx.TimeoutException, "timeout"),
    (httpx.ConnectError, "unreachable"),
    (httpx.DecodingError, "unreadable"),
    (httpx.RemoteProtocolError, "unreadable"),
    (httpx.TransportError, "broken off"),
)


@dataclass(frozen=True, slots=True)
class Failures:
    """Makes the errors of one upstream, whose `title` people know; `timeout` is the seconds that a request has."""

    name: str
    title: str
    timeout: float
    secrets: Iterable[str] = field(repr=False)
    clock: Callable[[], float]

    def not_found(self, what: str) -> UpstreamNotFound:
        """The upstream does not have a document."""
        return UpstreamNotFound(f"{self.title} has no {what}.", upstream=self.name, status=404)

    def broken_contract(self, *, is_transient: bool = False) -> UpstreamContract:
        """An answer is not what the upstream promises; one that was damaged on the way `is_transient`."""
        message = f"{self.title} answered something else than the JSON it promises."
        return UpstreamContract(message, upstream=self.name, is_transient=is_transient)

    def late(self) -> UpstreamTimeout:
        """The operation's deadline has passed."""
        return UpstreamTimeout(f"{self.title} did not answer before the operation's deadline.", upstream=self.name)

    def left_alone(self, seconds: float) -> UpstreamUnavailable:
        """The breaker is open, for so many seconds."""
        message = f"{self.title} failed too often just now, and was not asked."
        return UpstreamUnavailable(message, upstream=self.name, retry_after=round(seconds, 1))

    def shed(self) -> UpstreamUnavailable:
        """Too many calls are waiting for the upstream already."""
        message = f"{self.title} is asked more than it can answer, and was not asked this."
        return UpstreamUnavailable(message, upstream=self.name, retry_after=1.0)

    def of(self, error: Exception) -> UpstreamError:
        """No answer came, for a reason in httpx's words."""
        match error:
            case httpx.TimeoutException():
                message = f"{self.title} did not answer within {self.timeout:g} s."
                return UpstreamTimeout(message, upstream=self.name, is_transient=True)
            case httpx.InvalidURL():
                return UpstreamRejected(f"{self.title} takes no address as long as this needs.", upstream=self.name)
            case TooLarge():
                message = f"{self.title} answered more than the gateway takes."
                return UpstreamContract(message, upstream=self.name)
            case httpx.DecodingError() | httpx.TooManyRedirects():
                return self.broken_contract(is_transient=isinstance(error, httpx.DecodingError))
        return UpstreamUnavailable(f"{self.title} could not be reached.", upstream=self.name, is_transient=True)

    def of_answer(self, answer: Answer) -> UpstreamError:
        """The upstream answered with no success. Whether to ask again it may say itself, by `x-should-retry`."""
        status, should_retry = answer.status, answer.headers.get("x-should-retry")
        fallback = UpstreamContract if status < 400 else UpstreamRejected if status < 500 else UpstreamUnavailable  # noqa: PLR2004 - HTTP's classes
        said = read_message(answer.body, self.secrets) if 400 <= status < 500 else None  # noqa: PLR2004 - the same
        return _BY_STATUS.get(status, fallback)(
            f"{self.title} answered {status}: {said}" if said else f"{self.title} answered {status}.",
            upstream=self.name,
            status=status,
            retry_after=read_retry_after(answer.headers, self.clock()),
            is_transient=status in _TRANSIENT if should_retry not in ("true", "false") else should_retry == "true",
        )


def origin_of(error: BaseException) -> str:
    """Name the kind of error that one comes from in the end, such as `gaierror` where a name is unknown."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return type(error).__name__


def failure_word(error: Exception) -> str:
    """Say in a word what became of a call that had no answer."""
    return next((word for kind, word in _WORDS if isinstance(error, kind)), "not sent")
