"""Makes the calls of one upstream: admitted, counted, timed, and where they only read, tried again.

Own code, where libraries stop short: stamina and tenacity take 30 to 60 µs a call that succeeds, as much as the call
itself, and know neither a budget that calls share nor a deadline that moves; purgatory and aiobreaker open after so
many failures in a row, and let everybody in when they try again.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from gateway.alarms import Alarms
from gateway.deadline import Deadline, handed_down, until
from gateway.errors import UpstreamContract, UpstreamError, UpstreamRateLimited, UpstreamTimeout, UpstreamUnavailable
from gateway.upstream.breaker import Breaker
from gateway.upstream.budget import RetryBudget
from gateway.upstream.failures import Failures
from gateway.upstream.health import Health
from gateway.upstream.latency import Latency
from gateway.upstream.lateness import Lateness
from gateway.upstream.policy import Policy
from gateway.upstream.slots import Slots

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0  # seconds, of which a pause is any share at random
A_MOMENT = 0.01  # seconds by which timers may be early

T = TypeVar("T")
Request = Callable[[], Coroutine[Any, Any, T]]  # makes one request; raises an UpstreamError


class _GivenUp(Exception):
    """An attempt was slow, and another may be made in its place."""


@dataclass(slots=True, weakref_slot=True, eq=False)
class Sender:
    """Knows how the upstream does, and so whether to ask it, how long to wait, and whether to ask again.

    Who asks may be several, with several deadlines, which end their waiting by themselves; here they decide only what
    is still worth beginning.
    """

    failures: Failures
    policy: Policy
    health: Health
    _breaker: Breaker = field(init=False)
    _budget: RetryBudget = field(init=False)
    _latency: Latency = field(init=False)
    _slots: Slots = field(init=False)
    _alarms: Alarms = field(default_factory=Alarms)
    _loop: asyncio.AbstractEventLoop | None = None

    def __post_init__(self) -> None:
        its, health = self.policy, self.health
        calls = its.breaker_calls
        self._breaker = Breaker(self.failures.name, calls, its.breaker_share, its.breaker_rest, health)
        self._budget = RetryBudget(its.retry_share, health)
        self._latency = Latency(its.slow_from)
        self._slots = Slots(its.in_flight, health, self._latency)

    async def read(self, request: Request[T]) -> T:
        """Make a request that changes nothing, and make it again where that may help. Raises an UpstreamError."""
        loop, deadline, tried = self._loop or self._running_loop(), handed_down(), 1
        self.health.calls += 1
        self._budget.count(loop.time())
        while True:
            try:
                return await self._attempt(request, loop, deadline, tried)
            except _GivenUp:
                self.health.retries += 1
            except UpstreamError as error:
                pause = self._pause_after(error, tried)
                if pause is None or not self._may_take(loop.time(), pause, deadline):
                    raise
                self.health.retries += 1
                await asyncio.sleep(pause)
            tried += 1

    async def change(self, request: Request[T]) -> T:
        """Make a request that changes something, once. Raises an UpstreamError.

        Whoever is cancelled meanwhile goes when it has ended: what was sent is seen through.
        """
        loop, deadline = self._running_loop(), handed_down()
        self.health.calls += 1
        if deadline.at <= loop.time():
            raise self.late()
        admission = self._admit(loop)
        if not self._slots.take():
            await self.in_time(self._turn(loop, deadline, admission))
        sent = loop.create_task(self._timed(request, loop, deadline, admission))
        sent.add_done_callback(_noticed)
        try:
            async with until(deadline):
                return await asyncio.shield(sent)
        except TimeoutError:
            sent.cancel()
            raise self.late().after_change() from None
        except asyncio.CancelledError:
            await asyncio.wait([sent])
            raise

    async def in_time(self, awaited: Awaitable[T]) -> T:
        """Wait until the deadline, for who is ended by nobody else. Raises UpstreamTimeout then."""
        try:
            async with until(handed_down()):
                return await awaited
        except TimeoutError:
            raise self.late() from None

    def late(self) -> UpstreamError:
        """Make the error of a call that came to nothing before an operation's deadline, and count it."""
        self.health.too_late += 1
        return self.failures.late()

    async def _attempt(self, request: Request[T], loop: asyncio.AbstractEventLoop, deadline: Deadline, tried: int) -> T:
        """Make one request. Raises _GivenUp where it was slow and may be made again."""
        admission = self._admit(loop)
        if not self._slots.take():
            await self._turn(loop, deadline, admission)
        if tried > self.policy.retries:
            return await self._timed(request, loop, deadline, admission)
        slow = self._latency.slow * 2 ** (tried - 1)
        late = Lateness(
            loop,
            self._alarms,
            slow,
            partial(self._may_replace, loop, deadline, slow),
            partial(self._attempt, request, loop, deadline, tried + 1) if self.policy.hedges else None,
        )
        try:
            return await self._timed(request, loop, deadline, admission, late)
        except UpstreamError:
            if late.other is None:
                raise
            return await late.rest()
        except asyncio.CancelledError:
            if not late.is_behind():
                raise
            if late.other is not None:
                return late.other.result()
            self.health.given_up += 1
            raise _GivenUp from None
        finally:
            late.stop()

    async def _timed(
        self,
        request: Request[T],
        loop: asyncio.AbstractEventLoop,
        deadline: Deadline,
        admission: int,
        late: Lateness[T] | None = None,
    ) -> T:
        """Make a request in a slot that is taken, and take note of how it ended."""
        began = loop.time()
        try:
            result = await request()
        except UpstreamError as error:
            now = loop.time()
            self._note_failure(error, admission, now)
            self._waited_in_vain(now, began, late)
            raise
        except BaseException:
            now = loop.time()
            self._note_end(deadline, admission, now, began)
            self._waited_in_vain(now, began, late)
            raise
        now = self.health.answered_at = loop.time()
        self._breaker.succeeded(admission)
        self._latency.note(now - began)
        self._give_back(now, now - began, late)
        return result

    def _admit(self, loop: asyncio.AbstractEventLoop) -> int:
        """Let a request through that has a slot, or gets one. Raises UpstreamUnavailable where none is to be made."""
        now = loop.time()
        admission = self._breaker.admit(now)
        if admission is None:
            self.health.refused += 1
            raise self.failures.left_alone(self._breaker.seconds_left(now))
        return admission

    async def _turn(self, loop: asyncio.AbstractEventLoop, deadline: Deadline, admission: int) -> None:
        """Wait for a slot. Raises UpstreamUnavailable where that would be in vain."""
        if self._slots.expects() > min(deadline.at - loop.time(), self.failures.timeout):
            self.health.shed += 1
            self._breaker.abandoned(admission)
            raise self.failures.shed()
        try:
            await self._slots.turn()
        except asyncio.CancelledError:
            self._breaker.abandoned(admission)
            raise

    def _note_failure(self, error: UpstreamError, admission: int, now: float) -> None:
        """Tell what is the upstream's fault from what is not: that something is not there, or not to be had."""
        is_broken = isinstance(error, UpstreamContract) and error.is_transient
        if is_broken or isinstance(error, UpstreamUnavailable | UpstreamTimeout):
            self.health.failures += 1
            self._breaker.failed(admission, now)
        elif isinstance(error, UpstreamRateLimited) and error.status is None:
            self._breaker.abandoned(admission)  # the gateway itself did not make it
        else:
            self.health.answered_at = now
            self._breaker.succeeded(admission)
            if isinstance(error, UpstreamRateLimited):
                self._slots.halve()

    def _note_end(self, deadline: Deadline, admission: int, now: float, began: float) -> None:
        """Tell a silent upstream from somebody who only does not wait any more."""
        if now >= deadline.at - A_MOMENT and now - began > self._latency.usual:
            self.health.failures += 1
            self._breaker.failed(admission, now)
        else:
            self._breaker.abandoned(admission)

    def _waited_in_vain(self, now: float, began: float, late: Lateness[T] | None) -> None:
        self._latency.note_in_vain(now - began)
        self._give_back(now, max(now - began, self._latency.usual), late)

    def _give_back(self, now: float, seconds: float, late: Lateness[T] | None) -> None:
        """Give a request's slot back after so many seconds, unless it was given up for another that was made beside."""
        if late is None or late.other is None:
            self._slots.leave(now, seconds)

    def _pause_after(self, error: UpstreamError, tried: int) -> float | None:
        """Give the seconds after which to try again: at random, so that not all come together; None for never."""
        if not error.is_transient or tried > self.policy.retries:
            return None
        pause = random.uniform(0, min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (tried - 1)))  # noqa: S311 - spreads load
        return max(pause, error.retry_after or 0.0)

    def _may_replace(self, loop: asyncio.AbstractEventLoop, deadline: Deadline, seconds: float) -> bool:
        """Whether another attempt may be made for one that is slow, having taken so many seconds.

        One that goes on beside it gives its slot up for it: were they many, none could be made for any of them.
        """
        now = loop.time()
        if not self._may_take(now, 0.0, deadline):
            return False
        if self.policy.hedges:
            self.health.hedges += 1
            self._slots.leave(now, seconds)
        return True

    def _may_take(self, now: float, pause: float, deadline: Deadline) -> bool:
        """Take a retry from the budget, where it can come to anything before the deadline."""
        time_left = min(deadline.at - now, self.failures.timeout)
        if self.health.breaker != "closed" or pause + self._latency.usual >= time_left:
            return False
        return self._budget.withdraw(now)

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.get_running_loop()  # which is a system call on some Pythons
        return self._loop


def _noticed(sent: asyncio.Task[Any]) -> None:
    """Take note of how a change ended, which is no news where nobody waits for it any more."""
    if not sent.cancelled():
        sent.exception()
