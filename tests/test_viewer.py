"""Who asks: told to the caller alone, by plan or without, and kept by nobody."""

from typing import Any

import pytest

from gateway.auth.caller import Caller
from tests.callers import gate
from tests.rates.gates import NameGate
from tests.world import world

VIEWER = """{
  viewer {
    id tenant scopes expiresAt
    requests { limit remaining window } upstreamCalls { limit remaining } objects { remaining } tenantRequests { limit }
  }
}"""
WITH_SCAN = "query ($id: ID!) { viewer { id } scan(scanId: $id) { assets { isReady } } }"


@pytest.mark.parametrize("plans", [True, False])
async def test_the_caller_is_told_as_the_gateway_sees_them(plans: bool) -> None:  # noqa: FBT001 - a case
    settings: dict[str, Any] = {"gateway_plans": plans, "gateway_rate_requests": 10, "gateway_rate_upstream_calls": 0}
    async with world(settings, gate=NameGate()) as gateway:
        gateway.headers["x-name"] = "ann@acme"
        assert await gateway.data(VIEWER) == {
            "viewer": {
                "id": "ann",
                "tenant": "acme",
                "scopes": ["assets:read", "scans:read"],
                "expiresAt": "2027-01-15T08:00:00Z",
                "requests": {"limit": 10, "remaining": 9, "window": 60},
                "upstreamCalls": None,
                "objects": {"remaining": 99_999},
                "tenantRequests": None,
            }
        }
        assert gateway.calls == []
        assert gateway.app.state.engine.counts["planned"] == plans


async def test_anyone_is_anyone() -> None:
    async with world() as gateway:
        assert await gateway.data(VIEWER) == {
            "viewer": {
                "id": "anyone",
                "tenant": "default",
                "scopes": ["*"],
                "expiresAt": None,
                "requests": None,
                "upstreamCalls": None,
                "objects": None,
                "tenantRequests": None,
            }
        }


async def test_who_is_let_in_past_the_end_of_all_calendars_is_so_without_an_end() -> None:
    ann = Caller("ann", scopes=frozenset({"scans:read"}), expires_at=999_999_999_999)
    async with world(gate=gate(ann)) as gateway:
        assert await gateway.as_caller(ann).data("{ viewer { expiresAt } }") == {"viewer": {"expiresAt": None}}


async def test_callers_with_the_same_rights_are_told_apart_however_much_is_kept_beside() -> None:
    async with world(gate=NameGate()) as gateway:
        scan_id = gateway.sandbox.prism.scan_ids("READY")[0]
        for name in ("ann", "bob", "ann"):
            gateway.headers["x-name"] = name
            assert await gateway.data(WITH_SCAN, id=scan_id) == {
                "viewer": {"id": name},
                "scan": {"assets": {"isReady": True}},
            }
        assert len(gateway.calls) == 1
        assert gateway.app.state.engine.counts["kept"] == 0


async def test_http_caches_are_told_to_ask_again() -> None:
    async with world() as gateway:
        response = await gateway.client.get("/graphql", params={"query": "{ viewer { id } }"})
        assert response.headers["cache-control"] == "private, no-cache"
