"""Callers with less than every right, and a gate that knows them by name: what tests of rights are about."""

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.auth.caller import Caller
from gateway.errors import Unauthenticated

NAME = "x-caller"


def caller(*scopes: str, owner: str | None = None, id_: str = "somebody") -> Caller:
    """A caller with some scopes."""
    return Caller(id_, scopes=frozenset(scopes), owner=owner)


@dataclass(frozen=True)
class GateByName:
    """Lets in some callers, by their ids in a header."""

    callers: Mapping[str, Caller]

    def known(self, headers: Mapping[bytes, bytes]) -> Caller | None:
        """Give who is named."""
        return self.callers.get(headers.get(NAME.encode(), b"").decode())

    async def identify(self, _headers: Mapping[bytes, bytes]) -> Caller:
        """Refuse anyone else."""
        raise Unauthenticated("Name a caller.")

    def admits(self, caller: Caller) -> bool:
        """Go by the id."""
        return caller.id in self.callers

    def reload(self) -> None:
        """Nothing was read."""

    async def close(self) -> None:
        """Nothing is open."""


def gate(*callers: Caller) -> GateByName:
    """A gate for these."""
    return GateByName({one.id: one for one in callers})
