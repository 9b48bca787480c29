"""What an operator decides about how upstreams are called."""

from dataclasses import dataclass

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one request may take: seconds until its answer is there, and until a connection is; and bytes that come.

    `connections` may be open at once. `head_bytes` are all that is no body, `body_bytes` are counted as they come and
    as they are unpacked.
    """

    timeout: float = 10.0
    connect_timeout: float = 2.0
    connections: int = 100
    head_bytes: int = 64 * 1024
    body_bytes: int = 16 * MIB


@dataclass(frozen=True, slots=True)
class Policy:
    """How often, and when, a read is tried again, and when an upstream is left alone.

    A read is made again up to `retries` times, while those are at most `retry_share` of the recent calls. It is slow
    when it takes longer than is usual, and than `slow_from` seconds; then another is made in its place, or beside it
    where it `hedges`. The breaker opens for `breaker_rest` seconds when a `breaker_share` of the last `breaker_calls`
    requests failed; 0 never opens it. Of `in_flight` requests at once none is more, and fewer are while they take long.
    """

    retries: int
    retry_share: float
    hedges: bool
    slow_from: float
    breaker_calls: int
    breaker_share: float
    breaker_rest: float
    in_flight: int
