"""Answers as HTTP has them: their status, what caches are told of them, and how they are made smaller."""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from gateway.auth.caller import Gate
from gateway.engine.answer import Answer
from gateway.http import caching, compression
from gateway.http.negotiation import WholeType
from gateway.http.refusal import Refusal, rate_headers
from gateway.http.reply import GUARDS, Header, Reply, refused
from gateway.http.request import Request
from gateway.rates.rates import Rates


@dataclass(frozen=True, slots=True)
class Writing:
    """Writes whole answers, and refusals.

    `compress_from` is the size in bytes of the smallest that is compressed, 0 compresses none; `repeats` says whether a
    reply tells how long it may be given again, which it may as long as the `gate` admits who asked; their `rates` count
    each time. `clock` gives Unix seconds. An answer that `tells_rates` is never repeated.
    """

    compress_from: int
    repeats: bool
    gate: Gate
    rates: Rates
    clock: Callable[[], float]
    tells_rates: bool

    def is_compressed(self, answer: Answer) -> bool:
        """Whether an answer is long enough to be compressed for who takes that."""
        return 0 < self.compress_from <= len(answer.body)

    def plain(self, request: Request, answer: Answer, type_: WholeType) -> Reply:
        """Write an answer as one of this type, not compressed."""
        status = 200 if answer.executed else type_.refused
        headers = [(b"content-type", type_.content_type), *GUARDS]
        if self.tells_rates:
            headers += self._rates_of(request)
        if not caching.is_wanted(request.method, request.headers):
            return Reply(status, answer.body, headers, self._repeated_while(request, answer))
        kept = caching.headers_of(answer, self.clock(), request.caller)
        if caching.is_known(request.headers, kept):
            varies = [compression.VARY] if self.is_compressed(answer) else []
            return Reply(304, b"", [*kept, *varies, *(self._rates_of(request) if self.tells_rates else ())])
        return Reply(status, answer.body, headers + kept)

    async def whole(self, request: Request, answer: Answer, type_: WholeType) -> Reply:
        """Write an answer as one of this type, compressed where it is long and the client takes that."""
        reply = self.plain(request, answer, type_)
        if not reply.body or not self.is_compressed(answer):
            return reply
        body = await compression.compressed(reply.body, request.headers.get(b"accept-encoding"), reply.headers)
        return msgspec.structs.replace(reply, body=body)

    def refusal(self, request: Request, refusal: Refusal, type_: WholeType | None) -> Reply:
        """Write why a request is not executed; who was let in is told what is left of their requests, too."""
        reply = refused(refusal, type_, request.id)
        if not self.tells_rates or b"ratelimit" in refusal.headers or not hasattr(request, "caller"):
            return reply
        return msgspec.structs.replace(reply, headers=reply.headers + self._rates_of(request))

    def _repeated_while(self, request: Request, answer: Answer) -> Callable[[], bool] | None:
        is_true = answer.is_true
        if is_true is None or not self.repeats or self.tells_rates:
            return None
        admits, takes, caller = self.gate.admits, self.rates.takes, request.caller
        return lambda: is_true() and admits(caller) and takes(caller)

    def _rates_of(self, request: Request) -> list[Header]:
        left = self.rates.left(request.caller)["requests"]
        return [] if left is None else rate_headers("requests", left.most, left.remaining, left.seconds)
