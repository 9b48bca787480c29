"""The parts of an answer in both forms, and what becomes of those that nobody waits for."""

import asyncio
import json
import logging
import time
from dataclasses import dataclass, field
from typing import Any

import pytest
import strawberry
from strawberry.schema.config import StrawberryConfig

from gateway.cache.flight import Waiting
from gateway.engine.answer import Answer, Asked
from gateway.engine.engine import Engine
from gateway.engine.incremental import Form
from gateway.engine.operations import Operations
from gateway.engine.parts import Parts
from gateway.errors import UpstreamTimeout
from gateway.graph.journal import Journal
from gateway.graph.promise import Promise, promised
from tests.world import settle

REFUSED = {"code": "UPSTREAM_TIMEOUT", "upstream": "prism", "retryable": True, "requestId": "test"}


@dataclass
class Context:
    """Opens the gate that slow fields wait at, and counts those that do."""

    journal: Journal = field(default_factory=lambda: Journal("test", {}, time.time))
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    waiting: int = 0
    document: Waiting = field(default_factory=Waiting)


Info = strawberry.Info[Context, None]


def timeout() -> UpstreamTimeout:
    return UpstreamTimeout("Prism did not answer in time.", upstream="prism")


@strawberry.type
class Thing:
    number: int

    @strawberry.field
    async def slow(self, info: Info) -> int:
        info.context.waiting += 1
        try:
            await info.context.gate.wait()
        finally:
            info.context.waiting -= 1
        return self.number

    @strawberry.field
    async def slow_from_third(self, info: Info) -> int:
        if self.number > 2:
            await info.context.gate.wait()
        info.context.journal.add_error(timeout(), info.path.as_list())
        return self.number

    @strawberry.field
    def odd(self) -> int:
        if self.number % 2:
            return self.number
        raise timeout()

    @strawberry.field
    def document(self, info: Info) -> int:
        return promised(Promise(info.context.document, lambda _: self.number))

    @strawberry.field
    async def late(self) -> int:
        await asyncio.sleep(0)
        raise timeout()

    @strawberry.field
    def maybe(self) -> "Thing | None":
        return Thing(number=1)

    @strawberry.field
    def noted(self, info: Info) -> int:
        info.context.journal.add_error(timeout(), info.path.as_list())
        return self.number

    @strawberry.field
    def things(self, count: int = 3) -> list["Thing"]:
        return [Thing(number=number) for number in range(1, count + 1)]


@strawberry.type
class Query:
    @strawberry.field
    def thing(self) -> Thing:
        return Thing(number=0)


CONFIG = StrawberryConfig(enable_experimental_incremental_execution=True)
GRAPH = strawberry.Schema(Query, config=CONFIG)._schema  # noqa: SLF001 - graphql-core's own
ENGINE = Engine(GRAPH, Operations(GRAPH))


async def ask(query: str, form: Form, context: Context, **variables: Any) -> Parts | Answer:
    return await ENGINE.answer_in_parts(Asked(query, variables), lambda: context, form)


async def begin(query: str, form: Form, context: Context) -> Parts:
    parts = await ask(query, form, context)
    assert isinstance(parts, Parts)
    return parts


async def parts_of(query: str, form: Form) -> list[Any]:
    """Every part; the gate opens after the first."""
    context = Context()
    parts = await begin(query, form, context)
    answers = [json.loads(await anext(parts))]
    context.gate.set()
    answers += [json.loads(part) async for part in parts]
    await parts.aclose()
    return answers


def error(*path: str | int, line: int = 1, column: int | None = None) -> dict[str, Any]:
    place = {} if column is None else {"locations": [{"line": line, "column": column}]}
    return {"message": "Prism did not answer in time.", **place, "path": list(path), "extensions": REFUSED}


