"""Callers by what stands in the Authorization header: read once, then known by its bytes."""

import re
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Protocol

from gateway.auth.caller import Caller
from gateway.errors import Unauthenticated

AUTHORIZATION = b"authorization"
MAX_KNOWN = 10_000  # callers who are remembered, the least recently seen out first
FEW = 100  # who come before any is forgotten who is let in no more
LOOK_EVERY = 5.0  # seconds
_BEARER = re.compile(rb"(?i:bearer) +([A-Za-z0-9._~+/-]+=*)")


class Verifier(Protocol):
    """Knows whose a credential is; `kind` says in a message what is taken, as `an API key`."""

    kind: str

    async def verify(self, credential: str) -> Caller:
        """Give the caller. Raises Unauthenticated, Forbidden or CannotIdentify, showing nothing of the credential."""

    def look_again(self) -> None:
        """See whether what decides has changed; cheap, for it is called now and then while requests come."""

    def reload(self) -> None:
        """Read again what decides."""

    async def close(self) -> None:
        """End what is under way."""


class BearerGate:
    """Lets in whoever bears a credential that its verifier knows, until that expires or is revoked."""

    def __init__(self, verifier: Verifier, clock: Callable[[], float]) -> None:
        self._verifier = verifier
        self._clock = clock
        self._known: OrderedDict[bytes, Caller] = OrderedDict()
        self._look_at = 0.0
        self._to_come = FEW  # before those are looked for again who are let in no more

    @property
    def remembered(self) -> int:
        """How many callers are known by their bytes."""
        return len(self._known)

    def known(self, headers: Mapping[bytes, bytes]) -> Caller | None:
        """Give a caller who came with the same bytes before, and still is let in."""
        header = headers.get(AUTHORIZATION, b"")
        caller = self._known.get(header)
        if caller is None:
            return None
        if self.admits(caller):
            self._known.move_to_end(header)
            return caller
        del self._known[header]
        return None

    async def identify(self, headers: Mapping[bytes, bytes]) -> Caller:
        """Give the caller, and know them from now on."""
        header = headers.get(AUTHORIZATION)
        if header is None:
            raise Unauthenticated(f"Say who asks: `Authorization: Bearer` with {self._verifier.kind}.", was_given=False)
        found = _BEARER.fullmatch(header)
        if found is None:
            raise Unauthenticated(f"The Authorization header must be `Bearer` and {self._verifier.kind}, once.")
        self._look_now_and_then(self._clock())
        caller = await self._verifier.verify(found[1].decode())
        if header == b"Bearer " + found[1]:  # no other spelling: a credential has as many as one likes
            self._known[header] = caller
            self._forget()
        return caller

    def admits(self, caller: Caller) -> bool:
        """Whether neither the time is over nor the warrant."""
        now = self._clock()
        if now >= self._look_at:
            self._look_now_and_then(now)
        return _is_let_in(caller, now)

    def reload(self) -> None:
        """Let the verifier read again what decides."""
        self._verifier.reload()

    async def close(self) -> None:
        """Let the verifier end what is under way."""
        await self._verifier.close()

    def _forget(self) -> None:
        """Forget who is let in no more, each time that as many have come as then stayed; and who is too many."""
        self._to_come -= 1
        if not self._to_come:
            now = self._clock()
            for header in [header for header, caller in self._known.items() if not _is_let_in(caller, now)]:
                del self._known[header]
            self._to_come = max(FEW, len(self._known))
        if len(self._known) > MAX_KNOWN:
            self._known.popitem(last=False)

    def _look_now_and_then(self, now: float) -> None:
        if now >= self._look_at:
            self._look_at = now + LOOK_EVERY
            self._verifier.look_again()


def _is_let_in(caller: Caller, now: float) -> bool:
    return now < caller.expires_at and caller.warrant.holds
