"""The simulated Scenario: credentials, rules of its parameters, bulk reads and locks, beyond what its client tries."""

import httpx
import pytest

from gateway.sandbox import Sandbox
from gateway.sandbox.moments import iso
from gateway.scenario import wire
from tests.sandbox.conftest import START, URL, Clock, browser_of, scenario_of

BASE = f"{URL}/scenario/v1"


def some(sandbox: Sandbox, privacy: str, *, of: str | None = None) -> wire.Asset:
    return next(
        asset
        for asset in sandbox.scenario.assets.values()
        if asset["ownerId"] == (of or sandbox.project_id) and asset["privacy"] == privacy and "deletedAt" not in asset
    )


async def test_the_same_seed_and_start_give_the_same_assets(sandbox: Sandbox, clock: Clock) -> None:
    again = Sandbox(clock=clock).scenario.assets
    assert again == sandbox.scenario.assets
    assert len(again) >= 1_200
    assert Sandbox(seed=2, clock=clock).scenario.assets.keys().isdisjoint(again)


async def test_every_key_of_metadata_and_properties_is_on_some_asset(sandbox: Sandbox) -> None:
    assets = sandbox.scenario.assets.values()
    metadata = {name for asset in assets for name in asset["metadata"]}
    properties = {name for asset in assets for name in asset["properties"]}
    # A lock's expiry appears when someone takes it.
    assert metadata == wire.AssetMetadata.__annotations__.keys() - {"lockExpiresAt"}
    assert properties == wire.AssetProperties.__annotations__.keys()


async def test_parents_and_roots_are_older_assets_of_the_same_owner(sandbox: Sandbox) -> None:
    assets = sandbox.scenario.assets
    children = [asset for asset in assets.values() if "parentId" in asset["metadata"]]
    assert len(children) > 500
    for child in children:
        parent = assets[child["metadata"]["parentId"]]
        root = assets[child["metadata"]["rootParentId"]]
        assert parent["createdAt"] < child["createdAt"]
        assert child["ownerId"] == parent["ownerId"] == root["ownerId"]
        assert root["metadata"].get("parentId") is None


@pytest.mark.parametrize(
    "authorization",
    [
        b"",
        b"Basic !",
        b"Basic \xe9",
        b"Basic /w==",
        b"Basic d3Jvbmc6a2V5",
        b"Bearer wrong",
        b"Bearer public-auth-token",
    ],
)
async def test_a_wrong_credential_is_refused(sandbox: Sandbox, authorization: bytes) -> None:
    async with browser_of(sandbox) as client:
        answer = await client.get(f"{BASE}/assets", headers={b"authorization": authorization})
    assert (answer.status_code, answer.json()) == (401, {"message": "Unauthorized"})


async def test_a_jwt_reads_as_the_first_project_does(sandbox: Sandbox, scenario: httpx.AsyncClient) -> None:
    async with browser_of(sandbox) as client:
        headers = {"authorization": f"Bearer {sandbox.scenario_jwt}"}
        answer = await client.get(f"{BASE}/assets", headers=headers)
    assert answer.json() == (await scenario.get("/assets")).json()


async def test_the_public_token_reads_public_assets_only(sandbox: Sandbox) -> None:
    public, private = some(sandbox, "public"), some(sandbox, "private")
    headers = {"authorization": "public-auth-token"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(sandbox.app), base_url=BASE, headers=headers) as client:
        listed = (await client.get("/assets")).json()["assets"]
        assert {asset["privacy"] for asset in listed} == {"public"}
        assert (await client.get("/assets", params={"privacy": "private"})).json() == {"assets": []}
        assert (await client.get(f"/assets/{public['id']}")).json()["asset"]["id"] == public["id"]
        assert (await client.get(f"/assets/{private['id']}")).status_code == 403
        assert (await client.get("/assets", params={"projectId": sandbox.project_id})).status_code == 403
        refused = await client.post("/assets/get-bulk", json={"assetIds": []})
    assert (refused.status_code, refused.json()) == (403, {"message": "Forbidden"})


async def test_a_project_id_must_be_the_keys_own(sandbox: Sandbox, scenario: httpx.AsyncClient) -> None:
    own = await scenario.get("/assets", params={"projectId": sandbox.project_id})
    foreign = await scenario.get("/assets", params={"projectId": sandbox.other_project_id})
    assert own.status_code == 200
    assert (foreign.status_code, foreign.json()) == (403, {"message": "Forbidden"})


async def test_another_projects_assets_are_its_own(sandbox: Sandbox, scenario: httpx.AsyncClient) -> None:
    private = some(sandbox, "private", of=sandbox.other_project_id)
    unlisted = some(sandbox, "unlisted", of=sandbox.other_project_id)
    answer = await scenario.get(f"/assets/{private['id']}")
    assert answer.status_code == 403
    assert answer.json() == {
        "status": "error",
        "code": "FORBIDDEN",
        "message": f"Asset {private['id']} is not available to this project",
    }
    assert (await scenario.get(f"/assets/{unlisted['id']}")).status_code == 200
    until = {"lockExpiresAt": iso(START + 60)}
    assert (await scenario.put(f"/assets/{unlisted['id']}/lock", json=until)).status_code == 403
    async with scenario_of(sandbox, sandbox.other_scenario_api_key, sandbox.other_scenario_api_secret) as other:
        assert (await other.get(f"/assets/{private['id']}")).status_code == 200


