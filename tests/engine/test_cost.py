"""What an operation can cause is known before it is executed, and no upstream is ever called more often than that.

`COST_CASES=100000 pytest tests/engine/test_cost.py` for the long form.
"""

import os
from random import Random
from typing import Any

import httpx
import msgspec
import pytest
from graphql import GraphQLObjectType, Undefined
from graphql.execution.values import VariableValues, get_variable_values
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from strawberry.types.field import StrawberryField

from gateway.auth.caller import ANYONE, Caller
from gateway.bench.queries import make_sandbox, queries
from gateway.engine.answer import Asked
from gateway.engine.cost import cost_of
from gateway.engine.engine import Engine
from gateway.engine.leaves import BACKREF
from gateway.engine.operation import PreparedOperation
from gateway.engine.operations import Operations
from gateway.errors import AskedTooMuch
from gateway.federation import subgraph
from gateway.graph.cost import Estimate
from gateway.graph.paging import Cursors, Position
from gateway.limits import CostLimits
from gateway.process import create_gateway
from gateway.sandbox import Sandbox
from tests.callers import caller, gate
from tests.engine.operations import Maker, variable_values
from tests.engine.test_differential import SIDES
from tests.test_limits import refused
from tests.world import Clock, World, settings_for, world

GRAPHQL = subgraph()._schema  # noqa: SLF001 - graphql-core's own; the whole graph, and what a router asks
CASES = int(os.environ.get("COST_CASES", "300"))
UNBOUNDED = {"gateway_max_upstream_calls": 10**9, "gateway_max_objects": 10**9}

AFTER = Cursors("any").write(Position("token", 30, 100))
PAGE = "{ assets(first: 250) { nodes { assetId } pageInfo { endCursor } } }"


def operation_of(text: str) -> PreparedOperation:
    (operation,) = Operations(GRAPHQL).find(text).operations
    return operation


def estimate(text: str, **variables: Any) -> Estimate:
    """What an operation can cause with these variables."""
    operation = operation_of(text)
    values = get_variable_values(GRAPHQL, operation.definition.variable_definitions or (), variables)
    assert isinstance(values, VariableValues), values
    return operation.estimate(values)


