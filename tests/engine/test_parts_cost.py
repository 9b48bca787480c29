"""An answer in parts costs what its parts come to, however few fields the document writes down."""

import json
from typing import Any

import pytest
from graphql import get_introspection_query

from gateway.auth.caller import Caller
from gateway.engine.answer import Answer, Asked
from gateway.engine.engine import Engine
from gateway.engine.incremental import Form
from gateway.engine.parts import Parts
from gateway.errors import RateLimited
from tests.test_limits import refused
from tests.world import ONCE, World, world

SETTINGS = {**ONCE, "gateway_incremental": True, "gateway_rate_objects": 2_000}
ANN = Caller("ann", scopes=frozenset({"*"}))
PAGE = "{ assets(first: 500) { nodes { assetId } } }"
TWICE = '{ ...A @defer(label: "1") ...A @defer(label: "2") } fragment A on Query '


async def ask(gateway: World, query: str, form: Form, **variables: Any) -> Parts | Answer:
    engine: Engine = gateway.app.state.engine
    asked = Asked(query, variables, caller=ANN)
    return await engine.answer_in_parts(asked, lambda: gateway.gateway.context("test", ANN), form)


async def spent(gateway: World, query: str, form: Form) -> int:
    """How many objects an answer in parts took of its caller's account."""
    before = left(gateway)
    parts = await ask(gateway, query, form)
    await read(parts)
    return before - left(gateway)


async def read(parts: Parts | Answer) -> None:
    assert isinstance(parts, Parts)
    async for _ in parts:
        pass
    await parts.aclose()


async def refusal(gateway: World, query: str, form: Form, **variables: Any) -> Any:
    """The whole answer to what is refused, which costs nothing."""
    before = left(gateway), gateway.gateway.rates.left(ANN)["upstream_calls"]
    answer = await ask(gateway, query, form, **variables)
    assert isinstance(answer, Answer)
    assert before == (left(gateway), gateway.gateway.rates.left(ANN)["upstream_calls"])
    whole = json.loads(answer.body)
    whole["errors"][0]["extensions"].pop("requestId")
    return whole


def left(gateway: World) -> int:
    found = gateway.gateway.rates.left(ANN)["objects"]
    assert found is not None
    return found.remaining


@pytest.mark.parametrize(
    ("query", "by_path", "by_id"),
    [
        ("{ assets(first: 9) { nodes { assetId } ... @defer { pageInfo { hasNextPage } } } }", 10 + 1, 10 + 1),
        ("{ assets(first: 9) { nodes { assetId ... @defer { url } } } }", 10 + 9, 10 + 9),
        ("{ assets(first: 9) { nodes { assetId ... @defer(if: false) { url } } } }", None, None),
        ("{ assets(first: 9) { nodes @stream { assetId } } }", 10 + 1, 10 + 1),
        ("{ assets(first: 9) { nodes { a: tags @stream b: tags @stream } } }", 10 + 3 * 9, 10 + 3 * 9),
        ("{ assets(first: 9) { nodes { tags @stream(if: false) } } }", None, None),
        (TWICE + "{ assets(first: 9) { nodes { assetId } } }", 2 * 10 + 2, 10 + 2),
        (TWICE + "{ assets(first: 9) { nodes { ... @defer { url } } } }", 2 * (10 + 9) + 2, 10 + 2 * 9 + 2),
    ],
)
async def test_each_part_is_an_object_and_by_path_has_all_that_its_fragment_selects(
    query: str, by_path: int | None, by_id: int | None
) -> None:
    async with world(SETTINGS) as gateway:
        for form, objects in ((Form.BY_PATH, by_path), (Form.BY_ID, by_id)):
            if objects is None:
                assert isinstance(await ask(gateway, query, form), Answer)
            else:
                assert await spent(gateway, query, form) == objects


