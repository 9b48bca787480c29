"""Operations are prepared once; what is planned, what is not, and what leaves its plan."""

import asyncio
import gc
import json

import pytest
from graphql import get_introspection_query
from graphql.execution.values import VariableValues

from gateway.bench.upstream import Recorded
from gateway.cache.document import FRAGMENT_OVERHEAD, Document
from gateway.engine.answer import Asked
from gateway.engine.operation import MAX_VARIANTS
from gateway.engine.operations import Operations
from gateway.engine.plan import FieldPlan, Run
from gateway.engine.structs import let_go, merged, page_of, struct_of
from gateway.graph.ids import global_id
from gateway.graph.promise import Promise
from gateway.sandbox import Fault
from gateway.schema import schema
from tests.world import Clock, World, world

GRAPHQL = schema._schema  # noqa: SLF001 - graphql-core's own


def counts(gateway: World) -> dict[str, int]:
    """How many operations were answered in which way since the last look."""
    counted = gateway.app.state.engine.counts
    seen = dict(counted)
    counted.clear()
    return seen


def test_an_operation_is_prepared_once_and_the_least_recently_asked_goes_first() -> None:
    operations = Operations(GRAPHQL, most=2)
    first = operations.find("{ a: __typename }")
    operations.find("{ b: __typename }")
    assert operations.find("{ a: __typename }") is first
    operations.find("{ c: __typename }")
    assert len(operations) == 2
    assert operations.find("{ a: __typename }") is first


def test_a_thousand_operations_leave_no_more_than_may_be_kept() -> None:
    operations = Operations(GRAPHQL, most=100, most_invalid=10)
    for number in range(1_000):
        operations.find(f"{{ a{number}: __typename }}")
        operations.find(f"{{ nothing{number} }}")
    assert len(operations) == 110


def test_operations_with_large_plans_are_fewer() -> None:
    operations = Operations(GRAPHQL, most_planned=1_000)

    def plan(number: int, variants: int) -> None:
        fields = " ".join(f"a{number}_{place}: __typename" for place in range(49))
        text = f"query ($a: Boolean!, $b: Boolean!) {{ {fields} x: __typename @include(if: $a) @skip(if: $b) }}"
        (operation,) = operations.find(text).operations
        for variant in range(variants):
            operation.plan(VariableValues({}, {"a": variant % 2 > 0, "b": variant > 1}))

    for number in range(100):
        plan(number, 1)
    assert 17 <= len(operations) <= 19
    for number in range(100, 200):
        plan(number, 4)
    assert 4 <= len(operations) <= 5


def test_an_invalid_operation_is_remembered_for_a_while() -> None:
    clock = Clock(0.0)
    operations = Operations(GRAPHQL, clock=clock)
    first = operations.find("{ nothing }")
    assert first.errors
    clock.advance(9)
    assert operations.find("{ nothing }") is first
    clock.advance(2)
    assert operations.find("{ nothing }") is not first


async def test_other_variables_are_the_same_operation_and_the_same_plan(gateway: World) -> None:
    query = "query ($id: ID!) { scan(scanId: $id) { scanId } }"
    for id_ in ("a", "b"):
        assert await gateway.data(query, id=id_) == {"scan": {"scanId": id_}}
    (operation,) = gateway.app.state.engine.operations.find(query).operations
    assert len(operation.plans) == 1


async def test_what_is_skipped_or_included_makes_a_plan_of_its_own_up_to_a_bound(gateway: World) -> None:
    names = [f"v{number}" for number in range(6)]
    fields = " ".join(f"a{name}: scanId @include(if: ${name})" for name in names)
    query = f'query ({" ".join(f"${n}: Boolean!" for n in names)}) {{ scan(scanId: "s") {{ __typename {fields} }} }}'
    for choice in range(64):
        chosen = {name: bool(choice >> place & 1) for place, name in enumerate(names)}
        expected = {"__typename": "Scan"} | {f"a{name}": "s" for name in names if chosen[name]}
        assert await gateway.data(query, **chosen) == {"scan": expected}
    (operation,) = gateway.app.state.engine.operations.find(query).operations
    assert len(operation.plans) == MAX_VARIANTS
    assert counts(gateway) == {"planned": MAX_VARIANTS, "unplanned": 64 - MAX_VARIANTS}


