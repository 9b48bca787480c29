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
from gateway.sandbox import Fault
from tests.world import ONCE, World, world

SETTINGS = {**ONCE, "gateway_rate_upstream_calls": 100, "gateway_rate_objects": 100, "gateway_incremental": True}
ANN = Caller("ann", scopes=frozenset({"scans:read"}))
PARTS = """query ($id: ID!, $later: Boolean! = true) {
  scan(scanId: $id) { status assets { isReady } ... @defer(if: $later) { assetUrls { model } } }
}"""
COULD = 3  # the record, the stages that it may not embed, and the URLs


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