async def test_what_is_not_deferred_waits_for_nothing_that_is() -> None:
    query = '{ thing { number ... @defer(label: "later") { slow } } }'
    first = {"data": {"thing": {"number": 0}}, "hasNext": True}
    assert await parts_of(query, Form.BY_PATH) == [
        first,
        {"incremental": [{"data": {"slow": 0}, "path": ["thing"], "label": "later"}], "hasNext": False},
    ]
    assert await parts_of(query, Form.BY_ID) == [
        {**first, "pending": [{"id": "0", "path": ["thing"], "label": "later"}]},
        {"incremental": [{"data": {"slow": 0}, "id": "0"}], "completed": [{"id": "0"}], "hasNext": False},
    ]


async def test_by_path_a_fragment_has_all_of_its_fields_and_by_id_each_field_comes_once() -> None:
    query = "{ thing { things(count: 1) { number } ... @defer { things(count: 1) { number slow } } } }"
    by_path, by_id = await parts_of(query, Form.BY_PATH), await parts_of(query, Form.BY_ID)
    assert by_path[1]["incremental"] == [{"data": {"things": [{"number": 1, "slow": 1}]}, "path": ["thing"]}]
    assert by_id[1]["incremental"] == [{"data": {"slow": 1}, "id": "0", "subPath": ["things", 0]}]


async def test_a_fragment_that_fails_costs_nothing_else() -> None:
    query = "{ thing { number ... @defer { odd } ... @defer { slow } } }"
    failed = [error("thing", "odd", column=31)]
    first = {"data": {"thing": {"number": 0}}, "hasNext": True}
    slow, odd = {"data": {"slow": 0}, "path": ["thing"]}, {"data": None, "path": ["thing"], "errors": failed}
    assert await parts_of(query, Form.BY_PATH) == [first, {"incremental": [slow, odd], "hasNext": False}]
    completed = [{"id": "0", "errors": failed}, {"id": "1"}]
    assert (await parts_of(query, Form.BY_ID))[1:] == [
        {"incremental": [{"data": {"slow": 0}, "id": "1"}], "completed": completed, "hasNext": False},
    ]


async def test_a_list_is_streamed_from_its_first_items_on() -> None:
    query = '{ thing { things @stream(initialCount: 1, label: "rest") { number } } }'
    first = {"data": {"thing": {"things": [{"number": 1}]}}, "hasNext": True}
    items, path = [{"number": 2}, {"number": 3}], ["thing", "things"]
    assert await parts_of(query, Form.BY_PATH) == [
        first,
        {"incremental": [{"items": items, "path": [*path, 1], "label": "rest"}], "hasNext": False},
    ]
    assert await parts_of(query, Form.BY_ID) == [
        {**first, "pending": [{"id": "0", "path": path, "label": "rest"}]},
        {"incremental": [{"items": items, "id": "0"}], "completed": [{"id": "0"}], "hasNext": False},
    ]


@pytest.mark.parametrize("form", Form)
async def test_items_that_come_one_after_another_stand_each_in_its_own_place(form: Form) -> None:
    context = Context()
    parts = await begin("{ thing { things @stream(initialCount: 1) { a: slowFromThird } } }", form, context)
    told = [json.loads(await anext(parts)), json.loads(await anext(parts))]
    context.gate.set()
    told += [json.loads(part) async for part in parts]
    await parts.aclose()
    path = ["thing", "things"]
    assert [piece for part in told[1:] for piece in part.get("incremental", ())] == [
        {
            "items": [{"a": place + 1}],
            **({"path": [*path, place]} if form is Form.BY_PATH else {"id": "0"}),
            "errors": [error(*path, place, "a")],
        }
        for place in (1, 2)
    ]


async def test_an_item_that_fails_ends_its_list() -> None:
    query = "{ thing { things @stream(initialCount: 1) { odd } } }"
    failed = [error("thing", "things", 1, "odd", column=45)]
    assert (await parts_of(query, Form.BY_PATH))[1:] == [
        {"incremental": [{"items": None, "path": ["thing", "things", 1], "errors": failed}], "hasNext": False},
    ]
    assert (await parts_of(query, Form.BY_ID))[1:] == [
        {"completed": [{"id": "0", "errors": failed}], "hasNext": False},
    ]


