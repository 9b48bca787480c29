"""The unit of loading, caching and sharing: one upstream answer, or a member of one, as the bytes that came."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

FRAGMENT_BYTES = "fragment bytes"
FRAGMENT_OVERHEAD = 200  # bytes that Python spends on a fragment, its key and its place
ROOM_FOR_FRAGMENTS = 1_000  # bytes that even the smallest document has for them
CLOCKS_APART = 60.0  # seconds; what seems fetched later yet is from before the clock was put back: its age is unknown


def holds(fetched_at: float, now: float, until: float) -> bool:
    """Whether what was fetched at one Unix second, and is true until another, is so now."""
    return fetched_at - CLOCKS_APART <= now < until


class Lifetime(msgspec.Struct, frozen=True):
    """How long a document stays true: seconds fresh, then seconds stale, both ended by `expires_at` (Unix seconds).

    `made` is what was read of the body on the way, to be kept with the document.
    """

    fresh: float
    stale: float = 0.0
    expires_at: float | None = None
    made: Mapping[Any, Any] = {}


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of document: its name, and how long one of its bodies lives.

    `lifetime` takes the body and the present Unix second, and raises a `msgspec.MsgspecError` for a body that is not of
    this kind. One that `may_be_nothing` is missing also where the body is null, or empty, as frameworks send null.
    """

    name: str
    lifetime: Callable[[bytes, float], Lifetime]
    may_be_nothing: bool = False

    def is_nothing(self, body: bytes) -> bool:
        """Whether a body stands for a document that is missing."""
        return self.may_be_nothing and body.strip() in {b"", b"null"}


class Tenure(msgspec.Struct):
    """Whether a document is the one that is kept under its key; once it was and is no more, it never is again."""

    is_kept: bool = False
    has_ended: bool = False

    def begin(self) -> None:
        """It is kept from now on."""
        self.is_kept = not self.has_ended

    def end(self) -> None:
        """It is dropped, or another one is kept in its place."""
        self.is_kept, self.has_ended = False, True


class Document(msgspec.Struct, frozen=True):
    """A JSON body with its kind, the id it was asked by, and its times in Unix seconds.

    Fresh until `fresh_until`, usable in need until `dead_at`. A `missing` one stands for a 404. A part of another has
    the tenure of the whole.
    """

    kind: str
    id: str
    body: bytes
    fetched_at: float
    fresh_until: float
    dead_at: float
    missing: bool = False
    made: dict[Any, Any] = {}
    tenure: Tenure = msgspec.field(default_factory=Tenure)

    def __repr__(self) -> str:
        return f"<{self.kind} {self.id}>"

    def is_fresh(self, now: float) -> bool:
        """Whether it may be served without asking again."""
        return holds(self.fetched_at, now, self.fresh_until)

    def is_dead(self, now: float) -> bool:
        """Whether it may not be served at all any more."""
        return not holds(self.fetched_at, now, self.dead_at)

    @property
    def size(self) -> int:
        """Bytes that its id and its body take, and what is made of it at most."""
        return len(self.body) + len(self.id) + self._room

    @property
    def _room(self) -> int:
        return len(self.body) + ROOM_FOR_FRAGMENTS

    def keep_fragment(self, selection: Any, fragment: bytes) -> None:
        """Keep what a selection made of this document, as long as that is kept, within the bytes that `size` counts."""
        if not self.tenure.is_kept:
            return
        used = self.made.get(FRAGMENT_BYTES, 0) + len(fragment) + FRAGMENT_OVERHEAD
        if used <= self._room:
            self.made[FRAGMENT_BYTES] = used
            self.made[selection] = fragment


def make_document(kind: Kind, id_: str, body: bytes, now: float) -> Document:
    """Give a body its times. Raises what `Kind.lifetime` raises."""
    life = kind.lifetime(body, now)
    fresh_until = now + life.fresh
    dead_at = fresh_until + life.stale
    if life.expires_at is not None and life.expires_at < dead_at:
        dead_at = life.expires_at
        if dead_at < fresh_until:
            fresh_until = dead_at
    return Document(kind.name, id_, body, now, fresh_until, dead_at, made=dict(life.made))


def missing_document(kind: Kind, id_: str, now: float, seconds: float) -> Document:
    """Remember for some seconds that the upstream has no such document."""
    return Document(kind.name, id_, b"null", now, now + seconds, now + seconds, missing=True)


def part_of(whole: Document, kind: str, id_: str, body: bytes) -> Document:
    """Make a document of a part of another, with the times of the whole."""
    return msgspec.structs.replace(whole, kind=kind, id=id_, body=body, made={})


def own_part(part: Document) -> Document:
    """Give a part of another document a tenure of its own."""
    return msgspec.structs.replace(part, made={}, tenure=Tenure())
