"""Subscriptions over HTTP, whole responses compared: server-sent events, and Apollo's multipart protocol."""

import asyncio
import json

import pytest

from gateway.sandbox import Fault
from tests.http.exchanges import Exchange, ask
from tests.world import World, settle, world

SSE = "text/event-stream"
APOLLO = 'multipart/mixed;boundary="graphql";subscriptionSpec=1.0,application/json'
FOLLOW = "subscription ($scanId: ID!) { scanUpdated(scanId: $scanId) { status } }"
LOCK = 'mutation { lockAsset(input: { assetId: "a", lockExpiresAt: "2026-10-01T00:00:00Z" }) { lockId } }'
STEADY = {"gateway_watch_jitter": 0}
COURSE = ("CREATED", *["PROCESSING"] * 4, "READY")  # each stage of the scan is begun and done
SHUTDOWN = '"extensions":{"code":"SHUTTING_DOWN","retryable":true,"requestId":"test"}'


def moving(gateway: World) -> str:
    return list(gateway.sandbox.prism.scans)[20]


def state(status: str) -> str:
    return json.dumps({"data": {"scanUpdated": {"status": status}}}, separators=(",", ":"))


def event(answer: str) -> str:
    return f"event: next\ndata: {answer}\n\n"


def part(body: str) -> str:
    return f"\r\ncontent-type: application/json\r\n\r\n{body}\r\n--graphql"


async def follow(gateway: World, accept: str, *, method: str = "POST") -> Exchange:
    exchange = ask(gateway.app, FOLLOW, accept, method=method, scanId=moving(gateway))
    await settle()
    return exchange


@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_a_scan_is_followed_by_server_sent_events(method: str) -> None:
    async with world(STEADY) as gateway:
        exchange = await follow(gateway, SSE, method=method)
        assert (exchange.status, exchange.headers) == (
            200,
            {
                "content-type": "text/event-stream; charset=utf-8",
                "cache-control": "no-store, no-transform",
                "vary": "accept",
                "x-content-type-options": "nosniff",
                "cross-origin-resource-policy": "same-origin",
                "x-accel-buffering": "no",
                "x-request-id": "test",
            },
        )
        assert exchange.body == ":\n\n" + event(state("CREATED"))
        await gateway.clock.run(60)
        states = [event(state(status)) for status in COURSE]
        assert exchange.body == ":\n\n" + "".join(states) + "event: complete\ndata:\n\n"
        assert exchange.is_complete
        assert exchange.task.done()


async def test_a_scan_is_followed_by_apollos_parts() -> None:
    async with world(STEADY) as gateway:
        exchange = await follow(gateway, APOLLO)
        assert exchange.headers["content-type"] == 'multipart/mixed;boundary="graphql";subscriptionSpec=1.0'
        await gateway.clock.run(60)
        states = [part(f'{{"payload":{state(status)}}}') for status in COURSE]
        assert exchange.body == "\r\n--graphql" + "".join(states) + "--\r\n"
        assert exchange.is_complete


async def test_in_silence_each_protocol_says_that_it_lives() -> None:
    async with world({**STEADY, "gateway_heartbeat": 0.02}) as gateway:
        for accept, opening, heartbeat in ((SSE, ":\n\n", ":\n\n"), (APOLLO, "\r\n--graphql", part("{}"))):
            exchange = await follow(gateway, accept)
            first = exchange.body
            assert first.startswith(opening)
            await exchange.until_sent(5)
            assert exchange.body.removeprefix(first) == heartbeat * (len(exchange.sent) - 3)
            await exchange.leave()


async def test_a_plain_query_is_one_event_where_nothing_else_is_taken(gateway: World) -> None:
    one, other = ask(gateway.app, "{ __typename }", SSE), ask(gateway.app, "{ __typename }", f"{SSE}, application/json")
    await settle()
    answer = '{"data":{"__typename":"Query"}}'
    assert one.body == ":\n\n" + event(answer) + "event: complete\ndata:\n\n"
    assert other.body == answer


