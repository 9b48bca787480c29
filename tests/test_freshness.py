"""How long each document is served without asking again, and what happens then."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.sandbox import Fault
from tests.world import World, world


async def ask_scan(gateway: World, scan_id: str, fields: str = "assets { isReady }") -> Any:
    return await gateway.data(f'{{ scan(scanId: "{scan_id}") {{ {fields} }} }}')


async def ask_asset(gateway: World, asset_id: str) -> dict[str, Any]:
    return await gateway.execute(f'{{ asset(assetId: "{asset_id}") {{ assetId url urlExpiresAt }} }}')


async def settle() -> None:
    """Let refreshes that nobody waits for run to their end."""
    for _ in range(50):
        await asyncio.sleep(0)


async def test_a_moving_scan_is_fresh_for_2_seconds_then_fetched_again(gateway: World) -> None:
    scan_id = gateway.sandbox.prism.scan_ids("PROCESSING")[0]
    for wait, calls in ((0, 1), (1.9, 0), (0.2, 1)):
        gateway.clock.advance(wait)
        await ask_scan(gateway, scan_id)
        assert len(gateway.calls) == calls


async def test_what_was_fetched_before_the_clock_was_put_back_is_fetched_again(gateway: World) -> None:
    scan_id, asset_id = gateway.sandbox.prism.scan_ids("READY")[0], gateway.asset_ids[0]
    query = f'{{ scan(scanId: "{scan_id}") {{ status }} asset(assetId: "{asset_id}") {{ kind }} }}'
    for step, calls in ((0, 2), (0, 0), (-30, 0), (-3_600, 2), (0, 0), (1, 0)):
        gateway.clock.advance(step)
        await gateway.data(query)
        assert len(gateway.calls) == calls


@pytest.mark.parametrize(("stage", "calls"), [("started", 1), ("succeeded", 0), ("failed", 0), (None, 0)])
async def test_a_record_that_embeds_a_stage_that_moves_is_fresh_for_2_seconds(
    gateway: World, stage: str | None, calls: int
) -> None:
    record = {"id": "one", "status": "READY", "scanAssets": {"body": "succeeded", "measurement": stage}}
    gateway.sandbox.faults.add(Fault(upstream="prism", status=200, body=json.dumps(record)))
    await ask_scan(gateway, "one", "status")
    assert len(gateway.calls) == 1
    gateway.clock.advance(2)
    await ask_scan(gateway, "one", "status assets { isFinal }")
    assert len(gateway.calls) == calls


async def test_the_stages_that_a_refreshed_record_embeds_take_the_place_of_those_from_before(gateway: World) -> None:
    scan_id = list(gateway.sandbox.prism.scans)[20]  # its first stage begins 2 s from now
    stages = "assets { captureData { status } }"
    gateway.clock.advance(1.5)
    assert await ask_scan(gateway, scan_id, stages) == {"scan": {"assets": {"captureData": {"status": "PENDING"}}}}
    gateway.clock.advance(1)
    gateway.headers["cache-control"] = "no-cache"
    await ask_scan(gateway, scan_id, f"status {stages}")
    del gateway.headers["cache-control"]
    _ = gateway.calls
    assert await ask_scan(gateway, scan_id, stages) == {"scan": {"assets": {"captureData": {"status": "STARTED"}}}}
    assert gateway.calls == []


async def test_a_final_scan_is_fresh_for_5_minutes_then_served_stale_while_one_refresh_runs(gateway: World) -> None:
    scan_id = gateway.sandbox.prism.scan_ids("READY")[0]
    await ask_scan(gateway, scan_id)
    gateway.clock.advance(299)
    await ask_scan(gateway, scan_id)
    assert len(gateway.calls) == 1
    gateway.clock.advance(2)
    await asyncio.gather(*(ask_scan(gateway, scan_id) for _ in range(5)))
    await settle()
    assert len(gateway.calls) == 1
    await ask_scan(gateway, scan_id)
    assert gateway.calls == []


async def test_a_stale_answer_says_so_and_how_old_it_is(gateway: World) -> None:
    scan_id = gateway.sandbox.prism.scan_ids("READY")[0]
    await ask_scan(gateway, scan_id)
    gateway.clock.advance(400)
    answer = await gateway.execute(f'{{ scan(scanId: "{scan_id}") {{ assets {{ isReady }} }} }}')
    stale = [{"document": "scan_assets", "id": scan_id, "age": 400}]
    assert answer["extensions"] == {"freshness": {"stale": stale}}


async def test_while_the_upstream_fails_a_stale_copy_answers_until_it_is_dead(gateway: World) -> None:
    scan_id = gateway.sandbox.prism.scan_ids("READY")[0]
    await ask_scan(gateway, scan_id)
    gateway.sandbox.faults.add(Fault(upstream="prism", status=503))
    gateway.clock.advance(300 + 3_599)
    assert await ask_scan(gateway, scan_id) == {"scan": {"assets": {"isReady": True}}}
    await settle()
    gateway.clock.advance(2)
    answer = await gateway.execute(f'{{ scan(scanId: "{scan_id}") {{ assets {{ isReady }} }} }}')
    assert answer["errors"][0]["extensions"]["code"] == "UPSTREAM_UNAVAILABLE"


async def test_signed_urls_are_fetched_again_a_minute_before_the_first_dies_and_never_served_dead(
    gateway: World,
) -> None:
    scan_id = gateway.sandbox.prism.scan_ids("READY")[0]
    await ask_scan(gateway, scan_id, "assetUrls { model expiresAt }")
    gateway.clock.advance(3_539)
    await ask_scan(gateway, scan_id, "assetUrls { model expiresAt }")
    assert len(gateway.calls) == 1
    gateway.clock.advance(2)
    await ask_scan(gateway, scan_id, "assetUrls { model expiresAt }")
    assert len(gateway.calls) == 1
    gateway.sandbox.faults.add(Fault(upstream="prism", status=500))
    gateway.clock.advance(3_601)
    answer = await gateway.execute(f'{{ scan(scanId: "{scan_id}") {{ assetUrls {{ model }} }} }}')
    assert answer["data"] == {"scan": {"assetUrls": None}}


@pytest.mark.parametrize(
    ("path", "document", "fields"),
    [
        ("/asset-urls", {"previewImage": "<url>", "model": None}, 'scan(scanId: "a") { assetUrls { previewImage } }'),
        ("/download/a", {"jobStatus": "finalizing", "downloadUrl": "<url>"}, 'downloadJob(jobId: "a") { downloadUrl }'),
    ],
    ids=["scan", "job"],
)
async def test_no_url_is_served_dead_though_more_is_still_to_come(
    path: str, document: dict[str, Any], fields: str
) -> None:
    async with world({"gateway_fresh_stages_moving": 60, "gateway_fresh_job_moving": 60}) as gateway:
        url = f"https://x.test/a?Expires={int(gateway.clock.now) + 10}"
        body = json.dumps(document).replace("<url>", url)
        gateway.sandbox.faults.add(Fault(path=f"{path}$", status=200, body=body))
        for wait, calls in ((0, 1), (9, 0), (1, 1)):
            gateway.clock.advance(wait)
            assert url in json.dumps(await gateway.data(f"{{ {fields} }}"))
            assert len(gateway.calls) == calls


async def test_signed_urls_that_live_shorter_than_four_minutes_are_fetched_again_a_quarter_before_they_die(
    gateway: World,
) -> None:
    signed_at = datetime.fromtimestamp(gateway.clock(), UTC).strftime("%Y%m%dT%H%M%SZ")
    url = f"https://files.test/one?X-Amz-Date={signed_at}&X-Amz-Expires=40"
    body = json.dumps({"previewImage": url, "model": url})
    gateway.sandbox.faults.add(Fault(upstream="prism", status=200, body=body))
    for wait, calls in ((0, 1), (29, 0), (2, 1)):
        gateway.clock.advance(wait)
        assert await ask_scan(gateway, "one", "assetUrls { model }") == {"scan": {"assetUrls": {"model": url}}}
        assert len(gateway.calls) == calls


async def test_every_url_that_an_answer_holds_still_works(gateway: World) -> None:
    scan_id = gateway.sandbox.prism.scan_ids("READY")[0]
    for wait in (0, 1_800, 1_700, 60, 3_000, 600):
        gateway.clock.advance(wait)
        data = await ask_scan(gateway, scan_id, "assetUrls { model }")
        assert (await gateway.download(data["scan"]["assetUrls"]["model"])).status_code == 200
        one = await ask_scan(gateway, scan_id, "assetUrl(type: MODEL) { url }")
        assert (await gateway.download(one["scan"]["assetUrl"]["url"])).status_code == 200


async def test_an_asset_is_fresh_for_a_minute_then_stale_for_ten_but_never_past_its_urls_end(gateway: World) -> None:
    asset_id = gateway.asset_ids[0]
    answer = await ask_asset(gateway, asset_id)
    gateway.clock.advance(59)
    assert await ask_asset(gateway, asset_id) == answer
    assert len(gateway.calls) == 1
    gateway.clock.advance(2)
    stale = await ask_asset(gateway, asset_id)
    assert stale["extensions"]["freshness"]["stale"][0]["age"] == 61
    await settle()
    assert len(gateway.calls) == 1


async def test_an_asset_whose_url_dies_is_dead_with_it_however_long_it_might_be_stale() -> None:
    async with world({"gateway_stale_asset": 90 * 86_400}) as gateway:
        asset_id = gateway.asset_ids[0]
        kept = (await ask_asset(gateway, asset_id))["data"]
        gateway.sandbox.faults.add(Fault(upstream="scenario", status=503))
        gateway.clock.now = datetime.fromisoformat(kept["asset"]["urlExpiresAt"]).timestamp() - 1
        assert (await ask_asset(gateway, asset_id))["data"] == kept
        gateway.clock.advance(1)
        assert (await ask_asset(gateway, asset_id))["data"] == {"asset": None}


async def test_a_page_is_fresh_for_5_seconds(gateway: World) -> None:
    for wait, calls in ((0, 1), (4.9, 0), (30.2, 1)):
        gateway.clock.advance(wait)
        await gateway.data("{ assets(first: 3) { nodes { assetId } } }")
        assert len(gateway.calls) == calls


async def test_a_missing_asset_is_remembered_for_2_seconds(gateway: World) -> None:
    for wait, calls in ((0, 1), (1.9, 0), (0.2, 1)):
        gateway.clock.advance(wait)
        assert (await ask_asset(gateway, "asset_missing"))["data"] == {"asset": None}
        assert len(gateway.calls) == calls


async def test_an_error_is_never_remembered(gateway: World) -> None:
    gateway.sandbox.faults.add(Fault(upstream="scenario", status=500, times=1, headers={"x-should-retry": "false"}))
    asset_id = gateway.asset_ids[0]
    assert (await ask_asset(gateway, asset_id))["data"] == {"asset": None}
    assert (await ask_asset(gateway, asset_id))["data"]["asset"]["assetId"] == asset_id


async def test_a_job_is_followed_second_by_second_and_its_archive_kept_until_its_url_dies(gateway: World) -> None:
    mutation = "mutation ($ids: [ID!]!) { requestBatchDownload(input: { assetIds: $ids }) { downloadJob { jobId } } }"
    data = await gateway.data(mutation, ids=gateway.asset_ids[:2])
    job_id = data["requestBatchDownload"]["downloadJob"]["jobId"]
    assert gateway.calls == [("POST", "/assets/download")]
    query = f'{{ downloadJob(jobId: "{job_id}") {{ status isFinal downloadUrl downloadUrlExpiresAt }} }}'
    seen: list[str] = []
    for _ in range(120):
        job = (await gateway.data(query))["downloadJob"]
        if [job["status"]] != seen[-1:]:
            seen.append(job["status"])
        if job["isFinal"]:
            break
        gateway.clock.advance(1.1)
    assert seen == ["PENDING", "QUEUED", "WARMING_UP", "IN_PROGRESS", "FINALIZING", "SUCCESS"]
    assert (await gateway.download(job["downloadUrl"])).content.startswith(b"PK")
    assert gateway.calls
    gateway.clock.advance(60)
    assert (await gateway.data(query))["downloadJob"] == job
    assert gateway.calls == []


@pytest.mark.parametrize("status", ["fail", "cancel"])
async def test_a_job_that_comes_to_nothing_is_final_and_asked_for_no_more(gateway: World, status: str) -> None:
    mutation = """mutation ($ids: [ID!]!, $name: String) {
      requestBatchDownload(input: { assetIds: $ids, archiveName: $name }) { downloadJob { jobId } } }"""
    data = await gateway.data(mutation, ids=gateway.asset_ids[:1], name=status)
    job_id = data["requestBatchDownload"]["downloadJob"]["jobId"]
    gateway.clock.advance(600)
    query = f'{{ downloadJob(jobId: "{job_id}") {{ status isFinal downloadUrl }} }}'
    expected = {"status": {"fail": "FAILURE", "cancel": "CANCELED"}[status], "isFinal": True, "downloadUrl": None}
    assert gateway.calls == [("POST", "/assets/download")]
    for calls in (1, 0):
        assert (await gateway.data(query))["downloadJob"] == expected
        assert len(gateway.calls) == calls
        gateway.clock.advance(200)


async def test_a_job_whose_archive_is_there_before_its_url_is_asked_for_again_until_it_has_one(gateway: World) -> None:
    url = f"https://s3.test/a?Expires={int(gateway.clock.now) + 3_600}"
    for given in ({}, {"downloadUrl": None}, {"downloadUrl": url}):
        body = json.dumps({"jobId": "job_1", "jobStatus": "success", **given})
        gateway.sandbox.faults.add(Fault(path="/job_1$", status=200, body=body, times=1))
    query = '{ downloadJob(jobId: "job_1") { status downloadUrl } }'
    for known in (None, None, url, url):
        assert await gateway.data(query) == {"downloadJob": {"status": "SUCCESS", "downloadUrl": known}}
        gateway.clock.advance(2)
    assert gateway.calls == [("GET", "/assets/download/job_1")] * 3


async def test_every_number_is_a_setting() -> None:
    async with world({"gateway_fresh_page": 100}) as gateway:
        for _ in range(3):
            await gateway.data("{ assets(first: 3) { nodes { assetId } } }")
            gateway.clock.advance(30)
        assert len(gateway.calls) == 1


async def test_a_page_that_is_never_fresh_is_asked_for_each_time_and_holds_the_same() -> None:
    query = "{ assets(first: 3) { nodes { assetId url urlExpiresAt } pageInfo { endCursor } } }"
    async with world() as kept, world({"gateway_fresh_page": 0, "gateway_stale_page": 0}) as gateway:
        expected = await kept.data(query)
        for _ in range(2):
            assert await gateway.data(query) == expected
            assert len(gateway.calls) == 1


async def test_two_credentials_never_meet_in_the_cache() -> None:
    async with world() as one:
        upstream = one.sources.scenario.upstream
        kind = one.sources.scenario.kinds.asset
        key = upstream.key(kind, "asset_1")
    async with world({"scenario_jwt": one.sandbox.scenario_jwt}) as other:
        assert other.sources.scenario.upstream.key(other.sources.scenario.kinds.asset, "asset_1") != key
    async with world({"scenario_project_id": one.sandbox.project_id}) as third:
        assert third.sources.scenario.upstream.key(third.sources.scenario.kinds.asset, "asset_1") != key
