"""The simulated Prism: what it takes, what it answers, and how scans move."""

import httpx
import pytest

from gateway.sandbox import Sandbox
from gateway.sandbox.moments import iso
from gateway.sandbox.prism import ASSET_TYPES
from gateway.sandbox.scans import STAGES, Scan
from tests.sandbox.conftest import PRISM_HEADERS, START, URL, Clock, prism_of


def scan_in(sandbox: Sandbox, status: str) -> Scan:
    return sandbox.prism.scans[sandbox.prism.scan_ids(status)[0]]


def moving(sandbox: Sandbox) -> Scan:
    return next(scan for scan in sandbox.prism.scans.values() if scan.steps and scan.steps[0].at > START)


async def test_scans_are_in_every_state_and_at_every_stage(sandbox: Sandbox) -> None:
    scans = sandbox.prism.scans.values()
    assert len(scans) == 29
    reached = {(scan.status(START), stage, step.status) for scan in scans for stage, step in scan.taken(START).items()}
    assert {("PROCESSING", stage, "started") for stage in STAGES} <= reached
    assert {("FAILED", stage, "failed") for stage in STAGES} <= reached
    assert {("READY", stage, "succeeded") for stage in STAGES} <= reached
    assert len(sandbox.prism.scan_ids("CREATED")) == 10


async def test_the_same_seed_and_start_give_the_same_scans(sandbox: Sandbox, clock: Clock) -> None:
    assert Sandbox(clock=clock).prism.scans == sandbox.prism.scans
    assert Sandbox(seed=2, clock=clock).prism.scans.keys().isdisjoint(sandbox.prism.scans)


async def test_a_scan_holds_its_stages_and_the_keys_that_prism_requires(
    prism: httpx.AsyncClient, sandbox: Sandbox
) -> None:
    scan = scan_in(sandbox, "READY")
    answer = await prism.get(f"/scans/{scan.scan_id}")
    done = {
        name: value
        for stage, step in scan.taken(START).items()
        for name, value in ((stage, "succeeded"), (f"{stage}UpdatedAt", iso(step.at)))
    }
    assert answer.headers["content-type"] == "application/json;v=1"
    assert answer.json() == {
        "id": scan.scan_id,
        "status": "READY",
        "prismScanId": scan.prism_scan_id,
        "deviceConfigName": scan.device_config_name,
        "assetConfigId": scan.asset_config_id,
        "weight": {"value": scan.kilograms, "unit": "kg"},
        "height": {"value": scan.metres, "unit": "m"},
        "userId": scan.user_id,
        "userToken": scan.user_token,
        "createdAt": iso(scan.created_at),
        "updatedAt": iso(scan.steps[-1].at),
        "scanAssets": {
            "id": scan.scan_assets_id,
            "scanId": scan.scan_id,
            **done,
            "createdAt": iso(scan.created_at),
            "updatedAt": iso(scan.steps[-1].at),
        },
        "measurements": None,
        "bodyfat": None,
    }
    assert sandbox.prism.calls == [("GET", f"/scans/{scan.scan_id}")]


async def test_a_scan_can_come_without_its_stages(clock: Clock) -> None:
    sandbox = Sandbox(clock=clock, url=URL, embed_scan_assets=False)
    scan_id = next(iter(sandbox.prism.scans))
    async with prism_of(sandbox) as prism:
        assert "scanAssets" not in (await prism.get(f"/scans/{scan_id}")).json()
        assert (await prism.get(f"/scans/{scan_id}/scan-assets")).json()["scanId"] == scan_id


async def test_weight_and_height_come_in_either_system(prism: httpx.AsyncClient, sandbox: Sandbox) -> None:
    scan = scan_in(sandbox, "READY")
    answer = await prism.get(f"/scans/{scan.scan_id}", params={"unit-system": "imperial"})
    assert answer.json()["weight"] == {"value": round(scan.kilograms * 2.2046226, 1), "unit": "lb"}
    assert answer.json()["height"] == {"value": round(scan.metres * 39.370079, 1), "unit": "in"}
    refused = await prism.get(f"/scans/{scan.scan_id}", params={"unit-system": "royal"})
    assert refused.status_code == 400
    assert refused.json() == {
        "message": ["unit-system must be one of the following values: metric, imperial"],
        "statusCode": 400,
        "error": "Bad Request",
    }


async def test_stages_to_come_are_null_or_absent(prism: httpx.AsyncClient, sandbox: Sandbox) -> None:
    first, second = (sandbox.prism.scans[scan_id] for scan_id in sandbox.prism.scan_ids("CREATED")[:2])
    sparse = (await prism.get(f"/scans/{first.scan_id}/scan-assets")).json()
    full = (await prism.get(f"/scans/{second.scan_id}/scan-assets")).json()
    assert sparse == {
        "id": first.scan_assets_id,
        "scanId": first.scan_id,
        "captureData": None,
        "captureDataUpdatedAt": None,
        "body": None,
        "bodyUpdatedAt": None,
        "fittedBodyUpdatedAt": None,
        "measurementUpdatedAt": None,
        "createdAt": iso(first.created_at),
        "updatedAt": iso(first.created_at),
    }
    assert (full["fittedBody"], full["measurement"]) == (None, None)


