"""Who asks, and what they have left: the one part of the graph that is about the caller, and comes from no upstream."""

from datetime import UTC, datetime

import strawberry

from gateway.auth.caller import Caller
from gateway.rates.meter import MINUTE
from gateway.rates.rates import Left, Rates


@strawberry.type(description="What is left of a limit, as the gateway knows it now.")
class Allowance:
    limit: int = strawberry.field(description="How much may be taken in any window.")
    remaining: int = strawberry.field(description="How much is left now.")
    window: int = strawberry.field(description="How long the window is, in seconds.")


@strawberry.type(description="Who asks, as the gateway sees them, and what they have left. No cache keeps it.")
class Viewer:
    id: strawberry.ID = strawberry.field(description="What tells callers apart; it is no secret.")
    tenant: str = strawberry.field(description="Whose credentials the upstreams are asked with.")
    scopes: list[str] = strawberry.field(description="What the caller may do; `*` is everything.")
    expires_at: datetime | None = strawberry.field(
        description="Until when the caller is let in; null where that does not end by itself."
    )
    requests: Allowance | None = strawberry.field(description="Requests; null where any number may be made.")
    upstream_calls: Allowance | None = strawberry.field(
        description="Upstream calls, of which those that operations could still make count as made; null likewise."
    )
    objects: Allowance | None = strawberry.field(description="Objects in answers that were not kept; null likewise.")
    tenant_requests: Allowance | None = strawberry.field(
        description="Requests of all callers of the tenant together; null likewise."
    )


def viewer_of(caller: Caller, rates: Rates) -> Viewer:
    """See a caller as they are now."""
    left = {name: _allowance(one) for name, one in rates.left(caller).items()}
    return Viewer(
        id=strawberry.ID(caller.id),
        tenant=caller.tenant,
        scopes=sorted(caller.scopes),
        expires_at=_end(caller.expires_at),
        **left,
    )


def _end(moment: float) -> datetime | None:
    """Give when somebody's time ends; what is past the year 9999, where calendars end, is meant for never."""
    try:
        return datetime.fromtimestamp(moment, UTC)
    except (OverflowError, ValueError):
        return None


def _allowance(left: Left | None) -> Allowance | None:
    return None if left is None else Allowance(limit=left.most, remaining=left.remaining, window=int(MINUTE))
