"""Reads that are tried again, changes that are not, and how long anybody waits."""

import asyncio
import gc
import logging
import time
from typing import Any

import pytest

from gateway.http.preferences import wait
from gateway.sandbox import Fault
from tests.replicas import until
from tests.world import ONCE, World, settle, world

STATUS = "query Status($scanId: ID!) { scan(scanId: $scanId) { assets { isReady } } }"
UNLOCK = "mutation($id: ID!) { unlockAsset(input: { assetId: $id, forceUnlock: true }) { userErrors { code } } }"


def ready(gateway: World) -> str:
    return gateway.sandbox.prism.scan_ids("READY")[0]


async def whole(gateway: World) -> bool:
    answer = await gateway.execute(STATUS, scanId=ready(gateway))
    return answer == {"data": {"scan": {"assets": {"isReady": True}}}}


@pytest.mark.parametrize(
    "fault",
    [{"status": status} for status in (408, 429, 500, 502, 503, 504)]
    + [{"cut": True}, {"malformed": True}, {"status": 409, "headers": {"x-should-retry": "true"}}],
    ids=str,
)
async def test_a_read_that_failed_is_tried_again(gateway: World, fault: dict[str, Any]) -> None:
    gateway.sandbox.faults.add(Fault(upstream="prism", times=2, **fault))
    assert await whole(gateway)
    assert len(gateway.calls) == 3
    assert gateway.sources.prism.upstream.sender.health.retries == 2


@pytest.mark.parametrize(
    "fault",
    [{"status": status} for status in (400, 401, 403, 409, 422, 501, 302)]
    + [
        {"status": 503, "headers": {"x-should-retry": "false"}},
        {"status": 503, "retry_after": 3_600},
        {"status": 200, "body": "[1]"},
    ],
    ids=str,
)
async def test_a_read_that_would_fail_again_is_not(gateway: World, fault: dict[str, Any]) -> None:
    gateway.sandbox.faults.add(Fault(upstream="prism", times=1, **fault))
    assert not await whole(gateway)
    assert len(gateway.calls) == 1


async def test_a_read_is_tried_four_times_and_then_it_has_failed(gateway: World) -> None:
    gateway.sandbox.faults.add(Fault(upstream="prism", status=503))
    answer = await gateway.execute(STATUS, scanId=ready(gateway))
    assert answer["errors"][0]["extensions"] == {
        "code": "UPSTREAM_UNAVAILABLE",
        "upstream": "prism",
        "retryable": True,
        "upstreamStatus": 503,
    }
    assert len(gateway.calls) == 4


async def test_retry_after_is_waited_for(gateway: World) -> None:
    gateway.sandbox.faults.add(Fault(upstream="prism", times=1, status=503, headers={"retry-after-ms": "300"}))
    began = time.monotonic()
    assert await whole(gateway)
    assert time.monotonic() - began >= 0.3


async def test_a_change_is_sent_once(gateway: World) -> None:
    gateway.sandbox.faults.add(Fault(upstream="scenario", method="PUT", status=503))
    answer = await gateway.execute(UNLOCK, id=gateway.asset_ids[0])
    assert answer["errors"][0]["message"] == "Scenario answered 503. Whether the change was made is unknown."
    assert answer["errors"][0]["extensions"]["retryable"] is False
    assert [method for method, _ in gateway.calls] == ["PUT"]


async def test_a_change_that_takes_longer_than_the_deadline_is_seen_as_unknown() -> None:
    async with world({"gateway_deadline": 0.1}) as gateway:
        gateway.sandbox.faults.add(Fault(upstream="scenario", method="PUT", delay=60))
        answer = await gateway.execute(UNLOCK, id=gateway.asset_ids[0])
    assert answer["errors"][0]["message"] == (
        "Scenario did not answer before the operation's deadline. Whether the change was made is unknown."
    )


