"""Scans and download jobs followed from their present state to their last, over the whole gateway."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from gateway.engine.subscriptions import AnswerStream
from gateway.errors import ShuttingDown, UpstreamNotFound
from gateway.prism.kinds import scan_is_final
from gateway.process import create_gateway
from gateway.sandbox import Fault
from gateway.scenario.updates import JobUpdates
from tests.world import URL, World, settings_for, settle, world

SCAN = """
subscription Follow($scanId: ID!) {
  scanUpdated(scanId: $scanId) { status assets { isFinal captureData { status } measurement { status } } }
}
"""
NOW = "query ($scanId: ID!) { scan(scanId: $scanId) { status assets { isFinal } } }"
URLS = "subscription ($scanId: ID!) { scanUpdated(scanId: $scanId) { status assetUrls { model } } }"
JOB = "subscription ($jobId: ID!) { downloadJobUpdated(jobId: $jobId) { status isFinal downloadUrl } }"
BATCH = """
mutation ($asset: ID!, $name: String) {
  requestBatchDownload(input: { assetIds: [$asset], archiveName: $name }) { downloadJob { jobId } }
}
"""
STEADY = {"gateway_watch_jitter": 0, "gateway_retries": 0}


@dataclass
class Reader:
    """Reads a subscription: `heard` is what has come, and how it ended once it has."""

    stream: AnswerStream
    heard: list[dict[str, Any]] = field(default_factory=list)
    ended: str | None = None

    def __post_init__(self) -> None:
        self.task = asyncio.create_task(self.read())

    async def read(self) -> None:
        try:
            async for answer in self.stream:
                self.heard.append(json.loads(answer))
            self.ended = "complete"
        except ShuttingDown:
            self.ended = "shutdown"

    def states(self, root: str = "scanUpdated") -> list[dict[str, Any]]:
        """What the answers hold, none of which may have errors."""
        assert all(answer.keys() == {"data"} for answer in self.heard)
        return [answer["data"][root] for answer in self.heard]

    def statuses(self, root: str = "scanUpdated") -> list[str]:
        return [state["status"] for state in self.states(root)]


@pytest.fixture
async def steady() -> AsyncIterator[World]:
    """A gateway without jitter and retries, whose pauses are not by its clock, in front of which no task is left."""
    async with world(STEADY) as made:
        yield made
    await settle()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def follow(gateway: World, query: str, **variables: Any) -> Reader:
    """Begin to read a subscription, whose first answer is there at once."""
    stream = await gateway.subscribe(query, **variables)
    assert isinstance(stream, AnswerStream), stream
    reader = Reader(stream)
    await settle()
    assert len(reader.heard) == 1
    return reader


async def refusal(gateway: World, query: str, **variables: Any) -> dict[str, Any]:
    """The only error of a subscription that is refused, in one."""
    refused = await gateway.subscribe(query, **variables)
    assert isinstance(refused, bytes)
    answer = json.loads(refused)
    (error,) = answer["errors"]
    assert answer["data"] is None
    return {"message": error["message"], "path": error["path"], **error["extensions"]}


def moving(gateway: World, place: int = 0) -> str:
    """A scan that moves: 0 to 5 succeed, 6 fails in its first stage, 7 in its third."""
    return list(gateway.sandbox.prism.scans)[20 + place]


async def begun_job(gateway: World, name: str = "scans") -> str:
    data = await gateway.data(BATCH, asset=gateway.asset_ids[0], name=name)
    gateway.sandbox.scenario.clear()
    job_id: str = data["requestBatchDownload"]["downloadJob"]["jobId"]
    return job_id


def scan_state(status: str, first: str, last: str, *, is_final: bool = False) -> dict[str, Any]:
    stages = {"captureData": {"status": first}, "measurement": {"status": last}}
    return {"status": status, "assets": {"isFinal": is_final, **stages}}


@pytest.mark.parametrize("settings", [STEADY, {**STEADY, "gateway_plans": False}], ids=["plans", "graphql-core"])
async def test_a_scan_is_followed_from_now_over_each_change_to_its_end(settings: dict[str, Any]) -> None:
    async with world(settings) as gateway:
        scan_id = moving(gateway)  # its stages begin 2 s from now and take 3 s each
        reader = await follow(gateway, SCAN, scanId=scan_id)
        created = scan_state("CREATED", "PENDING", "PENDING")
        started = scan_state("PROCESSING", "STARTED", "PENDING")
        underway = scan_state("PROCESSING", "SUCCEEDED", "PENDING")
        measuring = scan_state("PROCESSING", "SUCCEEDED", "STARTED")
        ready = scan_state("READY", "SUCCEEDED", "SUCCEEDED", is_final=True)
        assert reader.states() == [created]
        await gateway.clock.run(60)
        assert reader.states() == [created, started, underway, underway, measuring, ready]
        assert reader.ended == "complete"
        assert gateway.clock.slept == [2, 2, 3, 2, 2, 2, 3]
        assert gateway.calls == [("GET", f"/scans/{scan_id}")] * 8
        assert len(gateway.gateway.watchers) == 0


async def test_a_scan_that_fails_is_final_too(steady: World) -> None:
    reader = await follow(steady, SCAN, scanId=moving(steady, 7))
    await steady.clock.run(60)
    assert reader.ended == "complete"
    assert reader.states()[-1] == scan_state("FAILED", "SUCCEEDED", "PENDING", is_final=True)


@pytest.mark.parametrize("embeds", [True, False], ids=["in one call", "in two"])
async def test_a_scan_that_fails_before_its_first_stage_is_told_of_once_and_for_all(*, embeds: bool) -> None:
    async with world(STEADY) as gateway:
        stages = {"captureData": None, "body": None}
        record = {"status": "FAILED", **({"scanAssets": stages} if embeds else {})}
        gateway.sandbox.faults.add(Fault(path="/scans/s$", status=200, body=json.dumps(record)))
        gateway.sandbox.faults.add(Fault(path="/scan-assets$", status=200, body=json.dumps(stages)))
        reader = await follow(gateway, SCAN, scanId="s")
        assert reader.states() == [scan_state("FAILED", "PENDING", "PENDING", is_final=True)]
        assert reader.ended == "complete"
        assert gateway.calls == [("GET", "/scans/s"), ("GET", "/scans/s/scan-assets")][: 1 if embeds else 2]


async def test_where_the_record_embeds_no_stages_a_look_is_two_calls() -> None:
    async with world(STEADY, embed_scan_assets=False) as gateway:
        scan_id = moving(gateway)
        reader = await follow(gateway, SCAN, scanId=scan_id)
        await gateway.clock.run(60)
        assert reader.statuses()[-1] == "READY"
        assert reader.ended == "complete"
        assert gateway.calls == [("GET", f"/scans/{scan_id}"), ("GET", f"/scans/{scan_id}/scan-assets")] * 8


async def test_the_last_message_holds_the_urls_that_came_with_it_however_fresh_those_before_were() -> None:
    async with world({**STEADY, "gateway_fresh_stages_moving": 3_600}) as gateway:
        reader = await follow(gateway, URLS, scanId=moving(gateway))
        await gateway.clock.run(60)
        urls = [state["assetUrls"]["model"] for state in reader.states()]
        assert urls[:-1] == [None] * 5
        assert (await gateway.download(urls[-1])).status_code == 200


@pytest.mark.parametrize("asked", ["assetUrls { model }", "assetUrl(type: MODEL) { url }"])
async def test_the_only_message_of_a_scan_that_has_just_ended_holds_its_urls_though_they_were_asked_for_before(
    asked: str,
) -> None:
    async with world(STEADY) as gateway:
        scan_id = moving(gateway)
        query = f"query ($scanId: ID!) {{ scan(scanId: $scanId) {{ {asked} }} }}"
        gateway.clock.advance(13.5)
        before = await gateway.data(query, scanId=scan_id)
        assert before["scan"] in ({"assetUrls": {"model": None}}, {"assetUrl": None})
        gateway.clock.advance(1)
        follows = f"subscription ($scanId: ID!) {{ scanUpdated(scanId: $scanId) {{ status {asked} }} }}"
        answers = []
        for calls in (2, 0):  # of the URLs that came with the message nobody asks again
            gateway.forget_calls()
            reader = await follow(gateway, follows, scanId=scan_id)
            await settle()
            assert reader.ended == "complete"
            answers += reader.states()
            assert len(gateway.calls) == calls
            gateway.clock.advance(1)
        assert answers[0] == answers[1]
        assert answers[0]["status"] == "READY"
        assert f"{URL}/s3/scans/{scan_id}/model" in str(answers[0])


async def test_a_query_has_the_url_that_a_change_brought_however_fresh_its_absence_was() -> None:
    async with world({**STEADY, "gateway_fresh_stages_moving": 3_600}) as gateway:
        query, scan_id = "query ($id: ID!) { scan(scanId: $id) { assetUrl(type: MODEL) { url } } }", moving(gateway)
        await follow(gateway, SCAN, scanId=scan_id)
        assert await gateway.data(query, id=scan_id) == {"scan": {"assetUrl": None}}
        await gateway.clock.run(60)
        url = (await gateway.data(query, id=scan_id))["scan"]["assetUrl"]["url"]
        assert (await gateway.download(url)).status_code == 200


async def test_a_query_has_the_stages_that_a_change_brought_however_fresh_those_before_were() -> None:
    async with world({**STEADY, "gateway_fresh_stages_moving": 3_600}) as gateway:
        query = "query ($scanId: ID!) { scan(scanId: $scanId) { assets { captureData { status } } } }"
        scan_id = moving(gateway)
        assert await gateway.data(query, scanId=scan_id) == {"scan": {"assets": {"captureData": {"status": "PENDING"}}}}
        await follow(gateway, SCAN, scanId=scan_id)
        await gateway.clock.run(60)
        gateway.forget_calls()
        assert await gateway.data(query, scanId=scan_id) == {
            "scan": {"assets": {"captureData": {"status": "SUCCEEDED"}}}
        }
        assert gateway.calls == []


@pytest.mark.parametrize("settings", [STEADY, {**STEADY, "gateway_plans": False}], ids=["plans", "graphql-core"])
async def test_stages_that_prism_does_not_have_yet_are_null_to_a_follower_too(settings: dict[str, Any]) -> None:
    async with world(settings, embed_scan_assets=False) as gateway:
        gateway.sandbox.faults.add(Fault(upstream="prism", path="/scan-assets$", status=404, times=2))
        scan_id = moving(gateway)
        reader = await follow(gateway, SCAN, scanId=scan_id)
        await gateway.clock.run(4)
        await reader.stream.aclose()
        assert reader.states() == [
            {"status": "CREATED", "assets": None},
            {"status": "PROCESSING", "assets": None},
            scan_state("PROCESSING", "STARTED", "PENDING"),
        ]


async def test_a_download_job_is_followed_to_its_archive(steady: World) -> None:
    reader = await follow(steady, JOB, jobId=await begun_job(steady))
    await steady.clock.run(30)
    assert reader.ended == "complete"
    root = "downloadJobUpdated"
    assert reader.statuses(root) == ["PENDING", "WARMING_UP", "IN_PROGRESS", "FINALIZING", "SUCCESS"]
    *before, last = reader.states(root)
    assert {(state["isFinal"], state["downloadUrl"]) for state in before} == {(False, None)}
    assert last["isFinal"]
    assert (await steady.download(last["downloadUrl"])).status_code == 200


@pytest.mark.parametrize(("name", "status"), [("fail", "FAILURE"), ("cancel", "CANCELED")])
async def test_a_download_job_that_comes_to_nothing_is_final_too(steady: World, name: str, status: str) -> None:
    reader = await follow(steady, JOB, jobId=await begun_job(steady, name))
    await steady.clock.run(30)
    assert reader.ended == "complete"
    assert reader.states("downloadJobUpdated")[-1] == {"status": status, "isFinal": True, "downloadUrl": None}


async def test_a_download_job_whose_archive_is_there_before_its_url_is_followed_until_it_has_one(steady: World) -> None:
    job_id, url = await begun_job(steady), f"https://s3.test/a?Expires={int(steady.clock.now) + 3_600}"
    for given in ({}, {"downloadUrl": None}, {"downloadUrl": url}):
        body = json.dumps({"jobId": job_id, "jobStatus": "success", **given})
        steady.sandbox.faults.add(Fault(path=f"/{job_id}$", status=200, body=body, times=1))
    reader = await follow(steady, JOB, jobId=job_id)
    await steady.clock.run(30)
    assert reader.states("downloadJobUpdated") == [
        {"status": "SUCCESS", "isFinal": False, "downloadUrl": None},
        {"status": "SUCCESS", "isFinal": True, "downloadUrl": url},
    ]
    assert reader.ended == "complete"
    assert steady.calls == [("GET", f"/assets/download/{job_id}")] * 3


async def test_another_signature_of_the_same_url_is_no_change(steady: World) -> None:
    job_id = await begun_job(steady)
    for number, name in enumerate(("a", "a", "b")):
        body = {"jobId": job_id, "jobStatus": "archiving", "downloadUrl": f"https://s3.test/{name}?Expires={number}"}
        steady.sandbox.faults.add(Fault(upstream="scenario", status=200, body=json.dumps(body), times=1))
    reader = await follow(steady, JOB, jobId=job_id)
    await steady.clock.run(5)
    assert [state["downloadUrl"] for state in reader.states("downloadJobUpdated")] == [
        "https://s3.test/a?Expires=0",
        "https://s3.test/b?Expires=2",
    ]
    assert len(steady.calls) == 3


async def test_who_comes_later_is_given_the_signature_of_the_last_look(steady: World) -> None:
    job_id = await begun_job(steady)
    urls = [f"https://s3.test/a?Expires={steady.clock() + life:.0f}" for life in (3, 600)]
    for url in urls:
        body = {"jobId": job_id, "jobStatus": "archiving", "downloadUrl": url}
        steady.sandbox.faults.add(Fault(upstream="scenario", status=200, body=json.dumps(body), times=1))
    first = await follow(steady, JOB, jobId=job_id)
    await steady.clock.run(3)
    later = await follow(steady, JOB, jobId=job_id)
    assert [state["downloadUrl"] for state in first.states("downloadJobUpdated")] == urls[:1]
    assert [state["downloadUrl"] for state in later.states("downloadJobUpdated")] == urls[1:]
    assert len(steady.calls) == 2
    for reader in (first, later):
        await reader.stream.aclose()


async def test_what_is_final_already_is_one_message_and_no_call_where_it_is_at_hand(steady: World) -> None:
    scan_id = steady.sandbox.prism.scan_ids("READY")[0]
    await steady.data(NOW, scanId=scan_id)
    assert len(steady.calls) == 1
    reader = await follow(steady, SCAN, scanId=scan_id)
    assert reader.statuses() == ["READY"]
    assert (reader.ended, steady.calls, steady.clock.sleepers) == ("complete", [], {})


async def test_what_does_not_exist_is_refused_at_once_and_not_watched(steady: World) -> None:
    not_found = {"code": "NOT_FOUND", "retryable": False, "upstreamStatus": 404, "requestId": "test"}
    assert await refusal(steady, SCAN, scanId="nothing") == {
        "message": "Prism has no such scan.", "path": ["scanUpdated"], "upstream": "prism", **not_found,
    }  # fmt: skip
    assert await refusal(steady, JOB, jobId="nothing") == {
        "message": "Scenario has no such download job.", "path": ["downloadJobUpdated"], "upstream": "scenario",
        **not_found,
    }  # fmt: skip
    assert len(steady.gateway.watchers) == 0


@pytest.mark.parametrize(
    "query",
    [
        'subscription { scanUpdated(scanId: "x") @skip(if: true) { status } }',
        'subscription { ... on Subscription @include(if: true) { scanUpdated(scanId: "x") { status } } }',
        "subscription { __typename }",
        'subscription { scanUpdated(scanId: "x") { status } downloadJobUpdated(jobId: "x") { status } }',
    ],
)
async def test_a_subscription_has_one_field_that_is_always_asked_for(steady: World, query: str) -> None:
    refused = await steady.subscribe(query)
    assert isinstance(refused, bytes)
    assert json.loads(refused)["errors"][0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
    assert steady.calls == []


async def test_a_thousand_subscribers_to_one_scan_are_one_call_an_interval_and_one_plan_a_change(steady: World) -> None:
    scan_id = moving(steady)
    readers = [await follow(steady, SCAN, scanId=scan_id) for _ in range(1_000)]
    await steady.clock.run(60)
    assert steady.calls == [("GET", f"/scans/{scan_id}")] * 8
    assert all(reader.heard == readers[0].heard for reader in readers)
    assert {reader.ended for reader in readers} == {"complete"}
    assert len(readers[0].heard) == 6
    assert steady.app.state.engine.counts == {"planned": 6, "shared": 5_994}


async def test_an_answer_is_shared_by_those_who_subscribe_to_the_same_and_forgotten_with_them(steady: World) -> None:
    scan_id, other_id = moving(steady), moving(steady, 1)
    readers = [await follow(steady, SCAN, scanId=each) for each in (scan_id, scan_id, other_id)]
    assert steady.app.state.engine.counts == {"planned": 2, "shared": 1}
    for reader in readers:
        await reader.stream.aclose()
    await settle()
    await follow(steady, SCAN, scanId=scan_id)
    assert steady.app.state.engine.counts == {"planned": 3, "shared": 1}
    await steady.clock.run(60)


async def test_an_answer_that_is_made_of_more_than_its_event_is_made_for_each(steady: World) -> None:
    scan_id = moving(steady)
    readers = [await follow(steady, URLS, scanId=scan_id) for _ in range(2)]
    await steady.clock.run(60)
    assert steady.app.state.engine.counts == {"planned": sum(len(reader.heard) for reader in readers)}


async def test_who_does_not_read_is_given_the_newest_state_when_it_does(steady: World) -> None:
    stream = await steady.subscribe(SCAN, scanId=moving(steady))
    assert isinstance(stream, AnswerStream)
    await steady.clock.run(9)
    assert json.loads(await anext(stream))["data"]["scanUpdated"]["status"] == "PROCESSING"
    await steady.clock.run(60)
    calls = len(steady.calls)
    answers = [json.loads(answer)["data"]["scanUpdated"]["status"] async for answer in stream]
    assert (answers, calls, steady.calls) == (["READY"], 8, [])


async def test_the_last_to_leave_ends_the_calls(steady: World) -> None:
    readers = [await follow(steady, SCAN, scanId=moving(steady)) for _ in range(3)]
    for reader in readers:
        await reader.stream.aclose()
    await steady.clock.run(60)
    assert len(steady.calls) == 1
    assert [reader.ended for reader in readers] == ["complete"] * 3


async def test_a_subscription_begins_before_its_deadline_or_not_at_all_and_no_later_look_has_one() -> None:
    async with world({**STEADY, "gateway_deadline": 0.5}) as gateway:
        gateway.sandbox.faults.add(Fault(upstream="prism", delay=30, times=1))
        async with asyncio.timeout(10):
            late = await refusal(gateway, SCAN, scanId=moving(gateway))
        assert (late["code"], late["path"]) == ("UPSTREAM_TIMEOUT", ["scanUpdated"])
        assert len(gateway.gateway.watchers) == 0
        reader = await follow(gateway, SCAN, scanId=moving(gateway))
        await asyncio.sleep(0.6)
        await gateway.clock.run(60)
        assert reader.ended == "complete"
        assert reader.states()[-1]["status"] == "READY"


async def test_each_subscription_has_until_its_own_deadline_to_begin() -> None:
    async with world({**STEADY, "gateway_deadline": 1}) as gateway:
        gateway.sandbox.faults.add(Fault(upstream="prism", delay=1.4))
        scan_id = gateway.sandbox.prism.scan_ids("READY")[0]
        first = asyncio.ensure_future(refusal(gateway, SCAN, scanId=scan_id))
        await asyncio.sleep(0.8)
        second = asyncio.ensure_future(follow(gateway, SCAN, scanId=scan_id))
        assert (await first)["code"] == "UPSTREAM_TIMEOUT"
        reader = await second
        await settle()
        assert reader.states()[-1]["status"] == "READY"
        assert gateway.calls == [("GET", f"/scans/{scan_id}")]


async def test_a_failing_upstream_does_not_end_a_subscription(steady: World) -> None:
    reader = await follow(steady, SCAN, scanId=moving(steady))
    for fault in ({"status": 503}, {"cut": True}, {"malformed": True}, {"status": 504}):
        steady.sandbox.faults.add(Fault(upstream="prism", times=1, **fault))
    await steady.clock.run(60)
    assert (reader.statuses(), reader.ended) == (["CREATED", "READY"], "complete")
    assert steady.clock.slept == [2, 3, 4.5, 6.75, 10.125]


async def test_retry_after_is_obeyed(steady: World) -> None:
    reader = await follow(steady, SCAN, scanId=moving(steady))
    steady.sandbox.faults.add(Fault(upstream="prism", retry_after=20, times=1))
    await steady.clock.run(60)
    assert steady.clock.slept == [2, 20]
    assert (reader.statuses(), reader.ended) == (["CREATED", "READY"], "complete")


@pytest.mark.parametrize(("status", "code"), [(404, "NOT_FOUND"), (401, "UPSTREAM_REJECTED")])
async def test_a_scan_that_goes_or_a_key_that_is_refused_ends_it_with_a_coded_error(
    steady: World, status: int, code: str
) -> None:
    readers = [await follow(steady, SCAN, scanId=moving(steady)) for _ in range(2)]
    steady.sandbox.faults.add(Fault(upstream="prism", status=status))
    await steady.clock.run(2)
    for reader in readers:
        _, last = reader.heard
        (error,) = last["errors"]
        assert (last["data"], error["path"], error["extensions"]["code"]) == (None, ["scanUpdated"], code)
        assert reader.ended == "complete"
    assert len(steady.calls) == 2


async def test_two_scans_and_a_job_are_watched_apart(steady: World) -> None:
    job_id = await begun_job(steady)
    readers = [await follow(steady, SCAN, scanId=moving(steady, place)) for place in (0, 1)]
    readers.append(await follow(steady, JOB, jobId=job_id))
    assert len(steady.gateway.watchers) == 3
    assert steady.calls == [
        ("GET", f"/scans/{moving(steady, 0)}"),
        ("GET", f"/scans/{moving(steady, 1)}"),
        ("GET", f"/assets/download/{job_id}"),
    ]
    await steady.clock.run(90)
    assert [reader.ended for reader in readers] == ["complete"] * 3


async def test_two_credentials_never_share_a_watch() -> None:
    async with world(STEADY) as gateway:
        job_id = await begun_job(gateway)
        sandbox = gateway.sandbox
        transport = httpx.ASGITransport(app=sandbox.app)
        other = create_gateway(
            settings_for(
                sandbox,
                scenario_api_key=sandbox.other_scenario_api_key,
                scenario_api_secret=sandbox.other_scenario_api_secret,
            ),
            transports={"prism": transport, "scenario": transport},
            clock=gateway.clock,
        )
        watchers = gateway.gateway.watchers
        mine = await gateway.sources.job_updates.of(job_id)
        with pytest.raises(UpstreamNotFound):
            await JobUpdates(other.tenants.of().sources.scenario, watchers).of(job_id)
        assert (await anext(mine)).job_id == job_id
        assert len(gateway.calls) == 2
        await other.close()


async def test_a_watch_and_a_query_share_one_document(steady: World) -> None:
    scan_id = moving(steady)
    asked = await steady.data(NOW, scanId=scan_id)
    await follow(steady, SCAN, scanId=scan_id)
    assert len(steady.calls) == 1  # the subscription began with what the query had fetched
    await steady.clock.run(2)
    assert len(steady.calls) == 1  # the look went past the cache, and put the document there
    now = await steady.data(NOW, scanId=scan_id)
    assert (asked["scan"]["status"], now["scan"]["status"], steady.calls) == ("CREATED", "PROCESSING", [])


async def test_a_look_goes_past_what_is_kept_and_fresh() -> None:
    async with world({**STEADY, "gateway_fresh_stages_moving": 3_600}) as gateway:
        scan_id = moving(gateway)
        await gateway.data("query ($id: ID!) { scan(scanId: $id) { assets { isFinal } } }", id=scan_id)
        reader = await follow(gateway, SCAN, scanId=scan_id)
        await gateway.clock.run(60)
        assert reader.states()[-1] == scan_state("READY", "SUCCEEDED", "SUCCEEDED", is_final=True)
        assert await gateway.data(NOW, scanId=scan_id) == {"scan": {"status": "READY", "assets": {"isFinal": True}}}


async def test_an_event_is_answered_by_what_its_look_found_even_where_nothing_stays_fresh() -> None:
    async with world({**STEADY, "gateway_fresh_stages_moving": 0, "gateway_report_calls": True}) as gateway:
        reader = await follow(gateway, SCAN, scanId=moving(gateway))
        await gateway.clock.run(2)
        assert len(gateway.calls) == len(reader.heard) == 2
        assert [answer["extensions"] for answer in reader.heard] == [{"upstreamCalls": {}}] * 2


async def test_a_document_that_a_plan_cannot_read_is_answered_by_graphql_core(steady: World) -> None:
    scan_id = moving(steady)
    record = {"id": scan_id, "status": "CREATED", "weight": {"value": "heavy"}, "scanAssets": {"body": "started"}}
    steady.sandbox.faults.add(Fault(upstream="prism", status=200, body=json.dumps(record), times=1))
    query = "subscription ($id: ID!) { scanUpdated(scanId: $id) { weight { value } assets { body { status } } } }"
    reader = await follow(steady, query, id=scan_id)
    (answer,) = reader.heard
    expected = {"weight": {"value": None}, "assets": {"body": {"status": "STARTED"}}}
    assert answer["data"] == {"scanUpdated": expected}
    assert answer["errors"][0]["path"] == ["scanUpdated", "weight", "value"]
    assert steady.app.state.engine.counts == {"left": 1}


async def test_limits_refuse_with_a_code() -> None:
    async with world({"gateway_watch_documents": 1, "gateway_watch_subscribers": 2}) as gateway:
        await follow(gateway, SCAN, scanId=moving(gateway))
        expected = {"path": ["scanUpdated"], "code": "LIMIT_EXCEEDED", "retryable": True, "requestId": "test"}
        message = "The gateway watches at most 1 scans and jobs at once."
        assert await refusal(gateway, SCAN, scanId=moving(gateway, 1)) == {"message": message, **expected}
        await follow(gateway, SCAN, scanId=moving(gateway))
        message = "The gateway holds at most 2 subscriptions at once."
        assert await refusal(gateway, SCAN, scanId=moving(gateway)) == {"message": message, **expected}


async def test_a_shutdown_ends_every_subscription_as_one_that_goes_on_elsewhere() -> None:
    async with world(STEADY) as gateway:
        readers = [await follow(gateway, SCAN, scanId=moving(gateway, place)) for place in (0, 0, 1)]
    await settle()
    assert [reader.ended for reader in readers] == ["shutdown"] * 3
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_subscription_posted_as_a_query_is_told_where_to_go(steady: World) -> None:
    answer = await steady.execute(SCAN, scanId=moving(steady))
    assert answer["errors"][0]["extensions"] == {"code": "BAD_REQUEST"}
    assert steady.calls == []


DONE = ("succeeded",) * 4


@pytest.mark.parametrize(
    ("status", "stages", "is_final"),
    [
        ("CREATED", None, False),
        ("PROCESSING", ("succeeded", "started", None, None), False),
        ("PROCESSING", DONE, False),  # the record lags behind
        ("READY", DONE, True),
        ("READY", ("succeeded", "succeeded", "succeeded", "started"), False),  # the record is ahead
        ("READY", None, True),
        ("FAILED", None, True),
        ("FAILED", ("succeeded", "failed", None, None), True),
        ("FAILED", ("succeeded", "started", None, None), False),
        ("READY", ("succeeded", "succeeded", "succeeded", "queued"), False),  # a word never seen before
        ("ARCHIVED", DONE, True),
        ("ARCHIVED", ("succeeded", "failed", None, None), True),
        ("ARCHIVED", ("succeeded", None, None, None), False),
        (None, None, False),
    ],
)
def test_a_scan_is_final_when_neither_its_record_nor_a_stage_can_change(
    status: str | None, stages: tuple[str | None, ...] | None, *, is_final: bool
) -> None:
    names = ("captureData", "body", "fittedBody", "measurement")
    body = json.dumps(None if stages is None else dict(zip(names, stages, strict=True)))
    assert scan_is_final(json.dumps({"status": status}).encode(), body.encode()) is is_final
