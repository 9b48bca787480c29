"""The four changes: what they answer, what they send, and how a refusal reaches the person."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from gateway.app import create_app
from gateway.sandbox import Sandbox
from gateway.sandbox.faults import Fault
from tests.world import ONCE, URL, Clock, World, opened, settings_for, world

UNTIL = "2030-01-01T00:00:00Z"

REQUEST = """mutation Request($input: RequestAssetDownloadInput!) {
  requestAssetDownload(input: $input) { download { url expiresAt mimeType } userErrors { code message field } }
}"""
BATCH = """mutation Batch($input: RequestBatchDownloadInput!) {
  requestBatchDownload(input: $input) {
    downloadJob { jobId status isFinal downloadUrl downloadUrlExpiresAt }
    creativeUnitsCost
    userErrors { code message field }
  }
}"""
LOCK = """mutation Lock($input: LockAssetInput!) {
  lockAsset(input: $input) {
    asset { assetId url metadata { lockExpiresAt } } lockId userErrors { code message field }
  }
}"""
UNLOCK = """mutation Unlock($input: UnlockAssetInput!) {
  unlockAsset(input: $input) {
    asset { assetId url metadata { lockExpiresAt } } userErrors { code message field }
  }
}"""
READ = "query Read($id: ID!) { asset(assetId: $id) { url } }"


def asset_of(gateway: World, **wanted: str) -> str:
    """Find an asset of the project with these values."""
    return next(
        asset["id"]
        for asset in gateway.sandbox.scenario.assets.values()
        if "deletedAt" not in asset
        and asset["ownerId"] == gateway.sandbox.project_id
        and all(asset.get(key) == value for key, value in wanted.items())
    )


@pytest.fixture
def image(gateway: World) -> str:
    """An image of the project."""
    return asset_of(gateway, kind="image")


def sent(gateway: World) -> list[tuple[str, str, str, Any]]:
    """Everything that Scenario was sent: method, path, query and body."""
    return [
        (request.method, request.path, request.query, json.loads(request.body or "null"))
        for request in gateway.sandbox.scenario.requests
    ]


def refused(code: str, message: str, *field: str) -> dict[str, Any]:
    """One user error."""
    return {"code": code, "message": message, "field": list(field) or None}


async def test_a_download_of_the_original_sends_no_format(gateway: World, image: str) -> None:
    answer = (await gateway.data(REQUEST, input={"assetId": image}))["requestAssetDownload"]
    url = answer["download"].pop("url")
    assert answer == {"download": {"expiresAt": "2026-09-30T23:59:59Z", "mimeType": "image/png"}, "userErrors": []}
    assert url.startswith(f"http://sandbox.test/cdn/assets/{image}?p=100&Policy=")
    assert sent(gateway) == [("POST", f"/assets/{image}/download", "", {})]


async def test_a_download_in_a_format_sends_scenarios_word_for_it(gateway: World, image: str) -> None:
    answer = (await gateway.data(REQUEST, input={"assetId": image, "targetFormat": "WEBP"}))["requestAssetDownload"]
    url = answer["download"].pop("url")
    assert answer == {"download": {"expiresAt": "2026-09-30T23:59:59Z", "mimeType": "image/webp"}, "userErrors": []}
    assert url.endswith("&format=webp")
    assert sent(gateway) == [("POST", f"/assets/{image}/download", "", {"targetFormat": "webp"})]


@pytest.mark.parametrize("mime_type", ["5", "{}", '["image/png"]', "null"])
async def test_a_download_of_no_known_type_has_its_address_all_the_same(gateway: World, mime_type: str) -> None:
    gateway.sandbox.faults.add(Fault(status=200, body=f'{{"url": "https://files.example/1", "mimeType": {mime_type}}}'))
    answer = (await gateway.data(REQUEST, input={"assetId": "asset_1"}))["requestAssetDownload"]
    assert answer["download"] == {"url": "https://files.example/1", "expiresAt": None, "mimeType": None}


async def test_a_download_without_an_address_is_not_asked_for_again_by_a_program(gateway: World) -> None:
    gateway.sandbox.faults.add(Fault(status=200, body='{"url": "ftp://files.example"}'))
    (error,) = (await gateway.execute(REQUEST, input={"assetId": "asset_1"}))["errors"]
    assert not error["extensions"]["retryable"]


async def test_a_batch_is_accepted_with_its_defaults_spelled_out_and_can_be_followed(
    gateway: World, image: str
) -> None:
    answer = (await gateway.data(BATCH, input={"assetIds": [image]}))["requestBatchDownload"]
    job_id = answer["downloadJob"].pop("jobId")
    job = {"status": "PENDING", "isFinal": False, "downloadUrl": None, "downloadUrlExpiresAt": None}
    assert answer == {"downloadJob": job, "creativeUnitsCost": None, "userErrors": []}
    query = {"assetIds": [image], "inferenceIds": [], "modelIds": []}
    options = {"fileNameTemplate": "<id>", "flat": False, "preferOriginal": False}
    assert sent(gateway) == [("POST", "/assets/download", "", {"query": query, "options": options})]
    gateway.clock.advance(1)
    found = await gateway.data("query Job($id: ID!) { downloadJob(jobId: $id) { jobId status } }", id=job_id)
    assert found == {"downloadJob": {"jobId": job_id, "status": "QUEUED"}}


async def test_every_option_of_a_batch_is_sent_in_scenarios_words(gateway: World, image: str) -> None:
    batch = {
        "assetIds": [image],
        "inferenceIds": ["inference_1"],
        "modelIds": ["model_1", "model_2"],
        "fileNameTemplate": "<num>/<id>",
        "flat": True,
        "archiveName": "scans",
        "preferOriginal": True,
    }
    await gateway.data(BATCH, input=batch)
    query = {key: batch.pop(key) for key in ("assetIds", "inferenceIds", "modelIds")}
    assert sent(gateway) == [("POST", "/assets/download", "", {"query": query, "options": batch})]


async def test_a_dry_run_says_what_it_would_cost_and_starts_nothing(gateway: World, image: str) -> None:
    assert await gateway.data(BATCH, input={"assetIds": [image], "dryRun": True}) == {
        "requestBatchDownload": {"downloadJob": None, "creativeUnitsCost": 1.0, "userErrors": []}
    }
    assert [call[:3] for call in sent(gateway)] == [("POST", "/assets/download", "dryRun=true")]


@pytest.mark.parametrize(
    ("fault", "message", "code"),
    [
        ({"status": 503}, "Scenario answered 503.", "UPSTREAM_UNAVAILABLE"),
        ({"status": 504}, "Scenario answered 504.", "UPSTREAM_TIMEOUT"),
        (
            {"status": 200, "body": "{}"},
            "Scenario answered something else than the JSON it promises.",
            "UPSTREAM_CONTRACT",
        ),
    ],
)
async def test_a_dry_run_that_fails_leaves_nothing_unknown_and_may_be_made_again(
    fault: dict[str, Any], message: str, code: str
) -> None:
    async with world(ONCE) as gateway:
        gateway.sandbox.faults.add(Fault(upstream="scenario", **fault))
        answer = await gateway.execute(BATCH, input={"assetIds": ["asset_1"], "dryRun": True})
        assert answer["data"] == {"requestBatchDownload": None}
        (error,) = answer["errors"]
        assert error["message"] == message
        assert (error["extensions"]["code"], error["extensions"]["retryable"]) == (code, True)
        assert gateway.calls == [("POST", "/assets/download")]


async def test_a_dry_run_is_tried_again_as_a_read_is(gateway: World, image: str) -> None:
    gateway.sandbox.faults.add(Fault(upstream="scenario", status=503, times=1))
    answer = await gateway.data(BATCH, input={"assetIds": [image], "dryRun": True})
    assert answer["requestBatchDownload"]["creativeUnitsCost"] == 1.0
    assert gateway.calls == [("POST", "/assets/download")] * 2


async def test_a_dry_run_is_waited_for_until_the_deadline() -> None:
    async with world({"gateway_deadline": 0.2}) as gateway:
        gateway.sandbox.faults.add(Fault(upstream="scenario", delay=60))
        answer = await asyncio.wait_for(gateway.execute(BATCH, input={"assetIds": ["asset_1"], "dryRun": True}), 30)
        health = gateway.sources.scenario.upstream.sender.health
        assert (gateway.calls, health.too_late, health.in_flight) == ([("POST", "/assets/download")], 1, 0)
    assert answer["data"] == {"requestBatchDownload": None}
    (error,) = answer["errors"]
    assert error["message"] == "Scenario did not answer before the operation's deadline."
    assert (error["extensions"]["code"], error["extensions"]["retryable"]) == ("UPSTREAM_TIMEOUT", True)


async def test_a_lock_answers_the_locked_asset_and_what_opens_it(gateway: World, image: str) -> None:
    before = await gateway.data(READ, id=image)
    gateway.sandbox.scenario.clear()
    answer = (await gateway.data(LOCK, input={"assetId": image, "lockExpiresAt": UNTIL}))["lockAsset"]
    lock_id = answer.pop("lockId")
    assert answer == {
        "asset": {"assetId": image, "url": before["asset"]["url"], "metadata": {"lockExpiresAt": UNTIL}},
        "userErrors": [],
    }
    opened = (await gateway.data(UNLOCK, input={"assetId": image, "lockId": lock_id}))["unlockAsset"]
    assert opened == {
        "asset": {"assetId": image, "url": before["asset"]["url"], "metadata": {"lockExpiresAt": None}},
        "userErrors": [],
    }
    assert sent(gateway) == [
        ("PUT", f"/assets/{image}/lock", "", {"lockExpiresAt": UNTIL}),
        ("PUT", f"/assets/{image}/unlock", "", {"lockId": lock_id}),
    ]


async def test_an_unlock_by_force_needs_no_lock_id_and_can_answer_the_originals_url(gateway: World, image: str) -> None:
    await gateway.data(LOCK, input={"assetId": image, "lockExpiresAt": UNTIL, "originalAssets": True})
    unlock = {"assetId": image, "forceUnlock": True, "originalAssets": True}
    answer = (await gateway.data(UNLOCK, input=unlock))["unlockAsset"]
    assert answer["asset"]["url"].startswith(f"http://sandbox.test/cdn/assets/{image}?")
    assert sent(gateway) == [
        ("PUT", f"/assets/{image}/lock", "originalAssets=true", {"lockExpiresAt": UNTIL}),
        ("PUT", f"/assets/{image}/unlock", "originalAssets=true", {"forceUnlock": True}),
    ]
    read = await gateway.data(READ, id=image)
    assert read["asset"]["url"].startswith(f"http://sandbox.test/cdn/assets-transform/{image}?")


async def test_a_lock_that_ends_at_another_offset_is_sent_in_utc(gateway: World, image: str) -> None:
    await gateway.data(LOCK, input={"assetId": image, "lockExpiresAt": "2030-01-01T02:30:00.25+02:30"})
    assert sent(gateway)[0][3] == {"lockExpiresAt": "2030-01-01T00:00:00.250Z"}


async def lock_seen(gateway: World, asset_id: str) -> dict[str, set[str | None]]:
    """When a lock ends, as each way of reading an asset tells it."""
    seen = await gateway.data(
        """query Seen($id: ID!, $ids: [ID!]!) {
          asset(assetId: $id) { ...L } assetsById(assetIds: $ids) { ...L } assets(first: 100) { nodes { ...L } }
        }
        fragment L on Asset { assetId metadata { lockExpiresAt } }""",
        id=asset_id,
        ids=[asset_id],
    )
    lists = {"asset": [seen["asset"]], "assetsById": seen["assetsById"], "assets": seen["assets"]["nodes"]}
    return {
        name: {asset["metadata"]["lockExpiresAt"] for asset in assets if asset["assetId"] == asset_id}
        for name, assets in lists.items()
    }


def everywhere(lock_expires_at: str | None) -> dict[str, set[str | None]]:
    """The same lock wherever an asset is read."""
    return {name: {lock_expires_at} for name in ("asset", "assetsById", "assets")}


async def test_a_lock_is_seen_by_the_next_read_of_the_asset_and_of_pages(gateway: World) -> None:
    assets = await gateway.data("{ assets(first: 100) { nodes { assetId } } }")
    asset_id = assets["assets"]["nodes"][0]["assetId"]
    assert await lock_seen(gateway, asset_id) == everywhere(None)
    await gateway.data(LOCK, input={"assetId": asset_id, "lockExpiresAt": UNTIL})
    assert await lock_seen(gateway, asset_id) == everywhere(UNTIL)
    await gateway.data(UNLOCK, input={"assetId": asset_id, "forceUnlock": True})
    assert await lock_seen(gateway, asset_id) == everywhere(None)


async def test_a_lock_whose_answer_is_torn_is_reported_as_a_failure_and_seen_all_the_same(gateway: World) -> None:
    assets = await gateway.data("{ assets(first: 100) { nodes { assetId } } }")
    asset_id = assets["assets"]["nodes"][0]["assetId"]
    await lock_seen(gateway, asset_id)
    gateway.sandbox.faults.add(Fault(method="PUT", malformed=True))
    answer = await gateway.execute(LOCK, input={"assetId": asset_id, "lockExpiresAt": UNTIL})
    assert (answer["data"], answer["errors"][0]["extensions"]["code"]) == ({"lockAsset": None}, "UPSTREAM_CONTRACT")
    assert await lock_seen(gateway, asset_id) == everywhere(UNTIL)


class LateLocks(httpx.ASGITransport):
    """Brings the answer to a lock when a test says so; `is_made` tells that it is there."""

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__(app=sandbox.app)
        self.is_made, self.may_come = asyncio.Event(), asyncio.Event()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Make the call at once, whenever its answer comes."""
        answer = await super().handle_async_request(request)
        if request.url.path.endswith("/lock"):
            self.is_made.set()
            await self.may_come.wait()
        return answer


