"""Scans and assets joined: what is linked, what that takes, who sees it, and how it is changed."""

import asyncio
import json
from typing import Any

import pytest

from gateway.engine.answer import Asked
from gateway.graph.joining import add_fields
from gateway.links.fields import linked_assets
from gateway.prism.types import Scan
from gateway.sandbox.faults import Fault
from tests.callers import caller, gate
from tests.replicas import until
from tests.world import World, settle, world

LINKED = """query Linked($scanId: ID!, $first: Int! = 20, $after: String) {
  scan(scanId: $scanId) {
    linkedAssets(first: $first, after: $after) { nodes { assetId } pageInfo { hasNextPage endCursor } }
  }
}"""
PAYLOAD = "scan { scanId } assetIds userErrors { code message field }"
LINK = f"mutation Link($input: LinkAssetsToScanInput!) {{ linkAssetsToScan(input: $input) {{ {PAYLOAD} }} }}"
UNLINK = (
    f"mutation Unlink($input: UnlinkAssetsFromScanInput!) {{ unlinkAssetsFromScan(input: $input) {{ {PAYLOAD} }} }}"
)
OF_ASSET = "query OfAsset($id: ID!) { asset(assetId: $id) { scan { scanId } } }"
BULK, SEARCH = ("POST", "/assets/get-bulk"), ("POST", "/search/assets")
PHONE = caller("scans:read:own", "assets:read", "assets:write", owner="member-0001", id_="phone")
CLINIC = caller("scans:read", "assets:read", "assets:write", id_="clinic")
LIBRARY = caller("assets:read", id_="library")


def scan_of(gateway: World) -> str:
    """A scan that is ready."""
    return gateway.sandbox.prism.scan_ids("READY")[0]


def tag(gateway: World, asset_id: str, *tags: str) -> None:
    """Let an asset have these tags, as if somebody else had put them there long ago."""
    assets = gateway.sandbox.scenario.assets
    assets[asset_id] = {**assets[asset_id], "tags": list(tags)}


def linked_by(gateway: World, scan_id: str, prefix: str = "prism-scan:") -> list[str]:
    """The assets that bear a scan's tag, last made first."""
    own = [gateway.sandbox.scenario.assets[id_] for id_ in gateway.asset_ids]
    bearing = [asset for asset in own if f"{prefix}{scan_id}" in asset["tags"]]
    return [asset["id"] for asset in sorted(bearing, key=lambda asset: asset["createdAt"], reverse=True)]


def free(gateway: World, count: int) -> list[str]:
    """Assets of the project that are linked to nothing."""
    held = gateway.sandbox.scenario.assets
    unlinked = [id_ for id_ in gateway.asset_ids if not any("prism-scan" in tag for tag in held[id_]["tags"])]
    return unlinked[:count]


def sent(gateway: World) -> list[tuple[str, str, Any]]:
    """Everything that Scenario was sent: method, path and body."""
    return [
        (request.method, request.path, json.loads(request.body or "null"))
        for request in gateway.sandbox.scenario.requests
    ]


async def linked(gateway: World, scan_id: str, **variables: Any) -> list[str]:
    """The ids of the assets that are linked to a scan."""
    data = await gateway.data(LINKED, scanId=scan_id, **variables)
    return [node["assetId"] for node in data["scan"]["linkedAssets"]["nodes"]]


async def test_one_query_joins_a_scans_status_with_its_linked_assets(gateway: World) -> None:
    scan_id = scan_of(gateway)
    query = """query ($scanId: ID!) {
      scan(scanId: $scanId) { status linkedAssets { nodes { assetId mimeType url scan { scanId status } } } }
    }"""
    held = gateway.sandbox.scenario.assets
    for calls in ([("GET", f"/scans/{scan_id}"), SEARCH, BULK], []):
        answer = await gateway.data(query, scanId=scan_id)
        nodes = answer["scan"]["linkedAssets"]["nodes"]
        assert all(node.pop("url").startswith("http://sandbox.test/cdn/") for node in nodes)
        scan = {"scanId": scan_id, "status": "READY"}
        expected = [
            {"assetId": id_, "mimeType": held[id_]["mimeType"], "scan": scan} for id_ in linked_by(gateway, scan_id)
        ]
        assert answer == {"scan": {"status": "READY", "linkedAssets": {"nodes": expected}}}
        assert len(expected) == 3
        assert gateway.calls == calls


async def test_what_is_searched_for_is_the_tag_of_the_projects_own_assets(gateway: World) -> None:
    scan_id = scan_of(gateway)
    await linked(gateway, scan_id)
    method, path, body = sent(gateway)[0]
    assert (method, path) == SEARCH
    assert body == {
        "filter": f'tags = "prism-scan:{scan_id}"', "offset": 0, "limit": 50, "sortBy": ["createdAt:desc"]
    }  # fmt: skip


