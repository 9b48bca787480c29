"""A channel whose calls are counted and timed, by route and by how they ended."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter

import httpx

from gateway.tallies import CallTally, status_word
from gateway.telemetry import count_seconds
from gateway.upstream.channel import NO_HEADERS, Answer, Channel

log = logging.getLogger("gateway.upstream")

# In this order: some are kinds of others.
_FAILURES: tuple[tuple[type[Exception], str], ...] = (
    (httpx.TimeoutException, "timeout"),
    (httpx.ConnectError, "unreachable"),
    (httpx.DecodingError, "unreadable"),
    (httpx.RemoteProtocolError, "unreadable"),
    (httpx.TransportError, "broken off"),
)


@dataclass(slots=True)
class ObservedChannel:
    """Passes on to another; each attempt at a call is one, and `name` says whose they are."""

    name: str
    channel: Channel
    tally: CallTally

    async def send(
        self, method: str, target: str, content: bytes | None, headers: Mapping[str, str] = NO_HEADERS
    ) -> Answer:
        """Make one request. Raises what the other channel does."""
        tally = self.tally.of(method, target)
        self.tally.under_way += 1
        outcome, began = "given up", perf_counter()
        try:
            answer = await self.channel.send(method, target, content, headers)
            outcome = status_word(answer.status)
        except Exception as error:
            outcome = failure_word(error)
            raise
        finally:
            seconds = perf_counter() - began
            self.tally.under_way -= 1
            tally.end(outcome, seconds)
            count_seconds(self.name, seconds)
            if log.isEnabledFor(logging.DEBUG):
                fields = {"api": self.name, "method": method, "route": tally.route, "outcome": outcome}
                log.debug("upstream call", extra={**fields, "ms": round(seconds * 1_000, 3)})
        return answer

    async def close(self) -> None:
        """Close the other channel."""
        await self.channel.close()


def failure_word(error: Exception) -> str:
    """Say in a word what became of a call that had no answer."""
    return next((word for kind, word in _FAILURES if isinstance(error, kind)), "not sent")
