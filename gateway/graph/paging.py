"""One connection over many upstream pages: opaque cursors, and the loop that joins pages."""

import binascii
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import msgspec
import strawberry

from gateway.errors import BadUserInput, UpstreamError
from gateway.graph.ids import read_base64url, write_base64url

MIN_PAGE_SIZE = 50
MAX_PAGE_SIZE = 100
MAX_EMPTY_PAGES = 10
MAX_CURSOR_LENGTH = 16_384
MAX_TOKEN_LENGTH = 12_000  # as JSON, so that its cursor is no longer; hardly any server takes a URL that is
CURSOR_VERSION = 1

T = TypeVar("T")


@strawberry.type(description="Where a page of a connection stands in the whole.")
class PageInfo:
    """Relay's page information; connections go forward only."""

    has_next_page: bool = strawberry.field(description="Whether there is more after this page.")
    has_previous_page: bool = strawberry.field(description="Whether this page began after a cursor.")
    start_cursor: str | None = strawberry.field(description="The cursor of the first edge; null without edges.")
    end_cursor: str | None = strawberry.field(
        description="Where to go on from: `after` takes it. Null only when nothing was read and nothing follows."
    )


@dataclass(frozen=True, slots=True)
class Position:
    """A place between two items: after `skip` items of the upstream page that `token` leads to.

    The page size is part of it, because nobody knows whether a token may be used with another. By what tells of the
    `last` of these items the place is found again where others came or went before it.
    """

    token: str | None
    skip: int
    size: int
    last: str | None = None