@asynccontextmanager
async def with_late_locks() -> AsyncIterator[tuple[World, LateLocks]]:
    clock = Clock()
    sandbox = Sandbox(clock=clock, url=URL)
    locks = LateLocks(sandbox)
    transports = {"prism": httpx.ASGITransport(app=sandbox.app), "scenario": locks}
    app = create_app(settings_for(sandbox), transports=transports, clock=clock, sleep=clock.sleep)
    async with opened(app, sandbox, clock) as gateway:
        yield gateway, locks


async def test_a_lock_whose_answer_comes_after_another_change_is_not_kept_over_it() -> None:
    async with with_late_locks() as (gateway, locks):
        asset_id = asset_of(gateway, kind="image")
        lock = gateway.data(LOCK, input={"assetId": asset_id, "lockExpiresAt": UNTIL})
        locking = asyncio.create_task(lock)
        await locks.is_made.wait()
        await gateway.data(UNLOCK, input={"assetId": asset_id, "forceUnlock": True})
        locks.may_come.set()
        assert (await locking)["lockAsset"]["asset"]["metadata"]["lockExpiresAt"] == UNTIL
        locked = await gateway.data(
            "query ($id: ID!) { asset(assetId: $id) { metadata { lockExpiresAt } } }", id=asset_id
        )
        assert locked["asset"]["metadata"]["lockExpiresAt"] is None


