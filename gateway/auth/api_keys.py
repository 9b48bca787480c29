"""API keys: 256 random bits for one caller, of which a file keeps a salted hash, beside what they are good for.

A key is `sgw_`, an id that is no secret and finds its line, and the secret. Nobody guesses 256 random bits at whatever
speed, so a hash is fast here: the slow ones that passwords need would cost the gateway time and an attacker nothing.
"""

import hmac
import logging
import math
import os
import secrets
from collections.abc import Callable
from datetime import datetime
from hashlib import blake2b
from pathlib import Path
from typing import Annotated, NamedTuple

import msgspec

from gateway.auth.caller import DEFAULT_TENANT, Caller
from gateway.auth.scopes import SCOPES
from gateway.auth.watched_file import BadKeysError, WatchedFile
from gateway.errors import Unauthenticated

log = logging.getLogger("gateway.auth")

PREFIX = "sgw"
SALT_BYTES, HASH_BYTES = 16, 32
LONGEST = 100  # characters; no key comes near it
UNKNOWN = "This API key is not known here, or was revoked."
EXPIRED = "This API key has expired."

Moment = Annotated[datetime, msgspec.Meta(tz=True)]
Id = Annotated[str, msgspec.Meta(pattern="^[0-9a-z]+$")]
Hash = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{32}:[0-9a-f]{64}$")]


class StoredKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A line of the file. `hash` is the salt and the hash in hex, with a colon between them."""

    id: Id
    name: str
    hash: Hash
    scopes: tuple[str, ...]
    tenant: str = DEFAULT_TENANT
    owner: str | None = None
    expires: Moment | None = None

    def fits(self, secret: str) -> bool:
        """Whether this is the secret of the key, told in constant time."""
        salt, _, _ = self.hash.partition(":")
        return hmac.compare_digest(self.hash, _hash(secret, salt))

    def caller(self) -> Caller:
        """Give who bears the key."""
        ends = math.inf if self.expires is None else self.expires.timestamp()
        return Caller(f"key:{self.id}", self.tenant, frozenset(self.scopes), self.owner, ends)


def new_key(
    name: str, scopes: tuple[str, ...], tenant: str, owner: str | None, expires: datetime | None
) -> tuple[str, StoredKey]:
    """Make a key, which is told once, and what is kept of it."""
    id_, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    hashed = _hash(secret, secrets.token_hex(SALT_BYTES))
    return f"{PREFIX}_{id_}_{secret}", StoredKey(id_, name, hashed, scopes, tenant, owner, expires)


def keep_key(path: Path, key: StoredKey) -> None:
    """Add a line to the file, which may be new."""
    with path.open("ab+") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            lead = b"" if file.read() == b"\n" else b"\n"
        else:
            lead = b""
        file.write(lead + msgspec.json.encode(key) + b"\n")


class _Entry(NamedTuple):
    stored: StoredKey
    caller: Caller


class ApiKeys:
    """The keys of a file, which is read again when it changes; one whose line is gone or another is revoked.

    Raises BadKeysError where the file cannot be used to begin with. Later the keys stay as they were then.
    """

    kind = "an API key of this gateway"

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        self._file = WatchedFile(path)
        self._clock = clock
        self._entries: dict[str, _Entry] = {}
        self._take(self._read())

    async def verify(self, credential: str) -> Caller:
        """Find the key by its id, and compare its secret."""
        prefix, _, rest = credential[:LONGEST].partition("_")
        id_, _, secret = rest.partition("_")
        entry = self._entries.get(id_) if prefix == PREFIX else None
        if entry is None or not entry.stored.fits(secret):
            raise Unauthenticated(UNKNOWN)
        if self._clock() >= entry.caller.expires_at:
            raise Unauthenticated(EXPIRED)
        return entry.caller

    def look_again(self) -> None:
        """Read the file where it has changed."""
        if self._file.has_changed():
            self.reload()

    def reload(self) -> None:
        """Read the file; where it cannot be used, the log says so and the keys stay as they are."""
        try:
            self._take(self._read())
        except BadKeysError as error:
            log.warning("the API keys stay as they were: %s", error)

    async def close(self) -> None:
        """Nothing is under way."""

    def _read(self) -> dict[str, StoredKey]:
        keys: dict[str, StoredKey] = {}
        for number, line in enumerate(self._file.read().splitlines(), 1):
            if line.strip():
                key = self._read_line(line, number)
                if key.id in keys:
                    raise BadKeysError(f"{self._file.path}, line {number}: this id was there before.")
                keys[key.id] = key
        return keys

    def _read_line(self, line: bytes, number: int) -> StoredKey:
        try:
            key = msgspec.json.decode(line, type=StoredKey)
        except (msgspec.DecodeError, UnicodeError):
            raise BadKeysError(
                f"{self._file.path}, line {number}: this is no key as `gateway key new` writes it."
            ) from None
        unknown = [scope for scope in key.scopes if scope not in SCOPES]
        if unknown:
            raise BadKeysError(f"{self._file.path}, line {number}: there is no scope `{unknown[0]}`.")
        return key

    def _take(self, keys: dict[str, StoredKey]) -> None:
        before, self._entries = self._entries, {}
        for id_, stored in keys.items():
            known = before.get(id_)
            self._entries[id_] = known if known and known.stored == stored else _Entry(stored, stored.caller())
        for id_, entry in before.items():
            entry.caller.warrant.holds = self._entries.get(id_) is entry


def _hash(secret: str, salt: str) -> str:
    hashed = blake2b(secret.encode(), salt=bytes.fromhex(salt), digest_size=HASH_BYTES)
    return f"{salt}:{hashed.hexdigest()}"