async def test_what_no_plan_is_made_for_is_answered_by_graphql_core(gateway: World) -> None:
    query = 'mutation { unlockAsset(input: { assetId: "a" }) { lockId: userErrors { code } } }'
    assert "data" in await gateway.execute(query)
    assert counts(gateway) == {"unplanned": 1}


async def test_the_schema_is_told_by_a_plan_like_all_else(gateway: World) -> None:
    assert "data" in await gateway.execute(get_introspection_query())
    assert counts(gateway) == {"planned": 1}


async def test_what_may_be_of_several_types_is_planned_for_each_of_them(gateway: World) -> None:
    scan_id, asset_id = gateway.sandbox.prism.scan_ids("READY")[0], gateway.asset_ids[0]
    query = """query ($id: ID!, $ids: [ID!]!) {
      node(id: $id) { ... on Scan { status } ... on Asset { mimeType } }
      nodes(ids: $ids) { __typename ... on Asset { assetId } ... on DownloadJob { jobId } }
    }"""
    ids = [global_id("Scan", scan_id), global_id("Asset", asset_id), global_id("Asset", "nothing")]
    assert await gateway.data(query, id=ids[0], ids=ids) == {
        "node": {"status": "READY"},
        "nodes": [{"__typename": "Scan"}, {"__typename": "Asset", "assetId": asset_id}, None],
    }
    assert counts(gateway) == {"planned": 1}


async def test_a_part_of_a_document_that_a_resolver_gives_is_planned_too(gateway: World) -> None:
    scan = {"weight": {"value": 71.5, "unit": "kg", "scale": 3}, "height": {}}
    gateway.sandbox.faults.add(Fault(upstream="prism", status=200, body=json.dumps(scan)))
    query = '{ scan(scanId: "s") { weight { value unit __typename } height { value unit } } }'
    weight = {"value": 71.5, "unit": "KG", "__typename": "Weight"}
    assert await gateway.data(query) == {"scan": {"weight": weight, "height": {"value": None, "unit": None}}}
    assert counts(gateway) == {"planned": 1}


async def test_a_document_that_cannot_be_had_is_planned_too(gateway: World) -> None:
    gateway.sandbox.faults.add(Fault(upstream="prism", status=503))
    answer = await gateway.execute('{ scan(scanId: "s") { assets { isReady } } assets { nodes { assetId } } }')
    assert answer["data"]["scan"] == {"assets": None}
    assert len(answer["data"]["assets"]["nodes"]) == 50
    assert counts(gateway) == {"planned": 1}


@pytest.mark.parametrize(
    "text",
    [
        "query ($v: Boolean = true) { __typename @skip(if: $v) }",
        'query ($v: Boolean = true) { scan(scanId: "a") { scanId @include(if: $v) } }',
        "query ($v: Boolean) { __schema { types { fields(includeDeprecated: $v) { name } } } }",
        "query ($v: Boolean = true) { __schema { types { fields { type { ofType { name @skip(if: $v) } } } } } }",
    ],
)
async def test_a_null_that_would_be_an_error_of_every_object_is_one_of_the_request(text: str, gateway: World) -> None:
    message = "Variable '$v' is null, where @skip, @include or includeDeprecated take true or false."
    refused = {"errors": [{"message": message, "extensions": {"code": "BAD_USER_INPUT"}}]}
    assert await gateway.execute(text, v=None) == refused
    assert "errors" not in await gateway.execute(text, v=False)
    assert "errors" not in await gateway.execute(text)


