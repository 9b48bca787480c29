"""Answers in parts against whole ones: merged by a client they are the same, and nothing is fetched twice for them."""

import asyncio
from collections import Counter
from random import Random
from typing import Any

import httpx
import msgspec
import pytest

from gateway.engine.answer import Answer, Asked
from gateway.engine.engine import Engine
from gateway.engine.incremental import Form
from gateway.engine.operations import Operations
from gateway.federation import subgraph
from gateway.process import create_gateway
from gateway.sandbox import Sandbox
from tests.engine.documents import Damaging
from tests.engine.merging import Merged, merged
from tests.engine.operations import DeferringMaker, variable_values
from tests.engine.test_differential import Side, Sides
from tests.world import ONCE, Clock, settings_for

pytestmark = pytest.mark.uncovered

OPERATIONS = 150
CASES_AN_OPERATION = 2
SCHEMA = subgraph(is_incremental=True)._schema  # noqa: SLF001 - graphql-core's own


class Sorting(Damaging):
    """Takes the ids of a bulk call in one order, whatever was deferred of them."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/get-bulk"):
            body = {"assetIds": sorted(msgspec.json.decode(request.content)["assetIds"])}
            headers = {name: value for name, value in request.headers.items() if name != "content-length"}
            request = httpx.Request(request.method, request.url, headers=headers, json=body)
        return await super().handle_async_request(request)


def side(sandbox: Sandbox) -> Side:
    transport = Sorting(httpx.ASGITransport(app=sandbox.app))
    gateway = create_gateway(
        settings_for(sandbox, gateway_cache_bytes=0, **ONCE),
        transports={"prism": transport, "scenario": transport},
        clock=Clock(),
    )
    return Side(Engine(SCHEMA, Operations(SCHEMA)), transport, gateway)


async def in_parts(side: Side, asked: Asked, form: Form, seed: int) -> tuple[Merged, bool, list[Any]]:
    """The merged answer, whether it came in parts, and the upstream calls in an order of their own."""
    side.transport.seed = seed
    side.transport.calls.clear()
    answers = await side.engine.answer_in_parts(asked, lambda: side.gateway.context("request"), form)
    if isinstance(answers, Answer):
        whole = msgspec.json.decode(answers.body)
        return Merged(whole.get("data", "refused"), whole.get("errors", [])), False, sorted(side.transport.calls)
    answer = merged([msgspec.json.decode(part) async for part in answers])
    await answers.aclose()
    return answer, True, sorted(side.transport.calls)


def known(errors: list[Any]) -> list[Any]:
    """Errors once each, in an order of their own: a fragment repeats, at its own locations, what others had."""
    told = [{name: value for name, value in error.items() if name != "locations"} for error in errors]
    return sorted({msgspec.json.encode(error): error for error in told}.values(), key=msgspec.json.encode)


def only_stages_more(calls: list[Any], whole_calls: list[Any]) -> bool:
    """Whether only stages were fetched besides, each once, which the record that another part waits for embeds.

    A streamed list's items come a step later than its first ones, and what they want is loaded apart.
    """
    more = set(calls) - set(whole_calls)
    return len(calls) == len(whole_calls) + len(more) and all(url.endswith("/scan-assets") for _, url, _ in more)


@pytest.mark.parametrize("form", Form)
async def test_parts_merge_into_the_whole_answer(form: Form) -> None:
    sides, seen = Sides(), Counter[str]()
    ours, theirs = side(sides.sandbox), side(sides.sandbox)
    ids = [id_ for some in sides.ids.values() for id_ in some]
    random = Random(form.value)
    while seen["operations"] < OPERATIONS:
        operation = DeferringMaker(SCHEMA, random, sides.ids).operation()
        if ours.engine.operations.find(operation.text).errors:
            continue
        seen["operations"] += 1
        for _ in range(CASES_AN_OPERATION):
            variables, seed = variable_values(operation, random, ids), random.randrange(10**9)
            answer, came_in_parts, calls = await in_parts(ours, Asked(operation.text, variables), form, seed)
            data, errors, whole_calls = await theirs.answer(operation, variables, seed)
            case = (operation.text, variables, seed)
            assert calls == whole_calls or only_stages_more(calls, whole_calls), case
            assert asyncio.all_tasks() == {asyncio.current_task()}, case
            seen["in parts"] += came_in_parts
            # A fragment that is null spares what stands around it, as no whole answer does.
            if calls == whole_calls and not answer.failed:
                seen["compared"] += 1
                assert answer.data == msgspec.json.decode(data), case
                assert known(answer.errors) == known(errors), case
    assert seen["in parts"] > OPERATIONS / 2
    assert seen["compared"] > OPERATIONS * CASES_AN_OPERATION * 0.9