async def test_a_lock_that_is_made_alone_is_kept_as_it_was_answered(gateway: World, image: str) -> None:
    await gateway.data(LOCK, input={"assetId": image, "lockExpiresAt": UNTIL})
    gateway.sandbox.scenario.clear()
    await gateway.data(READ, id=image)
    assert sent(gateway) == []


async def test_changes_are_made_one_after_the_other_in_the_order_asked(gateway: World, image: str) -> None:
    both = """mutation Both($lock: LockAssetInput!, $unlock: UnlockAssetInput!) {
      lockAsset(input: $lock) { asset { metadata { lockExpiresAt } } }
      unlockAsset(input: $unlock) { asset { metadata { lockExpiresAt } } }
    }"""
    lock, unlock = {"assetId": image, "lockExpiresAt": UNTIL}, {"assetId": image, "forceUnlock": True}
    assert await gateway.data(both, lock=lock, unlock=unlock) == {
        "lockAsset": {"asset": {"metadata": {"lockExpiresAt": UNTIL}}},
        "unlockAsset": {"asset": {"metadata": {"lockExpiresAt": None}}},
    }
    assert gateway.calls == [("PUT", f"/assets/{image}/lock"), ("PUT", f"/assets/{image}/unlock")]


async def test_what_a_change_left_out_of_date_is_not_shown_by_the_next_ones_of_the_request(gateway: World) -> None:
    held = gateway.sandbox.scenario.assets
    child = next(id_ for id_ in gateway.asset_ids if held[id_]["metadata"].get("parentId") in gateway.asset_ids)
    parent = held[child]["metadata"]["parentId"]
    query = """mutation Three($child: LockAssetInput!, $parent: LockAssetInput!, $again: UnlockAssetInput!) {
      before: lockAsset(input: $child) { asset { parent { ...Locks } } }
      lockAsset(input: $parent) { asset { assetId } }
      after: unlockAsset(input: $again) { asset { parent { ...Locks } } }
    }
    fragment Locks on Asset {
      metadata { lockExpiresAt }
      children(first: 100) { nodes { assetId metadata { lockExpiresAt } } }
    }"""
    lock = {"lockExpiresAt": UNTIL}
    answer = await gateway.data(
        query,
        child={"assetId": child, **lock},
        parent={"assetId": parent, **lock, "originalAssets": True},
        again={"assetId": child, "forceUnlock": True},
    )
    for name, of_parent, of_child in (("before", None, UNTIL), ("after", UNTIL, None)):
        shown = answer[name]["asset"]["parent"]
        assert shown["metadata"]["lockExpiresAt"] == of_parent
        children = {node["assetId"]: node["metadata"]["lockExpiresAt"] for node in shown["children"]["nodes"]}
        assert children[child] == of_child