@pytest.mark.parametrize(
    ("query", "upstream_calls", "objects"),
    [
        ("{ __typename __schema { types { fields { name } } } }", 0, 0),
        ('{ scan(scanId: "a") { scanId id } }', 0, 1),
        ('{ scan(scanId: "a") { status weight { value } } }', 1, 1),
        ('{ scan(scanId: "a") { status assets { isReady } assetUrls { model } } }', 3, 1),
        ('{ a: scan(scanId: "a") { status } b: scan(scanId: "a") { height { value } } }', 1, 2),
        ('{ scan(scanId: "a") { a: assetUrl(type: MODEL) { url } b: assetUrl(type: MODEL) { url } } }', 2, 1),
        ('{ scansById(scanIds: ["a", "b", "c"]) { status assets { isReady } } }', 6, 3),
        ('{ scansById(scanIds: ["a", "a", "a"]) { status } }', 1, 3),
        ('{ asset(assetId: "a") { id } }', 1, 1),
        ('{ a: asset(assetId: "a") { id } b: asset(assetId: "a") { id } }', 1, 2),
        ('{ assetsById(assetIds: ["a", "b", "c"]) { id } }', 2, 3),
        ('{ asset(assetId: "a") { parent { root { id } } } }', 3, 3),
        ("{ assets(first: 100) { nodes { id } } }", 1, 101),
        (PAGE, 3, 251),
        ("{ assets { edges { cursor node { id } } } }", 1, 51),
        ('{ assets(first: 100, after: "no cursor") { nodes { parent { id } } } }', 0, 0),
        (f'{{ assets(first: 100, after: "{AFTER}") {{ nodes {{ id }} }} }}', 2, 101),
        ("{ assets(first: 0) { nodes { parent { id } } } }", 0, 0),
        ('{ asset(assetId: "a") { url raw again: raw ...A } } fragment A on Asset { raw }', 1, 2),
        ("{ assets { nodes { properties { size a: size } metadata { type } b: metadata { type } } } }", 1, 51 + 2 * 50),
        ("{ a: assets(first: 9) { nodes { id } } b: assets(first: 9) { nodes { name } } }", 1, 20),
        ("{ assets(first: 300) { nodes { parent { id } } } }", 6, 601),
        ("{ assets(first: 10) { nodes { children(first: 150) { nodes { id } } } } }", 21, 1_521),
        ("{ assets(first: 10) { nodes { id @skip(if: true) children @skip(if: true) { nodes { id } } } } }", 1, 11),
        ('{ node(id: "QXNzZXQ6YQ") { id } nodes(ids: ["QXNzZXQ6YQ", "nonsense"]) { id } }', 1, 3),
        ('{ node(id: "U2NhbjphYQ") { ... on Scan { status assets { isReady } } } }', 2, 1),
        ('{ downloadJob(jobId: "a") { status } other: downloadJob(jobId: "a") { jobId } }', 1, 2),
        ('mutation { a: unlockAsset(input: { assetId: "a" }) { asset { parent { id } } } }', 2, 2),
        ('{ scan(scanId: "a") { status linkedAssets { nodes { url } } } }', 4, 22),
        ('{ scan(scanId: "a") { linkedAssets(first: 250) { nodes { scan { status } } } } }', 3 + 4 + 250, 502),
        ('{ scan(scanId: "a") { linkedAssets(first: 0) { nodes { scan { status } } } } }', 0, 1),
        ('{ scansById(scanIds: ["a", "b"]) { linkedAssets(first: 1) { nodes { url } } } }', 6, 6),
        ('{ asset(assetId: "a") { scan { scanId } } }', 1, 2),
        ("{ assets(first: 9) { nodes { scan { status } } } }", 10, 19),
        ('mutation { linkAssetsToScan(input: { scanId: "a", assetIds: ["a", "b"] }) { assetIds } }', 3, 1),
        (
            'mutation { linkAssetsToScan(input: { scanId: "a", assetIds: ["a", "b"] }) { assets { scan { status } } }}',
            3 + 2 + 2,
            5,
        ),
        ('subscription { scanUpdated(scanId: "a") { assetUrls { model } } }', 3, 1),
        ('{ _entities(representations: [{ __typename: "Scan", scanId: "a" }]) { __typename } }', 0, 1),
    ],
)
def test_an_operation_can_cause(query: str, upstream_calls: int, objects: int) -> None:
    assert estimate(query) == (upstream_calls, objects)


def test_who_is_confined_causes_calls_for_whose_a_scan_is_too() -> None:
    for query, calls in (
        ('{ scan(scanId: "a") { linkedAssets { nodes { url } } } }', 4),
        ('{ scan(scanId: "a") { status linkedAssets { nodes { url } } } }', 4),
        ("{ assets(first: 9) { nodes { scan { status } } } }", 10),
        ("{ assets(first: 9) { nodes { scan { scanId } } } }", 10),
    ):
        operation = operation_of(query)
        assert operation.estimate(VariableValues({}, {}), confined=True).upstream_calls == calls


def test_variables_count_by_what_they_hold_where_that_matters() -> None:
    many = "query ($ids: [ID!]!, $id: ID!) { scansById(scanIds: $ids) { status } scan(scanId: $id) { status } }"
    assert estimate(many, ids=["a", "b", "c"], id="a") == (4, 4)
    link = "mutation ($input: LinkAssetsToScanInput!) { linkAssetsToScan(input: $input) { assets { url } } }"
    assert estimate(link, input={"scanId": "a", "assetIds": list("abcde")}) == (1 + 5 + 2, 6)
    paged = "query ($first: Int! = 250, $after: String) { assets(first: $first, after: $after) { nodes { id } } }"
    assert estimate(paged) == (3, 251)
    assert estimate(paged, first=1_000) == (10, 1_001)
    assert estimate(paged, first=100, after=AFTER) == (2, 101)
    entities = "query ($all: [_Any!]!) { _entities(representations: $all) { __typename } }"
    everything = [{"__typename": "Asset", "assetId": str(number)} for number in range(401)]
    jobs = [{"__typename": "DownloadJob", "jobId": "a"}, {"__typename": "DownloadJob", "id": "RG93bmxvYWRKb2I6Yg"}]
    assert estimate(entities, all=[*everything, *jobs, 7, {}]) == (4 + 2, 405)
    one = 'query ($id: ID!) { _entities(representations: [{ __typename: "Asset", assetId: $id }]) { __typename } }'
    assert estimate(one, id="a") == (1, 1)


