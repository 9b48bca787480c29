"""What an endpoint is made with, and what it hands on to those who answer with a stream or in parts."""

import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from starlette.types import Receive, Send

from gateway.auth.caller import ANYONE, Caller
from gateway.context import Context
from gateway.engine.answer import Answer, Asked
from gateway.engine.incremental import Form
from gateway.http.door import Door
from gateway.http.negotiation import StreamType
from gateway.http.operation import Operation
from gateway.http.request import Request
from gateway.limits import RequestLimits


class MakeContext(Protocol):
    """Makes what lives as long as one request of a caller."""

    def __call__(
        self,
        request_id: str,
        caller: Caller = ANYONE,
        *,
        max_age: float = math.inf,
        wait: float = math.inf,
        is_traced: bool = False,
    ) -> Context:
        """Nothing kept is taken that is older than `max_age` seconds, and nothing waited for longer than `wait`.

        One that `is_traced` tells where data is from.
        """


@dataclass(frozen=True, slots=True)
class Options:
    """What an operator decides about answers.

    `page` is what a browser sees, None refuses it; `compress_from` is the size in bytes of the smallest answer that is
    compressed, 0 compresses none; `refreshes` says whether a client's `Cache-Control` reaches the gateway's own cache,
    and `repeats` whether an answer says how long it may be repeated to the same bytes; `limits` bound a request, and
    `door` says who may make one; `tells_rates` says whether each answer tells what is left of its caller's requests.
    """

    page: str | None = None
    compress_from: int = 0
    refreshes: bool = True
    repeats: bool = False
    limits: RequestLimits = field(default_factory=RequestLimits)
    door: Door = field(default_factory=Door)
    tells_rates: bool = False


@dataclass(frozen=True, slots=True)
class Streamed:
    """An operation whose answer is a stream of this type; `request.is_safe` says that it may only read."""

    request: Request
    operation: Operation
    type: StreamType


@dataclass(frozen=True, slots=True)
class Deferred:
    """What is asked by a client that takes an answer in parts of this form, and maybe as a whole, too."""

    request: Request
    asked: Asked
    make_context: Callable[[], Context]
    form: Form
    takes_whole: bool


# What answers with a stream. It raises Refusal, NoOperation or ReadsOnly before it has sent anything.
Stream = Callable[[Streamed, Receive, Send], Awaitable[None]]
# What answers in parts, or gives the whole answer that is to be sent. It raises what the engine does.
InParts = Callable[[Deferred, Receive, Send], Awaitable[Answer | None]]