async def test_a_change_whose_turn_comes_after_the_deadline_is_not_sent() -> None:
    two = """mutation($a: ID!, $b: ID!) {
        first: unlockAsset(input: { assetId: $a, forceUnlock: true }) { userErrors { code } }
        second: unlockAsset(input: { assetId: $b, forceUnlock: true }) { userErrors { code } }
    }"""
    async with world({"gateway_deadline": 0.2}) as gateway:
        gateway.sandbox.faults.add(Fault(upstream="scenario", method="PUT", delay=60))
        first, second = gateway.asset_ids[:2]
        answer = await gateway.execute(two, a=first, b=second)
        assert gateway.calls == [("PUT", f"/assets/{first}/unlock")]
    assert answer["data"] == {"first": None, "second": None}
    late = "Scenario did not answer before the operation's deadline."
    assert {error["path"][0]: error["message"] for error in answer["errors"]} == {
        "first": f"{late} Whether the change was made is unknown.",
        "second": late,
    }


async def test_a_change_that_fails_once_its_client_has_left_is_nobodys_error(
    gateway: World, caplog: pytest.LogCaptureFixture
) -> None:
    gateway.sandbox.faults.add(Fault(upstream="scenario", method="PUT", status=503, delay=0.1))
    asking = asyncio.create_task(gateway.execute(UNLOCK, id=gateway.asset_ids[0]))
    health = gateway.sources.scenario.upstream.sender.health
    await until(lambda: health.in_flight == 1)
    asking.cancel()
    await asyncio.wait([asking])
    del asking
    gc.collect()
    assert (health.in_flight, health.failures) == (0, 1)
    assert [record.message for record in caplog.records if record.levelno >= logging.ERROR] == []


async def test_a_change_that_finds_no_place_before_the_deadline_is_not_sent() -> None:
    async with world({**ONCE, "gateway_upstream_connections": 1}) as gateway:
        gateway.sandbox.faults.add(Fault(upstream="scenario", times=1, delay=0.8))
        slow = asyncio.create_task(gateway.data("{ assets(first: 1) { nodes { kind } } }"))
        await settle()
        change = {"query": UNLOCK, "variables": {"id": gateway.asset_ids[0]}}
        answer = (await gateway.client.post("/graphql", json=change, headers={"prefer": "wait=0.2"})).json()
        assert answer["errors"][0]["message"] == "Scenario did not answer before the operation's deadline."
        assert not slow.done()
        await slow
        assert [method for method, _ in gateway.calls] == ["GET"]
        health = gateway.sources.scenario.upstream.sender.health
        assert (health.too_late, health.in_flight, health.waiting) == (1, 0, 0)


async def test_an_upstream_that_is_left_alone_is_not_asked_for_a_change_either(gateway: World) -> None:
    gateway.sandbox.faults.add(Fault(upstream="scenario", status=503))
    for asset_id in gateway.asset_ids[:20]:
        await gateway.execute("query($id: ID!) { asset(assetId: $id) { kind } }", id=asset_id)
    assert gateway.sources.scenario.upstream.sender.health.breaker == "open"
    assert len(gateway.calls) == 16
    answer = await gateway.execute(UNLOCK, id=gateway.asset_ids[0])
    (error,) = answer["errors"]
    assert error["message"] == "Scenario failed too often just now, and was not asked."
    assert (error["extensions"]["code"], error["extensions"]["retryable"]) == ("UPSTREAM_UNAVAILABLE", True)
    assert 0 < error["extensions"]["retryAfter"] <= 1.3
    assert gateway.calls == []


@pytest.mark.parametrize("hedges", [False, True])
@pytest.mark.parametrize("most", [100, 1])
async def test_a_read_that_is_slow_is_made_again_though_no_more_may_be_under_way(most: int, *, hedges: bool) -> None:
    own = {"gateway_slow_from": 0.05, "gateway_hedge": hedges, "gateway_upstream_connections": most}
    async with world(own) as gateway:
        for scan_id in gateway.sandbox.prism.scan_ids("READY")[1:6]:
            await gateway.execute(STATUS, scanId=scan_id)
        gateway.sandbox.prism.clear()
        gateway.sandbox.faults.add(Fault(upstream="prism", times=1, status=None, delay=60))
        assert await whole(gateway)
        health = gateway.sources.prism.upstream.sender.health
        assert len(gateway.calls) == 2
        assert (health.retries, health.hedges, health.given_up) == ((0, 1, 0) if hedges else (1, 0, 1))
        assert health.in_flight == 0


