"""Tenants that come, change and go while requests are answered and subscriptions are open."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.app import create_app
from gateway.auth.api_keys import keep_key, new_key
from gateway.auth.caller import ANYONE, ENDED, Caller
from gateway.environment import read_settings
from gateway.errors import Forbidden
from gateway.http.application import App
from gateway.process import Gateway
from gateway.sandbox import Sandbox
from tests.http.exchanges import ask, connect
from tests.http.test_parts import read
from tests.replicas import until
from tests.telemetry.reading import counted
from tests.tenants.twin import Twin
from tests.world import URL, Clock, settle

SCAN = "query ($id: ID!) { scan(scanId: $id) { status updatedAt } }"
FOLLOW = "subscription ($id: ID!) { scanUpdated(scanId: $id) { status } }"
REFUSED = {"message": "Your tenant is not served here.", "extensions": {"code": "FORBIDDEN"}}


def table(name: str, key: str = "key", **others: object) -> str:
    more = "".join(f"{name} = {value!r}\n" for name, value in others.items())
    return f'[{name}]\nprism_api_key = "{name}-{key}"\nscenario_jwt = "{name}-token"\n{more}'


@dataclass
class Many:
    """A gateway of tenants acme and bolt, with a caller of each."""

    app: App
    file: Path
    twin: Twin
    clock: Clock
    client: httpx.AsyncClient
    keys: dict[str, str]

    @property
    def gateway(self) -> Gateway:
        gateway: Gateway = self.app.state.gateway
        return gateway

    def rewrite(self, *tables: str) -> None:
        self.file.write_text("".join(tables))
        self.app.reload()

    async def ask(self, tenant: str, query: str = SCAN, **variables: Any) -> tuple[int, Any]:
        """Give the status of an answer, and its data or its only error without what differs each time."""
        scan_id = self.twin.sandbox.prism.scan_ids("READY")[0]
        answer = await self.client.post(
            "/graphql",
            json={"query": query, "variables": {"id": scan_id, **variables}},
            headers={"authorization": f"Bearer {self.keys[tenant]}", "accept": "application/graphql-response+json"},
        )
        body = answer.json()
        if "errors" not in body:
            return answer.status_code, body["data"]
        (error,) = body["errors"]
        error["extensions"].pop("requestId")
        return answer.status_code, error

    @property
    def credentials(self) -> set[str]:
        """Those that Prism has seen since the last look."""
        seen = {given for api, given, _ in self.twin.seen if api == "prism"}
        self.twin.seen.clear()
        return seen


@asynccontextmanager
async def many(folder: Path, *tables: str, **given: Any) -> AsyncIterator[Many]:
    clock, keys = Clock(), {}
    twin = Twin(Sandbox(clock=clock, url=URL), ("acme", "bolt", "cove"))
    (folder / "tenants.toml").write_text("".join(tables))
    for tenant in ("acme", "bolt", "cove"):
        keys[tenant], stored = new_key("a test's", ("*",), tenant, None, None)
        keep_key(folder / "keys.jsonl", stored)
    settings = read_settings(
        None,
        prism_url=f"{URL}/prism",
        scenario_url=f"{URL}/scenario/v1",
        gateway_auth="api-key",
        gateway_api_keys=folder / "keys.jsonl",
        gateway_tenants_file=folder / "tenants.toml",
        gateway_watch_jitter=0,
        **given,
    )
    app = create_app(settings, transports={"prism": twin, "scenario": twin}, clock=clock, sleep=clock.sleep)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://gateway.test") as client,
    ):
        yield Many(app, folder / "tenants.toml", twin, clock, client, keys)


@pytest.fixture
async def two(tmp_path: Path) -> AsyncIterator[Many]:
    """A gateway of acme and bolt."""
    async with many(tmp_path, table("acme"), table("bolt")) as made:
        yield made


async def test_an_upstream_is_not_down_that_answers_another_tenant(
    tmp_path: Path, wait: Callable[[float], float]
) -> None:
    given = {"gateway_retries": 0, "gateway_breaker_calls": 1, "gateway_required_upstreams": "prism"}
    async with many(tmp_path, table("acme"), table("bolt"), **given) as tenants:

        async def after_half_a_minute() -> Any:
            for seconds in (0, 20, 20):
                later = wait(seconds)
                for tenant in ("acme", "bolt"):
                    await tenants.ask(tenant, "query ($id: ID!) { scan(scanId: $id) { status } }", id=f"scan-{later}")
            return (await tenants.client.get("/readyz")).json()["status"]

        tenants.twin.down = {"bolt"}
        assert await after_half_a_minute() == "ready"
        tenants.twin.down = {"acme", "bolt"}
        assert await after_half_a_minute() == "prism is down"


async def test_a_breaker_that_nobody_asks_any_more_is_told_of_no_longer(
    tmp_path: Path, wait: Callable[[float], float]
) -> None:
    given = {"gateway_retries": 0, "gateway_breaker_calls": 1}
    async with many(tmp_path, table("acme"), table("bolt"), **given) as tenants:
        tenants.twin.down = {"bolt"}
        told = []
        for seconds, tenant in ((0, "bolt"), (590, "acme"), (20, "acme"), (0, "bolt")):
            later = wait(seconds)
            await tenants.ask(tenant, "query ($id: ID!) { scan(scanId: $id) { status } }", id=f"scan-{later}")
            told += [state for (api, state) in counted(tenants.app, "upstream_breaker") if api == "prism"]
        assert told == ["open", "open", "closed", "open"]


async def test_a_callers_tenant_is_whose_credentials_are_used(two: Many) -> None:
    for tenant in ("acme", "bolt"):
        assert (await two.ask(tenant))[0] == 200
        assert two.credentials == {f"Bearer {tenant}-key"}


async def test_a_caller_of_a_tenant_that_is_not_served_is_refused(two: Many) -> None:
    assert await two.ask("cove") == (403, REFUSED)
    assert two.credentials == set()


async def test_a_tenant_of_any_name_is_answered_in_parts(tmp_path: Path) -> None:
    async with many(tmp_path, table("acme"), gateway_incremental=True) as one:
        headers = {"authorization": f"Bearer {one.keys['acme']}", "accept": "multipart/mixed;deferSpec=20220824"}
        query = "{ first: __typename viewer { ... @defer { tenant } } }"
        answer = await one.client.post("/graphql", json={"query": query}, headers=headers)
        assert read(answer.text) == [
            {"data": {"first": "Query", "viewer": {}}, "hasNext": True},
            {"incremental": [{"data": {"tenant": "acme"}, "path": ["viewer"]}], "hasNext": False},
        ]


async def test_a_tenant_that_comes_is_served_and_one_that_goes_is_not(two: Many) -> None:
    assert (await two.ask("bolt"))[0] == 200
    two.rewrite(table("acme"), table("cove"))
    assert (await two.ask("cove"))[0] == 200
    assert await two.ask("bolt") == (403, REFUSED)  # though its answer is kept
    two.rewrite(table("acme"), table("bolt"))
    assert (await two.ask("bolt"))[0] == 200


async def test_another_credential_is_used_at_once_and_answers_nothing_from_before(two: Many) -> None:
    await two.ask("acme")
    await two.ask("bolt")
    assert len(two.credentials) == 2
    two.rewrite(table("acme", "other"), table("bolt"))
    await two.ask("acme")
    await two.ask("bolt")
    assert two.credentials == {"Bearer acme-other"}  # what bolt asked for is still kept


async def test_what_is_kept_stays_where_only_limits_change(two: Many) -> None:
    await two.ask("acme")
    two.rewrite(table("acme", max_objects=99), table("bolt"))
    two.twin.seen.clear()
    assert (await two.ask("acme"))[0] == 200
    assert two.credentials == set()


async def test_another_project_is_another_place_in_the_cache(two: Many) -> None:
    query = "{ assets(first: 1) { nodes { id } } }"
    await two.ask("acme", query)
    two.rewrite(table("acme", scenario_project_id=two.twin.sandbox.project_id), table("bolt"))
    two.twin.seen.clear()
    await two.ask("acme", query)
    assert two.twin.seen == {("scenario", "Bearer acme-token", two.twin.sandbox.project_id)}


async def test_a_file_that_cannot_be_used_changes_nothing_and_is_logged(
    two: Many, caplog: pytest.LogCaptureFixture
) -> None:
    two.rewrite(table("acme", "other"), "[bolt]\nprism_api_key = 'canary'")
    assert await two.ask("acme")
    assert await two.ask("bolt")
    assert two.credentials == {"Bearer acme-key", "Bearer bolt-key"}
    (told,) = [record.message for record in caplog.records if record.levelno == logging.ERROR]
    assert told == (
        "tenants stay as they were: tenants.toml: 'bolt': scenario_api_key and scenario_api_secret are missing;"
        " scenario_jwt or scenario_public=true would do too."
    )


async def test_each_tenant_has_its_own_limits(two: Many) -> None:
    query = "{ assets(first: 9) { nodes { id } } }"
    two.rewrite(table("acme", max_objects=5), table("bolt"))
    status, error = await two.ask("acme", query)
    assert (status, error["extensions"]["code"], error["extensions"]["most"]) == (400, "LIMIT_EXCEEDED", 5)
    assert (await two.ask("bolt", query))[0] == 200
    assert len((await two.ask("bolt", query))[1]["assets"]["nodes"]) == 9


async def test_only_who_has_a_credential_may_have_calls_joined(two: Many) -> None:
    ids = list(two.twin.sandbox.scenario.assets)[:4]
    query = "query ($ids: [ID!]!) { assetsById(assetIds: $ids) { assetId } }"
    public = '[bolt]\nprism_api_key = "bolt-key"\nscenario_public = true\nmax_upstream_calls = 3\n'
    two.rewrite(table("acme", max_upstream_calls=3), public)
    for _ in range(2):  # the estimate of one is not the other's
        assert await two.ask("acme", query, ids=ids) == (200, {"assetsById": [{"assetId": id_} for id_ in ids]})
        assert (await two.ask("bolt", query, ids=ids))[1]["extensions"]["asked"] == 4


async def test_what_is_under_way_is_answered_to_its_end(two: Many) -> None:
    two.twin.longest = 0.05
    asked = [asyncio.create_task(two.ask(tenant)) for tenant in ("acme", "bolt")]
    await settle()
    assert len(two.twin.seen) == 2
    two.rewrite(table("acme", "other"))
    assert [status for status, _ in await asyncio.gather(*asked)] == [200, 200]


async def follow(two: Many, tenant: str, scan_id: str) -> Any:
    """Open a WebSocket by which a tenant's caller follows a scan."""
    socket = await connect(two.app, headers={"authorization": f"Bearer {two.keys[tenant]}"})
    await socket.say(
        {"id": "1", "type": "subscribe", "payload": {"query": FOLLOW, "variables": {"id": scan_id}}},
    )
    return socket


