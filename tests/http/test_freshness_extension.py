"""`extensions.freshness` on request: where each document came from, its age, and until when it is fresh."""

from typing import Any

from gateway.sandbox import Fault
from tests.world import NOON, World, world

ASKED = {"freshness": True}


async def freshness(gateway: World, query: str) -> Any:
    answer = await gateway.client.post("/graphql", json={"query": query, "extensions": ASKED})
    return answer.json()["extensions"]["freshness"]


def document(kind: str, id_: str, source: str, age: int, until: str, *paths: list[Any]) -> dict[str, Any]:
    return {"document": kind, "id": id_, "source": source, "age": age, "expiresAt": until, "paths": list(paths)}


async def test_each_document_has_its_source_its_age_its_end_and_its_paths(gateway: World) -> None:
    scan_id = gateway.sandbox.prism.scan_ids("READY")[0]
    await gateway.data(f'{{ scan(scanId: "{scan_id}") {{ assets {{ isReady }} }} }}')
    gateway.clock.advance(60)
    query = f"""{{ scan(scanId: "{scan_id}") {{ assets {{ isReady }} urls: assetUrls {{ model }} }}
      again: scan(scanId: "{scan_id}") {{ assets {{ isReady }} }}
      assets(first: 2) {{ nodes {{ assetId }} }} }}"""
    assert NOON == 1_790_000_000  # 2026-09-21T14:13:20Z
    told = await freshness(gateway, query)
    page_id = told["documents"][-1]["id"]
    assert told == {
        "expiresAt": "2026-09-21T14:14:25Z",
        "documents": [
            document(
                "scan_assets", scan_id, "cache", 60, "2026-09-21T14:18:20Z", ["scan", "assets"], ["again", "assets"]
            ),
            document("scan_asset_urls", scan_id, "upstream", 0, "2026-09-21T15:13:20Z", ["scan", "urls"]),
            document("asset_page", page_id, "upstream", 0, "2026-09-21T14:14:25Z", ["assets"]),
        ],
    }


async def test_items_of_a_list_have_paths_of_their_own(gateway: World) -> None:
    one, two = gateway.asset_ids[:2]
    query = f'{{ assetsById(assetIds: ["{one}", "{two}", "{one}"]) {{ assetId }} }}'
    told = await freshness(gateway, query)
    assert [(some["id"], some["source"], some["paths"]) for some in told["documents"]] == [
        (one, "upstream", [["assetsById", 0], ["assetsById", 2]]),
        (two, "upstream", [["assetsById", 1]]),
    ]


async def test_urls_that_are_taken_out_of_one_document_are_told_apart(gateway: World) -> None:
    scan_id = gateway.sandbox.prism.scan_ids("READY")[0]
    query = (
        f'{{ scan(scanId: "{scan_id}") {{ a: assetUrl(type: MODEL) {{ url }} b: assetUrl(type: TEXTURE) {{ url }} }} }}'
    )
    told = await freshness(gateway, query)
    end = "2026-09-21T15:12:20Z"
    assert told["documents"] == [
        document("scan_asset_url", f"{scan_id}/model", "upstream", 0, end, ["scan", "a"]),
        document("scan_asset_url", f"{scan_id}/texture", "upstream", 0, end, ["scan", "b"]),
    ]
    assert gateway.calls == [("GET", f"/scans/{scan_id}/asset-urls")]


async def test_the_answer_is_the_same_as_without(gateway: World) -> None:
    scan_id = gateway.sandbox.prism.scan_ids("READY")[0]
    scan = f'scan(scanId: "{scan_id}") {{ status assets {{ isReady }} }}'
    query = f"{{ {scan} assets {{ nodes {{ assetId parent {{ kind }} }} }} }}"
    told = await gateway.client.post("/graphql", json={"query": query, "extensions": ASKED})
    assert told.json()["data"] == await gateway.data(query)


async def test_a_stale_document_is_named_as_stale_too(gateway: World) -> None:
    scan_id = gateway.sandbox.prism.scan_ids("READY")[0]
    query = f'{{ scan(scanId: "{scan_id}") {{ assets {{ isReady }} }} }}'
    await gateway.data(query)
    gateway.sandbox.faults.add(Fault(upstream="prism", status=503))
    gateway.clock.advance(400)
    assert await freshness(gateway, query) == {
        "expiresAt": "2026-09-21T14:18:20Z",
        "documents": [document("scan_assets", scan_id, "cache", 400, "2026-09-21T14:18:20Z", ["scan", "assets"])],
        "stale": [{"document": "scan_assets", "id": scan_id, "age": 400}],
    }


async def test_an_answer_of_no_document_has_no_end(gateway: World) -> None:
    assert await freshness(gateway, "{ __typename }") == {"expiresAt": None, "documents": []}


async def test_it_is_asked_for_by_get_too_and_only_with_true(gateway: World) -> None:
    for value, is_told in (("true", True), ("false", False), ("1", False), ('"yes"', False), ("null", False)):
        parameters = {"query": "{ __typename }", "extensions": f'{{"freshness": {value}}}'}
        answer = await gateway.client.get("/graphql", params=parameters)
        assert ("extensions" in answer.json()) is is_told


async def test_it_tells_of_documents_where_whole_answers_are_kept_and_of_upstream_calls_beside() -> None:
    async with world({"gateway_answers": True, "gateway_report_calls": True}) as gateway:
        query = "{ assets(first: 1) { nodes { assetId } } }"
        await gateway.data(query)
        gateway.clock.advance(1)
        answer = await gateway.client.post("/graphql", json={"query": query, "extensions": ASKED})
        told = answer.json()["extensions"]
        assert [(some["source"], some["age"]) for some in told["freshness"]["documents"]] == [("cache", 1)]
        assert told["upstreamCalls"] == {}
