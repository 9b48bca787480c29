"""Assets: one page over many, by id in bulk, and the fields of their documents."""

import time
from typing import Any

import pytest

from gateway.sandbox import Fault
from tests.world import World, world

PAGE = """
query ($first: Int!, $after: String, $filter: AssetFilter, $sort: AssetSort) {
  assets(first: $first, after: $after, filter: $filter, sort: $sort) {
    edges { cursor node { assetId } }
    nodes { assetId }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  }
}
"""

FIFTEEN_FIELDS = """
  assetId kind status source mimeType url urlExpiresAt privacy name tags createdAt updatedAt
  metadata { type prompt } properties { size }
"""


def ids(connection: Any) -> list[str]:
    return [node["assetId"] for node in connection["nodes"]]


async def assets(gateway: World, first: int, **more: Any) -> Any:
    return (await gateway.data(PAGE, first=first, **more))["assets"]


async def test_a_page_of_50_assets_with_15_fields_each_is_one_call(gateway: World) -> None:
    data = await gateway.data(f"{{ assets(first: 50) {{ nodes {{ {FIFTEEN_FIELDS} }} }} }}")
    nodes = data["assets"]["nodes"]
    assert len(nodes) == 50
    assert all(node["metadata"]["type"] != "UNKNOWN" or node["source"] == "UNKNOWN" for node in nodes)
    assert gateway_queries(gateway) == ["sortBy=createdAt&sortDirection=desc&pageSize=50"]
    assert gateway.calls == [("GET", "/assets")]


def gateway_queries(gateway: World) -> list[str]:
    return [request.query for request in gateway.sandbox.scenario.requests]


async def test_the_same_asset_asked_for_three_ways_is_one_call(gateway: World) -> None:
    asset_id = gateway.asset_ids[0]
    node_id = (await gateway.data("query ($id: ID!) { asset(assetId: $id) { id } }", id=asset_id))["asset"]["id"]
    gateway.clock.advance(3_600)
    assert gateway.calls == [("GET", f"/assets/{asset_id}")]
    data = await gateway.data(
        "query ($id: ID!, $node: ID!) { asset(assetId: $id) { assetId } assetsById(assetIds: [$id]) { assetId }"
        " node(id: $node) { ... on Asset { assetId } } }",
        id=asset_id,
        node=node_id,
    )
    one = {"assetId": asset_id}
    assert data == {"asset": one, "assetsById": [one], "node": one}
    assert gateway.calls == [("GET", f"/assets/{asset_id}")]


async def test_two_assets_asked_for_apart_are_fetched_in_one_bulk_call(gateway: World) -> None:
    one, other = gateway.asset_ids[:2]
    data = await gateway.data(
        f'{{ a: asset(assetId: "{one}") {{ assetId }} b: asset(assetId: "{other}") {{ assetId }} }}'
    )
    assert data == {"a": {"assetId": one}, "b": {"assetId": other}}
    assert gateway.calls == [("POST", "/assets/get-bulk")]


async def test_assets_by_id_keep_the_order_asked_with_null_for_what_is_missing(gateway: World) -> None:
    first, *rest = gateway.asset_ids[:4]
    wanted = [rest[2], "asset_missing", first, rest[2]]
    data = await gateway.data("query ($ids: [ID!]!) { assetsById(assetIds: $ids) { assetId } }", ids=wanted)
    assert data["assetsById"] == [{"assetId": rest[2]}, None, {"assetId": first}, {"assetId": rest[2]}]
    assert gateway.calls == [("POST", "/assets/get-bulk")]


async def test_where_scenario_refuses_a_whole_bulk_for_one_id_the_others_still_come() -> None:
    async with world(bulk_refuses_unknown=True) as gateway:
        good = gateway.asset_ids[:7]
        wanted = [*good[:3], "asset_missing", *good[3:]]
        data = await gateway.data("query ($ids: [ID!]!) { assetsById(assetIds: $ids) { assetId } }", ids=wanted)
        found = [asset and asset["assetId"] for asset in data["assetsById"]]
        assert found == [*good[:3], None, *good[3:]]
        assert len(gateway.calls) <= 7