async def test_a_refused_subscription_is_one_event_that_says_why(gateway: World) -> None:
    exchange = ask(gateway.app, FOLLOW, SSE, scanId="none")
    await settle()
    error = {
        "message": "Prism has no such scan.",
        "locations": [{"line": 1, "column": 31}],
        "path": ["scanUpdated"],
        "extensions": {
            "code": "NOT_FOUND",
            "upstream": "prism",
            "retryable": False,
            "upstreamStatus": 404,
            "requestId": "test",
        },
    }
    answer = json.dumps({"data": None, "errors": [error]}, separators=(",", ":"))
    assert exchange.body == ":\n\n" + event(answer) + "event: complete\ndata:\n\n"


async def test_a_mutation_by_get_and_an_unknown_operation_are_refused_before_any_event(gateway: World) -> None:
    change = ask(gateway.app, LOCK, SSE, method="GET")
    two = ask(gateway.app, "query A { __typename } query B { __typename }", SSE)
    await settle()
    assert (change.status, change.headers["allow"]) == (405, "POST")
    assert json.loads(two.body)["errors"][0]["extensions"]["code"] == "OPERATION_RESOLUTION_FAILURE"


async def test_head_of_a_stream_has_its_headers_alone(gateway: World) -> None:
    exchange = await follow(gateway, SSE, method="HEAD")
    assert (exchange.status, exchange.body, exchange.is_complete) == (200, "", True)
    assert len(gateway.gateway.watchers) == 0


async def test_who_leaves_is_not_watched_for(gateway: World) -> None:
    exchange = await follow(gateway, SSE)
    assert gateway.gateway.watchers.subscribed == 1
    await exchange.leave()
    assert exchange.task.done()
    assert (gateway.gateway.watchers.subscribed, len(gateway.gateway.watchers)) == (0, 0)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_who_leaves_before_the_first_answer_is_not_watched_for(gateway: World) -> None:
    exchange = ask(gateway.app, FOLLOW, SSE, scanId=moving(gateway))
    await exchange.leave()
    assert exchange.task.done()
    assert (exchange.sent, gateway.gateway.watchers.subscribed) == ([], 0)


async def test_who_does_not_read_is_told_the_newest_state_alone() -> None:
    async with world(STEADY) as gateway:
        exchange = await follow(gateway, SSE)
        exchange.reads.clear()
        await gateway.clock.run(4)  # PROCESSING is on its way, and waits there
        await gateway.clock.run(60)
        assert exchange.body == ":\n\n" + event(state("CREATED"))
        exchange.reads.set()
        await settle()
        states = [event(state(status)) for status in ("CREATED", "PROCESSING", "READY")]
        assert exchange.body == ":\n\n" + "".join(states) + "event: complete\ndata:\n\n"


@pytest.mark.parametrize(
    ("accept", "last"),
    [
        (SSE, ""),
        (APOLLO, part(f'{{"payload":null,"errors":[{{"message":"{{}}",{SHUTDOWN}}}]}}') + "--\r\n"),
    ],
)
async def test_shutdown_ends_a_stream_cleanly_but_does_not_call_it_complete(accept: str, last: str) -> None:
    async with world(STEADY) as gateway:
        exchange = await follow(gateway, accept)
        before = exchange.body
        await gateway.app.drain()
        await settle()
        assert exchange.is_complete
        message = "The gateway is shutting down; subscribe again."
        assert exchange.body.removeprefix(before) == last.replace("{}", message)
        late = await follow(gateway, accept)
        assert (late.status, late.body) == (503, f'{{"errors":[{{"message":"{message}",{SHUTDOWN}}}]}}')


@pytest.mark.parametrize("accept", [SSE, APOLLO])
async def test_an_answer_that_takes_longer_than_a_heartbeat_is_asked_for_once_and_comes(accept: str) -> None:
    async with world({**STEADY, "gateway_heartbeat": 0.02}) as gateway:
        gateway.sandbox.faults.add(Fault(path="/asset-urls$", delay=0.2))
        scan_id = gateway.sandbox.prism.scan_ids("READY")[0]
        query = "subscription ($scanId: ID!) { scanUpdated(scanId: $scanId) { assetUrls { stripes } } }"
        exchange = ask(gateway.app, query, accept, scanId=scan_id)
        async with asyncio.timeout(10):
            await exchange.task
        assert '{"data":{"scanUpdated":{"assetUrls":{"stripes":null}}}}' in exchange.body
        assert [path for _, path in gateway.calls] == [f"/scans/{scan_id}", f"/scans/{scan_id}/asset-urls"]
