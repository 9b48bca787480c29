"""The gateway as a subgraph: what composition reads, and what a router gets for its representations."""

import difflib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.federation import MAX_REPRESENTATIONS, sdl
from gateway.graph.ids import global_id
from gateway.sandbox import Fault
from tests.test_hostile_ids import REFUSED, SURROGATES
from tests.world import World, world

SCHEMA = Path(__file__).parent.parent / "schema.graphql"

ENTITIES = """
query Entities($representations: [_Any!]!) {
  _entities(representations: $representations) {
    __typename
    ... on Scan { id scanId }
    ... on Asset { id assetId mimeType }
    ... on DownloadJob { id jobId isFinal }
  }
}
"""
NO_ENTITY = "A representation is an object whose `__typename` is one of `Asset`, `DownloadJob`, `Scan`."


@pytest.fixture(params=[True, False], ids=["plans", "no plans"])
async def subgraph(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """A gateway that is a subgraph, with plans and without."""
    async with world({"gateway_federation": True, "gateway_plans": request.param}) as made:
        yield made


def scan(scan_id: str) -> dict[str, str]:
    return {"__typename": "Scan", "scanId": scan_id}


def asset(asset_id: str) -> dict[str, str]:
    return {"__typename": "Asset", "assetId": asset_id}


async def job(gateway: World) -> str:
    """Have an archive packed, and give the job's id; what that took is not counted."""
    made = await gateway.data(
        "mutation ($id: ID!) { requestBatchDownload(input: { assetIds: [$id] }) { downloadJob { jobId } } }",
        id=gateway.asset_ids[0],
    )
    assert gateway.calls == [("POST", "/assets/download")]
    job_id: str = made["requestBatchDownload"]["downloadJob"]["jobId"]
    return job_id


def test_the_sdl_is_schema_graphql_and_what_composition_has_to_know() -> None:
    lines = difflib.ndiff(SCHEMA.read_text().splitlines(), f"{sdl()}\n".splitlines())
    assert [line for line in lines if line.startswith(("+", "-"))] == [
        (
            '+ extend schema @link(url: "https://specs.apollo.dev/federation/v2.5",'
            ' import: ["@key", "@shareable", "@requiresScopes"])'
        ),
        '- """',
        "- The field takes all scopes of any one of these lists; without them it is null, and FORBIDDEN.",
        '- """',
        "- directive @requiresScopes(scopes: [[String!]!]!) on FIELD_DEFINITION",
        "- type Asset implements Node {",
        '+ type Asset implements Node @key(fields: "assetId") @key(fields: "id") {',
        "- type DownloadJob implements Node {",
        '+ type DownloadJob implements Node @key(fields: "jobId") @key(fields: "id") {',
        "- type PageInfo {",
        "+ type PageInfo @shareable {",
        "- type Scan implements Node {",
        '+ type Scan implements Node @key(fields: "scanId") @key(fields: "id") {',
    ]


async def test_composition_is_answered_the_sdl_without_a_call(subgraph: World) -> None:
    assert await subgraph.data("{ _service { __typename sdl } }") == {
        "_service": {"__typename": "_Service", "sdl": sdl()}
    }
    assert subgraph.calls == []


async def test_without_the_setting_there_is_nothing_of_it(gateway: World) -> None:
    for query in ("{ _service { sdl } }", "{ _entities(representations: []) { __typename } }"):
        answer = await gateway.execute(query)
        assert [error["extensions"] for error in answer["errors"]] == [{"code": "GRAPHQL_VALIDATION_FAILED"}]
    assert await gateway.data('{ a: __type(name: "_Any") { name } b: __type(name: "_Service") { name } }') == {
        "a": None,
        "b": None,
    }


async def test_entities_of_every_type_are_found_by_either_key_in_the_order_asked(subgraph: World) -> None:
    scan_id, asset_id, job_id = "s", subgraph.asset_ids[0], await job(subgraph)
    found_job = {
        "__typename": "DownloadJob", "id": global_id("DownloadJob", job_id), "jobId": job_id, "isFinal": False
    }  # fmt: skip
    found_asset = {
        "__typename": "Asset",
        "id": global_id("Asset", asset_id),
        "assetId": asset_id,
        "mimeType": subgraph.sandbox.scenario.assets[asset_id]["mimeType"],
    }
    found_scan = {"__typename": "Scan", "id": global_id("Scan", scan_id), "scanId": scan_id}
    representations = [
        {"__typename": "DownloadJob", "jobId": job_id},
        asset(asset_id),
        scan(scan_id),
        {"__typename": "Scan", "id": found_scan["id"]},
        {"__typename": "Asset", "id": found_asset["id"], "name": "what another subgraph requires"},
        {"__typename": "DownloadJob", "id": found_job["id"]},
    ]
    assert await subgraph.data(ENTITIES, representations=representations) == {
        "_entities": [found_job, found_asset, found_scan, found_scan, found_asset, found_job]
    }
    assert subgraph.calls == [("GET", f"/assets/download/{job_id}"), ("GET", f"/assets/{asset_id}")]


async def test_a_plan_answers_entities_of_every_type() -> None:
    async with world({"gateway_federation": True}) as subgraph:
        representations = [scan("s"), asset(subgraph.asset_ids[0]), asset("nothing"), {"__typename": "Query"}]
        await subgraph.execute(ENTITIES, representations=representations)
        assert subgraph.app.state.engine.counts == {"planned": 1}


async def test_50_assets_are_one_call_and_250_are_two(subgraph: World) -> None:
    query = "query ($of: [_Any!]!) { _entities(representations: $of) { ... on Asset { assetId } } }"
    few, many = subgraph.asset_ids[:50], subgraph.asset_ids[50:300]
    for ids, calls in ((few, 1), (many, 2)):
        answer = await subgraph.data(query, of=list(map(asset, ids)))
        assert answer == {"_entities": [{"assetId": id_} for id_ in ids]}
        assert subgraph.calls == [("POST", "/assets/get-bulk")] * calls


async def test_scans_cost_nothing_until_a_field_of_theirs_is_read(subgraph: World) -> None:
    first, second = subgraph.sandbox.prism.scan_ids("READY")[:2]
    query = "query ($of: [_Any!]!) { _entities(representations: $of) { ... on Scan { scanId %s } } }"
    representations = [scan(first), scan(second)]
    assert await subgraph.data(query % "", of=representations) == {"_entities": [{"scanId": first}, {"scanId": second}]}
    assert subgraph.calls == []
    assert await subgraph.data(query % "status assets { isReady }", of=representations) == {
        "_entities": [
            {"scanId": first, "status": "READY", "assets": {"isReady": True}},
            {"scanId": second, "status": "READY", "assets": {"isReady": True}},
        ]
    }
    assert subgraph.calls == [("GET", f"/scans/{first}"), ("GET", f"/scans/{second}")]


async def test_an_entity_is_the_document_that_the_rest_of_the_request_reads(subgraph: World) -> None:
    scan_id, asset_id = subgraph.sandbox.prism.scan_ids("READY")[0], subgraph.asset_ids[0]
    query = """query ($scanId: ID!, $assetId: ID!) {
      scan(scanId: $scanId) { status }
      asset(assetId: $assetId) { assetId }
      _entities(
        representations: [{ __typename: "Scan", scanId: $scanId }, { __typename: "Asset", assetId: $assetId }]
      ) { ... on Scan { status } ... on Asset { assetId } }
    }"""
    assert await subgraph.data(query, scanId=scan_id, assetId=asset_id) == {
        "scan": {"status": "READY"},
        "asset": {"assetId": asset_id},
        "_entities": [{"status": "READY"}, {"assetId": asset_id}],
    }
    assert subgraph.calls == [("GET", f"/scans/{scan_id}"), ("GET", f"/assets/{asset_id}")]


async def test_what_does_not_exist_is_null_and_of_a_scan_each_field_that_would_need_it(subgraph: World) -> None:
    query = """query ($of: [_Any!]!) {
      _entities(representations: $of) {
        ... on Scan { scanId status } ... on Asset { name } ... on DownloadJob { jobId }
      }
    }"""
    representations = [asset("nothing"), {"__typename": "DownloadJob", "jobId": "nothing"}, scan("nothing")]
    assert await subgraph.execute(query, of=representations) == {
        "data": {"_entities": [None, None, {"scanId": "nothing", "status": None}]},
        "errors": [
            {
                "message": "Prism has no such scan.",
                "path": ["_entities", 2, "status"],
                "extensions": {"code": "NOT_FOUND", "upstream": "prism", "retryable": False, "upstreamStatus": 404},
            }
        ],
    }


async def test_an_upstream_that_fails_costs_its_own_entities_only(subgraph: World) -> None:
    subgraph.sandbox.faults.add(Fault(upstream="scenario", status=503))
    answer = await subgraph.execute(ENTITIES, representations=[asset("a"), scan("s"), asset("b")])
    assert answer["data"] == {
        "_entities": [None, {"__typename": "Scan", "id": global_id("Scan", "s"), "scanId": "s"}, None]
    }
    assert [(error["path"], error["extensions"]["code"]) for error in answer["errors"]] == [
        (["_entities", 0], "UPSTREAM_UNAVAILABLE"),
        (["_entities", 2], "UPSTREAM_UNAVAILABLE"),
    ]


BAD: list[tuple[Any, str]] = [
    ("scan", NO_ENTITY),
    (7, NO_ENTITY),
    ([{"__typename": "Scan", "scanId": "s"}], NO_ENTITY),
    ({}, NO_ENTITY),
    ({"scanId": "s"}, NO_ENTITY),
    ({"__typename": None, "scanId": "s"}, NO_ENTITY),
    ({"__typename": ["Scan"], "scanId": "s"}, NO_ENTITY),
    ({"__typename": "scan", "scanId": "s"}, NO_ENTITY),
    ({"__typename": "Query"}, NO_ENTITY),
    ({"__typename": "PageInfo"}, NO_ENTITY),
    ({"__typename": "Scan"}, "A representation of `Scan` has `scanId` or `id`; this one has neither."),
    (
        {"__typename": "Scan", "assetId": "a"},
        "A representation of `Scan` has `scanId` or `id`; this one has neither.",
    ),
    ({"__typename": "Scan", "scanId": None}, "`scanId` is not an id: it is neither a string nor a whole number."),
    ({"__typename": "Asset", "assetId": True}, "`assetId` is not an id: it is neither a string nor a whole number."),
    ({"__typename": "Asset", "assetId": {}}, "`assetId` is not an id: it is neither a string nor a whole number."),
    ({"__typename": "DownloadJob", "jobId": 1.5}, "`jobId` is not an id: it is neither a string nor a whole number."),
    ({"__typename": "Scan", "scanId": ""}, "`scanId` must have 1 to 256 characters; this one has 0."),
    ({"__typename": "Scan", "id": "s"}, "`id` takes global ids, as the field `id` gives them; this is none."),
    ({"__typename": "Scan", "id": 7}, "`id` takes global ids, as the field `id` gives them; this is none."),
    (
        {"__typename": "Scan", "id": global_id("Asset", "a")},
        "`id` is of another type than the representation, which is a `Scan`.",
    ),
]


@pytest.mark.parametrize(("representation", "message"), BAD)
async def test_a_bad_representation_costs_its_own_place_only(
    subgraph: World, representation: Any, message: str
) -> None:
    known = {"__typename": "Scan", "id": global_id("Scan", "s"), "scanId": "s"}
    assert await subgraph.execute(ENTITIES, representations=[scan("s"), representation, scan("s")]) == {
        "data": {"_entities": [known, None, known]},
        "errors": [{"message": message, "path": ["_entities", 1], "extensions": {"code": "BAD_USER_INPUT"}}],
    }
    assert subgraph.calls == []


async def test_an_id_that_is_a_whole_number_is_read_as_graphql_reads_one(subgraph: World) -> None:
    answer = await subgraph.data(ENTITIES, representations=[{"__typename": "Scan", "scanId": 12}])
    assert answer == {"_entities": [{"__typename": "Scan", "id": global_id("Scan", "12"), "scanId": "12"}]}


@pytest.mark.parametrize(("type_name", "key"), [("Scan", "scanId"), ("Asset", "assetId"), ("DownloadJob", "jobId")])
async def test_no_id_of_a_representation_leads_a_call_to_another_route(
    subgraph: World, type_name: str, key: str
) -> None:
    representations = [{"__typename": type_name, key: id_} for id_ in REFUSED]
    representations += [{"__typename": type_name, "id": global_id(type_name, id_)} for id_ in REFUSED]
    answer = await subgraph.execute(ENTITIES, representations=representations)
    assert answer["data"] == {"_entities": [None] * len(representations)}
    assert [error["extensions"] for error in answer["errors"]] == [{"code": "BAD_USER_INPUT"}] * len(representations)
    assert subgraph.calls == []


@pytest.mark.parametrize("id_", SURROGATES)
async def test_half_a_character_is_refused_before_any_call(subgraph: World, id_: str) -> None:
    body = json.dumps({"query": ENTITIES, "variables": {"representations": [scan(id_)]}})  # in ASCII
    response = await subgraph.client.post("/graphql", content=body, headers={"content-type": "application/json"})
    answer = response.json()
    assert answer.get("data") in (None, {"_entities": [None]})
    assert {error["extensions"]["code"] for error in answer["errors"]} <= {"BAD_REQUEST", "BAD_USER_INPUT"}
    assert subgraph.calls == []


async def test_more_than_1000_representations_are_refused_before_any_call(subgraph: World) -> None:
    answer = await subgraph.execute(ENTITIES, representations=[asset("a")] * (MAX_REPRESENTATIONS + 1))
    assert answer == {
        "data": None,
        "errors": [
            {
                "message": "`representations` takes at most 1,000; these are 1,001.",
                "path": ["_entities"],
                "extensions": {"code": "BAD_USER_INPUT"},
            }
        ],
    }
    assert subgraph.calls == []


async def test_freshness_names_the_place_of_an_entity(subgraph: World) -> None:
    asset_id = subgraph.asset_ids[0]
    body = {
        "query": ENTITIES,
        "variables": {"representations": [scan("s"), asset(asset_id)]},
        "extensions": {"freshness": True},
    }
    answer = (await subgraph.client.post("/graphql", json=body)).json()
    documents = answer["extensions"]["freshness"]["documents"]
    assert [(document["id"], document["paths"]) for document in documents] == [(asset_id, [["_entities", 1]])]
