"""A scan: which documents its fields come from, and what each costs."""

import asyncio
import json
from typing import Any

import pytest

from gateway.engine.answer import Asked
from gateway.sandbox import Fault
from tests.world import ONCE, World, settle, world

STAGES = (
    "assets { isReady isFinal captureData { status } body { status } fittedBody { status } measurement { status } }"
)


async def scan_of(gateway: World, fields: str, scan_id: str) -> Any:
    return (await gateway.data(f"query ($id: ID!) {{ scan(scanId: $id) {{ {fields} }} }}", id=scan_id))["scan"]


async def test_a_scan_by_itself_costs_no_call(gateway: World) -> None:
    assert await scan_of(gateway, "scanId", "any") == {"scanId": "any"}
    assert gateway.calls == []


async def test_status_and_stages_together_are_one_call_where_the_record_embeds_them(gateway: World) -> None:
    scan_id = gateway.sandbox.prism.scan_ids("READY")[0]
    scan = await scan_of(gateway, f"{STAGES} status", scan_id)
    assert scan["status"] == "READY"
    assert scan["assets"]["isReady"] is True
    assert gateway.calls == [("GET", f"/scans/{scan_id}")]


async def test_they_are_two_where_it_does_not() -> None:
    async with world(embed_scan_assets=False) as gateway:
        scan_id = gateway.sandbox.prism.scan_ids("READY")[0]
        scan = await scan_of(gateway, f"{STAGES} status", scan_id)
        assert scan["assets"]["isReady"] is True
        assert gateway.calls == [("GET", f"/scans/{scan_id}"), ("GET", f"/scans/{scan_id}/scan-assets")]


async def test_stages_alone_are_taken_from_a_fresh_record_that_is_at_hand(gateway: World) -> None:
    scan_id = gateway.sandbox.prism.scan_ids("READY")[0]
    await scan_of(gateway, "status", scan_id)
    assert (await scan_of(gateway, STAGES, scan_id))["assets"]["isReady"] is True
    assert gateway.calls == [("GET", f"/scans/{scan_id}")]


async def test_every_field_of_the_record_is_answered_by_one_call(gateway: World) -> None:
    scan_id = gateway.sandbox.prism.scan_ids("READY")[0]
    record = gateway.sandbox.prism.scans[scan_id]
    scan = await scan_of(
        gateway,
        "status prismScanId deviceConfigName assetConfigId userId userToken weight { value unit }"
        " height { value unit } createdAt updatedAt",
        scan_id,
    )
    assert scan["prismScanId"] == record.prism_scan_id
    assert scan["userToken"] == record.user_token
    assert scan["weight"]["unit"] == "KG"
    assert scan["height"]["unit"] == "M"
    assert None not in scan.values()
    assert gateway.calls == [("GET", f"/scans/{scan_id}")]


async def test_ten_scans_by_alias_take_one_call_each_and_none_waits_for_another(gateway: World) -> None:
    ids = list(gateway.sandbox.prism.scans)[:10]
    query = " ".join(f's{number}: scan(scanId: "{id_}") {{ status {STAGES} }}' for number, id_ in enumerate(ids))
    data = await gateway.data(f"{{ {query} }}")
    assert len(data) == 10
    assert sorted(gateway.calls) == sorted(("GET", f"/scans/{id_}") for id_ in ids)


async def test_the_same_scan_by_two_aliases_is_fetched_once(gateway: World) -> None:
    scan_id = gateway.sandbox.prism.scan_ids("READY")[0]
    await gateway.data(
        f'{{ a: scan(scanId: "{scan_id}") {{ {STAGES} }} b: scan(scanId: "{scan_id}") {{ {STAGES} }} '
        f'c: scansById(scanIds: ["{scan_id}", "{scan_id}"]) {{ {STAGES} }} }}'
    )
    assert gateway.calls == [("GET", f"/scans/{scan_id}/scan-assets")]


@pytest.mark.parametrize("status", ["CREATED", "PROCESSING", "READY", "FAILED"])
async def test_a_scan_in_each_state_answers(gateway: World, status: str) -> None:
    for scan_id in gateway.sandbox.prism.scan_ids(status):
        scan = await scan_of(gateway, f"status {STAGES} assetUrls {{ model expiresAt }}", scan_id)
        assert scan["status"] == status
        assert scan["assets"] is None or scan["assets"]["isReady"] is (status == "READY")


async def test_a_stage_that_has_not_begun_is_pending_and_ends_nothing(gateway: World) -> None:
    scan_id = gateway.sandbox.prism.scan_ids("PROCESSING")[0]
    stages = (await scan_of(gateway, STAGES, scan_id))["assets"]
    assert stages["measurement"] == {"status": "PENDING"}
    assert (stages["isReady"], stages["isFinal"]) == (False, False)