async def test_a_moving_scan_goes_through_its_stages(prism: httpx.AsyncClient, sandbox: Sandbox, clock: Clock) -> None:
    scan = moving(sandbox)
    seen = []
    for second in range(0, 16, 3):
        clock.now = START + 2 + second
        document = (await prism.get(f"/scans/{scan.scan_id}")).json()
        stages = document["scanAssets"]
        seen.append((document["status"], *(stages.get(stage) for stage in STAGES)))
        assert document["updatedAt"] == stages["updatedAt"] == max(filter(None, updates(stages)))
    assert seen == [
        ("PROCESSING", "started", None, None, None),
        ("PROCESSING", "succeeded", "started", None, None),
        ("PROCESSING", "succeeded", "succeeded", "started", None),
        ("PROCESSING", "succeeded", "succeeded", "succeeded", "started"),
        ("READY", "succeeded", "succeeded", "succeeded", "succeeded"),
        ("READY", "succeeded", "succeeded", "succeeded", "succeeded"),
    ]


def updates(stages: dict[str, str | None]) -> list[str | None]:
    return [stages[f"{stage}UpdatedAt"] for stage in STAGES]


async def test_the_live_scan_changes_every_four_seconds_and_never_ends(sandbox: Sandbox, clock: Clock) -> None:
    (scan,) = (scan for scan in sandbox.prism.scans.values() if scan.repeats)
    rounds = []
    for _ in range(3):
        stages = [scan.scan_assets(clock.now + second) for second in (0, 4, 8, 12)]
        assert [document["updatedAt"] for document in stages] == [iso(clock.now + second) for second in (0, 4, 8, 12)]
        rounds.append([tuple(document.get(stage) for stage in STAGES) for document in stages])
        clock.now += 16
    assert rounds[0] == [
        ("started", None, None, None),
        ("succeeded", "started", None, None),
        ("succeeded", "succeeded", "started", None),
        ("succeeded", "succeeded", "succeeded", "started"),
    ]
    assert rounds == [rounds[0]] * 3


async def test_every_moving_scan_ends_ready_or_failed(sandbox: Sandbox, clock: Clock) -> None:
    clock.now += 120
    ended = [scan.status(clock.now) for scan in sandbox.prism.scans.values() if scan.steps and scan.steps[0].at > START]
    assert sorted(ended) == ["FAILED", "FAILED", *["READY"] * 6]


async def test_a_textured_scan_has_a_texture_and_a_ply_scan_has_none(
    prism: httpx.AsyncClient, sandbox: Sandbox
) -> None:
    ready = [sandbox.prism.scans[scan_id] for scan_id in sandbox.prism.scan_ids("READY")]
    textured = next(scan for scan in ready if scan.asset_config_id == "c979ab6b-e46b-4c1c-89e1-bb02435b5cbf")
    ply = next(scan for scan in ready if scan.asset_config_id == "a7224818-b0ee-44ee-9984-1c47b086d269")
    urls = (await prism.get(f"/scans/{textured.scan_id}/asset-urls")).json()
    assert [key for key, url in urls.items() if url] == [
        *("previewImage", "model", "canonicalBody", "texture", "material")
    ]
    urls = (await prism.get(f"/scans/{ply.scan_id}/asset-urls")).json()
    assert [key for key, url in urls.items() if url is None] == ["texture", "material", "stripes", "captureVideo"]


async def test_a_scan_that_is_not_ready_has_urls_of_null(prism: httpx.AsyncClient, sandbox: Sandbox) -> None:
    for status in ("CREATED", "PROCESSING", "FAILED"):
        answer = await prism.get(f"/scans/{sandbox.prism.scan_ids(status)[0]}/asset-urls")
        assert (answer.status_code, answer.json()) == (200, dict.fromkeys(ASSET_TYPES.values()))


async def test_urls_are_signed_anew_at_each_call(prism: httpx.AsyncClient, sandbox: Sandbox, clock: Clock) -> None:
    path = f"/scans/{scan_in(sandbox, 'READY').scan_id}/asset-urls"
    first = httpx.URL((await prism.get(path)).json()["model"])
    clock.now += 1
    second = httpx.URL((await prism.get(path)).json()["model"])
    assert (first.params["X-Amz-Date"], second.params["X-Amz-Date"]) == ("20260310T120000Z", "20260310T120001Z")
    assert first.params["X-Amz-Expires"] == "3600"
    assert first.params["X-Amz-Signature"] != second.params["X-Amz-Signature"]