async def test_an_asset_leads_to_its_scan_without_a_call(gateway: World) -> None:
    scan_id = scan_of(gateway)
    asset_id, *_ = linked_by(gateway, scan_id)
    assert await gateway.data(OF_ASSET, id=asset_id) == {"asset": {"scan": {"scanId": scan_id}}}
    assert gateway.calls == [("GET", f"/assets/{asset_id}")]
    (unlinked,) = free(gateway, 1)
    assert await gateway.data(OF_ASSET, id=unlinked) == {"asset": {"scan": None}}


async def test_of_several_scans_an_asset_leads_to_the_first_and_each_of_them_to_it(gateway: World) -> None:
    first, second, *_ = gateway.sandbox.prism.scan_ids("READY")
    (asset_id,) = free(gateway, 1)
    tag(gateway, asset_id, "a", "prism-scan:", "prism-scan:a/b", f"prism-scan:{first}", f"prism-scan:{second}")
    assert await gateway.data(OF_ASSET, id=asset_id) == {"asset": {"scan": {"scanId": first}}}
    for scan_id in (first, second):
        assert asset_id in await linked(gateway, scan_id)


async def test_pages_of_linked_assets_are_joined_and_went_on_from(gateway: World) -> None:
    scan_id = scan_of(gateway)
    for asset_id in gateway.asset_ids[:230]:
        tag(gateway, asset_id, f"prism-scan:{scan_id}")
    expected = linked_by(gateway, scan_id)
    assert len(expected) > 225
    assert await linked(gateway, scan_id, first=1_000) == expected
    assert gateway.calls == [SEARCH, SEARCH, SEARCH, BULK, BULK]
    read: list[str] = []
    page: dict[str, Any] = {"hasNextPage": True, "endCursor": None}
    while page["hasNextPage"]:
        data = await gateway.data(LINKED, scanId=scan_id, first=90, after=page["endCursor"])
        page = data["scan"]["linkedAssets"]["pageInfo"]
        read += [node["assetId"] for node in data["scan"]["linkedAssets"]["nodes"]]
    assert read == expected
    assert set(gateway.calls) == {SEARCH}


@pytest.mark.parametrize("after", ["x", "WzEsIngiLDAsNTAsIngiXQ"])
async def test_a_cursor_of_anything_else_is_refused(gateway: World, after: str) -> None:
    answer = await gateway.execute(LINKED, scanId=scan_of(gateway), after=after)
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["BAD_USER_INPUT"]
    assert answer["data"] == {"scan": {"linkedAssets": None}}
    assert gateway.calls == []


async def test_a_link_is_seen_at_once_in_both_directions_and_from_then_on(gateway: World) -> None:
    scan_id = scan_of(gateway)
    before = await linked(gateway, scan_id)
    new = free(gateway, 2)
    for asset_id in new:
        assert await gateway.data(OF_ASSET, id=asset_id) == {"asset": {"scan": None}}
    assert gateway.calls == [SEARCH, BULK, *(("GET", f"/assets/{id_}") for id_ in new)]
    answer = await gateway.data(LINK, input={"scanId": scan_id, "assetIds": [*new, new[0]]})
    assert answer == {"linkAssetsToScan": {"scan": {"scanId": scan_id}, "assetIds": new, "userErrors": []}}
    body = {"strict": False, "add": [f"prism-scan:{scan_id}"]}
    assert sent(gateway) == [("PUT", f"/assets/{id_}/tags", body) for id_ in new]
    assert gateway.calls[0] == ("GET", f"/scans/{scan_id}")
    for moment in (0, 1, 10, 1_000):  # search knows of it after two seconds
        gateway.clock.advance(moment)
        assert sorted(await linked(gateway, scan_id)) == sorted([*new, *before])
        for asset_id in new:
            assert await gateway.data(OF_ASSET, id=asset_id) == {"asset": {"scan": {"scanId": scan_id}}}


async def test_what_is_unlinked_is_gone_at_once_in_both_directions_whatever_search_says(gateway: World) -> None:
    scan_id = scan_of(gateway)
    gone, *others = await linked(gateway, scan_id)
    gateway.calls.clear()
    answer = await gateway.data(UNLINK, input={"scanId": scan_id, "assetIds": [gone]})
    assert answer == {"unlinkAssetsFromScan": {"scan": {"scanId": scan_id}, "assetIds": [gone], "userErrors": []}}
    for moment in (0, 1, 10, 1_000):
        gateway.clock.advance(moment)
        assert await linked(gateway, scan_id) == others
        assert await gateway.data(OF_ASSET, id=gone) == {"asset": {"scan": None}}


