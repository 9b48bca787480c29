"""What a caller may do: the scopes that the graph asks for, by their names."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Never

from gateway.auth.caller import EVERYTHING, Caller
from gateway.errors import Forbidden

SCOPES: Mapping[str, str] = {
    "scans:read": "every scan",
    "scans:read:own": "the scans whose `userToken` is the caller's own; all others are as if they did not exist",
    "assets:read": "assets",
    "assets:write": "locking and unlocking assets, and linking them to scans that the caller may see",
    "downloads:read": "download jobs and their archives",
    "downloads:write": "asking for files and archives, and what `downloads:read` is for",
    EVERYTHING: "everything",
}


@dataclass(frozen=True, slots=True)
class Need:
    """What something takes: all scopes of any one of these sets."""

    alternatives: tuple[tuple[str, ...], ...]

    def is_met_by(self, scopes: frozenset[str]) -> bool:
        """Whether such scopes are enough."""
        return EVERYTHING in scopes or any(scopes.issuperset(every) for every in self.alternatives)

    def check(self, caller: Caller) -> None:
        """Let a caller pass who has enough. Raises Forbidden."""
        if not self.is_met_by(caller.scopes):
            self.refuse()

    def refuse(self) -> Never:
        """Let nobody pass. Raises Forbidden."""
        raise Forbidden(f"This needs the scope {self}, which the caller does not have.")

    def __str__(self) -> str:
        return " or ".join(" with ".join(f"`{scope}`" for scope in every) for every in self.alternatives)


def either(*scopes: str) -> Need:
    """Say that one of these scopes is enough. Raises KeyError for one that there is not."""
    for scope in scopes:
        SCOPES[scope]
    return Need(tuple((scope,) for scope in scopes))


def together(*needs: Need) -> Need:
    """Say that all of these must be met."""
    every = itertools.product(*(need.alternatives for need in needs))
    return Need(tuple(tuple(scope for scopes in one for scope in scopes) for one in every))


READ_SCANS = either("scans:read", "scans:read:own")
READ_ASSETS = either("assets:read")
CHANGE_ASSETS = either("assets:write")
READ_DOWNLOADS = either("downloads:read", "downloads:write")
ASK_DOWNLOADS = either("downloads:write")
LINK_ASSETS = together(CHANGE_ASSETS, READ_SCANS)


def is_confined(caller: Caller) -> bool:
    """Whether a caller may see only what is their own, of what belongs to somebody."""
    return EVERYTHING not in caller.scopes and "scans:read" not in caller.scopes
