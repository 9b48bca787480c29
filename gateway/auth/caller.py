"""Who asks: what the gateway knows of a client by the time that anything is done for it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

EVERYTHING = "*"  # a scope that holds every other
DEFAULT_TENANT = "default"  # the only one, where settings name no other


@dataclass(frozen=True, slots=True)
class OwnAccess:
    """What a client brings to be let into the upstreams by: `Authorization` headers, and Scenario's project."""

    prism: str = field(default="", repr=False)
    scenario: str = field(default="", repr=False)
    project_id: str | None = None


# Why one who was let in is so no more; a WebSocket that is closed can say 123 bytes.
ENDED = "You are let in no longer: what you brought expired or was revoked, or your tenant is not served here."


class Warrant:
    """What callers were let in by, a key or who signed their tokens, for as long as it `holds`."""

    __slots__ = ("holds",)

    def __init__(self) -> None:
        self.holds = True


@dataclass(frozen=True, slots=True)
class Caller:
    """One who was let in, until `expires_at` in Unix seconds.

    `id` tells callers apart and shows no secret. `owner` is what the `userToken` of a scan must be where the caller
    may see only their own. Callers with the same `rights` are given the same answers. One who brings their `own` access
    to the upstreams is a tenant by themselves.
    """

    id: str
    tenant: str = DEFAULT_TENANT
    scopes: frozenset[str] = frozenset()
    owner: str | None = None
    expires_at: float = math.inf
    rights: str = field(init=False)
    warrant: Warrant = field(default_factory=Warrant, compare=False, repr=False)
    own: OwnAccess | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        parts = (self.tenant, " ".join(sorted(self.scopes)), repr(self.owner))
        object.__setattr__(self, "rights", "\n".join(parts))


ANYONE = Caller("anyone", scopes=frozenset({EVERYTHING}))


class Gate(Protocol):
    """Lets callers in by the headers of their requests, whose names are in lower case."""

    def known(self, headers: Mapping[bytes, bytes]) -> Caller | None:
        """Give a caller who was let in by the same before, and still is; at once, on the path of every request."""

    async def identify(self, headers: Mapping[bytes, bytes]) -> Caller:
        """Give the caller. Raises Unauthenticated, Forbidden where that is no use, or CannotIdentify."""

    def admits(self, caller: Caller) -> bool:
        """Whether one who was let in still is: not expired, nor revoked."""

    def reload(self) -> None:
        """Read again what decides who is let in; what cannot be read leaves everything as it was."""

    async def close(self) -> None:
        """End what is under way."""


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

    def reload(self) -> None:
        """Nothing decides."""

    async def close(self) -> None:
        """Nothing is under way."""
