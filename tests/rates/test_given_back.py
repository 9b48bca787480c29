"""What is given back of the upstream calls that an operation in parts, or a subscription, could have made."""

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import msgspec
import pytest

from gateway.auth.caller import Caller
from gateway.context import Context
from gateway.engine.answer import Answer, Asked
from gateway.engine.engine import Engine
from gateway.engine.incremental import Form
from gateway.engine.parts import Parts
from gateway.engine.subscriptions import AnswerStream
from gateway.sandbox import Fault
from tests.test_subscriptions import moving
from tests.world import ONCE, World, world

SETTINGS = {**ONCE, "gateway_rate_upstream_calls": 100, "gateway_rate_objects": 100, "gateway_incremental": True}
ANN, BOB = (Caller(name, scopes=frozenset({"scans:read"})) for name in ("ann", "bob"))
PARTS = """query ($id: ID!, $later: Boolean! = true) {
  scan(scanId: $id) { status assets { isReady } ... @defer(if: $later) { assetUrls { model } } }
}"""
SCAN = "subscription ($id: ID!) { scanUpdated(scanId: $id) { status } }"
JOB = 'subscription { downloadJobUpdated(jobId: "x") { status } }'
COULD = 3  # the record, the stages that it may not embed, and the URLs; or a look of two, and the record of the event


@pytest.fixture
async def gateway() -> AsyncIterator[World]:
    """A gateway that limits what known callers may cause."""
    async with world(SETTINGS) as made:
        yield made


def left(gateway: World, caller: Caller = ANN) -> tuple[int, int]:
    """How many upstream calls and objects a caller has left."""
    found = gateway.gateway.rates.left(caller)
    calls, objects = found["upstream_calls"], found["objects"]
    assert calls is not None
    assert objects is not None
    return calls.remaining, objects.remaining


def ready(gateway: World) -> str:
    return gateway.sandbox.prism.scan_ids("READY")[0]


def make_context(gateway: World, caller: Caller = ANN) -> Callable[[], Context]:
    return partial(gateway.gateway.context, "test", caller)


async def in_parts(gateway: World, **variables: Any) -> Parts | Answer:
    engine: Engine = gateway.app.state.engine
    return await engine.answer_in_parts(Asked(PARTS, variables, caller=ANN), make_context(gateway), Form.BY_ID)


async def begun(gateway: World, **variables: Any) -> Parts:
    parts = await in_parts(gateway, **variables)
    assert isinstance(parts, Parts)
    return parts


async def subscribed(gateway: World, text: str, caller: Caller = ANN, **variables: Any) -> AnswerStream | bytes:
    engine: Engine = gateway.app.state.engine
    return await engine.subscribe(text, variables, None, make_context(gateway, caller))


async def followed(gateway: World, scan_id: str, caller: Caller = ANN) -> AnswerStream:
    stream = await subscribed(gateway, SCAN, caller, id=scan_id)
    assert isinstance(stream, AnswerStream)
    return stream


def error_of(refused: AnswerStream | bytes) -> dict[str, Any]:
    """The only error of a subscription that is refused, in one."""
    assert isinstance(refused, bytes)
    answer = msgspec.json.decode(refused)
    (error,) = answer.pop("errors")
    assert answer == {"data": None}
    return {"message": error["message"], "path": error["path"], **error["extensions"]}


async def test_parts_give_back_what_they_did_not_call_with_the_last_of_them_and_once(gateway: World) -> None:
    parts = await begun(gateway, id=ready(gateway))
    assert msgspec.json.decode(await anext(parts)) == {
        "data": {"scan": {"status": "READY", "assets": {"isReady": True}}},
        "pending": [{"id": "0", "path": ["scan"]}],
        "hasNext": True,
    }
    assert left(gateway)[0] == 100 - COULD
    last = msgspec.json.decode(await anext(parts))
    assert (last["completed"], last["hasNext"]) == ([{"id": "0"}], False)
    assert (left(gateway)[0], len(gateway.calls)) == (98, 2)
    for _ in range(2):
        await parts.aclose()
    assert left(gateway)[0] == 98