@pytest.mark.parametrize("is_told", [True, False], ids=["Prism tells of what is to come", "Prism has none of it yet"])
async def test_before_capture_stages_and_urls_are_as_the_schema_says(gateway: World, *, is_told: bool) -> None:
    scan_id = gateway.sandbox.prism.scan_ids("CREATED")[0]
    if not is_told:
        gateway.sandbox.faults.add(Fault(upstream="prism", path="/(scan-assets|asset-urls)$", status=404))
    pending, said = {"status": "PENDING"}, '__type(name: "Scan") { fields { name description } }'
    stages = {"captureData": pending, "body": pending, "fittedBody": pending, "measurement": pending}
    query = f"query ($id: ID!) {{ scan(scanId: $id) {{ {STAGES} assetUrls {{ model expiresAt }} }} {said} }}"
    answer = await gateway.data(query, id=scan_id)
    there = {"assets": {"isReady": False, "isFinal": False, **stages}, "assetUrls": {"model": None, "expiresAt": None}}
    assert answer["scan"] == (there if is_told else {"assets": None, "assetUrls": None})
    descriptions = {field["name"]: field["description"] for field in answer["__type"]["fields"]}
    assert descriptions["assets"].endswith("Before capture each is PENDING, or this is null.")
    assert descriptions["assetUrls"].endswith("While there is none, each is null, or this is.")


async def test_a_failed_stage_is_final(gateway: World) -> None:
    scan_id = gateway.sandbox.prism.scan_ids("FAILED")[0]
    stages = (await scan_of(gateway, STAGES, scan_id))["assets"]
    assert (stages["isReady"], stages["isFinal"]) == (False, True)


UNBEGUN = {"captureData": None, "body": None, "fittedBody": None, "measurement": None}
HALF = {"captureData": "succeeded", "body": "succeeded"}  # an old configuration that makes no more


@pytest.mark.parametrize("uses_plans", [True, False], ids=["plans", "graphql-core"])
@pytest.mark.parametrize("stages", [UNBEGUN, HALF], ids=["none", "some"])
@pytest.mark.parametrize(
    ("record", "is_final"),
    [
        ({"status": 200, "body": '{"status": "FAILED"}'}, True),
        ({"status": 200, "body": '{"status": "READY"}'}, True),
        ({"status": 200, "body": '{"status": "PROCESSING"}'}, False),
        ({"status": 200, "body": '{"status": "ARCHIVED"}'}, False),
        ({"status": 404}, False),
        ({"status": 503}, False),
    ],
    ids=["FAILED", "READY", "PROCESSING", "unknown", "missing", "unreadable"],
)
async def test_stages_that_never_begin_are_final_once_the_scan_has_ended(
    record: dict[str, Any], stages: dict[str, Any], *, is_final: bool, uses_plans: bool
) -> None:
    async with world({**ONCE, "gateway_plans": uses_plans}) as gateway:
        gateway.sandbox.faults.add(Fault(path="/scans/s$", **record))
        gateway.sandbox.faults.add(Fault(path="/scan-assets$", status=200, body=json.dumps(stages)))
        answers = [await scan_of(gateway, "assets { isReady isFinal body { status } }", "s") for _ in range(2)]
        body = {"status": "SUCCEEDED" if stages is HALF else "PENDING"}
        assert answers == [{"assets": {"isReady": False, "isFinal": is_final, "body": body}}] * 2
        calls = [("GET", "/scans/s/scan-assets"), ("GET", "/scans/s")]
        assert gateway.calls == [*calls, *calls[1:] * (record["status"] == 503)]


async def test_nobody_asks_whether_a_scan_has_ended_while_a_stage_is_under_way(gateway: World) -> None:
    gateway.sandbox.faults.add(Fault(path="/scan-assets$", status=200, body='{"captureData": "started"}'))
    assert await scan_of(gateway, "assets { isFinal }", "s") == {"assets": {"isFinal": False}}
    assert gateway.calls == [("GET", "/scans/s/scan-assets")]


async def test_a_missing_scans_record_is_not_found_while_its_parts_are_just_absent(gateway: World) -> None:
    answer = await gateway.execute('{ scan(scanId: "nope") { scanId status assets { isReady } assetUrls { model } } }')
    assert answer == {
        "data": {"scan": {"scanId": "nope", "status": None, "assets": None, "assetUrls": None}},
        "errors": [
            {
                "message": "Prism has no such scan.",
                "path": ["scan", "status"],
                "extensions": {"code": "NOT_FOUND", "upstream": "prism", "retryable": False, "upstreamStatus": 404},
            }
        ],
    }