class _Cursor(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    version: int
    token: str | None
    skip: int
    size: int
    filter: str
    last: str | None = None


@dataclass(frozen=True, slots=True)
class Cursors:
    """Writes and reads the cursors of one filter."""

    filter: str

    @property
    def fingerprint(self) -> str:
        """What binds a cursor to its filter."""
        return hashlib.blake2b(self.filter.encode(), digest_size=6).hexdigest()

    def write(self, position: Position) -> str:
        """Make the cursor of a position."""
        cursor = [CURSOR_VERSION, position.token, position.skip, position.size, self.fingerprint]
        if position.last is not None:
            cursor.append(position.last)
        return write_base64url(msgspec.json.encode(cursor))

    def read(self, cursor: str) -> Position:
        """Find the position of a cursor. Raises BadUserInput for one that is none, or belongs to another filter."""
        read = _read(cursor)
        if read.filter != self.fingerprint:
            raise BadUserInput("`after` was given for another filter or sort; use both together, or neither.")
        return Position(read.token, read.skip, read.size, read.last)


def _read(cursor: str) -> _Cursor:
    try:
        read = msgspec.json.decode(read_base64url(cursor[:MAX_CURSOR_LENGTH]), type=_Cursor)
    except (binascii.Error, UnicodeError, msgspec.MsgspecError):
        raise BadUserInput("`after` takes a cursor of this connection; this is none.") from None
    if read.version != CURSOR_VERSION or not MIN_PAGE_SIZE <= read.size <= MAX_PAGE_SIZE or read.skip < 0:
        raise BadUserInput("`after` takes a cursor of this version of the gateway; ask again without it.")
    return read


class Order(Protocol):
    """What finds a place among the items of a page again."""

    def tell(self, place: int) -> str | None:
        """Tell of the item at a place to whoever goes on after it; None where nothing can be told."""

    def place_after(self, last: str, skip: int) -> int:
        """The place after an item that was told of, where it was the last of so many."""


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One upstream page: its items and the token of the next page, if any. An unreadable item is None.

    Where there is a next page, but no way to it, `lost` says why.
    """

    items: Sequence[T | None]
    next_token: str | None
    order: Order | None = None
    lost: UpstreamError | None = None

    @classmethod
    def before(
        cls, items: Sequence[T | None], next_token: str | None, order: Order | None, lost: Callable[[], UpstreamError]
    ) -> "Page[T]":
        """Make a page of which the next is `lost` where no cursor can hold its token."""
        if next_token is None or len(msgspec.json.encode(next_token)) <= MAX_TOKEN_LENGTH:
            return cls(items, next_token, order)
        return cls(items, None, order, lost())

    def find(self, position: Position) -> int:
        """The place of a position on this page."""
        if self.order is None or position.last is None:
            return min(position.skip, len(self.items))
        return min(self.order.place_after(position.last, position.skip), len(self.items))

    def tell(self, place: int) -> str | None:
        """What there is to tell of an item, if it is one."""
        return self.order.tell(place) if self.order and 0 <= place < len(self.items) else None


@dataclass(frozen=True, slots=True)
class Run(Generic[T]):
    """The items of one page that were read, by their places in it."""

    position: Position
    page: Page[T]
    places: Sequence[int]

    def after(self, place: int) -> Position:
        """The position after an item: within the page, or at the start of the next one."""
        skip = place + 1
        if skip < len(self.page.items) or self.page.next_token in {None, "", self.position.token}:
            return Position(self.position.token, skip, self.position.size, self.page.tell(place))
        return Position(self.page.next_token, 0, self.position.size)


@dataclass(frozen=True, slots=True)
class Slice(Generic[T]):
    """What was read: runs of pages, where to go on, and what cut it short, if anything did."""

    runs: Sequence[Run[T]]
    end: Position
    has_next: bool
    error: UpstreamError | None

    @property
    def items(self) -> Sequence[tuple[Position, T]]:
        """Each item with the position after it."""
        return [
            (run.after(place), item)
            for run in self.runs
            for place in run.places
            if (item := run.page.items[place]) is not None
        ]

    @property
    def start(self) -> Position | None:
        """The position after the first item; None without any."""
        return next((run.after(run.places[0]) for run in self.runs if run.places), None)


LoadPage = Callable[[str | None, int], Awaitable[Page[T]]]


def first_position(first: int) -> Position:
    """Where a connection begins when it is asked for `first` items.

    However few they are, its pages are not small: the size stays with its cursors, which may be asked for many more.
    """
    return Position(None, 0, max(MIN_PAGE_SIZE, min(first, MAX_PAGE_SIZE)))


def pages_of(first: int, after: str | None) -> int:
    """How many full pages hold `first` items. Raises BadUserInput for what is no cursor of any filter.

    A place that is found again may be anywhere on its page.
    """
    start = first_position(first) if after is None else _read(after)
    skip = min(start.skip, start.size) if start.last is None else start.size
    return -(-(first + skip) // start.size)


async def read_slice(load: LoadPage[T], start: Position, first: int) -> Slice[T]:
    """Read `first` items from a position on, page after page, since each token comes from the page before.

    A page that fails after the first ends the slice with its error, as one that is lost does; the first one raises. A
    page without an item that can be read, but with a token, is not the end, but ten in a row are where this stops for
    now; a token that leads to itself is the end.
    """
    runs: list[Run[T]] = []
    position, missing, empty = start, first, 0
    while True:
        try:
            page = await load(position.token, position.size)
        except UpstreamError as error:
            if position == start:
                raise
            return Slice(runs, position, has_next=True, error=error)
        skip = page.find(position)
        stop = min(skip + missing, len(page.items))
        places: Sequence[int] = range(skip, stop)
        if None in page.items:
            places = [place for place in places if page.items[place] is not None]
        run = Run(position, page, places)
        runs.append(run)
        missing -= len(run.places)
        end = run.after(stop - 1)
        has_next = end.skip < len(page.items) if end.token == position.token else True
        empty = 0 if run.places else empty + (end.token != position.token)
        if not missing or not has_next or empty >= MAX_EMPTY_PAGES or end == position:
            return Slice(runs, end, has_next and end != position, None if has_next else page.lost)
        position = end
