"""Clients who bring what lets them into the upstreams: it is used for their calls alone, and shown nowhere."""

import base64
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from gateway.app import create_app
from gateway.auth.pass_through import MAX_BYTES, NOTHING, PassThroughGate
from gateway.environment import read_settings
from gateway.rates.rates import FEW
from gateway.sandbox import Sandbox
from gateway.settings import BadSettingsError
from gateway.upstream.credentials import brought
from tests.http.exchanges import connect
from tests.tenants.twin import Twin
from tests.world import URL, Clock, World, opened, settle, world

ASSET = '{ asset(assetId: "asset_1") { kind } }'
PAGE = "{ assets(first: 1) { nodes { assetId } } }"
LOCK = """mutation ($id: ID!) {
  lockAsset(input: { assetId: $id, lockExpiresAt: "2030-01-01T00:00:00Z" }) { userErrors { code } }
}"""
BASIC = "Basic " + base64.b64encode(b"acme-id:acme-secret").decode()
PRISM, SCENARIO, PROJECT = "x-prism-authorization", "x-scenario-authorization", "x-scenario-project"


@asynccontextmanager
async def passing(**settings: Any) -> AsyncIterator[tuple[World, Twin]]:
    """A gateway without credentials, over a twin."""
    clock = Clock()
    sandbox = Sandbox(clock=clock, url=URL)
    twin = Twin(sandbox)
    given = {"prism_url": f"{URL}/prism", "scenario_url": f"{URL}/scenario/v1", "gateway_auth": "pass-through"}
    app = create_app(
        read_settings(None, **given, **settings), transports={"prism": twin, "scenario": twin}, clock=clock
    )
    async with opened(app, sandbox, clock) as made:
        yield made, twin


async def test_a_clients_own_credentials_are_what_the_upstreams_see() -> None:
    async with passing() as (gateway, twin):
        scan_id = gateway.sandbox.prism.scan_ids("READY")[0]
        gateway.headers = {PRISM: "Bearer acme-key", SCENARIO: BASIC, PROJECT: "proj_1"}
        await gateway.data(f'{{ scan(scanId: "{scan_id}") {{ status }} assets(first: 1) {{ nodes {{ assetId }} }} }}')
        assert twin.seen == {("prism", "Bearer acme-key", None), ("scenario", BASIC, "proj_1")}


async def test_what_a_client_does_not_bring_is_not_sent() -> None:
    async with passing() as (gateway, twin):
        gateway.headers = {PRISM: "Bearer acme-key"}
        answer = await gateway.execute(PAGE)
        assert answer["errors"][0]["message"] == "Scenario answered 401: nobody is not known"
        assert twin.seen == {("scenario", "", None)}


async def test_nobody_is_answered_what_another_was() -> None:
    async with passing() as (gateway, twin):
        for credential in ("Bearer acme-1", "Bearer acme-2", "Bearer bolt-1", "Bearer acme-1"):
            gateway.headers = {SCENARIO: credential}
            await gateway.data(PAGE)
        assert len(twin.seen) == 3
        twin.seen.clear()
        for project in ("proj_1", "proj_2"):
            gateway.headers = {SCENARIO: "Bearer acme-1", PROJECT: project}
            await gateway.data(PAGE)
        assert twin.seen == {("scenario", "Bearer acme-1", project) for project in ("proj_1", "proj_2")}


async def test_a_client_who_is_forgotten_is_known_again_with_what_is_kept_of_theirs() -> None:
    async with passing(gateway_own_credentials=2) as (gateway, twin):
        for number in (1, 2, 3, 1):
            gateway.headers = {SCENARIO: f"Bearer acme-{number}"}
            twin.seen.clear()
            await gateway.data(f"{PAGE} # {gateway.clock.now}")
            gateway.clock.advance(0.5)
        assert twin.seen == set()
        assert len(gateway.gateway.tenants._own) == 2  # noqa: SLF001 - what is kept at hand, which nothing shows


async def test_credentials_that_are_made_up_open_no_more_accounts_than_are_kept() -> None:
    async with passing(gateway_own_credentials=1, gateway_rate_requests=2) as (gateway, _):
        gateway.headers = {SCENARIO: "Bearer acme-1"}
        await gateway.data("{ __typename }")
        await gateway.data("{ __typename }")
        for number in range(3 * FEW):
            gateway.headers = {SCENARIO: f"Bearer made-up-{number}"}
            await gateway.data("{ __typename }")
        assert gateway.gateway.rates.accounts <= FEW
        gateway.headers = {SCENARIO: "Bearer acme-1"}
        assert (await gateway.execute("{ __typename }"))["errors"][0]["extensions"]["code"] == "RATE_LIMITED"


async def test_what_a_client_dropped_does_not_come_back_when_they_are_known_again() -> None:
    async with passing(gateway_own_credentials=1) as (gateway, twin):
        gateway.headers = {SCENARIO: "Bearer acme-1"}
        await gateway.data(PAGE)
        await gateway.data(LOCK, id=gateway.asset_ids[0])
        for number, is_asked in ((2, True), (1, True), (1, False)):
            gateway.headers = {SCENARIO: f"Bearer acme-{number}"}
            twin.seen.clear()
            await gateway.data(PAGE)
            assert twin.seen == ({("scenario", f"Bearer acme-{number}", None)} if is_asked else set())