@pytest.mark.parametrize("form", Form)
async def test_an_error_beside_data_comes_with_that_data(form: Form) -> None:
    query = "{ thing { noted ... @defer { late: noted slow } things @stream(initialCount: 1) { noted } } }"
    first, *rest = await parts_of(query, form)
    assert first["errors"] == [error("thing", "noted"), error("thing", "things", 0, "noted")]
    pieces = [piece for part in rest for piece in part["incremental"]]
    assert [(piece.get("items"), piece["errors"]) for piece in pieces] == [
        (None, [error("thing", "late")]),
        ([{"noted": 2}, {"noted": 3}], [error("thing", "things", place, "noted") for place in (1, 2)]),
    ]


async def test_by_path_each_fragment_has_an_error_beside_its_data_once() -> None:
    fragment = "fragment A on Thing { maybe { noted ... @defer { number } } }"
    query = f'{{ thing {{ ...A @defer(label: "1") ...A @defer(label: "2") }} }} {fragment}'
    _, *rest = await parts_of(query, Form.BY_PATH)
    pieces = [piece for part in rest for piece in part["incremental"]]
    told = [(piece.get("label"), piece.get("errors")) for piece in pieces]
    noted = [error("thing", "maybe", "noted")]
    assert sorted(told, key=str) == [("1", noted), ("2", noted), (None, None), (None, None)]


@pytest.mark.parametrize("form", Form)
async def test_an_error_beside_data_comes_with_it_below_an_object_that_was_answered_before(form: Form) -> None:
    _, part = await parts_of("{ thing { maybe { number } ... @defer { maybe { noted } } } }", form)
    (piece,) = part["incremental"]
    expected: dict[Form, Any] = {
        Form.BY_PATH: {"data": {"maybe": {"noted": 1}}, "path": ["thing"]},
        Form.BY_ID: {"data": {"noted": 1}, "id": "0", "subPath": ["maybe"]},
    }
    assert piece == {**expected[form], "errors": [error("thing", "maybe", "noted")]}


@pytest.mark.parametrize("form", Form)
async def test_an_error_beside_data_does_not_come_with_the_same_field_of_another_object(form: Form) -> None:
    query = "{ thing { a: maybe { ... @defer { noted: number } } b: maybe { ... @defer { noted } } } }"
    _, part = await parts_of(query, form)
    noted = [None, [error("thing", "b", "noted")]]
    assert [(piece["data"], piece.get("errors")) for piece in part["incremental"]] == [
        ({"noted": 1}, errors) for errors in noted
    ]


@pytest.mark.parametrize("form", Form)
async def test_an_error_beside_data_is_told_where_that_data_became_null(form: Form) -> None:
    parts = await parts_of("{ thing { number ... @defer { noted odd } } }", form)
    (failure,) = parts[1]["incremental" if form is Form.BY_PATH else "completed"]
    assert failure["errors"] == [error("thing", "odd", column=37), error("thing", "noted")]
    first, *_ = await parts_of("{ thing { maybe { noted late } ... @defer { number } } }", form)
    assert first["errors"] == [error("thing", "maybe", "late", column=25), error("thing", "maybe", "noted")]


@pytest.mark.parametrize("form", Form)
async def test_a_fragment_that_is_given_up_takes_no_other_along_that_waits_for_the_same(form: Form) -> None:
    context = Context()
    query = "{ thing { maybe { late ... @defer { document } } ... @defer { document } } }"
    parts = await begin(query, form, context)
    first = json.loads(await anext(parts))
    assert (first["data"], first["errors"]) == (
        {"thing": {"maybe": None}},
        [error("thing", "maybe", "late", column=19)],
    )
    await settle()
    assert not context.document.done()
    context.document.set_result(timeout())
    assert [piece["data"] for piece in json.loads(await anext(parts))["incremental"]] == [{"document": 0}]
    await parts.aclose()


@pytest.mark.parametrize("form", Form)
async def test_a_document_that_nobody_waits_for_any_more_is_given_up(form: Form) -> None:
    context = Context()
    parts = await begin("{ thing { number ... @defer { document } ... @defer { again: document } } }", form, context)
    await settle()
    await parts.aclose()
    assert context.document.cancelled()