async def test_what_is_watched_goes_on_by_the_new_credential_and_ends_with_the_tenant(two: Many) -> None:
    scan_id = list(two.twin.sandbox.prism.scans)[20]
    acme, bolt = await follow(two, "acme", scan_id), await follow(two, "bolt", scan_id)
    for socket in (acme, bolt):
        assert [message["payload"]["data"]["scanUpdated"]["status"] for message in socket.heard()] == ["CREATED"]
    two.twin.seen.clear()
    two.rewrite(table("acme", "other"))
    await settle()
    assert bolt.sent[-1] == {"type": "websocket.close", "code": 4403, "reason": ENDED}
    await two.clock.run(60)
    assert [message["type"] for message in acme.heard()][-1] == "complete"
    assert two.credentials == {"Bearer acme-other"}


async def test_a_stream_that_ends_with_its_tenant_does_not_blame_the_key_alone(two: Many) -> None:
    scan_id = list(two.twin.sandbox.prism.scans)[20]
    accept = "multipart/mixed;subscriptionSpec=1.0,application/json"
    stream = ask(two.app, FOLLOW, accept, credential=two.keys["bolt"], id=scan_id)
    await settle()
    two.rewrite(table("acme"))
    await asyncio.wait_for(stream.task, 30)
    message = "You are let in no longer: what you brought expired or was revoked, or your tenant is not served here."
    error = {"message": message, "extensions": {"code": "UNAUTHENTICATED", "requestId": "test"}}
    assert read(stream.body) == [
        {"payload": {"data": {"scanUpdated": {"status": "CREATED"}}}},
        {"payload": None, "errors": [error]},
    ]


