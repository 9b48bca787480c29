"""No credential, signature or stack trace reaches a log, a message or a repr."""

import base64
import logging
from typing import Any

import pytest

from gateway.environment import read_settings
from gateway.sandbox import Sandbox
from gateway.sandbox.faults import Fault
from gateway.settings import BadSettingsError
from gateway.upstream.credentials import Credential, basic, bearer, public
from tests.world import World, given_for, world

PAIR = base64.b64encode(f"{Sandbox.scenario_api_key}:{Sandbox.scenario_api_secret}".encode()).decode()
SCENARIO = (Sandbox.scenario_api_key, Sandbox.scenario_api_secret, PAIR)
CREDENTIALS = (*SCENARIO, Sandbox.prism_api_key, Sandbox.scenario_jwt)
SIGNATURES = ("CANARY", "Signature=", "X-Amz-", "Policy=", "Key-Pair-Id=")
SIGNED = "https://cdn.example/assets/1?Policy=CANARY&Key-Pair-Id=CANARY&Signature=CANARY"
SIGNED_BY_S3 = "https://bucket.example/scans/1?X-Amz-Signature=CANARY&X-Amz-Credential=CANARY"

SPREAD = """
query Spread($scanId: ID!, $assetId: ID!) {
  scan(scanId: $scanId) { status assets { isReady } assetUrls { model expiresAt } assetUrl(type: MODEL) { url } }
  asset(assetId: $assetId) { kind url raw parent { url } }
  assets(first: 250) { nodes { url thumbnail { url asset { url } } } }
  missing: asset(assetId: "missing") { kind }
  downloadJob(jobId: "missing") { downloadUrl }
}
"""
CHANGES = """
mutation Changes($assetId: ID!) {
  requestAssetDownload(input: { assetId: $assetId }) { download { url } userErrors { code message } }
  requestBatchDownload(input: { assetIds: [$assetId] }) { downloadJob { jobId } userErrors { code message } }
  lockAsset(input: { assetId: $assetId, lockExpiresAt: "2030-01-01T00:00:00Z" }) { lockId userErrors { message } }
  unlockAsset(input: { assetId: $assetId, forceUnlock: true }) { asset { url } userErrors { message } }
}
"""


async def texts(gateway: World) -> list[str]:
    """Run a spread of operations and give every answer as the client gets it, headers and all."""
    asset_id = next(iter(gateway.sandbox.scenario.assets))
    variables = {"scanId": gateway.sandbox.prism.scan_ids("READY")[0], "assetId": asset_id}
    answers = []
    for query in (SPREAD, CHANGES, SPREAD, "{ nothing }", "{"):
        response = await gateway.client.post("/graphql", json={"query": query, "variables": variables})
        answers.append(f"{response.headers}\n{response.text}")
        gateway.clock.advance(3600)
    return answers


def assert_clean(text: str, *canaries: str) -> None:
    """None of these stands in a text."""
    assert [canary for canary in (*CREDENTIALS, "Traceback", *canaries) if canary in text] == []


JWT, PUBLIC = {"scenario_jwt": Sandbox.scenario_jwt}, {"scenario_public": True}