async def test_unknown_and_deleted_assets_are_not_found(sandbox: Sandbox, scenario: httpx.AsyncClient) -> None:
    deleted = next(asset["id"] for asset in sandbox.scenario.assets.values() if "deletedAt" in asset)
    for asset_id in ("asset_unknown", deleted):
        answer = await scenario.get(f"/assets/{asset_id}")
        assert answer.status_code == 404
        assert answer.json() == {"status": "error", "code": "NOT_FOUND", "message": f"Asset {asset_id} not found"}


async def test_an_unknown_route_or_method_is_refused_as_a_gateway_does(scenario: httpx.AsyncClient) -> None:
    unknown = await scenario.get("/nothing")
    posted = await scenario.post("/assets")
    assert (unknown.status_code, unknown.json()) == (404, {"message": "Not Found"})
    assert (posted.status_code, posted.json()) == (405, {"message": "Method Not Allowed"})


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"pageSize": "0"}, '"pageSize" must be an integer between 1 and 100'),
        ({"pageSize": "many"}, '"pageSize" must be an integer between 1 and 100'),
        ({"type": "patch", "types": "patch"}, '"type" and "types" cannot be used together'),
        ({"types": "patch,blueprint"}, '"types" has no value "blueprint"'),
        ({"tags": "shoe"}, '"tags" is only allowed with "privacy" public'),
        ({"privacy": "secret"}, '"privacy" must be one of private, public, unlisted'),
        ({"sortBy": "name"}, '"sortBy" must be one of createdAt, updatedAt'),
        ({"sortDirection": "up"}, '"sortDirection" must be one of asc, desc'),
        ({"createdAfter": "2026-01-01"}, '"createdAfter" requires "sortBy" to be "createdAt"'),
        (
            {"updatedBefore": "2026-01-01", "sortBy": "createdAt"},
            '"updatedBefore" requires "sortBy" to be "updatedAt"',
        ),
        ({"createdAfter": "soon", "sortBy": "createdAt"}, '"createdAfter" must be a valid ISO 8601 date'),
        ({"originalAssets": "yes"}, '"originalAssets" must be a boolean'),
        (
            {"deleted": "true", "type": "patch"},
            '"deleted" can only be combined with "projectId", "teamId" and paging parameters',
        ),
        ({"paginationToken": "garbage"}, 'Invalid "paginationToken"'),
        ({"paginationToken": "Z2FyYmFnZQ=="}, 'Invalid "paginationToken"'),
    ],
)
async def test_a_parameter_that_breaks_a_rule_is_a_bad_request(
    scenario: httpx.AsyncClient, params: dict[str, str], message: str
) -> None:
    answer = await scenario.get("/assets", params=params)
    assert answer.status_code == 400
    assert answer.json() == {"status": "error", "code": "BAD_REQUEST", "message": message}


async def test_a_page_holds_50_assets_unless_told(scenario: httpx.AsyncClient) -> None:
    assert len((await scenario.get("/assets")).json()["assets"]) == 50
    assert len((await scenario.get("/assets", params={"pageSize": 100})).json()["assets"]) == 100


async def test_a_token_goes_on_with_another_page_size_but_not_with_another_filter(
    sandbox: Sandbox, scenario: httpx.AsyncClient
) -> None:
    first = (await scenario.get("/assets", params={"pageSize": 2, "privacy": "private"})).json()
    token = first["nextPaginationToken"]
    whole = (await scenario.get("/assets", params={"pageSize": 7, "privacy": "private"})).json()
    rest = await scenario.get("/assets", params={"pageSize": 5, "privacy": "private", "paginationToken": token})
    assert first["assets"] + rest.json()["assets"] == whole["assets"]
    other = await scenario.get("/assets", params={"privacy": "unlisted", "paginationToken": token})
    assert (other.status_code, other.json()["message"]) == (400, 'Invalid "paginationToken"')
    async with scenario_of(sandbox, sandbox.other_scenario_api_key, sandbox.other_scenario_api_secret) as client:
        foreign = await client.get("/assets", params={"privacy": "private", "paginationToken": token})
    assert foreign.status_code == 400


async def test_the_last_page_has_no_token(scenario: httpx.AsyncClient) -> None:
    answer = (await scenario.get("/assets", params={"inferenceId": "inf_unknown"})).json()
    assert answer == {"assets": []}


async def test_original_assets_changes_the_path_of_urls(scenario: httpx.AsyncClient, sandbox: Sandbox) -> None:
    asset_id = some(sandbox, "private")["id"]
    usual = (await scenario.get(f"/assets/{asset_id}")).json()["asset"]["url"]
    original = (await scenario.get(f"/assets/{asset_id}", params={"originalAssets": "true"})).json()["asset"]["url"]
    assert usual.startswith(f"{URL}/cdn/assets-transform/{asset_id}?p=100&Policy=")
    assert original.startswith(f"{URL}/cdn/assets/{asset_id}?p=100&Policy=")