async def test_where_too_many_ids_are_refused_no_asset_that_is_there_is_taken_for_missing() -> None:
    async with world(bulk_refuses_unknown=True) as gateway:
        known = gateway.asset_ids[:180]
        ids = [id_ for place, id_ in enumerate(known) for id_ in ([f"asset_{place}", id_] if place % 9 == 0 else [id_])]
        query = "query ($ids: [ID!]!) { assetsById(assetIds: $ids) { assetId } }"
        answer = await gateway.execute(query, ids=ids)
        refused = {error["path"][1]: error["extensions"] for error in answer["errors"]}
        extensions = {
            "code": "UPSTREAM_REJECTED", "upstream": "scenario", "retryable": False, "upstreamStatus": 404
        }  # fmt: skip
        assert list(refused.values()) == [extensions] * len(refused)
        there = [place for place, id_ in enumerate(ids) if id_ in known]
        found = {place: asset["assetId"] for place, asset in enumerate(answer["data"]["assetsById"]) if asset}
        assert found == {place: ids[place] for place in there if place not in refused}
        assert len(found) > 20


async def test_a_bulk_that_is_refused_for_every_id_is_not_split_without_end(gateway: World) -> None:
    gateway.sandbox.faults.add(Fault(upstream="scenario", path=".*", status=403))
    wanted = [f"asset_{number}" for number in range(200)]
    answer = await gateway.execute("query ($ids: [ID!]!) { assetsById(assetIds: $ids) { assetId } }", ids=wanted)
    assert answer["data"] == {"assetsById": [None] * 200}
    assert len(answer["errors"]) == 200
    assert len(gateway.calls) <= 40


async def test_the_public_credential_reads_assets_one_by_one() -> None:
    async with world({"scenario_public": True}) as gateway:
        public = [id_ for id_, asset in gateway.sandbox.scenario.assets.items() if asset["privacy"] == "public"][:2]
        data = await gateway.data("query ($ids: [ID!]!) { assetsById(assetIds: $ids) { assetId } }", ids=public)
        assert [asset["assetId"] for asset in data["assetsById"]] == public
        assert sorted(gateway.calls) == sorted(("GET", f"/assets/{id_}") for id_ in public)


# --- pages ---


@pytest.mark.uncovered
async def test_parents_are_looked_for_on_pages_in_no_more_time_however_often_these_were_read() -> None:
    async with world({"gateway_fresh_page": 3_600}) as gateway:
        assets: Any = gateway.sandbox.scenario.assets
        made = assets[gateway.asset_ids[0]]
        for number in range(1_000):
            child = {"id": f"asset_child{number}", "metadata": {**made["metadata"], "parentId": f"asset_gone{number}"}}
            assets[f"asset_child{number}"] = {**made, **child, "createdAt": f"2030-01-01T00:00:00.{number:03}Z"}
        parents = "assets(first: 1000) { nodes { parent { assetId } } }"
        again = " ".join(f"a{number}: assets(first: 1000) {{ pageInfo {{ hasNextPage }} }}" for number in range(49))
        took: dict[str, list[float]] = {}
        for query in [f"{{ {parents} }}", f"{{ {again} {parents} }}"] * 4:
            gateway.clock.advance(3)  # what is missing is asked for again
            began = time.thread_time()
            assert (await gateway.data(query))["assets"]["nodes"] == [{"parent": None}] * 1_000
            took.setdefault(query, []).append(time.thread_time() - began)
        once, many = map(min, took.values())
        assert many < 4 * once, took.values()


async def test_250_assets_are_three_pages_read_one_after_another(gateway: World) -> None:
    whole = await assets(gateway, 250)
    assert len(set(ids(whole))) == 250
    queries = gateway_queries(gateway)
    assert [query.count("pageSize=100") for query in queries] == [1, 1, 1]
    assert [("paginationToken" in query) for query in queries] == [False, True, True]


async def test_pages_of_any_size_join_to_the_same_whole(gateway: World) -> None:
    whole = ids(await assets(gateway, 300))
    joined: list[str] = []
    after = None
    for size in (7, 120, 100, 73):
        page = await assets(gateway, size, after=after)
        assert page["pageInfo"]["hasPreviousPage"] is (after is not None)
        joined += ids(page)
        after = page["pageInfo"]["endCursor"]
    assert joined == whole


async def test_every_edge_is_a_place_to_go_on_from(gateway: World) -> None:
    page = await assets(gateway, 120)
    order = ids(page)
    for place in (0, 41, 98, 99, 100, 118):
        rest = await assets(gateway, 5, after=page["edges"][place]["cursor"])
        assert ids(rest)[: 119 - place][:5] == order[place + 1 : place + 6]