async def test_what_a_look_by_a_former_credential_finds_is_not_kept_for_the_new_one(two: Many) -> None:
    scan_id = list(two.twin.sandbox.prism.scans)[20]
    acme = await follow(two, "acme", scan_id)
    assert len(acme.heard()) == 1
    two.twin.seen.clear()
    two.twin.longest = 0.05
    await two.clock.run(2)
    assert two.credentials == {"Bearer acme-key"}
    two.rewrite(table("acme", "other"), table("bolt"))
    two.twin.longest = 0
    await until(lambda: acme.sent)
    assert two.credentials == set()
    status, data = await two.ask("acme", "query ($id: ID!) { scan(scanId: $id) { assets { isFinal } } }", id=scan_id)
    assert (status, data) == (200, {"scan": {"assets": {"isFinal": False}}})
    assert two.credentials == {"Bearer acme-other"}


async def test_what_was_watched_by_a_former_credential_ends_with_the_tenant_too(two: Many) -> None:
    acme = await follow(two, "acme", list(two.twin.sandbox.prism.scans)[20])
    two.rewrite(table("acme", "other"), table("bolt"))
    two.rewrite(table("bolt"))
    await settle()
    assert acme.sent[-1] == {"type": "websocket.close", "code": 4403, "reason": ENDED}
    assert len(two.gateway.watchers) == 0