async def test_a_link_and_its_end_in_one_request_are_seen_by_what_follows(gateway: World) -> None:
    scan_id = scan_of(gateway)
    (new,) = free(gateway, 1)
    arguments = f'(input: {{ scanId: "{scan_id}", assetIds: ["{new}"] }})'
    shown = "assets { assetId scan { scanId } } scan { linkedAssets { nodes { assetId } } }"
    before = linked_by(gateway, scan_id)
    data = await gateway.data(
        f"mutation {{ a: linkAssetsToScan{arguments} {{ {shown} }} b: unlinkAssetsFromScan{arguments} {{ {shown} }} }}"
    )
    for name, scan, ids in (("a", {"scanId": scan_id}, [new, *before]), ("b", None, before)):
        nodes = [{"assetId": id_} for id_ in ids]
        assert data[name] == {"assets": [{"assetId": new, "scan": scan}], "scan": {"linkedAssets": {"nodes": nodes}}}


async def test_what_others_linked_is_seen_when_search_tells_of_it(gateway: World) -> None:
    """Though an older copy of the asset is at hand, which is not asked for again before search tells otherwise."""
    scan_id = scan_of(gateway)
    before = await linked(gateway, scan_id)
    (new,) = free(gateway, 1)
    await gateway.data(OF_ASSET, id=new)
    gateway.clock.advance(6)
    tag(gateway, new, f"prism-scan:{scan_id}")
    _ = gateway.calls
    for expected, calls in ((before, [SEARCH]), ([*before, new], [("GET", f"/assets/{new}")]), ([*before, new], [])):
        found = await linked(gateway, scan_id)  # a page that is stale is served while it is asked for again
        await asyncio.sleep(0.01)
        assert sorted(found) == sorted(expected)
        assert gateway.calls == calls


async def test_what_others_linked_is_seen_by_all_who_ask_for_it_in_one_request(gateway: World) -> None:
    """Though a page of that request has an older copy of the asset, which each of them finds out of date."""
    scan_id, page = scan_of(gateway), "assets(first: 50) { nodes { assetId } }"
    newest = linked_by(gateway, scan_id)
    new, *_ = [node["assetId"] for node in (await gateway.data(f"{{ {page} }}"))["assets"]["nodes"]]
    tag(gateway, new)
    gateway.clock.advance(100)
    await gateway.data(f"{{ {page} }}")
    gateway.clock.advance(3)
    tag(gateway, new, f"prism-scan:{scan_id}")
    _ = gateway.calls
    linked_assets = "linkedAssets { nodes { assetId } }"
    query = f"query ($id: ID!) {{ {page} scansById(scanIds: [$id, $id]) {{ {linked_assets} }} }}"
    async with asyncio.timeout(10):
        data = await gateway.data(query, id=scan_id)
    for scan in data["scansById"]:
        assert {node["assetId"] for node in scan["linkedAssets"]["nodes"]} == {new, *newest}
    assert gateway.calls == [SEARCH, BULK, ("GET", f"/assets/{new}")]


async def test_what_search_takes_for_the_same_is_not_shown(gateway: World) -> None:
    scan_id = scan_of(gateway)
    before = linked_by(gateway, scan_id)
    (other,) = free(gateway, 1)
    tag(gateway, other, f"PRISM-SCAN:{scan_id.upper()}")
    assert await linked(gateway, scan_id) == before
    assert gateway.calls == [SEARCH, BULK]
    assert await gateway.data(OF_ASSET, id=other) == {"asset": {"scan": None}}


async def test_what_others_unlinked_is_not_shown_nor_asked_for_twice_though_search_still_tells_of_it(
    gateway: World,
) -> None:
    scan_id, (gone, *others) = scan_of(gateway), linked_by(gateway, scan_of(gateway))
    hits = [{"id": id_, "tags": [f"prism-scan:{scan_id}"]} for id_ in (gone, *others)]
    gateway.sandbox.faults.add(Fault(path="^/search", status=200, body=json.dumps({"hits": hits})))
    tag(gateway, gone)
    for calls in ([SEARCH, BULK], []):
        assert await linked(gateway, scan_id) == others
        assert gateway.calls == calls


async def test_what_was_deleted_or_has_no_id_is_left_out(gateway: World) -> None:
    scan_id = scan_of(gateway)
    first, second, third = linked_by(gateway, scan_id)
    hits = [{"id": first}, {"id": None}, 7, {"id": "asset_gone"}, {"id": second}, {"id": second}, {"id": third}]
    gateway.sandbox.faults.add(Fault(path="^/search", status=200, body=json.dumps({"hits": hits})))
    assert await linked(gateway, scan_id) == [first, second, third]
    assert gateway.calls == [SEARCH, BULK]


@pytest.mark.parametrize("total", [{"estimatedTotalHits": 102.0}, {"totalHits": 102}, {}])
async def test_search_may_tell_how_much_there_is_in_any_way(gateway: World, total: dict[str, Any]) -> None:
    scan_id = scan_of(gateway)
    first, second, third = linked_by(gateway, scan_id)
    pages = [[{"id": first}, *({"id": "asset_gone"} for _ in range(99))], [{"id": second}, {"id": third}]]
    for hits in pages:
        fault = Fault(path="^/search", status=200, body=json.dumps({"hits": hits, **total}), times=1)
        gateway.sandbox.faults.add(fault)
    data = await gateway.data(LINKED, scanId=scan_id, first=110)
    assert [node["assetId"] for node in data["scan"]["linkedAssets"]["nodes"]] == [first, second, third]
    assert gateway.calls == [SEARCH, SEARCH, BULK]