async def test_an_originals_url_is_shown_by_the_change_that_asked_for_it_and_by_none_after_it(gateway: World) -> None:
    held = gateway.sandbox.scenario.assets
    child = next(id_ for id_ in gateway.asset_ids if held[id_]["metadata"].get("parentId") in gateway.asset_ids)
    parent = held[child]["metadata"]["parentId"]
    query = """mutation Four($parent: ID!, $child: ID!, $until: DateTime!) {
      locked: lockAsset(input: { assetId: $parent, lockExpiresAt: $until, originalAssets: true }) { asset { url } }
      then: lockAsset(input: { assetId: $child, lockExpiresAt: $until }) { asset { parent { url } } }
      unlocked: unlockAsset(input: { assetId: $parent, forceUnlock: true, originalAssets: true }) { asset { url } }
      last: unlockAsset(input: { assetId: $child, forceUnlock: true }) { asset { parent { url } } }
    }"""
    answer = await gateway.data(query, parent=parent, child=child, until=UNTIL)
    original, readers = (f"http://sandbox.test/cdn/{folder}/{parent}" for folder in ("assets", "assets-transform"))
    shown = [(name, (its["asset"].get("parent") or its["asset"])["url"]) for name, its in answer.items()]
    assert [(name, url.partition("?")[0]) for name, url in shown] == [
        ("locked", original),
        ("then", readers),
        ("unlocked", original),
        ("last", readers),
    ]
    assert gateway.calls == [
        ("PUT", f"/assets/{parent}/lock"),
        ("PUT", f"/assets/{child}/lock"),
        ("GET", f"/assets/{parent}"),
        ("PUT", f"/assets/{parent}/unlock"),
        ("PUT", f"/assets/{child}/unlock"),
        ("GET", f"/assets/{parent}"),
    ]


