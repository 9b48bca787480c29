"""Places in a list of assets that changes between two of its pages: none is lost for that, and none comes twice."""

from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.scenario.kinds import Index
from gateway.scenario.order import order_of
from tests.world import World

PAGE = """
query ($first: Int!, $after: String, $sort: AssetSort, $filter: AssetFilter) {
  assets(first: $first, after: $after, sort: $sort, filter: $filter) {
    edges { cursor node { assetId } }
    pageInfo { hasNextPage startCursor endCursor }
  }
}
"""
LINK = "mutation ($input: LinkAssetsToScanInput!) { linkAssetsToScan(input: $input) { assetIds } }"
Change = Literal["an asset is added", "one that came is deleted", "the last that came is deleted", "all that came are"]


async def page(gateway: World, first: int, **more: Any) -> tuple[list[str], str]:
    """The ids of a page, and where to go on."""
    read = (await gateway.data(PAGE, first=first, **more))["assets"]
    return [edge["node"]["assetId"] for edge in read["edges"]], read["pageInfo"]["endCursor"]


def change(gateway: World, kind: Change, came: list[str]) -> None:
    """Let somebody else change what is in the list."""
    held = gateway.sandbox.scenario.assets
    gone = {
        "an asset is added": [],
        "one that came is deleted": came[3:4],
        "the last that came is deleted": came[-1:],
        "all that came are": came,
    }[kind]
    for id_ in gone:
        held[id_] = {**held[id_], "deletedAt": "2026-09-21T00:00:00.000Z"}
    if kind == "an asset is added":
        new: Any = {**held[came[0]], "id": "asset_new", "createdAt": "2030-01-01T00:00:00.000Z"}
        held["asset_new"] = new


@pytest.mark.parametrize(
    "kind", ["an asset is added", "one that came is deleted", "the last that came is deleted", "all that came are"]
)
@pytest.mark.parametrize("after_page_of", [20, 70])
async def test_what_others_add_or_delete_between_two_pages_neither_doubles_an_asset_nor_hides_one(
    gateway: World, kind: Change, after_page_of: int
) -> None:
    whole, _ = await page(gateway, 120)
    came, after = await page(gateway, after_page_of)
    assert came == whole[:after_page_of]
    change(gateway, kind, came)
    gateway.clock.advance(3_600)
    gateway.forget_calls()
    assert (await page(gateway, 20, after=after))[0] == whole[after_page_of : after_page_of + 20]
    assert len(gateway.calls) <= 2


@pytest.mark.parametrize("direction", ["ASC", "DESC"])
@pytest.mark.parametrize("place", [0, 5, 19, 30])
async def test_a_change_that_moves_an_asset_in_the_list_hides_no_other(
    gateway: World, direction: str, place: int
) -> None:
    sort = {"field": "UPDATED_AT", "direction": direction}
    whole, _ = await page(gateway, 60, sort=sort)
    came, after = await page(gateway, 20, sort=sort)
    link = {"scanId": gateway.sandbox.prism.scan_ids("READY")[0], "assetIds": [whole[place]]}
    await gateway.data(LINK, input=link)
    others = [id_ for id_ in whole if id_ != whole[place]]
    rest = (await page(gateway, 20, sort=sort, after=after))[0]
    assert rest == [id_ for id_ in others if id_ not in came][:20]


async def test_the_end_of_a_list_is_found_again_where_more_was_added_to_it_and_some_taken(gateway: World) -> None:
    asked: Any = {"sort": {"direction": "ASC"}, "filter": {"types": ["UPLOADED_AVATAR"]}}
    came, after = await page(gateway, 1_000, **asked)
    held = gateway.sandbox.scenario.assets
    new: Any = {**held[came[-1]], "id": "asset_new", "createdAt": "2030-01-01T00:00:00.000Z"}
    held["asset_new"] = new
    held[came[0]] = {**held[came[0]], "deletedAt": "2026-09-21T00:00:00.000Z"}
    gateway.clock.advance(3_600)
    assert (await page(gateway, 10, after=after, **asked))[0] == ["asset_new"]


@pytest.mark.parametrize("kind", ["another is deleted", "one that came is restored", "the last that came is restored"])
async def test_deleted_assets_that_come_and_go_between_two_pages_double_none_and_hide_none(
    gateway: World, kind: str
) -> None:
    held: dict[str, Any] = gateway.sandbox.scenario.assets
    another, *deleted = gateway.asset_ids[:41]
    for place, id_ in enumerate(deleted):
        held[id_] = {**held[id_], "deletedAt": f"2026-09-20T00:00:{place:02}.000Z"}
    asked: Any = {"filter": {"deleted": True}}
    whole, _ = await page(gateway, 40, **asked)
    came, after = await page(gateway, 20, **asked)
    assert came == whole[:20]
    if kind == "another is deleted":
        held[another] = {**held[another], "deletedAt": "2026-09-21T00:00:00.000Z"}
    else:
        restored = came[3] if kind == "one that came is restored" else came[-1]
        held[restored] = {key: value for key, value in held[restored].items() if key != "deletedAt"}
    gateway.clock.advance(3_600)
    gateway.forget_calls()
    assert (await page(gateway, 20, after=after, **asked))[0] == whole[20:40]
    assert gateway.calls == [("GET", "/assets")]


MOMENTS = ["2026-01-01T00:00:00.001Z", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00.5Z", "2026-01-01T00:00:01+01:00"]


@given(
    moments=st.lists(st.sampled_from(MOMENTS) | st.none() | st.just("no moment"), max_size=8),
    last=st.text(max_size=10) | st.sampled_from(MOMENTS).map(lambda moment: f"somebody{moment}"),
    skip=st.integers(min_value=0, max_value=9),
)
def test_whatever_is_told_of_an_asset_a_place_is_one_of_the_page_or_the_old_one(
    moments: list[Any], last: str, skip: int
) -> None:
    ids = [f"asset_{place}" for place in range(len(moments))]
    order = order_of(Index(ids, None, moments, []), "createdAt", "asc")
    assert order is not None
    assert order.place_after(last, skip) in {skip, *range(len(moments) + 1)}
    for place in range(len(moments)):
        told = order.tell(place)
        if told is not None:
            assert order.place_after(told, place + 1) == place + 1


def test_of_assets_of_one_moment_those_that_come_after_the_last_are_not_passed_over() -> None:
    moment = "2026-01-01T00:00:00Z"
    ids = ["new", "a", "b", "c", "old"]
    moments = ["2026-01-02T00:00:00Z", moment, None, moment, "2025-12-31T00:00:00Z"]
    order = order_of(Index(ids, None, moments, []), "createdAt", "desc")
    before = order_of(Index(ids[1:], None, moments[1:], []), "createdAt", "desc")
    assert order is not None
    assert before is not None
    places = [order.place_after(told, at + 1) for at in range(4) if (told := before.tell(at)) is not None]
    assert places == [2, 4, 5]
    gone = order_of(Index(["gone"], None, [moment], []), "createdAt", "desc")
    assert gone is not None
    assert order.place_after(gone.tell(0) or "", 3) == 1