@pytest.mark.parametrize(("status", "code"), [(429, "UPSTREAM_RATE_LIMITED"), (403, "UPSTREAM_REJECTED")])
async def test_without_quota_for_search_all_else_is_answered(status: int, code: str) -> None:
    async with world({"gateway_retries": 0}) as gateway:
        body = json.dumps({"error": "Quota exceeded for search", "code": "QUOTA_EXCEEDED"})
        gateway.sandbox.faults.add(Fault(path="^/search", status=status, body=body))
        scan_id = scan_of(gateway)
        answer = await gateway.execute(LINKED.replace("linkedAssets", "status linkedAssets"), scanId=scan_id)
        assert answer["data"] == {"scan": {"status": "READY", "linkedAssets": None}}
        (error,) = answer["errors"]
        assert error["message"] == f"Scenario answered {status}: Quota exceeded for search"
        assert error["path"] == ["scan", "linkedAssets"]
        assert error["extensions"]["code"] == code


async def test_some_assets_that_cannot_be_read_leave_the_others_and_an_error(gateway: World) -> None:
    scan_id = scan_of(gateway)
    first, second, third = linked_by(gateway, scan_id)
    for id_ in (first, second):
        await gateway.data(OF_ASSET, id=id_)
    failure = Fault(path=f"^/assets/{third}$", status=500, headers={"x-should-retry": "false"})
    gateway.sandbox.faults.add(failure)
    answer = await gateway.execute(LINKED, scanId=scan_id)
    assert [node["assetId"] for node in answer["data"]["scan"]["linkedAssets"]["nodes"]] == [first, second]
    assert [error["path"] for error in answer["errors"]] == [["scan", "linkedAssets"]]
    gateway.sandbox.faults.clear()


async def test_where_no_asset_can_be_read_there_is_no_list_of_them(gateway: World) -> None:
    gateway.sandbox.faults.add(Fault(path="get-bulk$", status=500, headers={"x-should-retry": "false"}))
    answer = await gateway.execute(LINKED.replace("linkedAssets", "status linkedAssets"), scanId=scan_of(gateway))
    assert answer["data"] == {"scan": {"status": "READY", "linkedAssets": None}}
    assert [(error["path"], error["extensions"]["code"]) for error in answer["errors"]] == [
        (["scan", "linkedAssets"], "UPSTREAM_UNAVAILABLE")
    ]


async def test_a_link_that_is_refused_when_it_is_made_again_is_seen_as_before() -> None:
    async with world(index_seconds=60) as gateway:
        scan_id, [asset_id] = scan_of(gateway), free(gateway, 1)
        await gateway.data(LINK, input={"scanId": scan_id, "assetIds": [asset_id]})
        gateway.sandbox.faults.add(Fault(method="PUT", status=429, times=1))
        again = await gateway.data(LINK, input={"scanId": scan_id, "assetIds": [asset_id]})
        assert [error["code"] for error in again["linkAssetsToScan"]["userErrors"]] == ["TOO_MANY"]
        assert (await linked(gateway, scan_id))[0] == asset_id


async def test_a_link_whose_end_is_refused_is_seen_as_before() -> None:
    async with world(index_seconds=60) as gateway:
        scan_id, assets = scan_of(gateway), free(gateway, 2)
        before, given = linked_by(gateway, scan_id), {"scanId": scan_id, "assetIds": assets}
        await gateway.data(LINK, input=given)
        gateway.sandbox.faults.add(Fault(method="PUT", path=assets[0], status=429, body='{"message": "Too many"}'))
        reason = {"code": "TOO_MANY", "message": "Scenario answered 429: Too many", "field": None}
        answer = await gateway.data(UNLINK, input=given)
        assert answer["unlinkAssetsFromScan"] == {
            "scan": {"scanId": scan_id}, "assetIds": assets[1:], "userErrors": [reason]
        }  # fmt: skip
        assert await linked(gateway, scan_id) == [assets[0], *before]


async def test_what_one_linked_is_found_when_it_is_recent_no_more_however_long_a_page_is_kept() -> None:
    async with world({"gateway_fresh_page": 3_600}) as gateway:
        scan_id, (new, *_) = scan_of(gateway), free(gateway, 1)
        before = await linked(gateway, scan_id)
        await gateway.data(LINK, input={"scanId": scan_id, "assetIds": [new]})
        gateway.clock.advance(301)
        assert sorted(await linked(gateway, scan_id)) == sorted([*before, new])


