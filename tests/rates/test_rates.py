"""What callers may do in a minute: counted once whatever way they ask, refused before anything is done, and told."""

from typing import Any

import pytest

from gateway.auth.caller import ANYONE, Caller
from gateway.rates.rates import FEW, RateLimits, Rates
from gateway.sandbox import Fault
from tests.http.exchanges import connect
from tests.rates.gates import NameGate
from tests.test_subscriptions import moving
from tests.world import Clock, World, world

JSON = "application/json"
EVENTS = {"accept": "text/event-stream"}
FOLLOW = "subscription ($id: ID!) { scanUpdated(scanId: $id) { scanId } }"
LEFT = "{ viewer { requests { remaining } upstreamCalls { remaining } objects { remaining } } }"
URLS = "query ($id: ID!) { scan(scanId: $id) { assetUrls { model } } }"


def refusal(limit: str, most: int, remaining: int, asked: int, retry_after: int) -> dict[str, Any]:
    """The whole answer to what comes too early, without its request's id."""
    what = limit.removeprefix("GATEWAY_RATE_").lower().replace("_", " ")
    message = (
        f"This is too much for now: {what} may be {most:,} a minute, of which {remaining:,} are left, and here are "
        f"{asked:,}. Try again in {retry_after} s."
    )
    extensions = {"limit": limit, "most": most, "window": 60, "remaining": remaining, "retryAfter": retry_after}
    return {
        "errors": [{"message": message, "extensions": {"code": "RATE_LIMITED", "retryable": True, **extensions}}],
    }


def as_caller(gateway: World, name: str, **headers: str) -> None:
    gateway.headers.clear()
    gateway.headers.update({"x-name": name, **headers})


async def left(gateway: World) -> dict[str, int]:
    viewer = (await gateway.data(LEFT))["viewer"]
    return {name: one["remaining"] for name, one in viewer.items()}


async def test_a_request_too_many_is_refused_and_says_when_it_is_welcome() -> None:
    async with world({"gateway_rate_requests": 2}, gate=NameGate()) as gateway:
        scan_id = gateway.sandbox.prism.scan_ids("READY")[0]
        as_caller(gateway, "ann")
        await gateway.data("{ __typename }")
        await gateway.data("{ __typename }")
        response = await gateway.client.post(
            "/graphql", json={"query": URLS, "variables": {"id": scan_id}}, headers=gateway.headers
        )
        assert (response.status_code, response.headers["retry-after"], gateway.calls) == (429, "90", [])
        assert await gateway.execute(URLS, id=scan_id) == refusal("GATEWAY_RATE_REQUESTS", 2, 0, 1, 90)
        gateway.clock.advance(90)
        await gateway.data(URLS, id=scan_id)


async def test_answers_tell_what_is_left_where_a_setting_says_so_and_refusals_always() -> None:
    for tells in (True, False):
        settings = {"gateway_rate_requests": 2, "gateway_rate_headers": tells}
        async with world(settings, gate=NameGate()) as gateway:
            heads = []
            for _ in range(3):
                answer = await gateway.client.post(
                    "/graphql", json={"query": "{ __typename }"}, headers={"x-name": "ann"}
                )
                heads.append((answer.headers.get("ratelimit"), answer.headers.get("ratelimit-policy")))
                gateway.clock.advance(1)
            policy = '"requests";q=2;w=60'
            told = [('"requests";r=1;t=60', policy), ('"requests";r=0;t=59', policy)]
            assert heads == [*(told if tells else [(None, None)] * 2), ('"requests";r=0;t=88', policy)]


async def test_that_a_client_has_the_answer_already_tells_what_is_left_too() -> None:
    async with world({"gateway_rate_requests": 9, "gateway_rate_headers": True}, gate=NameGate()) as gateway:
        heads = [{"x-name": "ann", "if-none-match": tag} for tag in ('"another"', "*")]
        answers = [
            await gateway.client.get("/graphql", params={"query": "{ __typename }"}, headers=head) for head in heads
        ]
        told = [(answer.status_code, answer.headers.get("ratelimit")) for answer in answers]
        assert told == [(200, '"requests";r=8;t=60'), (304, '"requests";r=7;t=60')]