async def test_a_variable_steers_the_operation_that_it_is_of_and_no_other(gateway: World) -> None:
    text = """
      query A($v: Boolean!) { viewer { ...F } }
      query B($v: [ID!]!) { nodes(ids: $v) { id ...G } }
      query C($v: String) { assets(first: 1, after: $v) { pageInfo { hasPreviousPage } } }
      fragment F on Viewer { ...H tenant }
      fragment H on Viewer { id @skip(if: $v) }
      fragment G on Node { __typename }
    """

    async def data(name: str, v: object) -> object:
        body = {"query": text, "operationName": name, "variables": {"v": v}}
        answer: dict[str, object] = (await gateway.client.post("/graphql", json=body)).json()
        return answer.get("data")

    assert await data("A", v=True) == {"viewer": {"tenant": "default"}}
    assert await data("B", v=[]) == {"nodes": []}
    assert await data("C", v=None) == {"assets": {"pageInfo": {"hasPreviousPage": False}}}
    steering = [operation.steering for operation in gateway.app.state.engine.operations.find(text).operations]
    assert steering == [("v",), (), ()]


async def test_a_value_of_the_wrong_type_leaves_the_plan_and_costs_no_second_call(gateway: World) -> None:
    asset = {"id": "a", "mimeType": 7, "outputIndex": "x", "name": None}
    gateway.sandbox.faults.add(Fault(status=200, body=json.dumps({"asset": asset})))
    answer = await gateway.execute('{ asset(assetId: "a") { assetId mimeType outputIndex } }')
    assert answer["data"] == {"asset": {"assetId": "a", "mimeType": "7", "outputIndex": None}}
    assert counts(gateway) == {"left": 1}
    assert gateway.calls == [("GET", "/assets/a")]


async def test_a_plan_left_at_one_member_of_a_page_loads_no_other_member_s_links_apart(gateway: World) -> None:
    ids = gateway.asset_ids[:2]
    members = [
        {"id": "a", "mimeType": "image/png", "metadata": {"rootParentId": ids[0]}},
        {"id": "b", "mimeType": 7, "metadata": {"rootParentId": ids[1]}},
    ]
    gateway.sandbox.faults.add(Fault(path="/assets$", status=200, body=json.dumps({"assets": members})))
    answer = await gateway.execute("{ assets(first: 2) { nodes { mimeType root { assetId } } } }")
    nodes = [{"mimeType": "image/png", "root": {"assetId": ids[0]}}, {"mimeType": "7", "root": {"assetId": ids[1]}}]
    assert answer["data"] == {"assets": {"nodes": nodes}}
    assert counts(gateway) == {"left": 1}
    assert gateway.calls == [("GET", "/assets"), ("POST", "/assets/get-bulk")]


async def test_without_plans_graphql_core_answers_everything() -> None:
    async with world({"gateway_plans": False}) as gateway:
        assert await gateway.data('{ scan(scanId: "s") { scanId } }') == {"scan": {"scanId": "s"}}
        assert counts(gateway) == {}


async def test_a_fragment_is_made_once_for_all_who_select_the_same(gateway: World) -> None:
    scan_id = gateway.sandbox.prism.scan_ids("READY")[0]
    query = f'{{ scan(scanId: "{scan_id}") {{ assets {{ isReady }} }} }}'
    await gateway.data(query)
    prism = gateway.sources.prism
    document = prism.kept(prism.kinds.scan_assets, scan_id)
    assert document is not None
    made = dict(document.made)
    await gateway.data(query)
    assert made
    assert document.made == made


def test_what_is_made_of_a_document_stays_within_the_bytes_that_it_counts_for() -> None:
    document = Document("asset", "a", b"x" * 100, 0, 0, 0)
    document.keep_fragment(0, b"y")
    assert document.made == {}  # as long as nobody keeps it
    document.tenure.begin()
    for number in range(10):
        document.keep_fragment(number, b"y" * 30)
    kept = [value for value in document.made.values() if isinstance(value, bytes)]
    assert len(kept) == 4
    assert sum(len(fragment) + FRAGMENT_OVERHEAD for fragment in kept) <= document.size - 101
    assert document.size == 1_201


@pytest.mark.parametrize("text", ["{" * 990, "{ a " * 490])
async def test_a_document_nested_beyond_reading_is_an_error_of_its_own(gateway: World, text: str) -> None:
    answer = await gateway.execute(text)
    assert "data" not in answer
    assert answer["errors"][0]["extensions"]["code"] in {"GRAPHQL_PARSE_FAILED", "GRAPHQL_VALIDATION_FAILED"}