async def test_bulk_leaves_out_what_it_may_not_show(scenario: httpx.AsyncClient, sandbox: Sandbox) -> None:
    own, foreign = some(sandbox, "private"), some(sandbox, "private", of=sandbox.other_project_id)
    deleted = next(asset["id"] for asset in sandbox.scenario.assets.values() if "deletedAt" in asset)
    asked = ["asset_unknown", own["id"], foreign["id"], own["id"], deleted]
    answer = await scenario.post("/assets/get-bulk", json={"assetIds": asked})
    assert [asset["id"] for asset in answer.json()["assets"]] == [own["id"]]
    assert sandbox.scenario.calls == [("POST", "/assets/get-bulk")]


async def test_bulk_can_refuse_the_whole_call_for_one_unknown_id(clock: Clock) -> None:
    sandbox = Sandbox(clock=clock, url=URL, bulk_refuses_unknown=True)
    async with scenario_of(sandbox) as scenario:
        asked = [some(sandbox, "private")["id"], "asset_unknown"]
        answer = await scenario.post("/assets/get-bulk", json={"assetIds": asked})
    assert (answer.status_code, answer.json()["message"]) == (404, "Asset asset_unknown not found")


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"assetIds": 7}', "Invalid request body: Expected `array`, got `int` - at `$[...]`"),
        (b'{"assetIds"', "Invalid request body: Input data was truncated"),
        (b"", '"assetIds" is required'),
    ],
)
async def test_a_body_that_breaks_a_rule_is_refused_with_a_text(
    scenario: httpx.AsyncClient, body: bytes, text: str
) -> None:
    answer = await scenario.post("/assets/get-bulk", content=body)
    assert (answer.status_code, answer.text) == (400, text)
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"


async def test_bulk_takes_at_most_200_ids(scenario: httpx.AsyncClient) -> None:
    answer = await scenario.post("/assets/get-bulk", json={"assetIds": [f"asset_{n}" for n in range(201)]})
    assert (answer.status_code, answer.text) == (400, '"assetIds" must contain less than or equal to 200 items')


async def test_a_lock_holds_until_it_expires(scenario: httpx.AsyncClient, sandbox: Sandbox, clock: Clock) -> None:
    path = f"/assets/{some(sandbox, 'private')['id']}"
    until = {"lockExpiresAt": iso(START + 60)}
    assert (await scenario.put(f"{path}/lock", json=until)).json()["lockId"].startswith("lock_")
    held = await scenario.put(f"{path}/lock", json=until)
    assert held.status_code == 409
    assert held.json()["code"] == "ASSET_LOCKED"
    clock.now += 60
    assert "lockExpiresAt" not in (await scenario.get(path)).json()["asset"]["metadata"]
    assert (await scenario.put(f"{path}/lock", json={"lockExpiresAt": iso(START + 61)})).status_code == 200


async def test_only_the_right_lock_id_or_force_unlocks(scenario: httpx.AsyncClient, sandbox: Sandbox) -> None:
    path = f"/assets/{some(sandbox, 'private')['id']}"
    await scenario.put(f"{path}/lock", json={"lockExpiresAt": iso(START + 60)})
    wrong = await scenario.put(f"{path}/unlock", json={})
    assert (wrong.status_code, wrong.json()["code"]) == (409, "LOCK_MISMATCH")
    assert (await scenario.put(f"{path}/unlock", json={"forceUnlock": True})).status_code == 200
    assert (await scenario.put(f"{path}/unlock", json={})).status_code == 200


@pytest.mark.parametrize("date", ["tomorrow", "2020-01-01T00:00:00.000Z"])
async def test_a_lock_needs_a_date_to_come(scenario: httpx.AsyncClient, sandbox: Sandbox, date: str) -> None:
    path = f"/assets/{some(sandbox, 'private')['id']}/lock"
    answer = await scenario.put(path, json={"lockExpiresAt": date})
    assert (answer.status_code, answer.text) == (400, '"lockExpiresAt" must be an ISO 8601 date in the future')
    missing = await scenario.put(path, json={})
    assert (missing.status_code, missing.text) == (
        400,
        "Invalid request body: Object missing required field `lockExpiresAt`",
    )


async def test_a_bare_asset_has_no_more_than_kind_and_type(clock: Clock) -> None:
    sandbox = Sandbox(clock=clock, url=URL, drift=True)
    async with scenario_of(sandbox) as scenario:
        answer = (await scenario.get("/assets/asset_drift_bare")).json()
        listed = await scenario.get("/assets", params={"pageSize": 100, "sortBy": "updatedAt"})
    asset = sandbox.scenario.assets["asset_drift_bare"]
    assert answer == {
        "asset": {
            "id": "asset_drift_bare",
            "kind": asset["kind"],
            "metadata": {"kind": asset["kind"], "type": asset["metadata"]["type"]},
        }
    }
    assert listed.json()["assets"][0]["updatedAt"] == "yesterday"
