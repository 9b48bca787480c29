"""Every caller's account: what they may still do in this minute, counted here and nowhere else."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import NamedTuple, Protocol

from gateway.auth.caller import ANYONE, Caller
from gateway.errors import RateLimited
from gateway.rates.meter import Meter

FEW = 100  # accounts that may lie idle before any is closed


@dataclass(frozen=True, slots=True)
class RateLimits:
    """How much a caller may do in a minute, and all callers of a tenant together; 0 is any number.

    A field's name after `GATEWAY_RATE_`, in capitals, is its setting.
    """

    requests: int = 1_200
    upstream_calls: int = 600
    objects: int = 100_000
    tenant_requests: int = 0


NAMES = tuple(each.name for each in fields(RateLimits))
FREE = RateLimits(0, 0, 0, 0)


class TenantRates(NamedTuple):
    """What a tenant's callers may do who are told apart, and one who is not."""

    known: RateLimits = FREE
    anyone: RateLimits = FREE

    @classmethod
    def of(cls, given: Mapping[str, int | None]) -> "TenantRates":
        """Limit known callers by what is given, by the name of its field, or else by default; anyone by that alone."""
        known = {name: value for name, value in given.items() if value is not None}
        return cls(RateLimits(**known), RateLimits(**{name: value or 0 for name, value in given.items()}))


class MeterSharing(Protocol):
    """Keeps the meters of several processes together."""

    def share(self, meter: Meter, key: str) -> None:
        """Let a meter count what all processes take under a key."""

    async def close(self) -> None:
        """End what is under way."""


class Left(NamedTuple):
    """How many of `most` are left now, in a count that goes on for so many `seconds`."""

    most: int
    remaining: int
    seconds: int


@dataclass(frozen=True, slots=True)
class _Account:
    """The meters of one caller, by the names of the limits; what they share with others of their tenant is not theirs.

    `is_free` says that requests are not counted, `costs_nothing` that operations are not, `is_anyone` that it is the
    account of who is not known.
    """

    requests: Meter
    upstream_calls: Meter
    objects: Meter
    tenant_requests: Meter | None
    is_free: bool
    costs_nothing: bool
    is_anyone: bool

    @property
    def _own(self) -> tuple[Meter, ...]:
        return (self.requests, self.upstream_calls, self.objects)

    def is_idle(self, now: float) -> bool:
        return all(meter.is_idle(now) for meter in self._own)

    @property
    def share(self) -> float:
        """How much was taken lately of the limit that is used up most."""
        return max(meter.share for meter in self._own)