@pytest.mark.parametrize(
    ("query", "given", "known"),
    [
        ("query ($id: ID!) { scan(scanId: $id) { status } }", [{"id": "a"}, {"id": "b"}], {(): (1, 1)}),
        (
            "query ($first: Int!, $last: String) { assets(first: $first, after: $last) { nodes { id } } }",
            [{"first": 9}, {"first": 9, "last": None}, {"first": 101}],
            {(9, Undefined): (1, 10), (9, None): (1, 10), (101, Undefined): (2, 102)},
        ),
        ("query ($ids: [ID!]!) { scansById(scanIds: $ids) { status } }", [{"ids": ["a"]}, {"ids": ["b"]}], {}),
        ("query ($id: ID!) { node(id: $id) { id } }", [{"id": "a"}, {"id": "b" * 257}], {("a",): (0, 1)}),
    ],
)
def test_the_same_is_added_up_once(
    query: str, given: list[dict[str, Any]], known: dict[tuple[Any, ...], tuple[int, int]]
) -> None:
    operation = operation_of(query)
    for variables in given:
        operation.estimate(VariableValues({}, variables))
    (costing,) = operation.costings.values()
    assert costing.known == known


def test_an_operation_that_costs_the_same_whatever_it_is_given_is_weighed_once() -> None:
    most = CostLimits(upstream_calls=1)
    operation = operation_of("query ($id: ID!) { scan(scanId: $id) { status } }")
    estimate = operation.afford(VariableValues({}, {"id": "a"}), most)
    assert operation.affordable == {(most, False): estimate} == {(most, False): Estimate(1, 1)}
    dear = operation_of('{ scan(scanId: "a") { status assetUrls { model } } }')
    varying = operation_of("query ($first: Int!) { assets(first: $first) { nodes { id } } }")
    varying.afford(VariableValues({}, {"first": 9}), most)
    for operation, variables in ((dear, {}), (varying, {"first": 101})):
        with pytest.raises(AskedTooMuch):
            operation.afford(VariableValues({}, variables), most)
        assert operation.affordable == {}


def test_every_field_that_can_call_says_what_it_costs() -> None:
    """Whoever calls an upstream does so by the context, which its resolver takes."""
    silent = []
    for type_ in GRAPHQL.type_map.values():
        for name, field in type_.fields.items() if isinstance(type_, GraphQLObjectType) else ():
            definition = field.extensions.get(BACKREF)
            resolver = definition.base_resolver if isinstance(definition, StrawberryField) else None
            if resolver is not None and resolver.info_parameter is not None and cost_of(field) is None:
                silent.append(f"{type_.name}.{name}")
    assert silent == []


async def test_what_could_cause_too_many_calls_is_refused_before_the_first() -> None:
    async with world({"gateway_max_upstream_calls": 2}) as gateway:
        assert await gateway.execute(PAGE) == refused("GATEWAY_MAX_UPSTREAM_CALLS", 2, 3)
        assert gateway.calls == []
        query = "query ($first: Int!) { assets(first: $first) { pageInfo { hasNextPage } } }"
        assert await gateway.execute(query, first=201) == refused("GATEWAY_MAX_UPSTREAM_CALLS", 2, 3)
        assert await gateway.data(query, first=200) == {"assets": {"pageInfo": {"hasNextPage": True}}}
        traced = {"query": PAGE, "extensions": {"freshness": True}}
        answer = (await gateway.client.post("/graphql", json=traced)).json()
        assert answer["errors"][0]["extensions"]["limit"] == "GATEWAY_MAX_UPSTREAM_CALLS"


async def test_a_null_that_is_refused_does_not_stand_for_the_default_of_what_is_left_out() -> None:
    async with world({"gateway_max_upstream_calls": 50}) as gateway:
        query = "query ($first: Int) { assets(first: $first) { nodes { children(first: $first) { nodes { id } } } } }"
        answer = await gateway.execute(query, first=None)
        assert [error["extensions"] for error in answer["errors"]] == [{"code": "BAD_USER_INPUT"}]
        assert await gateway.execute(query) == refused("GATEWAY_MAX_UPSTREAM_CALLS", 50, 51)
        assert gateway.calls == []