async def test_nobody_is_the_tenant_of_a_caller_who_was_never_let_in(two: Many) -> None:
    for caller in (Caller("nobody", "dune"), ANYONE):
        with pytest.raises(Forbidden):
            two.gateway.context("request", caller)


LINKED = """query Linked($id: ID!, $assetId: ID!) {
  scan(scanId: $id) { linkedAssets { nodes { assetId } } }
  asset(assetId: $assetId) { scan { scanId } }
}"""
LINK = """mutation Link($id: ID!, $assetId: ID!) {
  linkAssetsToScan(input: { scanId: $id, assetIds: [$assetId] }) { assetIds }
}"""


async def test_each_tenant_links_by_its_own_tag_until_it_has_another(two: Many) -> None:
    sandbox = two.twin.sandbox
    scan_id = sandbox.prism.scan_ids("READY")[0]
    asset_id = next(id_ for id_, asset in sandbox.scenario.assets.items() if asset["ownerId"] == sandbox.project_id)
    sandbox.scenario.assets[asset_id] = {**sandbox.scenario.assets[asset_id], "tags": []}
    two.rewrite(table("acme", link_tag="acme-scan:"), table("bolt"))

    async def sees(tenant: str) -> bool:
        status, data = await two.ask(tenant, LINKED, assetId=asset_id)
        assert status == 200
        is_linked = {"assetId": asset_id} in data["scan"]["linkedAssets"]["nodes"]
        assert data["asset"] == {"scan": {"scanId": scan_id} if is_linked else None}
        return is_linked

    assert [await sees("acme"), await sees("bolt")] == [False, False]
    assert await two.ask("acme", LINK, assetId=asset_id) == (200, {"linkAssetsToScan": {"assetIds": [asset_id]}})
    assert sandbox.scenario.assets[asset_id]["tags"] == [f"acme-scan:{scan_id}"]
    assert [await sees("acme"), await sees("bolt")] == [True, False]
    two.rewrite(table("acme"), table("bolt"))
    assert await sees("acme") is False
    two.rewrite(table("acme", link_tag='a "tag"'), table("bolt"))  # which changes nothing
    assert await sees("acme") is False
    two.rewrite(table("acme", link_tag="acme-scan:"), table("bolt"))
    two.clock.advance(60)
    assert [await sees("acme"), await sees("bolt")] == [True, False]


async def test_no_tenants_links_are_read_by_who_may_not_read_every_scan(two: Many) -> None:
    sandbox = two.twin.sandbox
    asset_id = next(id_ for id_, asset in sandbox.scenario.assets.items() if asset["ownerId"] == sandbox.project_id)
    tags = ["a", "acme-scan:theirs", "bolt-scan:mine", "prism-scan:everyones", "cove-scan:nobodys"]
    sandbox.scenario.assets[asset_id] = {**sandbox.scenario.assets[asset_id], "tags": tags}
    two.keys["bolt"], stored = new_key("a member's", ("assets:read", "scans:read:own"), "bolt", None, None)
    keep_key(two.file.parent / "keys.jsonl", stored)

    async def read(tenant: str) -> list[str]:
        query = "query ($assetId: ID!) { asset(assetId: $assetId) { tags raw } }"
        status, data = await two.ask(tenant, query, assetId=asset_id)
        assert status == 200
        assert data["asset"]["raw"]["tags"] == data["asset"]["tags"]
        shown: list[str] = data["asset"]["tags"]
        return shown

    two.rewrite(table("acme"), table("bolt", link_tag="bolt-scan:"))
    assert await read("bolt") == ["a", "acme-scan:theirs", "cove-scan:nobodys"]  # all go by the setting but bolt
    two.rewrite(table("acme", link_tag="acme-scan:"), table("bolt", link_tag="bolt-scan:"))
    assert await read("bolt") == ["a", "cove-scan:nobodys"]
    assert await read("acme") == tags
    look_for = 'query { assets(first: 3, filter: { tags: ["Acme-scan:x"], privacy: PUBLIC }) { nodes { assetId } } }'
    assert (await two.ask("bolt", look_for))[1]["extensions"]["code"] == "BAD_USER_INPUT"
