"""Cursors and the joining of pages, for any upstream that pages by token."""

import base64

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import BadUserInput, UpstreamError, UpstreamUnavailable
from gateway.graph.paging import MAX_EMPTY_PAGES, Cursors, Page, Position, Slice, first_position, pages_of, read_slice

POSITIONS = st.builds(
    Position,
    token=st.none() | st.text(max_size=60),
    skip=st.integers(min_value=0, max_value=100),
    size=st.integers(min_value=50, max_value=100),
    last=st.none() | st.text(max_size=60),
)
FILTERS = st.text(max_size=40)


@given(POSITIONS, FILTERS)
def test_a_cursor_leads_back_to_its_position(position: Position, filter_: str) -> None:
    cursors = Cursors(filter_)
    assert cursors.read(cursors.write(position)) == position


def test_a_place_that_is_found_again_costs_as_if_it_were_the_last_of_its_page() -> None:
    after = [Cursors("filter").write(Position(None, 20, 50, last)) for last in (None, "told")]
    assert [pages_of(20, cursor) for cursor in after] == [1, 2]


@given(POSITIONS, FILTERS, FILTERS)
def test_a_cursor_never_crosses_filters(position: Position, one: str, other: str) -> None:
    cursor = Cursors(one).write(position)
    if one != other:
        with pytest.raises(BadUserInput):
            Cursors(other).read(cursor)


@given(st.text(max_size=200) | st.binary(max_size=80).map(lambda some: base64.urlsafe_b64encode(some).decode()))
def test_nothing_but_a_cursor_is_taken_for_one(text: str) -> None:
    with pytest.raises(BadUserInput):
        Cursors("filter").read(text)


def test_a_cursor_in_the_other_alphabet_of_base64_is_none() -> None:
    cursors = Cursors("filter")
    cursor = cursors.write(Position("~~~???>>>", 0, 50))
    assert {"-", "_"} & set(cursor)
    with pytest.raises(BadUserInput):
        cursors.read(cursor.replace("-", "+").replace("_", "/"))


@pytest.mark.parametrize(
    "changed",
    [(2, None, 0, 50), (1, None, -1, 50), (1, None, 0, 49), (1, None, 0, 101), (1, 7, 0, 50), (1, None, "0", 50)],
)
def test_a_cursor_that_was_tampered_with_is_refused(changed: tuple[object, ...]) -> None:
    cursors = Cursors("filter")
    forged = base64.urlsafe_b64encode(msgspec.json.encode([*changed, cursors.fingerprint])).decode()
    with pytest.raises(BadUserInput):
        cursors.read(forged)


@pytest.mark.parametrize(("first", "size"), [(1, 50), (50, 50), (73, 73), (100, 100), (101, 100), (1_000, 100)])
def test_a_page_is_as_large_as_what_is_asked_for_between_fifty_and_a_hundred(first: int, size: int) -> None:
    assert first_position(first) == Position(None, 0, size)