async def test_assets_that_are_looked_through_for_a_link_count_in_each_place_though_they_are_loaded_once() -> None:
    async with world() as gateway:
        each = " ".join(f"a{number}: linkedAssets(first: 1000) {{ __typename }}" for number in range(90))
        query = f'{{ scan(scanId: "{gateway.sandbox.prism.scan_ids("READY")[0]}") {{ {each} }} }}'
        assert await gateway.execute(query) == refused("GATEWAY_MAX_UPSTREAM_CALLS", 300, 10 + 90 * 10)
        assert gateway.calls == []


async def test_what_could_answer_too_many_objects_is_refused() -> None:
    async with world({"gateway_max_objects": 250}) as gateway:
        assert await gateway.execute(PAGE) == refused("GATEWAY_MAX_OBJECTS", 250, 251)
        assert gateway.calls == []


async def test_what_an_object_answers_under_one_name_after_another_counts_as_another_each_time() -> None:
    async with world() as gateway:
        every = " ".join(f"a{number}: raw" for number in range(90))
        query = f"{{ assets(first: 1000) {{ nodes {{ {every} }} }} }}"
        assert await gateway.execute(query) == refused("GATEWAY_MAX_OBJECTS", 10_000, 1_001 + 89 * 1_000)
        assert gateway.calls == []


async def test_a_subscription_is_refused_when_it_begins() -> None:
    async with world({"gateway_max_upstream_calls": 1}) as gateway:
        answer = await gateway.subscribe('subscription { scanUpdated(scanId: "a") { status } }')
        assert isinstance(answer, bytes)
        assert msgspec.json.decode(answer)["errors"][0]["extensions"]["limit"] == "GATEWAY_MAX_UPSTREAM_CALLS"
        assert gateway.calls == []


async def test_what_is_not_skipped_counts_though_it_was_skipped_before() -> None:
    async with world({"gateway_max_upstream_calls": 1}) as gateway:
        query = (
            "query ($id: ID!, $more: Boolean!) { scan(scanId: $id) { status assetUrls @include(if: $more) { model } } }"
        )
        scan_id = gateway.sandbox.prism.scan_ids("READY")[0]
        assert await gateway.data(query, id=scan_id, more=False) == {"scan": {"status": "READY"}}
        _ = gateway.calls
        for _ in range(2):
            answer = await gateway.execute(query, id=scan_id, more=True)
            assert answer == refused("GATEWAY_MAX_UPSTREAM_CALLS", 1, 2)
        assert gateway.calls == []


async def test_what_it_takes_to_find_out_whose_a_scan_is_counts_though_others_asked_the_same_before() -> None:
    everyones, own = caller("scans:read", id_="anyone"), caller("scans:read:own", owner="member-0003", id_="owner")
    async with world({"gateway_max_upstream_calls": 1}, gate=gate(everyones, own)) as gateway:
        query = "query ($id: ID!) { scan(scanId: $id) { assetUrls { __typename } } }"
        scan_id = gateway.sandbox.prism.scan_ids("READY")[0]
        answer = await gateway.as_caller(everyones).data(query, id=scan_id)
        assert answer == {"scan": {"assetUrls": {"__typename": "ScanAssetUrls"}}}
        _ = gateway.calls
        answer = await gateway.as_caller(own).execute(query, id=scan_id)
        assert answer == refused("GATEWAY_MAX_UPSTREAM_CALLS", 1, 2)
        assert gateway.calls == []


async def test_what_is_deferred_counts_like_the_rest() -> None:
    async with world({"gateway_max_upstream_calls": 2, "gateway_incremental": True}) as gateway:
        query = PAGE.replace("nodes", "... @defer { nodes").replace("pageInfo", "} pageInfo")
        headers = {"accept": "multipart/mixed;deferSpec=20220824, application/json"}
        answer = await gateway.client.post("/graphql", json={"query": query}, headers=headers)
        assert answer.json()["errors"][0]["extensions"]["limit"] == "GATEWAY_MAX_UPSTREAM_CALLS"
        assert gateway.calls == []


async def test_each_public_asset_is_a_call() -> None:
    async with world({"gateway_max_upstream_calls": 3, "scenario_public": True}) as gateway:
        query = "query ($ids: [ID!]!) { assetsById(assetIds: $ids) { id } }"
        assert await gateway.execute(query, ids=list("abcd")) == refused("GATEWAY_MAX_UPSTREAM_CALLS", 3, 4)