@pytest.mark.parametrize("read", [0, 1, 2])
async def test_parts_that_are_closed_give_back_what_they_had_not_called_yet(gateway: World, read: int) -> None:
    gateway.sandbox.faults.add(Fault(upstream="prism", path="asset-urls", delay=60))
    parts = await begun(gateway, id=ready(gateway))
    for _ in range(read):
        waiting = asyncio.ensure_future(anext(parts))
        await asyncio.wait([waiting], timeout=0.05)
        waiting.cancel()
        await asyncio.wait([waiting])
    assert left(gateway)[0] == 100 - COULD
    for _ in range(2):
        await parts.aclose()
    assert (left(gateway)[0], len(gateway.calls)) == (98, 2)


async def test_who_leaves_before_the_first_part_is_given_back_what_was_not_called_yet(gateway: World) -> None:
    gateway.sandbox.faults.add(Fault(upstream="prism", delay=60))
    asking = asyncio.ensure_future(in_parts(gateway, id=ready(gateway)))
    await asyncio.wait([asking], timeout=0.05)
    made = len(gateway.calls)
    assert left(gateway)[0] == 100 - COULD
    asking.cancel()
    await asyncio.wait([asking])
    assert (left(gateway)[0], made < COULD) == (100 - made, True)


async def test_where_nothing_is_deferred_after_all_the_whole_answer_gives_back_what_it_did_not_call(
    gateway: World,
) -> None:
    answer = await in_parts(gateway, id=ready(gateway), later=False)
    assert isinstance(answer, Answer)
    assert (left(gateway)[0], len(gateway.calls)) == (98, 2)
    engine: Engine = gateway.app.state.engine
    asked = Asked(PARTS, {"id": ready(gateway)}, caller=ANN)
    assert answer.body == (await engine.answer(asked, make_context(gateway))).body


async def test_a_subscription_that_is_refused_for_scopes_is_counted_once_and_calls_nothing(gateway: World) -> None:
    assert error_of(await subscribed(gateway, JOB)) == {
        "message": "This needs the scope `downloads:read` or `downloads:write`, which the caller does not have.",
        "path": ["downloadJobUpdated"], "code": "FORBIDDEN", "requestId": "test",
    }  # fmt: skip
    assert (left(gateway), gateway.calls) == ((100, 99), [])


async def test_who_begins_to_follow_is_given_back_all_but_the_call_of_the_first_look(gateway: World) -> None:
    scan_id = moving(gateway)
    streams = [await followed(gateway, scan_id, caller) for caller in (ANN, BOB)]
    assert (left(gateway), left(gateway, BOB), len(gateway.calls)) == ((99, 99), (100, 99), 1)
    for stream in streams:
        assert msgspec.json.decode(await anext(stream)) == {"data": {"scanUpdated": {"status": "CREATED"}}}
    await gateway.clock.run(10)
    assert len(gateway.calls) > 1
    assert (left(gateway)[0], left(gateway, BOB)[0]) == (99, 100)
    for stream in streams:
        await stream.aclose()


async def test_a_subscription_that_fails_as_it_begins_is_given_back_what_it_did_not_call(gateway: World) -> None:
    assert error_of(await subscribed(gateway, SCAN, id="x")) == {
        "message": "Prism has no such scan.", "path": ["scanUpdated"], "upstream": "prism", "upstreamStatus": 404,
        "code": "NOT_FOUND", "retryable": False, "requestId": "test",
    }  # fmt: skip
    assert (left(gateway), len(gateway.calls)) == ((99, 99), 1)


async def test_who_leaves_before_a_subscription_has_begun_is_given_back_what_was_not_called_yet(gateway: World) -> None:
    gateway.sandbox.faults.add(Fault(upstream="prism", delay=60))
    opening = asyncio.ensure_future(followed(gateway, moving(gateway)))
    await asyncio.wait([opening], timeout=0.05)
    assert left(gateway) == (100 - COULD, 99)
    opening.cancel()
    await asyncio.wait([opening])
    assert (left(gateway), len(gateway.calls)) == ((99, 99), 1)