CHANGES: list[tuple[str, dict[str, Any], dict[int | None, str | None]]] = [
    (REQUEST, {"assetId": "asset_1"}, {None: "assetId"}),
    (REQUEST, {"assetId": "asset_1", "targetFormat": "GLB"}, {None: "assetId", 400: "targetFormat"}),
    (BATCH, {"assetIds": ["asset_1"]}, {}),
    (BATCH, {"modelIds": ["model_1"], "dryRun": True}, {}),
    (LOCK, {"assetId": "asset_1", "lockExpiresAt": UNTIL}, {None: "assetId", 400: "lockExpiresAt"}),
    (UNLOCK, {"assetId": "asset_1", "lockId": "lock_1"}, {None: "assetId", 400: "lockId", 409: "lockId"}),
]
NAMES = ["request", "request-format", "batch", "dry-run", "lock", "unlock"]

USER_ERRORS = {
    400: "INVALID",
    402: "NOT_PERMITTED",
    403: "NOT_PERMITTED",
    404: "NOT_FOUND",
    409: "CONFLICT",
    410: "NOT_FOUND",
    413: "TOO_MANY",
    422: "INVALID",
    423: "CONFLICT",
    429: "TOO_MANY",
}


@pytest.mark.parametrize("status", USER_ERRORS)
@pytest.mark.parametrize(("query", "change", "fields"), CHANGES, ids=NAMES)
async def test_a_refusal_is_an_answer_with_a_code_and_the_input_field_that_it_concerns(
    gateway: World, query: str, change: dict[str, Any], fields: dict[int | None, str], status: int
) -> None:
    gateway.sandbox.faults.add(Fault(status=status, body='{"message": "because"}'))
    ((name, payload),) = (await gateway.data(query, input=change)).items()
    field = None if status in {402, 429} else fields.get(status, fields.get(None))
    assert payload.pop("userErrors") == [
        {
            "code": USER_ERRORS[status],
            "message": f"Scenario answered {status}: because",
            "field": None if field is None else [field],
        }
    ]
    assert payload == dict.fromkeys(payload)
    assert len(gateway.calls) == 1 or "dryRun" in change, name


