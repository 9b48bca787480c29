"""Pages of what is linked to a scan, while that changes between them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.app import create_app
from gateway.graph.paging import MAX_CURSOR_LENGTH, Cursors, Position
from gateway.scenario.tagged import FOUND, MAX_SHOWN, Tagged
from tests.test_links import LINK, LINKED, UNLINK, free, linked_by, scan_of
from tests.world import World, opened, settings_for, world

Seen = tuple[list[str], str | None]


async def page(gateway: World, scan_id: str, first: int, after: str | None = None) -> Seen:
    """One page, and the cursor to go on from; none at the end."""
    data = await gateway.data(LINKED, scanId=scan_id, first=first, after=after)
    connection = data["scan"]["linkedAssets"]
    info = connection["pageInfo"]
    return [node["assetId"] for node in connection["nodes"]], info["endCursor"] if info["hasNextPage"] else None


async def rest(gateway: World, scan_id: str, first: int, after: str | None) -> list[str]:
    """What comes after a cursor, page after page."""
    read: list[str] = []
    while after is not None:
        ids, after = await page(gateway, scan_id, first, after)
        read += ids
    return read


async def link(gateway: World, scan_id: str, *asset_ids: str) -> None:
    await gateway.data(LINK, input={"scanId": scan_id, "assetIds": asset_ids})


async def unlink(gateway: World, scan_id: str, *asset_ids: str) -> None:
    await gateway.data(UNLINK, input={"scanId": scan_id, "assetIds": asset_ids})


@asynccontextmanager
async def replica(gateway: World) -> AsyncIterator[World]:
    """Another gateway over the same sandbox, which shares nothing with the first."""
    transport = httpx.ASGITransport(app=gateway.sandbox.app)
    transports = {"prism": transport, "scenario": transport}
    app = create_app(
        settings_for(gateway.sandbox), transports=transports, clock=gateway.clock, sleep=gateway.clock.sleep
    )
    async with opened(app, gateway.sandbox, gateway.clock) as made:
        yield made


async def test_what_is_recent_no_more_when_the_next_page_is_read_neither_hides_another_nor_comes_again(
    gateway: World,
) -> None:
    scan_id, old = scan_of(gateway), linked_by(gateway, scan_of(gateway))
    a, b, c = free(gateway, 3)
    await link(gateway, scan_id, a, b)
    gateway.clock.advance(200)
    await link(gateway, scan_id, c)
    gateway.clock.advance(50)
    read, after = await page(gateway, scan_id, 2)
    gateway.clock.advance(60)
    assert [*read, *await rest(gateway, scan_id, 2, after)] == [a, b, c, *old]


async def test_what_is_linked_again_between_two_pages_comes_once(gateway: World) -> None:
    scan_id, old = scan_of(gateway), linked_by(gateway, scan_of(gateway))
    a, b = free(gateway, 2)
    await link(gateway, scan_id, a, b)
    gateway.clock.advance(10)
    read, after = await page(gateway, scan_id, 1)
    await link(gateway, scan_id, a, old[1])
    assert [*read, *await rest(gateway, scan_id, 1, after)] == [a, b, old[1], old[0], old[2]]


async def test_what_is_linked_again_among_what_is_searched_for_is_not_hidden(gateway: World) -> None:
    scan_id, old = scan_of(gateway), linked_by(gateway, scan_of(gateway))
    read, after = await page(gateway, scan_id, 1)
    await link(gateway, scan_id, *old)
    assert [*read, *await rest(gateway, scan_id, 1, after)] == old


async def test_what_is_unlinked_between_two_pages_takes_no_other_along(gateway: World) -> None:
    scan_id, old = scan_of(gateway), linked_by(gateway, scan_of(gateway))
    a, b, c, d = free(gateway, 4)
    await link(gateway, scan_id, a, b, c, d)
    gateway.clock.advance(10)
    read, after = await page(gateway, scan_id, 2)
    await unlink(gateway, scan_id, a, c)
    assert [*read, *await rest(gateway, scan_id, 2, after)] == [a, b, d, *old]


async def test_what_is_unlinked_of_what_search_finds_takes_no_other_along(gateway: World) -> None:
    scan_id, old = scan_of(gateway), linked_by(gateway, scan_of(gateway))
    read, after = await page(gateway, scan_id, 2)
    await unlink(gateway, scan_id, old[0])
    gateway.clock.advance(60)
    assert [*read, *await rest(gateway, scan_id, 2, after)] == old


async def test_what_others_link_between_two_pages_lets_none_come_again(gateway: World) -> None:
    scan_id, old = scan_of(gateway), linked_by(gateway, scan_of(gateway))
    held = gateway.sandbox.scenario.assets
    newer = next(id_ for id_ in free(gateway, len(held)) if held[id_]["createdAt"] > held[old[1]]["createdAt"])
    read, after = await page(gateway, scan_id, 2)
    async with replica(gateway) as other:
        await link(other, scan_id, newer)
    gateway.clock.advance(60)
    assert [*read, *await rest(gateway, scan_id, 2, after)] == old


async def test_a_page_may_end_with_the_last_that_is_recent_and_the_next_begin_with_one_that_is_new(
    gateway: World,
) -> None:
    scan_id, old = scan_of(gateway), linked_by(gateway, scan_of(gateway))
    a, b, c = free(gateway, 3)
    await link(gateway, scan_id, a, b)
    gateway.clock.advance(10)
    read, after = await page(gateway, scan_id, 2)
    assert [*read, *await rest(gateway, scan_id, 3, after)] == [a, b, *old]
    await link(gateway, scan_id, c)
    assert [*read, *await rest(gateway, scan_id, 3, after)] == [a, b, c, *old]


async def test_where_nothing_changes_pages_of_any_size_bring_each_once(gateway: World) -> None:
    scan_id, old = scan_of(gateway), linked_by(gateway, scan_of(gateway))
    new = free(gateway, 4)
    await link(gateway, scan_id, *new)
    gateway.clock.advance(10)
    for first in range(1, 9):
        read, after = await page(gateway, scan_id, first)
        assert [*read, *await rest(gateway, scan_id, first, after)] == [*new, *old]


async def test_one_may_go_on_from_any_edge(gateway: World) -> None:
    scan_id, old = scan_of(gateway), linked_by(gateway, scan_of(gateway))
    new = free(gateway, 3)
    await link(gateway, scan_id, *new)
    gateway.clock.advance(10)
    query = LINKED.replace("nodes { assetId }", "edges { cursor node { assetId } }")
    data = await gateway.data(query, scanId=scan_id)
    edges = data["scan"]["linkedAssets"]["edges"]
    assert [edge["node"]["assetId"] for edge in edges] == [*new, *old]
    for place, edge in enumerate(edges, 1):
        assert await rest(gateway, scan_id, 2, edge["cursor"]) == [*new, *old][place:]


async def test_a_cursor_is_good_for_a_replica_that_has_linked_others_lately(gateway: World) -> None:
    scan_id, old = scan_of(gateway), linked_by(gateway, scan_of(gateway))
    a, b, c = free(gateway, 3)
    async with replica(gateway) as other:
        await link(gateway, scan_id, a, b)
        await link(other, scan_id, c)
        gateway.clock.advance(10)
        read, after = await page(gateway, scan_id, 1)
        more, after = await page(other, scan_id, 1, after)
        assert [*read, *more, *await rest(gateway, scan_id, 1, after)] == [a, c, b, *old]


async def test_a_cursor_of_old_begins_again_with_what_is_recent_or_goes_on_among_what_is_found(gateway: World) -> None:
    scan_id, old = scan_of(gateway), linked_by(gateway, scan_of(gateway))
    (a,) = free(gateway, 1)
    cursors = Cursors(f'tags = "prism-scan:{scan_id}"')
    after = cursors.write(Position("0", 1, 50))
    assert await rest(gateway, scan_id, 20, after) == old[1:]
    await link(gateway, scan_id, a)
    gateway.clock.advance(10)
    assert await rest(gateway, scan_id, 20, cursors.write(Position(None, 1, 50))) == [a, *old]


async def test_a_cursor_tells_of_so_many_recent_ones_as_fit_into_it() -> None:
    tagged = Tagged(["a"], [f"asset_{number}" for number in range(MAX_SHOWN + 1)])
    position = tagged.begin(Position(None, 0, 50))
    for id_ in tagged.recent[:-1]:
        page = tagged.recent_page(position.token or "")
        assert page.items == [id_]
        position = tagged.begin(Position(page.next_token, 0, 50))
    assert (position.token or "").startswith(f"{FOUND}.")
    assert len(Cursors(tagged.filter).write(position)) < MAX_CURSOR_LENGTH


CHANGES = st.tuples(
    st.sampled_from([(LINK, 3), (LINK, 200), (UNLINK, 3), (UNLINK, 200)]),
    st.sets(st.integers(0, 5), min_size=1).map(sorted),
)


@settings(max_examples=40, deadline=None)
@given(before=st.lists(CHANGES, max_size=6), between=st.lists(st.tuples(CHANGES, st.integers(1, 3)), max_size=8))
async def test_whatever_was_linked_all_the_while_comes_and_once_where_nothing_changed(
    before: list[Any], between: list[Any]
) -> None:
    async with world() as gateway:
        scan_id, old = scan_of(gateway), linked_by(gateway, scan_of(gateway))
        pool, stays = older_than(gateway, old[0])[:6], set(old)
        for (change, seconds), places in before:
            its = [pool[place] for place in places]
            await gateway.data(change, input={"scanId": scan_id, "assetIds": its})
            stays = stays | set(its) if change == LINK else stays - set(its)
            gateway.clock.advance(seconds)
        read, after = await page(gateway, scan_id, 1)
        for ((change, seconds), places), first in between:
            if after is None:
                continue
            its = [pool[place] for place in places]
            await gateway.data(change, input={"scanId": scan_id, "assetIds": its})
            stays = stays if change == LINK else stays - set(its)
            gateway.clock.advance(seconds)
            ids, after = await page(gateway, scan_id, first, after)
            read += ids
        read += await rest(gateway, scan_id, 2, after)
        assert stays <= set(read)
        assert between or sorted(stays) == sorted(read)


def older_than(gateway: World, asset_id: str) -> list[str]:
    """Assets that are linked to nothing, and found after another."""
    assets = gateway.sandbox.scenario.assets
    made = assets[asset_id]["createdAt"]
    return [id_ for id_ in free(gateway, len(assets)) if assets[id_]["createdAt"] < made]
