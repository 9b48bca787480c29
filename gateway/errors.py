"""Every failure a client can see.

GatewayError
  · BadRequest                BAD_REQUEST               an operation that cannot be taken in this way
  · BadUserInput              BAD_USER_INPUT
  · Unauthenticated           UNAUTHENTICATED           nobody is let in by what the request brought
  · Forbidden                 FORBIDDEN                 it is known who asks, and they may not
  · CannotIdentify            AUTHENTICATION_UNAVAILABLE  nobody can be let in for now; `retryable`
  · LimitExceeded             LIMIT_EXCEEDED            one more is more than the gateway holds; `retryable`, unless
                                                        it is AskedTooMuch, more than a single request may ask
  · RateLimited               RATE_LIMITED              it is asked too often, or for too much within a minute;
                                                        `retryable`, and `retryAfter` says when
  · Overloaded                OVERLOADED                more comes in than can be answered; `retryable`, `retryAfter`
  · ShuttingDown              SHUTTING_DOWN             it ends here and goes on elsewhere; `retryable`
  · UpstreamError             (carries upstream, status, retryable, retryAfter)
      - UpstreamNotFound      NOT_FOUND                 it does not exist, or is not ours to see
      - UpstreamRejected      UPSTREAM_REJECTED         it understood the request and will not do it
      - UpstreamRateLimited   UPSTREAM_RATE_LIMITED     it wants fewer requests; `retryAfter` says when
      - UpstreamUnavailable   UPSTREAM_UNAVAILABLE      it could not be reached, or failed
      - UpstreamTimeout       UPSTREAM_TIMEOUT          it did not answer in time
      - UpstreamContract      UPSTREAM_CONTRACT         it answered something that it does not promise

Anything else that fails is a bug of the gateway: INTERNAL_SERVER_ERROR, masked for the client and logged. What
GraphQL itself refuses is GRAPHQL_PARSE_FAILED, GRAPHQL_VALIDATION_FAILED, OPERATION_RESOLUTION_FAILURE or, for
variables, BAD_USER_INPUT; what is no GraphQL request at all is BAD_REQUEST, and one that may have been made by another
site's page, or for another host, is FORBIDDEN. Of a document that is known by its id, PERSISTED_QUERY_NOT_FOUND says
that it must be sent whole, PERSISTED_QUERY_NOT_SUPPORTED that it always must; where only trusted ones are executed,
PERSISTED_QUERY_NOT_IN_LIST and QUERY_NOT_IN_SAFELIST refuse an id or a text.
"""

from typing import Any, ClassVar, Self

PARSE_FAILED = "GRAPHQL_PARSE_FAILED"
VALIDATION_FAILED = "GRAPHQL_VALIDATION_FAILED"
NO_OPERATION = "OPERATION_RESOLUTION_FAILURE"
INTERNAL = "INTERNAL_SERVER_ERROR"
FAILED_HERE = "The gateway failed here; its log tells more under this requestId."  # all that a client is told of a bug
BAD_REQUEST = "BAD_REQUEST"
FORBIDDEN = "FORBIDDEN"
NOT_PERSISTED = "PERSISTED_QUERY_NOT_FOUND"
NOT_PERSISTING = "PERSISTED_QUERY_NOT_SUPPORTED"
NO_TRUSTED_ID = "PERSISTED_QUERY_NOT_IN_LIST"
NO_TRUSTED_TEXT = "QUERY_NOT_IN_SAFELIST"


class GatewayError(Exception):
    """A failure with a message for the client and a code for its program.

    `retryable` says whether the same request may succeed later; None where that is no question.
    """

    code: ClassVar[str] = INTERNAL
    retryable: ClassVar[bool | None] = None

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    @property
    def extensions(self) -> dict[str, Any]:
        """What stands under `extensions` of the GraphQL error."""
        return {"code": self.code} if self.retryable is None else {"code": self.code, "retryable": self.retryable}


class Unauthenticated(GatewayError):
    """Nobody is let in by what a request brought; the message says what is taken, and shows nothing of it."""

    code = "UNAUTHENTICATED"

    def __init__(self, message: str, *, was_given: bool = True) -> None:
        super().__init__(message)
        self.was_given = was_given  # whether the request brought anything at all to be let in by


class Forbidden(GatewayError):
    """It is known who asks, and they may not: another credential may, the same one never will.

    For a field the message names the scopes that it takes.
    """

    code = FORBIDDEN


class CannotIdentify(GatewayError):
    """What is needed to know who asks cannot be had: the credential may be good. `retry_after` is in seconds."""

    code = "AUTHENTICATION_UNAVAILABLE"
    retryable = True

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after

    @property
    def extensions(self) -> dict[str, Any]:
        """When to come again, as `retryAfter`."""
        return {**super().extensions, "retryAfter": self.retry_after}


class BadRequest(GatewayError):
    """An operation that cannot be taken in the way it was sent: the message says which way takes it."""

    code = BAD_REQUEST


class BadUserInput(GatewayError):
    """An argument that cannot mean anything: the message says which, why, and what is taken."""

    code = "BAD_USER_INPUT"