async def test_a_slow_read_that_fails_at_last_gives_what_the_one_made_beside_it_gets() -> None:
    async with world({"gateway_slow_from": 0.05, "gateway_hedge": True, "gateway_retries": 1}) as gateway:
        for scan_id in gateway.sandbox.prism.scan_ids("READY")[1:6]:
            await gateway.execute(STATUS, scanId=scan_id)
        gateway.sandbox.prism.clear()
        gateway.sandbox.faults.add(Fault(upstream="prism", times=1, status=503, delay=0.3))
        gateway.sandbox.faults.add(Fault(upstream="prism", times=1, status=None, delay=0.6))
        assert await whole(gateway)
        health = gateway.sources.prism.upstream.sender.health
        assert len(gateway.calls) == 2
        assert (health.retries, health.hedges, health.failures, health.in_flight) == (0, 1, 1, 0)


async def test_who_waits_less_is_told_so_and_who_waits_longer_gets_the_document(gateway: World) -> None:
    gateway.sandbox.faults.add(Fault(upstream="prism", times=1, delay=1))
    gateway.sources.prism.upstream.sender._latency.usual = 60  # noqa: SLF001 - so that nothing here is slow
    body = {"query": STATUS, "variables": {"scanId": ready(gateway)}}

    async def ask(seconds: str) -> Any:
        answer = await gateway.client.post("/graphql", json=body, headers={"prefer": f"wait={seconds}"})
        return answer.json()

    patient = asyncio.ensure_future(ask("30"))
    hasty = await ask("0.1")
    assert hasty["data"] == {"scan": {"assets": None}}
    assert hasty["errors"][0]["message"] == "Prism did not answer before the operation's deadline."
    assert await patient == {"data": {"scan": {"assets": {"isReady": True}}}}
    assert len(gateway.calls) == 1
    assert gateway.sources.prism.upstream.sender.health.too_late == 1


async def test_a_read_that_somebody_hasty_began_is_tried_again_for_who_waits_longer(gateway: World) -> None:
    gateway.sandbox.faults.add(Fault(upstream="prism", times=1, status=503, headers={"retry-after-ms": "300"}))
    body = {"query": STATUS, "variables": {"scanId": ready(gateway)}}

    async def ask(seconds: str) -> Any:
        answer = await gateway.client.post("/graphql", json=body, headers={"prefer": f"wait={seconds}"})
        return answer.json()

    hasty, patient = await asyncio.gather(ask("0.2"), ask("30"))
    assert hasty["data"] == {"scan": {"assets": None}}
    assert patient == {"data": {"scan": {"assets": {"isReady": True}}}}
    assert len(gateway.calls) == 2


async def test_nothing_is_asked_for_an_operation_whose_deadline_has_passed() -> None:
    async with world({"gateway_deadline": 1e-9}) as gateway:
        answer = await gateway.execute(STATUS, scanId=ready(gateway))
        assert answer["errors"][0]["extensions"]["code"] == "UPSTREAM_TIMEOUT"
        assert gateway.calls == []


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (b"wait=3", 3),
        (b"respond-async, wait=0.5", 0.5),
        (b'Wait = "10"; foo', 10),
        (b"handling=lenient;wait=2", 2),
        (b"", float("inf")),
        (b"wait", float("inf")),
        (b"wait=-1", float("inf")),
        (b"wait=1e9", float("inf")),
        (b"await=3", float("inf")),
    ],
)
def test_how_long_a_client_waits_is_read_from_prefer(header: bytes, seconds: float) -> None:
    assert wait(header) == seconds