@dataclass(slots=True)
class Rates:
    """Lives as long as the process. `anyone` has limits of their own, since nobody can tell whose share they take.

    Both are what holds for a tenant of whom nothing else is said.

    An operation is put on its caller's account before it is executed, by what it could cause at most; upstream calls
    that it did not make are given back. `refused` counts by the name of the limit.
    """

    limits: RateLimits = FREE
    anyone: RateLimits = FREE
    clock: Callable[[], float] = time.time
    sharing: MeterSharing | None = None
    most: float = math.inf
    refused: dict[str, int] = field(default_factory=lambda: dict.fromkeys(NAMES, 0))
    _accounts: dict[tuple[str, str], _Account] = field(default_factory=dict)
    _tenants: dict[str, Meter] = field(default_factory=dict)
    _own: dict[str, TenantRates] = field(default_factory=dict)
    _sweep_at: int = FEW

    @property
    def accounts(self) -> int:
        """How many callers were heard of lately."""
        return len(self._accounts)

    async def close(self) -> None:
        """End what is under way."""
        if self.sharing is not None:
            await self.sharing.close()

    def set_tenants(self, own: Mapping[str, TenantRates]) -> None:
        """Say what holds for the callers of each tenant from now on; what was counted stays so."""
        changed = {name for name in {*self._own, *own} if self._own.get(name) != own.get(name)}
        self._own = dict(own)
        for whose, account in self._accounts.items():
            if whose[0] in changed:
                self._accounts[whose] = self._limited(whose, account.is_anyone, account)

    def takes(self, caller: Caller) -> bool:
        """Count a request of a caller; one that is too much is not counted."""
        account = self._accounts.get((caller.tenant, caller.id)) or self._open(caller)
        if account.is_free:
            return True
        now = self.clock()
        if not account.requests.take(now):
            return False
        if account.tenant_requests is None or account.tenant_requests.take(now):
            return True
        account.requests.add(-1)
        return False

    def leave(self, caller: Caller) -> None:
        """Take back a request that is counted again elsewhere."""
        account = self._account(caller)
        if account.is_free:
            return
        account.requests.add(-1)
        if account.tenant_requests is not None:
            account.tenant_requests.add(-1)

    def check(self, caller: Caller) -> None:
        """Count a request of a caller. Raises RateLimited."""
        if not self.takes(caller):
            account, now = self._account(caller), self.clock()
            if account.requests.left(now) < 1 or account.tenant_requests is None:
                raise self._refusal("requests", account.requests, now)
            raise self._refusal("tenant_requests", account.tenant_requests, now)

    def spend(self, caller: Caller, upstream_calls: int, objects: int) -> None:
        """Put what an operation can cause on its caller's account. Raises RateLimited, and then puts nothing there."""
        account = self._account(caller)
        if account.costs_nothing:
            return
        now = self.clock()
        if upstream_calls and not account.upstream_calls.take(now, upstream_calls):
            raise self._refusal("upstream_calls", account.upstream_calls, now, upstream_calls)
        if not account.objects.take(now, objects):
            account.upstream_calls.add(-upstream_calls)
            raise self._refusal("objects", account.objects, now, objects)

    def charge(self, caller: Caller, upstream_calls: int, objects: int) -> None:
        """Put what was let in before on its caller's account, whatever is left; what is negative is given back."""
        account = self._account(caller)
        if not account.costs_nothing:
            now = self.clock()
            account.upstream_calls.count(now, upstream_calls)
            account.objects.count(now, objects)

    def left(self, caller: Caller) -> dict[str, Left | None]:
        """Say what is left of each limit, by the name of its field; None where nothing limits it."""
        account, now = self._account(caller), self.clock()
        return {name: _left(getattr(account, name), now) for name in NAMES}

    def _account(self, caller: Caller) -> _Account:
        return self._accounts.get((caller.tenant, caller.id)) or self._open(caller)

    def _refusal(self, limit: str, meter: Meter, now: float, asked: int = 1) -> RateLimited:
        self.refused[limit] += 1
        left, seconds = int(meter.left(now)), math.ceil(meter.wait(now, asked)) or 1
        return RateLimited(limit, int(meter.most), asked, left, seconds)

    def _open(self, caller: Caller) -> _Account:
        self._sweep()
        whose = caller.tenant, caller.id
        account = self._accounts[whose] = self._limited(whose, caller is ANYONE)
        return account

    def _limited(self, whose: tuple[str, str], is_anyone: bool, before: _Account | None = None) -> _Account:  # noqa: FBT001 - see _Account
        """Give an account by the limits of its tenant, with the meters that it had."""
        own = self._own.get(whose[0]) or TenantRates(self.limits, self.anyone)
        limits = own.anyone if is_anyone else own.known

        def meter(name: str) -> Meter:
            kept = Meter() if before is None else getattr(before, name)
            return self._limit(kept, getattr(limits, name), name, *whose)

        return _Account(
            meter("requests"),
            meter("upstream_calls"),
            meter("objects"),
            self._tenant(whose[0], own.known.tenant_requests),
            is_free=not limits.requests and not own.known.tenant_requests,
            costs_nothing=not limits.upstream_calls and not limits.objects,
            is_anyone=is_anyone,
        )

    def _tenant(self, tenant: str, most: int) -> Meter | None:
        if not most:
            return None
        return self._limit(self._tenants.setdefault(tenant, Meter()), most, "tenant_requests", tenant)

    def _limit(self, meter: Meter, most: int, *key: str) -> Meter:
        """Let a meter refuse what is more; others hear of one that may refuse anything."""
        limit = most or math.inf
        if meter.most != limit:
            meter.most, meter.step, meter.tell = limit, math.inf, None
            if self.sharing is not None and most:
                self.sharing.share(meter, repr(key))
        return meter

    def _sweep(self) -> None:
        """Close the accounts that say nothing any more, each time that there are twice as many as then stayed.

        Of too many those stay of which most was taken, for of the others least is forgotten.
        """
        if len(self._accounts) >= self._sweep_at:
            now = self.clock()
            self._accounts = {whose: account for whose, account in self._accounts.items() if not account.is_idle(now)}
            if len(self._accounts) > self.most:
                kept = sorted(self._accounts.items(), key=lambda one: one[1].share, reverse=True)
                self._accounts = dict(kept[: int(self.most)])
            heard_of = {tenant for tenant, _ in self._accounts}
            self._tenants = {tenant: meter for tenant, meter in self._tenants.items() if tenant in heard_of}
            self._sweep_at = max(FEW, 2 * len(self._accounts))


def _left(meter: Meter | None, now: float) -> Left | None:
    if meter is None or math.isinf(meter.most):
        return None
    return Left(int(meter.most), int(meter.left(now)), math.ceil(meter.ends_at - now))