async def test_a_refusal_tells_who_was_let_in_what_is_left_and_nobody_else() -> None:
    async with world({"gateway_rate_requests": 9, "gateway_rate_headers": True}, gate=NameGate()) as gateway:
        told = []
        for content, type_ in (("{", JSON), ("{}", JSON), ("{}", "text/plain")):
            answer = await gateway.client.post(
                "/graphql", content=content, headers={"x-name": "ann", "content-type": type_}
            )
            told.append((answer.status_code, answer.headers.get("ratelimit")))
        assert told == [(400, '"requests";r=8;t=60'), (400, '"requests";r=7;t=60'), (415, None)]


@pytest.mark.parametrize("accept", ["text/event-stream", "multipart/mixed;subscriptionSpec=1.0, application/json"])
async def test_a_stream_that_costs_too_much_is_refused_like_any_answer(accept: str) -> None:
    async with world({"gateway_rate_upstream_calls": 1}, gate=NameGate()) as gateway:
        ids = gateway.sandbox.prism.scan_ids("READY")[:2]
        answers = [
            await gateway.client.post(
                "/graphql",
                json={"query": URLS, "variables": {"id": id_}},
                headers={"x-name": "ann", "accept": accept},
            )
            for id_ in ids
        ]
        assert [(answer.status_code, answer.headers.get("retry-after")) for answer in answers] == [
            (200, None),
            (429, "120"),
        ]
        assert len(gateway.calls) == 1


async def test_what_would_be_answered_in_parts_is_refused_like_any_answer() -> None:
    settings = {"gateway_rate_upstream_calls": 1, "gateway_incremental": True}
    async with world(settings, gate=NameGate()) as gateway:
        query = "query ($id: ID!) { scan(scanId: $id) { scanId ... @defer { assetUrls { model } } } }"
        ids = gateway.sandbox.prism.scan_ids("READY")[:2]
        headers = {"x-name": "ann", "accept": "multipart/mixed;deferSpec=20220824"}
        statuses = [
            (
                await gateway.client.post("/graphql", json={"query": query, "variables": {"id": id_}}, headers=headers)
            ).status_code
            for id_ in ids
        ]
        assert (statuses, len(gateway.calls)) == ([200, 429], 1)


async def test_callers_are_counted_apart_and_those_of_a_tenant_together() -> None:
    limits = {"gateway_rate_requests": 2, "gateway_rate_tenant_requests": 3}
    async with world(limits, gate=NameGate()) as gateway:
        for name in ("ann@one", "ann@one", "bob@one", "ann@two"):
            as_caller(gateway, name)
            await gateway.data("{ __typename }")
        as_caller(gateway, "bob@one")
        refused = await gateway.execute("{ __typename }")
        assert refused == refusal("GATEWAY_RATE_TENANT_REQUESTS", 3, 0, 1, 80)
        as_caller(gateway, "bob@two")
        await gateway.data("{ __typename }")


async def test_who_is_refused_for_others_has_not_lost_a_request_of_their_own() -> None:
    clock = Clock()
    rates = Rates(RateLimits(requests=5, tenant_requests=1), clock=clock)
    ann, bob = Caller("ann"), Caller("bob")
    assert [rates.takes(ann), rates.takes(bob), rates.takes(bob)] == [True, False, False]
    remaining = rates.left(bob)["requests"]
    assert remaining is not None
    assert remaining.remaining == 5


async def test_every_way_to_ask_is_counted_once() -> None:
    async with world({"gateway_rate_requests": 100}, gate=NameGate()) as gateway:
        as_caller(gateway, "ann")
        scan_id = gateway.sandbox.prism.scan_ids("READY")[0]
        following = {"query": FOLLOW, "variables": {"id": scan_id}}
        ways: list[dict[str, Any]] = [
            {"method": "POST", "json": {"query": "{ __typename }"}},
            {"method": "GET", "params": {"query": "{ __typename }"}},
            {"method": "POST", "json": following, "headers": {**gateway.headers, **EVENTS}},
            {"method": "POST", "json": {"query": "{"}},
            {"method": "POST", "content": b"[", "headers": {**gateway.headers, "content-type": "application/json"}},
        ]
        for number, way in enumerate(ways, 1):
            await gateway.client.request(url="/graphql", **{"headers": gateway.headers, **way})
            assert (await left(gateway))["requests"] == 100 - 2 * number
        socket = await connect(gateway.app, headers={"x-name": "ann"})
        for id_ in ("1", "2"):
            await socket.say({"id": id_, "type": "subscribe", "payload": {"query": "{ __typename }"}})
        await socket.leave()
        assert (await left(gateway))["requests"] == 100 - 2 * len(ways) - 3


