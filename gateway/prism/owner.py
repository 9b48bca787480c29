"""Whose a scan is: the person named by the `userToken` of its record."""

from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Any

import msgspec

from gateway.auth.caller import Caller
from gateway.auth.scopes import is_confined


class _Record(msgspec.Struct, rename="camel"):
    user_token: Any = None


@dataclass(frozen=True, slots=True)
class Owner:
    """Who may see their own scans only: those of a token. Without one that is none.

    `key` tells owners apart in cache keys, and shows no token.
    """

    token: str | None
    key: str

    def owns(self, record: bytes) -> bool:
        """Whether a scan's record names them; one that names nobody is nobody's. Raises a `msgspec.MsgspecError`."""
        named = msgspec.json.decode(record, type=_Record).user_token
        return isinstance(named, str) and named != "" and named == self.token


def owner_of(caller: Caller) -> Owner | None:
    """Who a caller is where that decides what they see; None for one who may see every scan."""
    return _owner(caller.owner) if is_confined(caller) else None


@lru_cache(maxsize=4_096)
def _owner(token: str | None) -> Owner:
    text = repr(token).encode(errors="surrogatepass")
    return Owner(token, blake2b(text, digest_size=16).hexdigest())
