"""Callers who bring what lets them into the upstreams: the gateway has no credentials, and uses theirs for them alone.

    X-Prism-Authorization: Bearer …
    X-Scenario-Authorization: Basic …
    X-Scenario-Project: proj_…          where it is not the key's own

Over WebSocket the same names stand in the payload of `connection_init`.
"""

import re
from collections import OrderedDict
from collections.abc import Mapping
from hashlib import blake2b

from gateway.auth.caller import EVERYTHING, Caller, OwnAccess
from gateway.errors import Unauthenticated

OWN_HEADERS = PRISM, SCENARIO, PROJECT = b"x-prism-authorization", b"x-scenario-authorization", b"x-scenario-project"
MAX_BYTES = 8_192
_AUTHORIZATION = re.compile(rb"[!-~]+(?: [!-~]+)?")
_PROJECT = re.compile(rb"[\w.-]+", re.ASCII)

NOTHING = (
    "Bring what lets you into the upstreams: X-Prism-Authorization, X-Scenario-Authorization, or both, each as"
    " `Authorization` would be."
)


class PassThroughGate:
    """Lets in whoever brings access of their own; whether it is any good, the upstreams say. Knows `most` of them."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: OrderedDict[tuple[bytes | None, ...], Caller] = OrderedDict()

    def known(self, headers: Mapping[bytes, bytes]) -> Caller | None:
        """Give a caller who brought the same before."""
        brought = headers.get(PRISM), headers.get(SCENARIO), headers.get(PROJECT)
        caller = self._known.get(brought)
        if caller is not None:
            self._known.move_to_end(brought)
        return caller

    async def identify(self, headers: Mapping[bytes, bytes]) -> Caller:
        """Give the caller. Raises Unauthenticated for what no upstream could take, or nothing at all."""
        brought = headers.get(PRISM), headers.get(SCENARIO), headers.get(PROJECT)
        if not brought[0] and not brought[1]:
            raise Unauthenticated(NOTHING, was_given=False)
        for name in (PRISM, SCENARIO):
            _check(name, headers.get(name), _AUTHORIZATION, "a scheme and a credential in ASCII")
        _check(PROJECT, headers.get(PROJECT), _PROJECT, "a project's id")
        caller = self._known[brought] = _caller(*(value.decode("ascii") if value else "" for value in brought))
        while len(self._known) > self._most:
            self._known.popitem(last=False)
        return caller

    def admits(self, _caller: Caller) -> bool:
        """Whoever was let in is: the upstreams say when theirs has ended."""
        return True

    def reload(self) -> None:
        """Nothing decides."""

    async def close(self) -> None:
        """Nothing is under way."""


def _check(name: bytes, value: bytes | None, pattern: re.Pattern[bytes], what: str) -> None:
    if value and (len(value) > MAX_BYTES or not pattern.fullmatch(value)):
        raise Unauthenticated(f"{name.decode().title()} must be {what}, at most {MAX_BYTES:,} bytes, once.")


def _caller(prism: str, scenario: str, project_id: str) -> Caller:
    """Name a caller by all that was brought, the same in every process: who lacks any of it has another name.

    The fingerprint needs no key of its own. What it is of cannot be guessed, or would open the upstreams by itself, and
    128 bits are not met by trying; no part holds a line break, so no two parts can be taken for others.
    """
    fingerprint = blake2b(f"{prism}\n{scenario}\n{project_id}".encode(), digest_size=16).hexdigest()
    name = f"own:{fingerprint}"  # which no tenant of a file can be called
    return Caller(name, name, frozenset({EVERYTHING}), own=OwnAccess(prism, scenario, project_id or None))