async def test_over_websocket_it_is_an_error_of_that_operation() -> None:
    async with world({"gateway_rate_requests": 1}, gate=NameGate()) as gateway:
        socket = await connect(gateway.app, headers={"x-name": "ann"})
        for id_ in ("1", "2"):
            await socket.say({"id": id_, "type": "subscribe", "payload": {"query": "{ __typename }"}})
        errors = refusal("GATEWAY_RATE_REQUESTS", 1, 0, 1, 120)["errors"]
        assert socket.heard() == [
            {"id": "1", "type": "next", "payload": {"data": {"__typename": "Query"}}},
            {"id": "1", "type": "complete"},
            {"id": "2", "type": "error", "payload": errors},
        ]
        await socket.leave()


async def test_an_operation_is_refused_for_what_it_could_cause_before_any_call() -> None:
    async with world({"gateway_rate_upstream_calls": 3}, gate=NameGate()) as gateway:
        as_caller(gateway, "ann")
        one, two, three = gateway.sandbox.prism.scan_ids("READY")[:3]
        query = "query ($ids: [ID!]!) { scansById(scanIds: $ids) { assetUrls { model } } }"
        await gateway.data(query, ids=[one, two])
        assert len(gateway.calls) == 2
        answer = await gateway.execute(query, ids=[two, three])
        assert answer == refusal("GATEWAY_RATE_UPSTREAM_CALLS", 3, 1, 2, 90)
        response = await gateway.client.post(
            "/graphql", json={"query": query, "variables": {"ids": [two, three]}}, headers=gateway.headers
        )
        assert (response.status_code, response.headers["retry-after"], gateway.calls) == (429, "90", [])
        as_caller(gateway, "bob")
        await gateway.data(query, ids=[two, three])


async def test_objects_have_a_budget_too_and_a_refusal_takes_nothing_of_the_other() -> None:
    limits = {"gateway_rate_objects": 120, "gateway_rate_upstream_calls": 50}
    async with world(limits, gate=NameGate()) as gateway:
        as_caller(gateway, "ann")
        await gateway.data("{ assets(first: 100) { nodes { assetId } } }")
        before = await left(gateway)
        answer = await gateway.execute("{ assets(first: 90) { nodes { assetId } } }")
        assert answer["errors"][0]["extensions"]["limit"] == "GATEWAY_RATE_OBJECTS"
        after = await left(gateway)
        assert (before["upstreamCalls"], after["upstreamCalls"]) == (49, 49)


async def test_calls_that_were_not_made_are_given_back_and_kept_answers_cost_nothing() -> None:
    async with world({"gateway_rate_upstream_calls": 100, "gateway_rate_objects": 100}, gate=NameGate()) as gateway:
        as_caller(gateway, "ann")
        scan_id = gateway.sandbox.prism.scan_ids("READY")[0]
        costs = "query ($id: ID!) { scan(scanId: $id) { status assets { isReady } } }"
        await gateway.data(costs, id=scan_id)  # the record embeds the stages: one call where two were to be feared
        assert [len(gateway.calls), await left(gateway)] == [
            1,
            {"requests": 1_198, "upstreamCalls": 99, "objects": 98},
        ]
        await gateway.data(costs, id=scan_id)
        assert await left(gateway) == {"requests": 1_196, "upstreamCalls": 99, "objects": 97}


async def test_calls_that_failed_were_made() -> None:
    async with world({"gateway_rate_upstream_calls": 100}, gate=NameGate()) as gateway:
        as_caller(gateway, "ann")
        gateway.sandbox.faults.add(Fault(upstream="prism", status=500))
        await gateway.execute(URLS, id="scan")
        made = len(gateway.calls)
        assert made > 0
        assert (await left(gateway))["upstreamCalls"] == 100 - made