async def test_a_scan_that_fails_leaves_the_others_answered(gateway: World) -> None:
    good, bad = gateway.sandbox.prism.scan_ids("READY")[:2]
    gateway.sandbox.faults.add(Fault(upstream="prism", path=f"/scans/{bad}$", status=503))
    answer = await gateway.execute("query ($ids: [ID!]!) { scansById(scanIds: $ids) { status } }", ids=[good, bad])
    assert answer["data"] == {"scansById": [{"status": "READY"}, {"status": None}]}
    assert [error["path"] for error in answer["errors"]] == [["scansById", 1, "status"]]


async def test_more_than_a_hundred_scans_are_refused_before_any_call(gateway: World) -> None:
    answer = await gateway.execute(
        "query ($ids: [ID!]!) { scansById(scanIds: $ids) { status } }", ids=[f"scan{number}" for number in range(101)]
    )
    assert answer["errors"][0]["message"] == "`scanIds` takes at most 100 ids; these are 101."
    assert answer["errors"][0]["extensions"] == {"code": "BAD_USER_INPUT"}
    assert gateway.calls == []


# --- signed URLs ---


@pytest.mark.parametrize("bare_strings", [False, True])
async def test_one_url_is_one_call_however_prism_writes_the_string(bare_strings: bool) -> None:  # noqa: FBT001 - a case
    async with world(bare_strings=bare_strings) as gateway:
        scan_id = gateway.sandbox.prism.scan_ids("READY")[0]
        scan = await scan_of(gateway, "assetUrl(type: PREVIEW_IMAGE) { url expiresAt mimeType }", scan_id)
        assert scan["assetUrl"]["url"].startswith(f"http://sandbox.test/s3/scans/{scan_id}/")
        assert scan["assetUrl"]["mimeType"] == "image/png"
        assert scan["assetUrl"]["expiresAt"] == "2026-09-21T15:13:20Z"
        assert gateway.calls == [("GET", f"/scans/{scan_id}/asset-urls/preview-image")]


async def test_a_url_tells_the_media_type_of_a_file_that_is_always_of_the_same(gateway: World) -> None:
    urls = {"previewImage", "model", "canonicalBody", "texture", "material", "stripes", "captureVideo"}
    body = json.dumps({key: f"https://x.test/{key}" for key in urls})
    gateway.sandbox.faults.add(Fault(upstream="prism", path="/asset-urls$", status=200, body=body))
    types = ("PREVIEW_IMAGE", "MODEL", "CANONICAL_BODY", "TEXTURE", "MATERIAL", "STRIPES", "CAPTURE_VIDEO")
    scan = await scan_of(gateway, " ".join(f"{type_}: assetUrl(type: {type_}) {{ mimeType }}" for type_ in types), "s")
    known = {"PREVIEW_IMAGE": "image/png", "TEXTURE": "image/png", "MATERIAL": "model/mtl"}
    assert scan == {type_: {"mimeType": known.get(type_)} for type_ in types}


async def test_two_urls_of_a_scan_are_one_call_for_all(gateway: World) -> None:
    scan_id = gateway.sandbox.prism.scan_ids("READY")[0]
    await scan_of(gateway, "a: assetUrl(type: MODEL) { url } b: assetUrl(type: CANONICAL_BODY) { url }", scan_id)
    assert gateway.calls == [("GET", f"/scans/{scan_id}/asset-urls")]


@pytest.mark.parametrize("delay", [0, 0.05], ids=["at once", "later"])
async def test_one_url_beside_all_of_them_costs_nothing_more_however_long_they_take(
    gateway: World, delay: float
) -> None:
    gateway.sandbox.faults.add(Fault(upstream="prism", delay=delay))
    scan_id = gateway.sandbox.prism.scan_ids("READY")[0]
    scan = await scan_of(gateway, "assetUrl(type: MODEL) { url } assetUrls { model }", scan_id)
    assert scan["assetUrl"]["url"] == scan["assetUrls"]["model"]
    assert gateway.calls == [("GET", f"/scans/{scan_id}/asset-urls")]


async def test_an_older_prism_that_refuses_a_newer_type_is_asked_for_all_urls(gateway: World) -> None:
    scan_id = gateway.sandbox.prism.scan_ids("READY")[0]
    gateway.sandbox.faults.add(Fault(upstream="prism", path="/asset-urls/canonical-body$", status=400))
    scan = await scan_of(gateway, "assetUrl(type: CANONICAL_BODY) { url }", scan_id)
    assert scan["assetUrl"] is not None
    assert gateway.calls == [
        ("GET", f"/scans/{scan_id}/asset-urls/canonical-body"),
        ("GET", f"/scans/{scan_id}/asset-urls"),
    ]