@pytest.mark.parametrize("form", Form)
async def test_a_count_below_zero_is_the_clients_mistake(form: Form, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        answer = await ask("{ thing { things @stream(initialCount: -1) { number } } }", form, Context())
    assert isinstance(answer, Answer)
    (told,) = json.loads(answer.body)["errors"]
    assert (told["message"], told["extensions"]["code"], caplog.records) == (
        "`initialCount` of @stream takes 0 or more.",
        "BAD_USER_INPUT",
        [],
    )


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize(
    ("query", "data"),
    [
        ("query ($if: Boolean!) { thing { number ... @defer(if: $if) { odd: number } } }", {"number": 0, "odd": 0}),
        ("query ($if: Boolean!) { thing { number ... @defer @include(if: $if) { slow } } }", {"number": 0}),
    ],
)
async def test_where_nothing_is_deferred_after_all_the_answer_is_whole(query: str, data: Any, form: Form) -> None:
    answer = await ask(query, form, Context(), **{"if": False})
    assert isinstance(answer, Answer)
    assert (json.loads(answer.body), answer.executed, answer.cacheable) == ({"data": {"thing": data}}, True, True)
    refused = await ask(query, form, Context())
    assert isinstance(refused, Answer)
    assert (refused.executed, refused.cacheable) == (False, False)


async def test_the_whole_answer_is_planned_as_if_nothing_had_been_deferred() -> None:
    context = Context()
    context.gate.set()
    ENGINE.counts.clear()
    query = "{ thing { ...Late @defer things @stream { number } } } fragment Late on Thing { slow }"
    answer = await ENGINE.answer(Asked(query), lambda: context)
    assert json.loads(answer.body) == {
        "data": {"thing": {"slow": 0, "things": [{"number": number} for number in (1, 2, 3)]}}
    }
    assert ENGINE.counts == {"planned": 1}


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize("read", [0, 1, 2, 3])
async def test_parts_that_are_closed_leave_nothing_under_way(form: Form, read: int) -> None:
    context = Context()
    query = (
        "{ thing { ... @defer { things(count: 300) @stream { slow } } few: things(count: 2) @stream { slow number } } }"
    )
    parts = await begin(query, form, context)
    for _ in range(read):
        waiting = asyncio.ensure_future(anext(parts))
        await asyncio.wait([waiting], timeout=0.01)
        waiting.cancel()
        await asyncio.wait([waiting])
    assert (context.waiting > 0) is (read > 0)
    await parts.aclose()
    await parts.aclose()
    assert (context.waiting, asyncio.all_tasks()) == (0, {asyncio.current_task()})


@pytest.mark.parametrize("form", Form)
async def test_who_leaves_before_the_first_part_leaves_nothing_under_way(form: Form) -> None:
    context = Context()
    asking = asyncio.ensure_future(ask("{ thing { slow ... @defer { late: slow } } }", form, context))
    await settle()
    assert context.waiting == 2
    asking.cancel()
    await asyncio.wait([asking])
    assert (context.waiting, asyncio.all_tasks()) == (0, {asyncio.current_task()})


@pytest.mark.parametrize("form", Form)
async def test_a_cancelled_wait_loses_no_part(form: Form) -> None:
    context = Context()
    parts = await begin("{ thing { number ... @defer { slow } } }", form, context)
    await anext(parts)
    for _ in range(3):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(parts), 0.001)
    context.gate.set()
    assert json.loads(await anext(parts))["incremental"][0]["data"] == {"slow": 0}
    with pytest.raises(StopAsyncIteration):
        await anext(parts)
    await parts.aclose()


@pytest.mark.parametrize("directive", ["@defer", "@stream"])
def test_a_subscription_or_a_field_of_the_root_defers_nothing(directive: str) -> None:
    text = f"subscription {{ ...{directive} {{ thing }} }}"
    assert Operations(GRAPH).find(text).errors