async def test_a_link_is_seen_at_once_though_another_that_began_before_is_refused_after_it() -> None:
    async with world(index_seconds=60) as gateway:
        scan_id, [asset_id] = scan_of(gateway), free(gateway, 1)
        given = {"scanId": scan_id, "assetIds": [asset_id]}
        gateway.sandbox.faults.add(Fault(method="PUT", status=429, times=1, delay=0.5))
        refused = asyncio.create_task(gateway.data(LINK, input=given))
        await until(lambda: gateway.sandbox.scenario.calls)
        made = await gateway.data(LINK, input=given)
        assert made["linkAssetsToScan"]["assetIds"] == [asset_id]
        assert not refused.done()
        assert (await refused)["linkAssetsToScan"]["assetIds"] == []
        assert (await linked(gateway, scan_id))[0] == asset_id


async def test_each_asset_that_is_refused_has_its_reason_and_the_others_are_linked(gateway: World) -> None:
    scan_id = scan_of(gateway)
    (new,) = free(gateway, 1)
    theirs = next(
        a["id"]
        for a in gateway.sandbox.scenario.assets.values()
        if a["privacy"] == "private" and a["ownerId"] == gateway.sandbox.other_project_id and "deletedAt" not in a
    )
    answer = await gateway.data(LINK, input={"scanId": scan_id, "assetIds": ["asset_gone", new, theirs]})
    foreign = f"Scenario answered 403: Asset {theirs} is not available to this project"
    missing = "Scenario answered 404: Asset asset_gone not found"
    assert answer["linkAssetsToScan"] == {
        "scan": {"scanId": scan_id},
        "assetIds": [new],
        "userErrors": [
            {"code": "NOT_FOUND", "message": missing, "field": ["assetIds", "0"]},
            {"code": "NOT_PERMITTED", "message": foreign, "field": ["assetIds", "2"]},
        ],
    }
    _ = gateway.calls
    assert new in await linked(gateway, scan_id)
    assert gateway.calls == [SEARCH, BULK]


@pytest.mark.parametrize("change", [LINK, UNLINK])
async def test_where_every_asset_is_refused_so_is_the_scan(gateway: World, change: str) -> None:
    (payload,) = (await gateway.data(change, input={"scanId": scan_of(gateway), "assetIds": ["asset_gone"]})).values()
    message = "Scenario answered 404: Asset asset_gone not found"
    refused = {"code": "NOT_FOUND", "message": message, "field": ["assetIds", "0"]}
    assert payload == {"scan": None, "assetIds": [], "userErrors": [refused]}


async def test_a_link_of_which_nobody_knows_whether_it_was_made_says_so_and_is_sent_once(gateway: World) -> None:
    scan_id = scan_of(gateway)
    lost, made = free(gateway, 2)
    gateway.sandbox.faults.add(Fault(path=f"{lost}/tags$", status=503))
    answer = await gateway.execute(LINK, input={"scanId": scan_id, "assetIds": [lost, made]})
    assert answer["data"]["linkAssetsToScan"] == {"scan": {"scanId": scan_id}, "assetIds": [made], "userErrors": []}
    (error,) = answer["errors"]
    assert error["path"] == ["linkAssetsToScan"]
    assert error["message"] == "Scenario answered 503. Whether the change was made is unknown."
    assert error["extensions"]["retryable"] is False
    assert [call for call in gateway.calls if call[0] == "PUT"] == [
        ("PUT", f"/assets/{lost}/tags"), ("PUT", f"/assets/{made}/tags")
    ]  # fmt: skip
    gateway.sandbox.faults.clear()
    assert set(await linked(gateway, scan_id)) >= {made}


async def test_an_asset_that_is_refused_has_its_reason_beside_one_of_which_nothing_is_known(gateway: World) -> None:
    scan_id, (lost, *_) = scan_of(gateway), free(gateway, 1)
    gateway.sandbox.faults.add(Fault(path=f"{lost}/tags$", status=503))
    answer = await gateway.execute(LINK, input={"scanId": scan_id, "assetIds": [lost, "asset_gone"]})
    missing = "Scenario answered 404: Asset asset_gone not found"
    refused = {"code": "NOT_FOUND", "message": missing, "field": ["assetIds", "1"]}
    expected = {"scan": {"scanId": scan_id}, "assetIds": [], "userErrors": [refused]}
    assert answer["data"] == {"linkAssetsToScan": expected}
    assert [(error["path"], error["message"]) for error in answer["errors"]] == [
        (["linkAssetsToScan"], "Scenario answered 503. Whether the change was made is unknown.")
    ]


async def test_where_nothing_came_of_any_the_change_failed(gateway: World) -> None:
    gateway.sandbox.faults.add(Fault(path="tags$", status=200, body="<html>"))
    answer = await gateway.execute(LINK, input={"scanId": scan_of(gateway), "assetIds": free(gateway, 2)})
    assert answer["data"] == {"linkAssetsToScan": None}
    (error,) = answer["errors"]
    assert error["extensions"] == {"code": "UPSTREAM_CONTRACT", "upstream": "scenario", "retryable": False}
    assert error["message"].endswith("Whether the change was made is unknown.")