FAILURES: list[tuple[Fault, str]] = [
    (Fault(status=302), "UPSTREAM_CONTRACT"),
    (Fault(status=401), "UPSTREAM_REJECTED"),
    (Fault(status=408), "UPSTREAM_TIMEOUT"),
    (Fault(status=500), "UPSTREAM_UNAVAILABLE"),
    (Fault(status=502, body="<html>"), "UPSTREAM_UNAVAILABLE"),
    (Fault(status=503, retry_after=1), "UPSTREAM_UNAVAILABLE"),
    (Fault(status=504), "UPSTREAM_TIMEOUT"),
    (Fault(status=200, body="{}"), "UPSTREAM_CONTRACT"),
    (Fault(status=200, body="<html>"), "UPSTREAM_CONTRACT"),
    (Fault(status=200, body='{"asset": null, "jobId": null, "url": null}'), "UPSTREAM_CONTRACT"),
    (Fault(status=200, body='{"url": "ftp://files.example"}'), "UPSTREAM_CONTRACT"),
    (Fault(cut=True), "UPSTREAM_UNAVAILABLE"),
    (Fault(delay=3600), "UPSTREAM_TIMEOUT"),
]


async def out_of_time(_seconds: float) -> None:
    """End a delay as httpx ends one that it waits too long for."""
    raise httpx.ReadTimeout("")


@pytest.mark.parametrize(("fault", "code"), FAILURES)
@pytest.mark.parametrize(("query", "change"), [change[:2] for change in CHANGES], ids=NAMES)
async def test_what_is_nobodys_fault_is_an_error_and_is_not_tried_again(
    query: str, change: dict[str, Any], fault: Fault, code: str
) -> None:
    async with world(sleep=out_of_time) as gateway:
        gateway.sandbox.faults.add(fault)
        answer = await gateway.execute(query, input=change)
        ((name, payload),) = answer["data"].items()
        (error,) = answer["errors"]
        assert (payload, error["path"], error["extensions"]["code"]) == (None, [name], code)
        assert error["extensions"]["upstream"] == "scenario"
        assert error["extensions"].get("upstreamStatus") == (None if fault.status == 200 else fault.status)
        assert len(gateway.calls) == 1 or "dryRun" in change  # which changes nothing