@pytest.mark.parametrize("settings", [{}, JWT, PUBLIC], ids=["basic", "bearer", "public"])
async def test_nothing_leaks_while_all_goes_well(settings: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with world(settings) as gateway:
        answers = await texts(gateway)
    assert_clean("".join(answers))
    assert_clean(caplog.text, *SIGNATURES)
    assert "Signature=" in answers[0]  # the data is the place for signed URLs


BODIES = [
    "{}",
    '{"message": "{}"}',
    '{"details": [{"msg": "{}"}]}',
    '["{}", "{}"]',
    '"{}"',
    "<html>{}</html>",
    '{"message": "{}',
    '{"assets": "{}", "asset": "{}", "url": ["{}"], "jobId": ["{}"], "jobStatus": 7, "status": 7}',
]


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 404, 409, 422, 429, 500, 503])
async def test_nothing_leaks_when_an_upstream_fails_and_echoes_what_it_was_sent(
    gateway: World, status: int, body: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    echo = f"Cannot use {{}} for {SIGNED} or ({SIGNED_BY_S3})\\nTraceback (most recent call last)"
    headers = {"location": SIGNED}
    to_prism, to_scenario = (body.replace("{}", echo.format(c)) for c in (Sandbox.prism_api_key, " ".join(SCENARIO)))
    gateway.sandbox.faults.add(Fault(upstream="prism", status=status, body=to_prism, headers=headers))
    gateway.sandbox.faults.add(Fault(upstream="scenario", status=status, body=to_scenario, headers=headers))
    assert_clean("".join(await texts(gateway)), *SIGNATURES)
    assert_clean(caplog.text, *SIGNATURES)


@pytest.mark.parametrize("fault", [Fault(malformed=True), Fault(cut=True)], ids=["malformed", "cut"])
async def test_nothing_leaks_when_an_answer_is_torn(
    gateway: World, fault: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    gateway.sandbox.faults.add(fault)
    assert_clean("".join(await texts(gateway)), *SIGNATURES)
    assert_clean(caplog.text, *SIGNATURES)


async def test_what_is_left_of_a_refusal_still_says_what_is_wrong(gateway: World) -> None:
    body = f'{{"message": "Key {Sandbox.scenario_api_key} may not read {SIGNED}"}}'
    gateway.sandbox.faults.add(Fault(status=403, body=body))
    answer = await gateway.execute('{ asset(assetId: "asset_1") { kind } }')
    assert answer["errors"][0]["message"] == (
        "Scenario answered 403: Key [redacted] may not read https://cdn.example/assets/1"
    )


@pytest.mark.parametrize("settings", [{}, JWT, PUBLIC], ids=["basic", "bearer", "public"])
async def test_no_repr_shows_a_credential(settings: dict[str, Any]) -> None:
    async with world(settings) as made:
        await texts(made)
        gateway = made.gateway
        sources = made.sources
        upstreams = (sources.prism.upstream, sources.scenario.upstream)
        credentials = [upstream.credential for upstream in upstreams]
        clients = [
            sources,
            sources.prism,
            sources.scenario,
            gateway.tenants,
            *(upstream.channel for upstream in upstreams),
        ]
        for shown in (gateway, gateway.settings, gateway.store, made.app, *upstreams, *credentials, *clients):
            assert_clean(f"{shown!r} {shown}")


@pytest.mark.parametrize(
    ("credential", "shown"),
    [
        (basic("key-canary", "secret-canary"), "Credential(is_public=False)"),
        (bearer("token-canary"), "Credential(is_public=False)"),
        (public(), "Credential(is_public=True)"),
    ],
)
def test_a_credential_shows_nothing_of_itself(credential: Credential, shown: str) -> None:
    assert repr(credential) == str(credential) == shown
    assert len(credential.fingerprint) == 16
    assert not any(secret in credential.fingerprint for secret in credential.secrets)


def test_credentials_have_fingerprints_of_their_own_that_last() -> None:
    made = [basic("key", "secret"), basic("key", "other"), bearer("key"), bearer("secret"), public()]
    assert len({credential.fingerprint for credential in made}) == len(made)
    assert basic("key", "secret").fingerprint == made[0].fingerprint


async def test_no_cache_key_holds_a_credential(gateway: World) -> None:
    scenario = gateway.sources.scenario
    assert_clean(scenario.upstream.key(scenario.kinds.asset, "asset_1"))


@pytest.mark.parametrize(
    "bad",
    [
        {"prism_url": "canary://canary"},
        {"scenario_url": "canary"},
        {"gateway_port": "canary"},
        {"scenario_api_secret": None},
        {"scenario_project_id": ""},
    ],
)
def test_settings_that_are_refused_are_not_shown(bad: dict[str, Any]) -> None:
    with pytest.raises(BadSettingsError) as raised:
        read_settings(None, **given_for(Sandbox(), **bad))
    assert_clean(f"{raised.value!r} {raised.value}", "canary")