class LimitExceeded(GatewayError):
    """One more than the gateway holds at once: the message says of what, and how many."""

    code = "LIMIT_EXCEEDED"
    retryable = True


class AskedTooMuch(LimitExceeded):
    """More than one request may ask: names the setting, its value, and what was asked where that was counted."""

    retryable = False

    def __init__(self, limit: str, most: int, asked: int | None = None) -> None:
        self.limit = f"GATEWAY_MAX_{limit.upper()}"
        self.most = most
        self.asked = asked
        found = "more" if asked is None else f"{asked:,}"
        super().__init__(f"This is too much: {limit.replace('_', ' ')} may be {most:,} at most, and here are {found}.")

    @property
    def extensions(self) -> dict[str, Any]:
        """The limit by its setting's name, its value as `most`, and `asked` where that was counted to its end."""
        counted = {} if self.asked is None else {"asked": self.asked}
        return {**super().extensions, "limit": self.limit, "most": self.most, **counted}


class RateLimited(GatewayError):
    """More than a caller, or a tenant, may do in a minute: names the setting, its value, what is left of it, and when.

    `retry_after` is in whole seconds, as HTTP's header of that name is.
    """

    code = "RATE_LIMITED"
    retryable = True

    def __init__(self, limit: str, most: int, asked: int, remaining: int, retry_after: int) -> None:
        self.name = limit
        self.limit = f"GATEWAY_RATE_{limit.upper()}"
        self.most = most
        self.remaining = remaining
        self.retry_after = retry_after
        what = limit.replace("_", " ")
        super().__init__(
            f"This is too much for now: {what} may be {most:,} a minute, of which {remaining:,} are left, and here are "
            f"{asked:,}. Try again in {retry_after} s."
        )

    @property
    def extensions(self) -> dict[str, Any]:
        """The limit by its setting's name, its value as `most`, its `window` and `retryAfter` in seconds."""
        return {
            **super().extensions,
            "limit": self.limit,
            "most": self.most,
            "window": 60,
            "remaining": self.remaining,
            "retryAfter": self.retry_after,
        }


class Overloaded(GatewayError):
    """More comes in than can be answered in time: the request was not looked at, and may be sent again."""

    code = "OVERLOADED"
    retryable = True
    retry_after: ClassVar[int] = 1  # seconds; by then it is over, or as many as now have to be refused

    def __init__(self) -> None:
        super().__init__("The gateway has too much to do; ask again later, or elsewhere.")

    @property
    def extensions(self) -> dict[str, Any]:
        """Code and retryable, and `retryAfter` in seconds."""
        return {**super().extensions, "retryAfter": self.retry_after}


class ShuttingDown(GatewayError):
    """The gateway ends: a subscription is not complete, and goes on when it is asked for again, elsewhere."""

    code = "SHUTTING_DOWN"
    retryable = True

    def __init__(self) -> None:
        super().__init__("The gateway is shutting down; subscribe again.")


class UpstreamError(GatewayError):
    """One of the REST APIs did not give what was asked of it.

    `upstream` is its name; `status` the HTTP status, where it answered; `retry_after` is in seconds. One that
    `is_transient` may be gone at once, so that a read is tried again before anybody hears of it.
    """

    retryable: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        upstream: str,
        status: int | None = None,
        retry_after: float | None = None,
        is_transient: bool = False,
    ) -> None:
        super().__init__(message)
        self.may_be_retried = self.retryable
        self.upstream = upstream
        self.status = status
        self.retry_after = retry_after
        self.is_transient = is_transient

    def after_change(self) -> Self:
        """Say of a change that it may have been made, so that no program makes it twice."""
        self.may_be_retried = False
        self.message = f"{self.message} Whether the change was made is unknown."
        return self

    @property
    def extensions(self) -> dict[str, Any]:
        """Code, upstream and retryable always; upstreamStatus and retryAfter where the upstream gave them."""
        known = {"upstreamStatus": self.status, "retryAfter": self.retry_after}
        return {
            "code": self.code,
            "upstream": self.upstream,
            "retryable": self.may_be_retried,
            **{key: value for key, value in known.items() if value is not None},
        }


class UpstreamNotFound(UpstreamError):
    """404 or 410: no such thing, or not for this credential."""

    code = "NOT_FOUND"


class UpstreamRejected(UpstreamError):
    """Any other 4xx: the same request will be refused again."""

    code = "UPSTREAM_REJECTED"


class UpstreamRateLimited(UpstreamError):
    """429: too many requests, or too many jobs at once."""

    code = "UPSTREAM_RATE_LIMITED"
    retryable = True


class UpstreamUnavailable(UpstreamError):
    """No connection, a broken one, or a 5xx."""

    code = "UPSTREAM_UNAVAILABLE"
    retryable = True


class UpstreamTimeout(UpstreamError):
    """No answer in time; 408 and 504 too."""

    code = "UPSTREAM_TIMEOUT"
    retryable = True


class UpstreamContract(UpstreamError):
    """An answer that breaks the upstream's own contract: no JSON, another shape, a redirect."""

    code = "UPSTREAM_CONTRACT"
    retryable = True