@pytest.mark.parametrize("id_", ["../x", "", "a/b", "\x00", "x" * 10_000])
@pytest.mark.parametrize("query", [REQUEST, LOCK, UNLOCK], ids=["request", "lock", "unlock"])
async def test_an_id_that_is_none_is_an_invalid_input_and_makes_no_call(gateway: World, query: str, id_: str) -> None:
    change = {"assetId": id_, **({"lockExpiresAt": UNTIL} if query is LOCK else {})}
    ((_, payload),) = (await gateway.data(query, input=change)).items()
    (error,) = payload["userErrors"]
    assert (error["code"], error["field"]) == ("INVALID", ["assetId"])
    assert error["message"].startswith("`assetId` ")
    assert gateway.calls == []


@pytest.mark.parametrize(
    ("batch", "error"),
    [
        ({}, ("INVALID", "There is nothing to pack.")),
        ({"assetIds": ["x"] * 1001}, ("TOO_MANY", "An archive takes at most 1,000 assets; these are 1,001.")),
    ],
)
async def test_a_batch_that_scenario_would_refuse_anyway_is_refused_before_any_call(
    gateway: World, batch: dict[str, Any], error: tuple[str, str]
) -> None:
    told = {"downloadJob": None, "creativeUnitsCost": None, "userErrors": [refused(*error, "assetIds")]}
    for dry_run in (False, True):
        answer = await gateway.data(BATCH, input={**batch, "dryRun": dry_run})
        assert answer == {"requestBatchDownload": told}
    assert gateway.calls == []


async def test_the_sandboxs_own_refusals_read_well(gateway: World, image: str) -> None:
    foreign = next(
        asset["id"]
        for asset in gateway.sandbox.scenario.assets.values()
        if asset["ownerId"] != gateway.sandbox.project_id and asset["privacy"] == "private"
    )
    await gateway.data(LOCK, input={"assetId": image, "lockExpiresAt": UNTIL})
    asked: list[tuple[str, dict[str, Any]]] = [
        (REQUEST, {"assetId": "nothing"}),
        (REQUEST, {"assetId": foreign}),
        (REQUEST, {"assetId": image, "targetFormat": "GLB"}),
        (LOCK, {"assetId": image, "lockExpiresAt": UNTIL}),
        (LOCK, {"assetId": image, "lockExpiresAt": "2020-01-01T00:00:00Z"}),
        (UNLOCK, {"assetId": image, "lockId": "another"}),
        (BATCH, {"assetIds": ["nothing"]}),
    ]
    answers = [await gateway.data(query, input=change) for query, change in asked]
    assert [payload["userErrors"] for answer in answers for payload in answer.values()] == [
        [refused("NOT_FOUND", "Scenario answered 404: Asset nothing not found", "assetId")],
        [
            refused(
                "NOT_PERMITTED", f"Scenario answered 403: Asset {foreign} is not available to this project", "assetId"
            )
        ],
        [refused("INVALID", "Scenario answered 400: Invalid target format", "targetFormat")],
        [refused("CONFLICT", f"Scenario answered 409: Asset {image} is locked", "assetId")],
        [
            refused(
                "INVALID",
                'Scenario answered 400: "lockExpiresAt" must be an ISO 8601 date in the future',
                "lockExpiresAt",
            )
        ],
        [refused("CONFLICT", f"Scenario answered 409: Asset {image} is held by another lock", "lockId")],
        [refused("NOT_FOUND", "Scenario answered 404: Asset nothing not found")],
    ]


async def test_the_public_credential_changes_nothing() -> None:
    async with world({"scenario_public": True}) as gateway:
        answer = await gateway.data(LOCK, input={"assetId": "asset_1", "lockExpiresAt": UNTIL})
        assert answer["lockAsset"]["userErrors"] == [
            refused("NOT_PERMITTED", "Scenario answered 403: Forbidden", "assetId")
        ]