async def test_the_last_page_says_so_and_going_on_from_its_end_finds_nothing(gateway: World) -> None:
    total = len(gateway.sandbox.scenario.assets)
    after, seen = None, 0
    while True:
        page = await assets(gateway, 500, after=after)
        seen += len(ids(page))
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert 1_000 <= seen <= total
    nothing = await assets(gateway, 500, after=after)
    assert nothing["nodes"] == []
    assert nothing["pageInfo"] == {
        "hasNextPage": False,
        "hasPreviousPage": True,
        "startCursor": None,
        "endCursor": None,
    }


async def test_a_page_that_fails_after_the_first_yields_what_was_read_and_an_error_and_a_cursor(gateway: World) -> None:
    whole = ids(await assets(gateway, 200))
    gateway.clock.advance(3_600)
    gateway.sandbox.clear()
    first = await gateway.client.post("/graphql", json={"query": PAGE, "variables": {"first": 100}})
    assert first.json()["data"]["assets"]["pageInfo"]["hasNextPage"] is True
    gateway.sandbox.faults.add(Fault(upstream="scenario", path="^/assets$", status=503))
    answer = await gateway.execute(PAGE, first=200)
    assert ids(answer["data"]["assets"]) == whole[:100]
    assert answer["data"]["assets"]["pageInfo"]["hasNextPage"] is True
    assert answer["errors"] == [
        {
            "message": "Scenario answered 503.",
            "path": ["assets"],
            "extensions": {
                "code": "UPSTREAM_UNAVAILABLE",
                "upstream": "scenario",
                "retryable": True,
                "upstreamStatus": 503,
            },
        }
    ]
    gateway.sandbox.faults.clear()
    rest = await assets(gateway, 100, after=answer["data"]["assets"]["pageInfo"]["endCursor"])
    assert ids(rest) == whole[100:]


async def test_a_first_page_that_fails_is_null_with_its_error(gateway: World) -> None:
    gateway.sandbox.faults.add(Fault(upstream="scenario", path="^/assets$", status=500))
    answer = await gateway.execute(PAGE, first=10)
    assert answer["data"] == {"assets": None}
    assert answer["errors"][0]["extensions"]["code"] == "UPSTREAM_UNAVAILABLE"


@pytest.mark.parametrize("first", [0, -1, 1_001])
async def test_first_has_bounds(gateway: World, first: int) -> None:
    answer = await gateway.execute(PAGE, first=first)
    assert answer["errors"][0]["message"] == f"`first` takes 1 to 1,000; this is {first}."
    assert gateway.calls == []


@pytest.mark.parametrize("cursor", ["", "x", "AAAA", "WzEsbnVsbCwwLDUwLCJub3QgbWluZSJd", "é", "=" * 9_000])
async def test_what_is_no_cursor_is_refused_before_any_call(gateway: World, cursor: str) -> None:
    answer = await gateway.execute(PAGE, first=10, after=cursor)
    assert answer["errors"][0]["extensions"] == {"code": "BAD_USER_INPUT"}
    assert gateway.calls == []


async def test_a_cursor_used_with_another_filter_is_refused(gateway: World) -> None:
    cursor = (await assets(gateway, 10))["pageInfo"]["endCursor"]
    answer = await gateway.execute(PAGE, first=10, after=cursor, filter={"types": ["TXT2IMG"]})
    assert answer["errors"][0] == {
        "message": "`after` was given for another filter or sort; use both together, or neither.",
        "path": ["assets"],
        "extensions": {"code": "BAD_USER_INPUT"},
    }


# --- filters ---


async def test_a_filter_reaches_scenario_in_its_own_words(gateway: World) -> None:
    await assets(
        gateway,
        10,
        filter={
            "types": ["UPLOADED_3D", "IMG23D"],
            "modelId": "model_1",
            "inferenceId": "inf_1",
            "collectionId": "col_1",
            "parentAssetId": "asset_1",
            "rootAssetId": "asset_2",
            "authorId": "abc",
            "privacy": "PUBLIC",
            "tags": ["sci-fi", "a b"],
            "createdAfter": "2024-01-01T00:00:00Z",
            "createdBefore": "2026-01-01T01:00:00+01:00",
        },
        sort={"direction": "ASC"},
    )
    assert "&".join(gateway_queries(gateway)) == (
        "modelId=model_1&inferenceId=inf_1&collectionId=col_1&parentAssetId=asset_1&rootAssetId=asset_2&authorId=abc"
        "&createdAfter=2024-01-01T00%3A00%3A00Z&createdBefore=2026-01-01T00%3A00%3A00Z"
        "&types=uploaded-3d%2Cimg23d&tags=sci-fi%2Ca+b&privacy=public&sortBy=createdAt&sortDirection=asc&pageSize=50"
    )