@pytest.mark.parametrize("change", [LINK, UNLINK], ids=["link", "unlink"])
async def test_inputs_that_cannot_be_used_are_refused_before_any_call(gateway: World, change: str) -> None:
    refusals = {
        "none": ({"scanId": "a", "assetIds": []}, [("INVALID", ["assetIds"])]),
        "many": ({"scanId": "a", "assetIds": ["a"] * 51}, [("TOO_MANY", ["assetIds"])]),
        "odd": ({"scanId": "a/b", "assetIds": ["a", ".."]}, [("INVALID", ["scanId"]), ("INVALID", ["assetIds", "1"])]),
    }
    for given, expected in refusals.values():
        (payload,) = (await gateway.data(change, input=given)).values()
        assert (payload["scan"], payload["assetIds"]) == (None, [])
        assert [(error["code"], error["field"]) for error in payload["userErrors"]] == expected
    assert gateway.calls == []


async def test_only_a_scan_that_exists_is_linked_but_any_is_unlinked(gateway: World) -> None:
    (asset_id,) = free(gateway, 1)
    tag(gateway, asset_id, "a", "prism-scan:gone")
    missing = {"code": "NOT_FOUND", "message": "Prism has no such scan.", "field": ["scanId"]}
    answer = await gateway.data(LINK, input={"scanId": "gone", "assetIds": [asset_id]})
    assert answer == {"linkAssetsToScan": {"scan": None, "assetIds": [], "userErrors": [missing]}}
    assert gateway.calls == [("GET", "/scans/gone")]
    await gateway.data(UNLINK, input={"scanId": "gone", "assetIds": [asset_id]})
    assert gateway.calls == [("PUT", f"/assets/{asset_id}/tags")]
    assert gateway.sandbox.scenario.assets[asset_id]["tags"] == ["a"]


async def test_nothing_is_linked_while_prism_cannot_tell_whether_there_is_the_scan() -> None:
    async with world({"gateway_retries": 0}) as gateway:
        gateway.sandbox.faults.add(Fault(upstream="prism", status=500))
        answer = await gateway.execute(LINK, input={"scanId": "a", "assetIds": ["asset_a"]})
        assert answer["data"] == {"linkAssetsToScan": None}
        assert gateway.calls == [("GET", "/scans/a")]


async def test_an_id_that_a_tag_might_not_hold_is_written_so_that_it_can(gateway: World) -> None:
    scans = gateway.sandbox.prism.scans
    (asset_id, other) = free(gateway, 2)
    scans["Scan_1"] = next(iter(scans.values()))
    await gateway.data(LINK, input={"scanId": "Scan_1", "assetIds": [asset_id]})
    assert gateway.sandbox.scenario.assets[asset_id]["tags"][-1] == "prism-scan:b32:knrwc3s7ge"
    tag(gateway, other, "prism-scan:Scan_1")  # as somebody else may write it
    gateway.clock.advance(400)
    _ = gateway.calls
    assert sorted(await linked(gateway, "Scan_1")) == sorted([asset_id, other])
    filter_ = 'tags = "prism-scan:b32:knrwc3s7ge" OR tags = "prism-scan:Scan_1"'
    assert sent(gateway)[0][2]["filter"] == filter_
    for id_ in (asset_id, other):
        assert await gateway.data(OF_ASSET, id=id_) == {"asset": {"scan": {"scanId": "Scan_1"}}}
        await gateway.data(UNLINK, input={"scanId": "Scan_1", "assetIds": [id_]})
    assert await linked(gateway, "Scan_1") == []


async def test_a_scan_that_is_not_ones_own_is_neither_linked_nor_unlinked() -> None:
    async with world(gate=gate(PHONE, CLINIC)) as gateway:
        theirs = next(id_ for id_, scan in gateway.sandbox.prism.scans.items() if scan.user_token != PHONE.owner)
        (asset_id,) = free(gateway, 1)
        for change in (LINK, UNLINK):
            (payload,) = (
                await gateway.as_caller(PHONE).data(change, input={"scanId": theirs, "assetIds": [asset_id]})
            ).values()
            missing = {"code": "NOT_FOUND", "message": "Prism has no such scan.", "field": ["scanId"]}
            assert payload == {"scan": None, "assetIds": [], "userErrors": [missing]}
        assert {path for _, path in gateway.calls} == {f"/scans/{theirs}"}
        mine = next(id_ for id_, scan in gateway.sandbox.prism.scans.items() if scan.user_token == PHONE.owner)
        await gateway.as_caller(PHONE).data(LINK, input={"scanId": mine, "assetIds": [asset_id]})
        assert asset_id in await linked(gateway.as_caller(PHONE), mine)
        assert asset_id in await linked(gateway.as_caller(CLINIC), mine)


