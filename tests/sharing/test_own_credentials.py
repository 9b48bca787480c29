"""Clients who bring credentials of their own are the same to every replica, and nobody else to any."""

import base64

from gateway.sandbox import Sandbox
from tests.replicas import heard_by_all, replicas
from tests.world import World

PRISM, SCENARIO, PROJECT = "x-prism-authorization", "x-scenario-authorization", "x-scenario-project"
PAIR = base64.b64encode(f"{Sandbox.scenario_api_key}:{Sandbox.scenario_api_secret}".encode()).decode()
OWN = {PRISM: f"Bearer {Sandbox.prism_api_key}", SCENARIO: f"Basic {PAIR}"}
OTHERS = [
    {**OWN, SCENARIO: f"Bearer {Sandbox.scenario_jwt}"},
    {**OWN, PRISM: "Bearer guessed"},
    {SCENARIO: OWN[SCENARIO]},
    {**OWN, PROJECT: Sandbox.project_id},
]
LOCK = """mutation ($id: ID!) {
  lockAsset(input: { assetId: $id, lockExpiresAt: "2030-01-01T00:00:00Z" }) { userErrors { code } }
}"""


PAGE = "{ assets(first: 100) { nodes { assetId } } }"


def scan_and_page(world: World) -> str:
    scan_id = world.sandbox.prism.scan_ids("READY")[0]
    return f'{{ scan(scanId: "{scan_id}") {{ status }} {PAGE[1:]}'


async def test_what_a_client_was_answered_by_one_replica_another_has_at_hand_for_them_alone(redis_url: str) -> None:
    async with replicas(redis_url, gateway_auth="pass-through") as (first, second):
        first.headers |= OWN
        answer = await first.data(scan_and_page(first))
        assert len(first.calls) == 2
        await heard_by_all(first)
        for others in OTHERS:
            second.headers.clear()
            second.headers |= others
            await second.execute(scan_and_page(second))
            assert [path for _, path in second.calls if "assets" in path] == ["/assets"], others
        second.headers.clear()
        second.headers |= OWN
        assert await second.data(scan_and_page(second)) == answer
        assert second.calls == []


async def test_what_a_client_changes_by_one_replica_another_forgets_even_where_it_forgot_the_client(
    redis_url: str,
) -> None:
    async with replicas(redis_url, gateway_auth="pass-through", gateway_own_credentials=1) as (first, second):
        for each in (first, second):
            each.headers |= OWN
            await each.data(PAGE)
            await heard_by_all(each)
        assert len(first.calls) == 1
        second.headers |= OTHERS[0]
        await second.data(PAGE)
        await first.data(LOCK, id=first.asset_ids[0])
        await heard_by_all(first)
        assert [method for method, _ in first.calls] == ["GET", "PUT"]
        second.headers |= OWN
        await second.data(PAGE)
        assert [method for method, _ in second.calls] == ["GET"]