@pytest.mark.parametrize("form", Form)
async def test_who_asks_for_too_many_parts_is_refused_before_any_call(form: Form) -> None:
    spreads = " ".join(f'...A @defer(label: "{number}")' for number in range(45))
    query = f"{{ assets(first: 250) {{ nodes {{ {spreads} }} }} }} fragment A on Asset {{ assetId }}"
    async with world(SETTINGS) as gateway:
        assert await refusal(gateway, query, form) == refused("GATEWAY_MAX_OBJECTS", 10_000, 251 + 45 * 250)
        assert gateway.calls == []


async def test_fragments_that_double_in_each_other_are_refused_for_the_fields_that_they_come_to() -> None:
    doubled = "".join(
        f' fragment F{at} on Asset {{ parent {{ ...F{at + 1} @defer(label: "a{at}") ...F{at + 1} @defer }} }}'
        for at in range(12)
    )
    query = f'{{ asset(assetId: "a") {{ ...F0 }} }} {doubled} fragment F12 on Asset {{ id }}'
    async with world(SETTINGS) as gateway:
        assert await refusal(gateway, query, Form.BY_PATH) == refused("GATEWAY_MAX_FIELDS", 1_000, 2**13)


async def test_by_path_the_schema_may_be_asked_for_whole_once_and_no_oftener() -> None:
    selected = get_introspection_query().partition("{")[2]
    async with world(SETTINGS) as gateway:
        once = "{ __typename ...A @defer } fragment A on Query {" + selected
        await read(await ask(gateway, once, Form.BY_PATH))
        await read(await ask(gateway, TWICE + "{" + selected, Form.BY_ID))
        assert await refusal(gateway, TWICE + "{" + selected, Form.BY_PATH) == refused(
            "GATEWAY_MAX_INTROSPECTION", 10_000
        )


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize("nodes", ["nodes @stream(if: $later) { url }", "nodes { ... @defer(if: $later) { url } }"])
async def test_a_null_for_whether_anything_comes_later_is_one_error_of_the_request(nodes: str, form: Form) -> None:
    query = f"query ($later: Boolean) {{ assets(first: 9) {{ {nodes} }} }}"
    async with world(SETTINGS) as gateway:
        whole = await refusal(gateway, query, form, later=None)
        assert list(whole) == ["errors"]
        ((code, path),) = [(error["extensions"]["code"], error.get("path")) for error in whole["errors"]]
        assert (code, path) == ("BAD_USER_INPUT", None)
        assert gateway.calls == []


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize("initial", [0, 2, 250])
async def test_what_the_later_items_of_a_long_list_lead_to_is_loaded_together(initial: int, form: Form) -> None:
    query = "{ assets(first: 500) { nodes @stream(initialCount: $count) { parent { assetId } } } }"
    async with world({**SETTINGS, "gateway_cache_bytes": 0}) as gateway:
        page = [node["assetId"] for node in (await gateway.data(PAGE))["assets"]["nodes"]]
        assets = gateway.sandbox.scenario.assets
        for child, parent in zip(page, sorted({*gateway.asset_ids} - {*page}), strict=False):
            assets[child] = {**assets[child], "metadata": {**assets[child]["metadata"], "parentId": parent}}
        gateway.forget_calls()
        await read(await ask(gateway, query.replace("$count", str(initial)), form))
        bulks = -(-initial // 200) + -(-(500 - initial) // 200)
        assert [path for _, path in gateway.calls] == ["/assets"] * 5 + ["/assets/get-bulk"] * bulks


async def test_who_has_too_little_left_for_the_parts_is_refused_and_has_lost_nothing() -> None:
    query = TWICE + "{ assets(first: 9) { nodes { assetId } } }"
    async with world({**SETTINGS, "gateway_rate_objects": 30}) as gateway:
        assert await spent(gateway, query, Form.BY_ID) == 12
        with pytest.raises(RateLimited):
            await ask(gateway, query, Form.BY_PATH)
        assert left(gateway) == 30 - 12