async def test_where_the_first_scan_of_several_is_not_ones_own_an_asset_leads_to_none() -> None:
    async with world(gate=gate(PHONE)) as gateway:
        scans = gateway.sandbox.prism.scans.items()
        mine = next(id_ for id_, scan in scans if scan.user_token == PHONE.owner)
        theirs = next(id_ for id_, scan in scans if scan.user_token != PHONE.owner)
        for asset_id, first, second in zip(free(gateway, 2), (mine, theirs), (theirs, mine), strict=True):
            tag(gateway, asset_id, f"prism-scan:{first}", f"prism-scan:{second}")
            expected = {"scanId": mine} if first == mine else None
            assert await gateway.as_caller(PHONE).data(OF_ASSET, id=asset_id) == {"asset": {"scan": expected}}


EVERY_TAG = """query Tags($id: ID!) {
  asset(assetId: $id) { tags raw }
  assetsById(assetIds: [$id]) { tags raw parent { tags } }
  assets(first: 10) { nodes { tags raw children(first: 2) { nodes { tags } } } edges { node { tags raw } } }
}"""


@pytest.mark.parametrize("uses_plans", [True, False], ids=["plans", "graphql-core"])
async def test_who_may_not_see_every_scan_reads_no_tag_that_names_one(*, uses_plans: bool) -> None:
    limits = {"gateway_max_objects": 100_000, "gateway_max_upstream_calls": 1_000, "gateway_plans": uses_plans}
    async with world(limits, gate=gate(PHONE, LIBRARY, CLINIC)) as gateway:
        scan_id = scan_of(gateway)
        asset_id, *_ = linked_by(gateway, scan_id)
        tag(gateway, asset_id, "a", f"prism-scan:{scan_id}", f"Prism-Scan:{scan_id}")
        told = {}
        for who in (CLINIC, PHONE, LIBRARY):
            told[who.id] = await gateway.as_caller(who).data(EVERY_TAG, id=asset_id)
        assert told["clinic"]["asset"]["raw"]["tags"] == ["a", f"prism-scan:{scan_id}", f"Prism-Scan:{scan_id}"]
        assert "prism-scan:" in str(told["clinic"]["assets"]).lower()
        for who in (PHONE, LIBRARY):
            assert told[who.id]["asset"]["tags"] == ["a"]
            assert told[who.id]["asset"]["raw"] == {**told["clinic"]["asset"]["raw"], "tags": ["a"]}
            assert "prism-scan:" not in str(told[who.id]).lower()
            assert "hidden" not in str(told[who.id])


async def test_public_assets_are_not_looked_for_by_a_tag_that_one_may_not_read() -> None:
    async with world(gate=gate(PHONE, CLINIC)) as gateway:
        query = "query ($tag: String!) { assets(filter: { privacy: PUBLIC, tags: [$tag] }) { nodes { assetId } } }"
        assert "errors" not in await gateway.as_caller(CLINIC).execute(query, tag="prism-scan:a")
        for spelled in ("prism-scan:a", "Prism-scan:a", " prism-scan:a", "\t\u00a0PRISM-SCAN:a", "pri\u017fm-scan:a"):
            answer = await gateway.as_caller(PHONE).execute(query, tag=spelled)
            assert answer["data"] == {"assets": None}
            assert [error["extensions"]["code"] for error in answer["errors"]] == ["BAD_USER_INPUT"]
        assert "errors" not in await gateway.as_caller(PHONE).execute(query, tag="shoe")


async def test_what_is_no_asset_on_a_page_costs_who_may_not_read_every_tag_no_other() -> None:
    async with world(gate=gate(PHONE, CLINIC)) as gateway:
        assets = [7, None, {"id": "asset_a", "tags": ["a", "prism-scan:a"]}, ["prism-scan:b"]]
        gateway.sandbox.faults.add(Fault(path="^/assets$", status=200, body=json.dumps({"assets": assets})))
        for who, tags in ((CLINIC, ["a", "prism-scan:a"]), (PHONE, ["a"])):
            answer = await gateway.as_caller(who).execute("{ assets(first: 3) { nodes { assetId tags } } }")
            assert answer == {"data": {"assets": {"nodes": [{"assetId": "asset_a", "tags": tags}]}}}


async def test_the_fields_need_the_scopes_of_both_sides() -> None:
    reader = caller("scans:read", "assets:write", id_="reader")
    async with world(gate=gate(reader, LIBRARY)) as gateway:
        scan_id = scan_of(gateway)
        answers = [
            await gateway.as_caller(reader).execute(LINKED, scanId=scan_id),
            await gateway.as_caller(LIBRARY).execute(OF_ASSET, id=free(gateway, 1)[0]),
            await gateway.as_caller(LIBRARY).execute(LINK, input={"scanId": scan_id, "assetIds": ["a"]}),
        ]
        assert [answer["data"] for answer in answers] == [
            {"scan": {"linkedAssets": None}}, {"asset": {"scan": None}}, {"linkAssetsToScan": None}
        ]  # fmt: skip
        codes = [error["extensions"]["code"] for answer in answers for error in answer["errors"]]
        assert codes == ["FORBIDDEN"] * 3