async def test_what_a_followed_scan_costs_is_counted_and_loses_no_change() -> None:
    async with world({"gateway_rate_upstream_calls": 3}, gate=NameGate()) as gateway:
        scan_id = moving(gateway)
        socket = await connect(gateway.app, headers={"x-name": "ann"})
        query = "subscription ($id: ID!) { scanUpdated(scanId: $id) { status assetUrls { model } } }"
        await socket.say({"id": "1", "type": "subscribe", "payload": {"query": query, "variables": {"id": scan_id}}})
        await gateway.clock.run(60)
        states = [message["payload"] for message in socket.heard() if message["type"] == "next"]
        assert [state for state in states if "errors" in state] == []
        assert states[-1]["data"]["scanUpdated"]["status"] == "READY"
        assert len(states) > 3
        as_caller(gateway, "ann")
        assert (await left(gateway))["upstreamCalls"] == 0
        await socket.leave()


async def test_anyone_is_limited_where_a_setting_says_so_and_only_there() -> None:
    async with world() as gateway:
        assert set(gateway.gateway.rates.left(ANYONE).values()) == {None}
        for _ in range(1_300):
            assert gateway.gateway.rates.takes(ANYONE)
    async with world({"gateway_rate_requests": 1}) as gateway:
        await gateway.data("{ __typename }")
        assert await gateway.execute("{ __typename }") == refusal("GATEWAY_RATE_REQUESTS", 1, 0, 1, 120)


def test_what_is_charged_after_a_long_silence_counts_from_then_on() -> None:
    rates = Rates(RateLimits(upstream_calls=10), clock=(clock := Clock()))
    ann = Caller("ann")
    rates.spend(ann, 1, 1)
    clock.advance(600)
    rates.charge(ann, 4, 1)
    assert rates.left(ann)["upstream_calls"] == (10, 6, 60)
    clock.advance(600)
    rates.charge(ann, -4, 0)
    assert rates.left(ann)["upstream_calls"] == (10, 10, 60)


@pytest.mark.parametrize("number", [0, 5])
async def test_none_is_what_zero_means(number: int) -> None:
    async with world({"gateway_rate_requests": number}, gate=NameGate()) as gateway:
        as_caller(gateway, "ann")
        refused = [(await gateway.execute("{ __typename }")).keys() == {"errors"} for _ in range(6)]
        assert sum(refused) == (number > 0)


def test_accounts_that_say_nothing_any_more_are_closed() -> None:
    clock = Clock()
    rates = Rates(RateLimits(tenant_requests=9), clock=clock)
    for number in range(5 * FEW):
        rates.takes(Caller(str(number), tenant=str(number)))
        clock.advance(3)
    assert rates.accounts <= FEW
    for number in range(3 * FEW):
        rates.takes(Caller(f"another {number}"))
    assert rates.accounts >= 3 * FEW  # none of them is forgotten within its minute


def test_of_more_accounts_than_are_kept_those_are_closed_of_which_least_was_taken() -> None:
    clock, ann = Clock(), Caller("ann")
    rates = Rates(RateLimits(upstream_calls=10), clock=clock, most=10)
    rates.spend(ann, 7, 1)
    for number in range(5 * FEW):
        rates.spend(Caller(str(number)), 1, 1)
    left = rates.left(ann)["upstream_calls"]
    assert left is not None
    assert (left.remaining, rates.accounts <= FEW) == (3, True)


def test_callers_who_are_many_and_new_have_no_more_than_their_tenant_has_left() -> None:
    rates = Rates(RateLimits(tenant_requests=3 * FEW), clock=Clock())
    assert [rates.takes(Caller(str(number))) for number in range(6 * FEW)].count(True) == 3 * FEW


def test_a_request_that_is_taken_back_is_left_to_the_tenant_too() -> None:
    rates, ann = Rates(RateLimits(tenant_requests=1), clock=Clock()), Caller("ann")
    assert rates.takes(ann)
    rates.leave(ann)
    assert (rates.takes(ann), rates.takes(Caller("bob"))) == (True, False)