async def test_a_missing_url_of_a_newer_type_is_looked_for_among_all_and_one_of_an_older_type_is_not(
    gateway: World,
) -> None:
    scan_id = gateway.sandbox.prism.scan_ids("READY")[0]
    gateway.sandbox.faults.add(Fault(upstream="prism", path="/asset-urls/", status=404))
    for name, there, paths in (
        ("CANONICAL_BODY", True, ["asset-urls/canonical-body", "asset-urls"]),
        ("MODEL", False, ["asset-urls/model"]),
    ):
        gateway.clock.advance(3_600)
        scan = await scan_of(gateway, f"assetUrl(type: {name}) {{ url }}", scan_id)
        assert (scan["assetUrl"] is not None) is there
        assert gateway.calls == [("GET", f"/scans/{scan_id}/{path}") for path in paths]


@pytest.mark.parametrize(
    "wanted",
    ["a: assetUrl(type: MODEL) { url }", "a: assetUrl(type: MODEL) { url } assetUrls { model }"],
    ids=["alone", "beside all"],
)
async def test_who_gives_up_while_one_url_is_on_its_way_ends_the_call(gateway: World, wanted: str) -> None:
    gateway.sandbox.faults.add(Fault(upstream="prism", delay=60))
    asked = Asked(f'{{ scan(scanId: "s") {{ {wanted} }} }}')
    answering = asyncio.create_task(gateway.app.state.engine.answer(asked, lambda: gateway.gateway.context("request")))
    await settle()
    assert len(gateway.gateway.store.flights) == 1
    answering.cancel()
    await asyncio.wait([answering])
    await settle()
    assert not gateway.gateway.store.flights
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_file_that_a_scan_does_not_have_is_null(gateway: World) -> None:
    scan_id = next(id_ for id_, scan in gateway.sandbox.prism.scans.items() if not scan.textured)
    scan = await scan_of(gateway, "assetUrl(type: STRIPES) { url } assetUrls { texture material }", scan_id)
    assert scan == {"assetUrl": None, "assetUrls": {"texture": None, "material": None}}
    assert await scan_of(gateway, "assetUrl(type: TEXTURE) { url }", scan_id) == {"assetUrl": None}


async def test_before_a_scan_is_ready_its_urls_are_null_and_asked_for_again_soon(gateway: World) -> None:
    scan_id = gateway.sandbox.prism.scan_ids("CREATED")[0]
    for _ in range(2):
        scan = await scan_of(gateway, "assetUrls { previewImage model expiresAt }", scan_id)
        assert scan["assetUrls"] in ({"previewImage": None, "model": None, "expiresAt": None}, None)
        gateway.clock.advance(2)
    assert len(gateway.calls) == 2


@pytest.mark.parametrize("body", ["", " ", "null"])
async def test_parts_that_prism_answers_with_nothing_are_not_there_yet(gateway: World, body: str) -> None:
    scan_id = gateway.sandbox.prism.scan_ids("CREATED")[0]
    gateway.sandbox.faults.add(Fault(upstream="prism", path="/(scan-assets|asset-urls)$", status=200, body=body))
    scan = await scan_of(gateway, "assets { isReady } assetUrls { model }", scan_id)
    assert scan == {"assets": None, "assetUrls": None}
    assert sorted(gateway.calls) == [("GET", f"/scans/{scan_id}/asset-urls"), ("GET", f"/scans/{scan_id}/scan-assets")]


@pytest.mark.parametrize("body", ["", "null", '""', ' "" '])
async def test_one_url_that_is_not_there_is_null_however_prism_says_so_and_asked_for_again_soon(
    gateway: World, body: str
) -> None:
    scan_id = gateway.sandbox.prism.scan_ids("READY")[0]
    gateway.sandbox.faults.add(Fault(upstream="prism", path="/asset-urls/model$", status=200, body=body, times=1))
    assert await scan_of(gateway, "assetUrl(type: MODEL) { url }", scan_id) == {"assetUrl": None}
    gateway.clock.advance(2)
    assert (await scan_of(gateway, "assetUrl(type: MODEL) { url }", scan_id))["assetUrl"] is not None
    assert gateway.calls == [("GET", f"/scans/{scan_id}/asset-urls/model")] * 2


async def test_one_url_beside_all_of_them_is_at_hand_when_they_are(gateway: World) -> None:
    scan_id = gateway.sandbox.prism.scan_ids("READY")[0]
    fields = "assetUrls { model } assetUrl(type: MODEL) { url }"
    first = await scan_of(gateway, fields, scan_id)
    assert gateway.calls == [("GET", f"/scans/{scan_id}/asset-urls")]
    gateway.sandbox.faults.add(Fault(upstream="prism", status=503))
    assert await scan_of(gateway, fields, scan_id) == first
    assert await scan_of(gateway, "assetUrl(type: MODEL) { url }", scan_id) == {"assetUrl": first["assetUrl"]}
    assert gateway.calls == []