async def test_a_filter_by_change_is_ordered_by_change(gateway: World) -> None:
    await assets(gateway, 10, filter={"updatedAfter": "2024-01-01T00:00:00Z"})
    assert "sortBy=updatedAt&sortDirection=desc" in gateway_queries(gateway)[0]


async def test_deleted_assets_are_asked_for_alone(gateway: World) -> None:
    data = await gateway.data("{ assets(filter: { deleted: true }) { nodes { assetId deletedAt } } }")
    assert data["assets"]["nodes"]
    assert None not in [node["deletedAt"] for node in data["assets"]["nodes"]]
    assert gateway_queries(gateway) == ["deleted=true&pageSize=50"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            'filter: { tags: ["x"] }',
            "`filter.tags` needs `privacy: PUBLIC`: Scenario filters only public assets by tag.",
        ),
        (
            'filter: { tags: ["x,y"], privacy: PUBLIC }',
            "A tag in `filter.tags` can be neither empty nor hold a comma.",
        ),
        (
            'filter: { createdAfter: "2024-01-01T00:00:00Z", updatedAfter: "2024-01-01T00:00:00Z" }',
            "A filter takes `created…` or `updated…`, not both: Scenario needs the order of each.",
        ),
        (
            'filter: { updatedAfter: "2024-01-01T00:00:00Z" }, sort: { field: CREATED_AT }',
            "This filter needs `sort: {field: UPDATED_AT}`: Scenario filters in that order only.",
        ),
        (
            "filter: { deleted: true, privacy: PUBLIC }",
            "`filter.deleted` goes with no other filter and no `sort`: Scenario takes it alone.",
        ),
        (
            "filter: { deleted: true }, sort: {}",
            "`filter.deleted` goes with no other filter and no `sort`: Scenario takes it alone.",
        ),
    ],
)
async def test_what_scenario_cannot_combine_is_refused_before_any_call(
    gateway: World, arguments: str, message: str
) -> None:
    answer = await gateway.execute(f"{{ assets({arguments}) {{ nodes {{ assetId }} }} }}")
    assert answer == {
        "data": {"assets": None},
        "errors": [{"message": message, "path": ["assets"], "extensions": {"code": "BAD_USER_INPUT"}}],
    }
    assert gateway.calls == []


# --- relations ---


async def test_parents_and_roots_of_a_page_are_one_bulk_call(gateway: World) -> None:
    data = await gateway.data(
        "{ assets(first: 100) { nodes { assetId parent { assetId } root { assetId } metadata { parentId } } } }"
    )
    nodes = data["assets"]["nodes"]
    with_parent = [node for node in nodes if node["metadata"]["parentId"]]
    assert with_parent
    assert all(node["parent"] is None or node["parent"]["assetId"] == node["metadata"]["parentId"] for node in nodes)
    assert gateway.calls in ([("GET", "/assets")], [("GET", "/assets"), ("POST", "/assets/get-bulk")])


async def test_children_are_a_page_of_their_own(gateway: World) -> None:
    child = next(a for a in gateway.sandbox.scenario.assets.values() if a["metadata"].get("parentId"))
    parent_id = child["metadata"]["parentId"]
    data = await gateway.data(
        "query ($id: ID!) { asset(assetId: $id) { children(first: 100) { nodes { assetId parent { assetId } } } } }",
        id=parent_id,
    )
    children = data["asset"]["children"]["nodes"]
    assert child["id"] in [node["assetId"] for node in children]
    assert {node["parent"]["assetId"] for node in children} == {parent_id}


async def test_an_images_own_asset_can_be_reached(gateway: World) -> None:
    asset = next(a for a in gateway.sandbox.scenario.assets.values() if "firstFrame" in a)
    data = await gateway.data(
        "query ($id: ID!) { asset(assetId: $id) { firstFrame { assetId url urlExpiresAt asset { assetId } } } }",
        id=asset["id"],
    )
    frame = data["asset"]["firstFrame"]
    assert frame["assetId"] == asset["firstFrame"]["assetId"]
    assert frame["asset"] in ({"assetId": frame["assetId"]}, None)
