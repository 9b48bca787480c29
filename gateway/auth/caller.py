"""Who asks: what the gateway knows of a client by the time that anything is done for it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

EVERYTHING = "*"  # a scope that holds every other


@dataclass(frozen=True, slots=True)
class Caller:
    """One who was let in, until `expires_at` in Unix seconds.

    `id` tells callers apart and shows no secret. `owner` is what the `userToken` of a scan must be where the caller
    may see only their own. Callers with the same `rights` are given the same answers.
    """

    id: str
    tenant: str = "default"
    scopes: frozenset[str] = frozenset()
    owner: str | None = None
    expires_at: float = math.inf
    rights: str = field(init=False)

    def __post_init__(self) -> None:
        parts = (self.tenant, " ".join(sorted(self.scopes)), repr(self.owner))
        object.__setattr__(self, "rights", "\n".join(parts))


ANYONE = Caller("anyone", scopes=frozenset({EVERYTHING}))


class Gate(Protocol):
    """Lets callers in by the headers of their requests, whose names are in lower case."""

    def known(self, headers: Mapping[bytes, bytes]) -> Caller | None:
        """Give a caller who was let in by the same before, and still is; at once, on the path of every request."""

    async def identify(self, headers: Mapping[bytes, bytes]) -> Caller:
        """Give the caller. Raises Unauthenticated."""

    def admits(self, caller: Caller) -> bool:
        """Whether one who was let in still is: not expired, nor revoked."""


class OpenGate:
    """Lets everyone in as the same caller, who may do everything."""

    def known(self, _headers: Mapping[bytes, bytes]) -> Caller:
        """Give the caller that everyone is."""
        return ANYONE

    async def identify(self, _headers: Mapping[bytes, bytes]) -> Caller:
        """Give the caller that everyone is."""
        return ANYONE

    def admits(self, _caller: Caller) -> bool:
        """Everyone is, always."""
        return True