class Counted:
    """A gateway whose upstream calls are counted, and nothing of which is kept from one operation to the next."""

    def __init__(self, sandbox: Sandbox, *, uses_plans: bool = True) -> None:
        self.sandbox = sandbox
        transport = httpx.ASGITransport(app=sandbox.app)
        transports = {"prism": transport, "scenario": transport}
        self.gateway = create_gateway(
            settings_for(sandbox, gateway_cache_bytes=0, **UNBOUNDED), transports=transports, clock=Clock()
        )
        self.engine = Engine(GRAPHQL, Operations(GRAPHQL), uses_plans=uses_plans)

    async def calls(self, text: str, variables: dict[str, Any], caller: Caller = ANYONE) -> int:
        """How often upstreams are called for an operation."""
        self.sandbox.prism.clear()
        self.sandbox.scenario.clear()
        await self.engine.answer(Asked(text, variables, caller=caller), lambda: self.gateway.context("request", caller))
        return len(self.sandbox.prism.calls) + len(self.sandbox.scenario.calls)


# Whose the scans mostly are that are asked for.
CONFINED = caller("scans:read:own", "assets:read", "downloads:read", owner="member-0003")
COUNTED = [Counted(SIDES.sandbox, uses_plans=uses_plans) for uses_plans in (True, False)]


@pytest.mark.uncovered
@settings(
    max_examples=CASES, deadline=None, derandomize="COST_CASES" not in os.environ,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)  # fmt: skip
@given(seed=st.integers(min_value=0, max_value=2**64))
async def test_upstreams_are_never_called_more_often(seed: int) -> None:
    random = Random(seed)
    made = Maker(GRAPHQL, random, SIDES.ids).operation()
    prepared = COUNTED[0].engine.operations.find(made.text)
    assume(not prepared.errors)
    operation = prepared.operations[0]
    ids = [id_ for some in SIDES.ids.values() for id_ in some]
    for counted in COUNTED:
        variables = variable_values(made, random, ids)
        values = get_variable_values(GRAPHQL, operation.definition.variable_definitions or (), variables)
        if isinstance(values, VariableValues):
            assert await counted.calls(made.text, variables) <= operation.estimate(values).upstream_calls, made.text
            most = operation.estimate(values, confined=True).upstream_calls
            assert await counted.calls(made.text, variables, CONFINED) <= most, made.text


@pytest.mark.parametrize("number", [0, 1, 2])
async def test_the_estimate_of_what_clients_mostly_ask_is_close(number: int) -> None:
    sandbox = make_sandbox()
    query = queries(sandbox)[number]
    body = msgspec.json.decode(query.bodies[0])
    called = await Counted(sandbox).calls(body["query"], body["variables"])
    estimated = estimate(body["query"], **body["variables"]).upstream_calls
    assert called <= estimated <= 2 * called


async def test_the_estimate_of_what_is_linked_to_a_scan_is_close(gateway: World) -> None:
    query = '{ scan(scanId: "<id>") { status linkedAssets { nodes { url scan { scanId } } } } }'
    query = query.replace("<id>", gateway.sandbox.prism.scan_ids("READY")[0])
    await gateway.data(query)
    called = len(gateway.calls)
    assert called == 3
    assert called <= estimate(query).upstream_calls <= 2 * called


async def test_the_estimate_of_a_page_of_250_is_exact_and_of_the_next_close(gateway: World) -> None:
    first = await gateway.data(PAGE)
    assert len(gateway.calls) == estimate(PAGE).upstream_calls == 3
    following = PAGE.replace("first: 250", f'first: 250, after: "{first["assets"]["pageInfo"]["endCursor"]}"')
    await gateway.data(following)
    called = len(gateway.calls)
    assert called <= estimate(following).upstream_calls <= 2 * called


def test_what_stands_in_a_fragment_counts_wherever_it_is_spread() -> None:
    query = (
        "{ a: assets { ...A } b: assets(first: 10) { ...A } } fragment A on AssetConnection { nodes { parent { id } } }"
    )
    assert estimate(query) == (1 + 2 + 1 + 2, (1 + 50 + 50) + (1 + 10 + 10))