async def test_another_tag_by_the_setting_links_by_itself() -> None:
    async with world({"gateway_link_tag": "s~"}) as gateway:
        scan_id = scan_of(gateway)
        assert await linked(gateway, scan_id) == []
        new = free(gateway, 1)
        await gateway.data(LINK, input={"scanId": scan_id, "assetIds": new})
        assert gateway.sandbox.scenario.assets[new[0]]["tags"][-1] == f"s~{scan_id}"
        assert await linked(gateway, scan_id) == new == linked_by(gateway, scan_id, "s~")


async def test_where_there_is_no_search_all_else_is_answered(gateway: World) -> None:
    gateway.sandbox.faults.add(Fault(path="^/search", status=404))
    answer = await gateway.execute(LINKED, scanId=scan_of(gateway))
    assert answer["data"] == {"scan": {"linkedAssets": None}}
    assert [error["message"] for error in answer["errors"]] == ["Scenario has no such search."]


@pytest.mark.parametrize("who", [CLINIC, PHONE], ids=["clinic", "phone"])
@pytest.mark.parametrize("tags", [None, "prism-scan:a", 7, {"prism-scan:a": 1}, [7, None, ["prism-scan:a"]], []])
async def test_tags_that_are_none_link_to_nothing(tags: Any, who: Any) -> None:
    async with world(gate=gate(CLINIC, PHONE)) as gateway:
        asset = json.dumps({"asset": {"id": "asset_a", "tags": tags}})
        gateway.sandbox.faults.add(Fault(path="asset_a$", status=200, body=asset))
        hits = json.dumps({"hits": [{"id": "asset_a", "tags": tags}]})
        gateway.sandbox.faults.add(Fault(path="^/search", status=200, body=hits))
        data = await gateway.as_caller(who).data('{ asset(assetId: "asset_a") { scan { scanId } raw } }')
        shown = tags if who is CLINIC or tags is None else []  # as nobody knows what it names
        assert data == {"asset": {"scan": None, "raw": {"id": "asset_a", "tags": shown}}}
        mine = next(id_ for id_, scan in gateway.sandbox.prism.scans.items() if scan.user_token == PHONE.owner)
        assert await linked(gateway.as_caller(who), mine) == []


async def test_a_text_in_the_place_of_tags_links_to_no_scan_not_even_for_whose_scan_it_names() -> None:
    async with world(gate=gate(CLINIC, PHONE)) as gateway:
        mine = next(id_ for id_, scan in gateway.sandbox.prism.scans.items() if scan.user_token == PHONE.owner)
        asset = json.dumps({"asset": {"id": "asset_a", "tags": f"prism-scan:{mine}"}})
        gateway.sandbox.faults.add(Fault(path="asset_a$", status=200, body=asset))
        for who in (CLINIC, PHONE):
            assert await gateway.as_caller(who).data(OF_ASSET, id="asset_a") == {"asset": {"scan": None}}
        assert gateway.calls == [("GET", "/assets/asset_a")]


def test_no_field_takes_the_place_of_another() -> None:
    with pytest.raises(ValueError, match="Scan has a field status already"):
        add_fields(Scan, status=linked_assets)


@pytest.mark.parametrize("uses_plans", [True, False], ids=["plans", "graphql-core"])
@pytest.mark.parametrize("path", ["^/search", "get-bulk$"])
async def test_who_gives_up_ends_the_calls(path: str, *, uses_plans: bool) -> None:
    async with world({"gateway_plans": uses_plans}) as gateway:
        gateway.sandbox.faults.add(Fault(path=path, delay=60))
        asked = Asked(LINKED, {"scanId": scan_of(gateway)})
        answering = asyncio.create_task(
            gateway.app.state.engine.answer(asked, lambda: gateway.gateway.context("request"))
        )
        await settle()
        assert len(gateway.gateway.store.flights)
        answering.cancel()
        await asyncio.wait([answering])
        await settle()
        assert not gateway.gateway.store.flights
        assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_whoever_hangs_up_as_assets_are_linked_leaves_nothing_behind(
    gateway: World, recwarn: pytest.WarningsRecorder
) -> None:
    scan_id, asset_ids = scan_of(gateway), free(gateway, 3)
    engine, asked = gateway.app.state.engine, Asked(LINK, {"input": {"scanId": scan_id, "assetIds": asset_ids}})
    await gateway.data("query ($id: ID!) { scan(scanId: $id) { status } }", id=scan_id)
    for turns in range(20):
        linking = asyncio.create_task(engine.answer(asked, lambda: gateway.gateway.context("request")))
        for _ in range(turns):
            await asyncio.sleep(0)
        linking.cancel()
        await asyncio.wait([linking])
        await settle()
    assert [str(one.message) for one in recwarn] == []