async def test_a_browsers_cache_tells_apart_what_was_brought() -> None:
    async with passing() as (gateway, _):
        answer = await gateway.client.get("/graphql", params={"query": PAGE}, headers={SCENARIO: "Bearer acme-1"})
        assert answer.headers["cache-control"].startswith("private, max-age=")
        assert answer.headers["vary"] == f"accept, {PRISM}, {SCENARIO}, {PROJECT}"


async def test_the_public_credential_is_taken_as_such() -> None:
    async with world({"gateway_auth": "pass-through", "gateway_max_upstream_calls": 3}) as gateway:
        gateway.headers = {SCENARIO: "public-auth-token"}
        query = "query ($ids: [ID!]!) { assetsById(assetIds: $ids) { id } }"
        answer = await gateway.execute(query, ids=list("abcd"))
        assert answer["errors"][0]["extensions"]["asked"] == 4
        await gateway.execute(query, ids=list("abc"))
        assert [method for method, _ in gateway.calls] == ["GET", "GET", "GET"]


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({}, NOTHING),
        ({PROJECT: "proj_1"}, NOTHING),
        ({"authorization": "Bearer canary"}, NOTHING),
        (
            {PRISM: "Bearer canary canary"},
            "X-Prism-Authorization must be a scheme and a credential in ASCII, at most 8,192 bytes, once.",
        ),
        (
            {SCENARIO: "Bearer " + "canary" * MAX_BYTES},
            "X-Scenario-Authorization must be a scheme and a credential in ASCII, at most 8,192 bytes, once.",
        ),
        (
            {SCENARIO: "Bearer canary", PROJECT: "canary&pageSize=1"},
            "X-Scenario-Project must be a project's id, at most 8,192 bytes, once.",
        ),
    ],
)
async def test_who_brings_nothing_that_could_be_taken_is_refused(headers: dict[str, str], message: str) -> None:
    async with passing() as (gateway, twin):
        answer = await gateway.client.post("/graphql", json={"query": PAGE}, headers=headers)
        assert (answer.status_code, answer.json()["errors"][0]["message"]) == (401, message)
        assert answer.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
        assert "canary" not in answer.text
        assert twin.seen == set()


async def test_a_credential_brought_twice_is_none() -> None:
    async with passing() as (gateway, twin):
        headers = [(SCENARIO, "Bearer acme-1"), (SCENARIO, "Bearer bolt-1")]
        answer = await gateway.client.post("/graphql", json={"query": PAGE}, headers=headers)
        assert answer.status_code == 401
        assert twin.seen == set()


async def test_a_websocket_brings_them_when_it_begins() -> None:
    async with passing() as (gateway, twin):
        socket = await connect(gateway.app, admitted=False)
        payload = {"X-Prism-Authorization": "Bearer acme-key", "X-Scenario-Authorization": "Bearer acme-token"}
        await socket.say({"type": "connection_init", "payload": payload})
        await socket.say({"id": "1", "type": "subscribe", "payload": {"query": PAGE}})
        await settle()
        assert [message["type"] for message in socket.heard()] == ["connection_ack", "next", "complete"]
        assert twin.seen == {("scenario", "Bearer acme-token", None)}


async def test_a_websocket_that_brings_none_is_closed() -> None:
    async with passing() as (gateway, _):
        socket = await connect(gateway.app, admitted=False)
        await socket.say({"type": "connection_init"})
        assert socket.sent[-1] == {"type": "websocket.close", "code": 4401, "reason": NOTHING[:123]}


async def test_nothing_that_was_brought_is_shown(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    pair = base64.b64encode(b"key-canary:secret-canary").decode()
    async with passing() as (gateway, _):
        shown = []
        for credential in (f"Basic {pair}", "Bearer token-canary", "bare-canary"):
            gateway.headers = {PRISM: credential, SCENARIO: credential}
            answer = await gateway.execute(f'{{ scan(scanId: "a") {{ status }} {PAGE[1:]}')
            messages = sorted(error["message"] for error in answer["errors"])
            assert messages[0].startswith("Prism answered 401: [redacted]")
            caller = await PassThroughGate(1).identify({name.encode(): credential.encode() for name in gateway.headers})
            tenant = gateway.gateway.tenants.of(caller)
            shown += [answer, caller, tenant, tenant.sources.prism.upstream, tenant.sources.prism.upstream.channel]
            shown += [caller.id, caller.rights, tenant.sources.scenario.upstream.scope, gateway.gateway]
    assert "canary" not in f"{shown!r} {caplog.text}"
    assert pair not in f"{shown!r} {caplog.text}"


def test_each_part_of_what_is_brought_is_a_secret() -> None:
    assert brought(BASIC).secrets == (BASIC[6:], "acme-id", "acme-secret")
    assert brought("Bearer t").secrets == ("t",)
    assert brought("Basic ???").secrets == ("???", "")


def test_a_file_of_tenants_is_of_no_use_then(tmp_path: Any) -> None:
    (tmp_path / "tenants.toml").write_text("[acme]")
    with pytest.raises(BadSettingsError) as caught:
        create_app(read_settings(None, gateway_auth="pass-through", gateway_tenants_file=tmp_path / "tenants.toml"))
    assert caught.value.lines == [
        "GATEWAY_TENANTS_FILE cannot be used with GATEWAY_AUTH=pass-through: clients bring what it would hold."
    ]