async def test_one_url_is_a_json_string(prism: httpx.AsyncClient, sandbox: Sandbox) -> None:
    ready, created = scan_in(sandbox, "READY"), scan_in(sandbox, "CREATED")
    urls = (await prism.get(f"/scans/{ready.scan_id}/asset-urls")).json()
    assert list(ASSET_TYPES) == [
        *("preview-image", "model", "canonical-body", "texture", "material", "stripes", "capture-video")
    ]
    for asset_type, key in ASSET_TYPES.items():
        assert (await prism.get(f"/scans/{ready.scan_id}/asset-urls/{asset_type}")).json() == urls[key]
    assert (await prism.get(f"/scans/{created.scan_id}/asset-urls/model")).text == "null"


async def test_one_url_can_be_bare_text(clock: Clock) -> None:
    sandbox = Sandbox(clock=clock, url=URL, bare_strings=True)
    ready, created = scan_in(sandbox, "READY"), scan_in(sandbox, "CREATED")
    async with prism_of(sandbox) as prism:
        bare = await prism.get(f"/scans/{ready.scan_id}/asset-urls/model")
        nothing = await prism.get(f"/scans/{created.scan_id}/asset-urls/model")
    assert bare.text.startswith(f"{URL}/s3/scans/{ready.scan_id}/model?X-Amz-Algorithm=AWS4-HMAC-SHA256&")
    assert bare.headers["content-type"] == "text/html; charset=utf-8"
    assert (nothing.status_code, nothing.content) == (200, b"")


async def test_an_unknown_asset_type_is_a_bad_request(prism: httpx.AsyncClient, sandbox: Sandbox) -> None:
    answer = await prism.get(f"/scans/{scan_in(sandbox, 'READY').scan_id}/asset-urls/previewImage")
    assert answer.status_code == 400
    assert answer.json() == {
        "message": [f"assetType must be one of the following values: {', '.join(ASSET_TYPES)}"],
        "statusCode": 400,
        "error": "Bad Request",
    }


@pytest.mark.parametrize(
    ("header", "value", "status", "body"),
    [
        (
            "accept",
            "application/json",
            404,
            {"message": "Cannot GET /scans/any", "statusCode": 404, "error": "Not Found"},
        ),
        ("authorization", "Bearer wrong", 401, {"message": "Unauthorized", "statusCode": 401}),
        ("content-type", "text/plain", 415, {"message": "Unsupported Media Type", "statusCode": 415}),
    ],
)
async def test_each_of_the_three_headers_is_needed(
    prism: httpx.AsyncClient, header: str, value: str, status: int, body: object
) -> None:
    answer = await prism.get("/scans/any", headers={**PRISM_HEADERS, header: value})
    assert (answer.status_code, answer.json()) == (status, body)


async def test_an_unknown_scan_route_or_method_is_not_found(prism: httpx.AsyncClient) -> None:
    unknown = await prism.get("/scans/unknown")
    assert (unknown.status_code, unknown.json()["message"]) == (404, "Scan not found")
    unrouted = await prism.get("/v1/scans/unknown")
    assert (unrouted.status_code, unrouted.json()["message"]) == (404, "Cannot GET /v1/scans/unknown")
    deleted = await prism.delete("/scans/unknown")
    assert (deleted.status_code, deleted.json()["message"]) == (404, "Cannot DELETE /scans/unknown")


async def test_an_encoded_slash_in_an_id_reaches_no_other_route(prism: httpx.AsyncClient, sandbox: Sandbox) -> None:
    scan_id = scan_in(sandbox, "READY").scan_id
    answer = await prism.get(f"/scans/{scan_id}%2Fscan-assets")
    assert (answer.status_code, answer.json()["message"]) == (404, "Scan not found")
    assert sandbox.prism.calls == [("GET", f"/scans/{scan_id}%2Fscan-assets")]


async def test_a_call_is_recorded_in_full(prism: httpx.AsyncClient, sandbox: Sandbox) -> None:
    answer = await prism.request("GET", "/scans/%20", params={"a": "b c"}, content=b"{}")
    received = sandbox.prism.requests[0]
    assert (received.method, received.path, received.query, received.body) == ("GET", "/scans/%20", "a=b+c", b"{}")
    assert received.headers["authorization"] == "Bearer sandbox-prism-api-key"
    assert answer.headers["x-request-id"] == "prism-000001"


async def test_drift_gives_scans_that_no_specification_has(clock: Clock) -> None:
    sandbox = Sandbox(clock=clock, url=URL, drift=True)
    unknown, lacking = list(sandbox.prism.scans)[-2:]
    async with prism_of(sandbox) as prism:
        scan = (await prism.get(f"/scans/{unknown}")).json()
        assert (scan["status"], scan["scanQuality"], scan["scanAssets"]["captureData"]) == (
            "ARCHIVED",
            "good",
            "queued",
        )
        assert {"weight", "userId", "updatedAt"}.isdisjoint((await prism.get(f"/scans/{lacking}")).json())