@pytest.mark.parametrize(
    "query",
    [
        'query ($cold: ID!) { assetsById(assetIds: [$cold, "bad"]) { mimeType } }',
        'query ($cold: ID!) { a: assetsById(assetIds: [$cold]) { mimeType } b: asset(assetId: "bad") { mimeType } }',
        'query ($cold: ID!) { a: asset(assetId: $cold) { assetId } b: asset(assetId: "bad") { mimeType } }',
    ],
)
async def test_a_plan_that_is_left_leaves_nothing_behind_that_nobody_awaits(gateway: World, query: str) -> None:
    bad = json.dumps({"asset": {"id": "bad", "mimeType": 7}})
    gateway.sandbox.faults.add(Fault(path="/bad$", status=200, body=bad))
    await gateway.data('{ asset(assetId: "bad") { assetId } }')
    counts(gateway)
    await gateway.data(query, cold=gateway.asset_ids[0])
    gc.collect()  # a coroutine that nobody awaited warns when it is collected, and warnings are errors
    assert counts(gateway) == {"left": 1}


async def test_what_arrives_as_a_request_is_given_up_begins_nothing_more() -> None:
    run, begun = Run(None, VariableValues({}, {})), list[str]()
    arriving = asyncio.get_running_loop().create_future()
    run.later(Promise(arriving, str), lambda read, future: begun.append(read(future.result())))
    ending = asyncio.ensure_future(run.end())
    await asyncio.sleep(0)
    ending.cancel()
    arriving.set_result("a document")  # in the same step, before whoever waits knows that it is over
    with pytest.raises(asyncio.CancelledError):
        await ending
    await asyncio.sleep(0)
    assert begun == []


async def test_a_request_leaves_nothing_to_the_garbage_collector() -> None:
    async with world({"gateway_cache_bytes": 0}) as gateway:
        scan_id = gateway.sandbox.prism.scan_ids("READY")[0]
        engine, context = gateway.app.state.engine, gateway.gateway.context
        text = f"""{{
            scan(scanId: "{scan_id}") {{ status assets {{ isReady }} assetUrls {{ model }} }}
            asset(assetId: "{gateway.asset_ids[0]}") {{ url }}
            assets(first: 2) {{ nodes {{ assetId }} }} }}"""
        for upstream in (gateway.sources.prism.upstream, gateway.sources.scenario.upstream):
            upstream.channel = Recorded(upstream.channel)  # httpx and the sandbox leave some themselves
        for _ in range(3):
            await engine.answer(Asked(text), lambda: context("request"))
        gc.collect()
        gc.disable()
        for _ in range(10):
            await engine.answer(Asked(text), lambda: context("request"))
        await asyncio.sleep(0)
        left = gc.collect()
        gc.enable()
        assert left == 0


def plans() -> int:
    """How many fields' plans there are, also those that only the garbage collector would find."""
    return sum(isinstance(one, FieldPlan) for one in gc.get_objects())


def structs() -> int:
    """How many structs were made so far."""
    return let_go() + sum(made.cache_info().currsize for made in (struct_of, page_of, merged))


async def test_operations_that_are_let_go_wait_for_no_garbage_collection() -> None:
    async with world({"gateway_operations": 2}) as gateway:

        async def ask(alias: str) -> None:
            text = f"""query ($scanId: ID!, $assetId: ID!) {{
                scan(scanId: $scanId) {{ assets {{ {alias}: isReady body {{ status }} }} }}
                asset(assetId: $assetId) {{ {alias}: kind url }}
                assets(first: 2) {{ nodes {{ {alias}: name }} }} }}"""
            scan_id = gateway.sandbox.prism.scan_ids("READY")[0]
            await gateway.data(text, scanId=scan_id, assetId=gateway.asset_ids[0])

        await ask("first")
        await ask("second")
        gc.collect()
        before = plans(), structs()
        gc.disable()
        try:
            for number in range(10):
                await ask(f"n{number}")
            assert (plans(), structs()) == before
        finally:
            gc.enable()
