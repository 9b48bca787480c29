"""Where signing keys come from: a file that is read again when it changes, or a URL that is asked now and then."""

import asyncio
import logging
import math
from collections.abc import Callable
from contextvars import Context
from pathlib import Path
from typing import Protocol

from gateway.auth.jwks import JwksUrl
from gateway.auth.signing_keys import SigningKey, matching, read_jwks, read_keys, succeed
from gateway.auth.watched_file import BadKeysError, WatchedFile
from gateway.errors import CannotIdentify

log = logging.getLogger("gateway.auth")

UNREACHABLE = "The keys that tokens are signed with cannot be fetched at present."


class KeySource(Protocol):
    """Keys, by the id that a token names."""

    async def find(self, id_: str | None) -> list[SigningKey]:
        """Give the keys that a token may mean. Raises CannotIdentify where there is not one at all."""

    def look_again(self) -> None:
        """See, at once, whether there are others."""

    def reload(self) -> None:
        """Get them again."""

    async def close(self) -> None:
        """End what is under way."""


class KeyFile:
    """The keys in a file. Raises BadKeysError where it cannot be used to begin with; later they stay as they were."""

    def __init__(self, path: Path) -> None:
        self._file = WatchedFile(path)
        self._keys = self._read()

    async def find(self, id_: str | None) -> list[SigningKey]:
        """Give the keys that a token may mean."""
        return matching(self._keys, id_)

    def look_again(self) -> None:
        """Read the file where it has changed."""
        if self._file.has_changed():
            self.reload()

    def reload(self) -> None:
        """Read the file; where it cannot be used, the log says so."""
        try:
            self._keys = succeed(self._keys, self._read())
        except BadKeysError as error:
            _keep_on(str(error))

    async def close(self) -> None:
        """Nothing is under way."""

    def _read(self) -> tuple[SigningKey, ...]:
        content = self._file.read()
        try:
            return read_keys(content)
        except BadKeysError as error:
            raise BadKeysError(f"{self._file.path}: {error}") from None


class FetchedKeys:
    """The keys of a JWK Set that is fetched when they are older than `fresh_for`, or a token names one that is new.

    There is one fetch at a time, and `cooldown` seconds pass between the beginnings of two, whatever tokens name. The
    last good keys stay for as long as no others are to be had.
    """

    def __init__(self, document: JwksUrl, *, fresh_for: float, cooldown: float, clock: Callable[[], float]) -> None:
        self._document = document
        self._fresh_for = fresh_for
        self._cooldown = cooldown
        self._clock = clock
        self._keys: tuple[SigningKey, ...] = ()
        self._fetched_at = self._begun_at = -math.inf
        self._fetching: asyncio.Task[None] | None = None

    async def find(self, id_: str | None) -> list[SigningKey]:
        """Give the keys that a token may mean, asking for them where it means none of these."""
        found = matching(self._keys, id_)
        if not found and (fetching := self._fetch_if_due()):
            await asyncio.wait([fetching])  # which goes on should this request end
            found = matching(self._keys, id_)
        if not self._keys:
            raise CannotIdentify(UNREACHABLE, self._cooldown)
        return found

    def look_again(self) -> None:
        """Begin to ask for them where they are no longer fresh; until then these are good."""
        if self._clock() >= self._fetched_at + self._fresh_for:
            self._fetch_if_due()

    def reload(self) -> None:
        """Ask for them now, or once more where they are asked for already."""
        self._begun_at = -math.inf
        self._fetch_if_due()

    async def close(self) -> None:
        """End a fetch that is under way, and its connections."""
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.wait([self._fetching])
        await self._document.close()

    def _fetch_if_due(self) -> asyncio.Task[None] | None:
        """Give the fetch that is under way, or begin one where the last began long enough ago."""
        if self._fetching is None and self._clock() >= self._begun_at + self._cooldown:
            self._begun_at = self._clock()
            # A context of its own: it is on the account of no request.
            self._fetching = asyncio.create_task(self._refresh(), context=Context())
        return self._fetching

    async def _refresh(self) -> None:
        try:
            self._keys = succeed(self._keys, read_jwks(await self._document.fetch()))
            self._fetched_at = self._clock()
        except BadKeysError as error:
            _keep_on(str(error))
        finally:
            self._fetching = None
        if self._begun_at == -math.inf:  # told meanwhile to read again
            self._fetch_if_due()


def _keep_on(why: str) -> None:
    log.warning("the keys that tokens are signed with stay as they were: %s", why)