class Upstream:
    """Items in pages: tokens are the offsets of pages, some of which are empty."""

    def __init__(self, total: int, empty_every: int = 0, fails_at: int | None = None) -> None:
        self.total = total
        self.empty_every = empty_every
        self.fails_at = fails_at
        self.calls = 0

    async def load(self, token: str | None, size: int) -> Page[int]:
        self.calls += 1
        if self.calls == self.fails_at:
            raise UpstreamUnavailable("down", upstream="test")
        offset, _, was_empty = (token or "0").partition("e")
        start = int(offset)
        if self.empty_every and (start // size) % self.empty_every == 0 and not was_empty:
            return Page([], f"{start}e1")
        end = min(start + size, self.total)
        return Page(range(start, end), str(end) if end < self.total else None)


def values(read: Slice[int]) -> list[int]:
    return [item for _, item in read.items]


@given(
    total=st.integers(min_value=0, max_value=350),
    firsts=st.lists(st.integers(min_value=1, max_value=240), min_size=1, max_size=6),
    empty_every=st.integers(min_value=0, max_value=3),
    data=st.data(),
)
async def test_slices_join_without_gap_or_overlap_from_any_edge(
    total: int, firsts: list[int], empty_every: int, data: st.DataObject
) -> None:
    upstream = Upstream(total, empty_every)
    position, expected = first_position(firsts[0]), 0
    for first in firsts:
        read = await read_slice(upstream.load, position, first)
        assert values(read) == list(range(expected, min(expected + first, total)))
        if not read.items:
            assert not read.has_next
            break
        assert read.has_next or expected + first >= total
        assert read.start == read.items[0][0]
        place = data.draw(st.integers(min_value=0, max_value=len(read.items) - 1))
        position = read.items[place][0]
        expected += place + 1


async def test_a_page_that_fails_after_the_first_keeps_what_was_read_and_says_where_to_go_on() -> None:
    upstream = Upstream(300, fails_at=3)
    read = await read_slice(upstream.load, first_position(300), 300)
    assert values(read) == list(range(200))
    assert isinstance(read.error, UpstreamError)
    assert read.has_next
    assert values(await read_slice(upstream.load, read.end, 300)) == list(range(200, 300))


async def test_the_first_page_that_fails_raises() -> None:
    with pytest.raises(UpstreamUnavailable):
        await read_slice(Upstream(300, fails_at=1).load, first_position(10), 10)


async def test_a_token_that_leads_to_itself_is_the_end() -> None:
    async def load(token: str | None, _: int) -> Page[int]:
        return Page([1, 2], "same") if token else Page([0], "same")

    read = await read_slice(load, first_position(10), 10)
    assert (values(read), read.has_next) == ([0, 1, 2], False)


async def test_a_token_that_leads_to_itself_is_the_end_for_who_goes_on_from_within_its_page_too() -> None:
    async def load(_token: str | None, _size: int) -> Page[int]:
        return Page([1, 2], "same")

    read = await read_slice(load, Position("same", 1, 50), 10)
    assert (values(read), read.has_next, read.end) == ([2], False, Position("same", 2, 50))


async def test_a_token_without_a_letter_is_the_end() -> None:
    async def load(_token: str | None, _size: int) -> Page[int]:
        return Page([1, 2], "")

    read = await read_slice(load, first_position(10), 10)
    assert (values(read), read.has_next, read.end) == ([1, 2], False, Position(None, 2, 50))


async def test_empty_pages_that_are_not_in_a_row_stop_nothing() -> None:
    upstream = Upstream(50 * 3 * MAX_EMPTY_PAGES, empty_every=2)
    read = await read_slice(upstream.load, Position(None, 0, 50), upstream.total)
    assert (values(read), read.has_next) == (list(range(upstream.total)), False)


@pytest.mark.parametrize("items", [[], [None] * 50], ids=["nothing", "nothing that can be read"])
async def test_ten_empty_pages_in_a_row_are_where_it_stops_for_now(items: list[int | None]) -> None:
    tokens: set[str | None] = set()

    async def load(token: str | None, _size: int) -> Page[int]:
        tokens.add(token)
        return Page(items, str(len(tokens)) if len(tokens) < 2 * MAX_EMPTY_PAGES else None)

    read = await read_slice(load, first_position(10), 10)
    assert (values(read), read.has_next, len(tokens)) == ([], True, MAX_EMPTY_PAGES)
    assert read.end == Position("10", 0, 50)


async def test_an_item_that_cannot_be_read_is_left_out_and_made_up_for() -> None:
    async def load(token: str | None, _: int) -> Page[int]:
        return Page([0, None, 2], "next") if token is None else Page([3, 4, 5], None)

    read = await read_slice(load, first_position(3), 3)
    assert (values(read), read.has_next, read.end) == ([0, 2, 3], True, Position("next", 1, 50))


async def test_a_page_larger_than_asked_is_read_whole() -> None:
    async def load(_token: str | None, _size: int) -> Page[int]:
        return Page(range(5), None)

    read = await read_slice(load, first_position(2), 2)
    assert (values(read), read.has_next) == ([0, 1], True)
    rest = await read_slice(load, read.end, 10)
    assert (values(rest), rest.has_next) == ([2, 3, 4], False)
