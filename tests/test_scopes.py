"""What each field needs, that it is refused without, and that nothing else is."""

import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLObjectType,
    get_named_type,
    get_nullable_type,
    is_abstract_type,
    is_leaf_type,
    is_list_type,
    is_required_argument,
    is_required_input_field,
)

from gateway.auth.scopes import SCOPES, Need, either
from gateway.engine.answer import Asked
from gateway.engine.incremental import Form
from gateway.engine.rights import need_in_schema
from gateway.engine.subscriptions import AnswerStream
from gateway.federation import subgraph
from gateway.graph.ids import global_id
from tests.callers import caller, gate
from tests.engine.merging import merged
from tests.world import World, world

GRAPH = subgraph()._schema  # noqa: SLF001 - graphql-core's own; the whole graph, and what a router asks
ROOTS = [root for root in (GRAPH.query_type, GRAPH.mutation_type, GRAPH.subscription_type) if root is not None]
README = Path(__file__).parent.parent / "README.md"
FINDING = {"node", "nodes", "_entities"}  # which need what is found needs
OBJECTS = {"Scan", "Asset", "AssetConnection", "DownloadJob"}
NAMED = sorted(set(SCOPES) - {"*"})

NOBODY = caller(id_="nobody")
VIEWER = caller("assets:read", id_="viewer")
LOCKER = caller("assets:write", id_="locker")
EVERYONE = [caller(scope, id_=scope) for scope in NAMED]


@pytest.fixture(params=[True, False], ids=["plans", "graphql-core"])
async def gateway(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """A subgraph whose gate knows callers with each scope, and some more."""
    settings = {"gateway_federation": True, "gateway_plans": request.param}
    async with world(settings, gate=gate(NOBODY, VIEWER, LOCKER, *EVERYONE)) as made:
        yield made


def fields() -> Iterator[tuple[GraphQLObjectType, str, Need | None]]:
    for root in ROOTS:
        yield from ((root, name, need_in_schema(its)) for name, its in root.fields.items())


# What is left of fields that may not be null, and where their errors are.
EMPTY: dict[str, tuple[Any, list[tuple[str | int, ...]]]] = {
    "scansById": ({"scansById": [None, None]}, [("scansById", 0), ("scansById", 1)]),
    "assetsById": ({"assetsById": [None, None]}, [("assetsById", 0), ("assetsById", 1)]),
    "scanUpdated": (None, [("scanUpdated",)]),
    "downloadJobUpdated": (None, [("downloadJobUpdated",)]),
}
GUARDED = [(root, name, need) for root, name, need in fields() if need is not None]


def literal(of: GraphQLArgument | GraphQLInputField) -> str:
    """A value of what an argument takes, with as little in it as may be."""
    type_ = get_nullable_type(of.type)
    if is_list_type(type_):
        return '["x", "y"]'
    if isinstance(type_, GraphQLInputObjectType):
        inner = (f"{key}: {literal(its)}" for key, its in type_.fields.items() if is_required_input_field(its))
        return f"{{{', '.join(inner)}}}"
    if isinstance(type_, GraphQLEnumType):
        return str(next(iter(type_.values)))
    return '"2030-01-01T00:00:00Z"' if get_named_type(type_).name == "DateTime" else '"x"'


def written(name: str, its: GraphQLField) -> str:
    """A field with what it takes, and a selection of its name alone."""
    given = ", ".join(f"{key}: {literal(arg)}" for key, arg in its.args.items() if is_required_argument(arg))
    return f"{name}{f'({given})' if given else ''}{'' if is_leaf_type(get_named_type(its.type)) else ' { __typename }'}"


def operation(root: GraphQLObjectType, name: str) -> str:
    return f"{root.name.lower()} {{ {written(name, root.fields[name])} }}"


async def answer(gateway: World, text: str, **variables: Any) -> Any:
    """The answer, or for a subscription the first."""
    if not text.startswith("subscription"):
        return await gateway.execute(text, **variables)
    given = await gateway.subscribe(text, **variables)
    if isinstance(given, AnswerStream):
        body = await anext(given)
        await given.aclose()
    else:
        body = given
    made = msgspec.json.decode(body)
    for error in made.get("errors", ()):
        error["extensions"].pop("requestId")
        error.pop("locations")
    return made


def refused(need: Need, *path: str | int) -> dict[str, Any]:
    return {
        "message": f"This needs the scope {need}, which the caller does not have.",
        "path": [*path],
        "extensions": {"code": "FORBIDDEN"},
    }


def test_every_field_that_one_begins_with_needs_a_scope_but_who_asks_and_those_that_find_anything() -> None:
    free = {f"{root.name}.{name}" for root, name, need in fields() if need is None}
    assert free == {"Query._service", "Query.viewer", *(f"Query.{name}" for name in FINDING)}


def test_nothing_is_reached_but_by_fields_that_need_its_scope() -> None:
    """Only the job that a caller has just asked for is, to which asking is the right."""
    seen: set[str] = set()
    reached: set[str] = set()
    waiting = [(root.name, name, its) for root in ROOTS for name, its in root.fields.items() if name not in FINDING]
    while waiting:
        parent, name, its = waiting.pop()
        type_ = get_named_type(its.type)
        if need_in_schema(its) is not None and not parent.startswith("Mutation"):
            continue
        if type_.name in OBJECTS:
            reached.add(f"{parent}.{name}")
        elif type_.name not in seen and not is_leaf_type(type_):
            seen.add(type_.name)
            for each in GRAPH.get_possible_types(type_) if is_abstract_type(type_) else [type_]:
                waiting += [(each.name, key, below) for key, below in each.fields.items()]
    assert reached == {"RequestBatchDownloadPayload.downloadJob"}


def test_what_a_field_needs_stands_in_its_description() -> None:
    for root, name, need in GUARDED:
        assert str(root.fields[name].description).endswith(f" Needs {need}."), name


def test_a_need_takes_all_scopes_of_one_of_its_lists_and_names_none_that_there_is_not() -> None:
    need = Need((("a", "b"), ("c",)))
    assert [need.is_met_by(frozenset(some)) for some in ("a", "b", "ab", "c", "*", "d", "")] == [
        False, False, True, True, True, False, False,
    ]  # fmt: skip
    assert str(need) == "`a` with `b` or `c`"
    with pytest.raises(KeyError):
        either("asset:read")


@pytest.mark.parametrize(("root", "name", "need"), GUARDED, ids=[f"{root}.{name}" for root, name, _ in GUARDED])
async def test_without_its_scope_a_field_is_forbidden_and_no_upstream_is_called(
    gateway: World, root: GraphQLObjectType, name: str, need: Need
) -> None:
    it = await answer(gateway.as_caller(NOBODY), operation(root, name))
    empty, paths = EMPTY.get(name, ({name: None}, [(name,)]))
    assert it == {"data": empty, "errors": [refused(need, *path) for path in paths]}
    assert gateway.calls == []
    assert len(gateway.gateway.watchers) == 0


@pytest.mark.parametrize("scope", NAMED)
async def test_a_scope_opens_what_needs_it_and_nothing_else(gateway: World, scope: str) -> None:
    opened = set()
    for root, name, _ in GUARDED:
        made = await answer(gateway.as_caller(caller(scope, id_=scope)), operation(root, name))
        codes = {error["extensions"]["code"] for error in made.get("errors", ()) if error["path"][0] == name}
        opened |= {name} if "FORBIDDEN" not in codes else set()
    assert opened == {name for _, name, need in GUARDED if (scope,) in need.alternatives}


async def test_what_is_not_forbidden_is_answered(gateway: World) -> None:
    asset_id, scan_id = gateway.asset_ids[0], gateway.sandbox.prism.scan_ids("READY")[0]
    query = """query ($asset: ID!, $scan: ID!, $really: Boolean!) {
      one: asset(assetId: $asset) { assetId }
      ... @include(if: $really) { two: scan(scanId: $scan) { status } }
      ...Three
    }
    fragment Three on Query { three: downloadJob(jobId: "x") { status } }"""
    asked = gateway.as_caller(VIEWER)
    assert await asked.execute(query, asset=asset_id, scan=scan_id, really=True) == {
        "data": {"one": {"assetId": asset_id}, "two": None, "three": None},
        "errors": [
            refused(either("scans:read", "scans:read:own"), "two"),
            refused(either("downloads:read", "downloads:write"), "three"),
        ],
    }
    assert gateway.calls == [("GET", f"/assets/{gateway.asset_ids[0]}")]


async def test_an_argument_that_cannot_be_read_is_refused_first_by_either_way(gateway: World) -> None:
    query = "query ($id: ID) { assets(first: null) { __typename } }"
    assert {error["extensions"]["code"] for error in (await gateway.as_caller(NOBODY).execute(query))["errors"]} == {
        "GRAPHQL_VALIDATION_FAILED"
    }
    query = "query ($first: Int = 1) { assets(first: $first) { __typename } }"
    made = await gateway.as_caller(NOBODY).execute(query, first=None)
    assert [(error["path"], error["extensions"]["code"]) for error in made["errors"]] == [
        (["assets"], "BAD_USER_INPUT")
    ]


async def test_what_is_found_by_an_id_needs_the_scope_of_its_type_each_at_its_own_place(gateway: World) -> None:
    scan, job = global_id("Scan", gateway.sandbox.prism.scan_ids("READY")[0]), global_id("DownloadJob", "x")
    asset = global_id("Asset", gateway.asset_ids[0])
    query = """query ($one: ID!, $all: [ID!]!, $some: [_Any!]!) {
      node(id: $one) { id }
      nodes(ids: $all) { id }
      _entities(representations: $some) { __typename }
    }"""
    some = [{"__typename": "DownloadJob", "jobId": "x"}, {"__typename": "Asset", "id": asset}]
    made = await gateway.as_caller(VIEWER).execute(query, one=scan, all=[scan, asset, job], some=some)
    assert made["data"] == {
        "node": None, "nodes": [None, {"id": asset}, None], "_entities": [None, {"__typename": "Asset"}],
    }  # fmt: skip
    scans, jobs = either("scans:read", "scans:read:own"), either("downloads:read", "downloads:write")
    assert sorted(made["errors"], key=str) == sorted(
        [
            refused(scans, "node"), refused(scans, "nodes", 0), refused(jobs, "nodes", 2),
            refused(jobs, "_entities", 0),
        ],
        key=str,
    )  # fmt: skip
    assert gateway.calls == [("GET", f"/assets/{gateway.asset_ids[0]}")]


async def test_who_may_change_an_asset_and_not_read_it_is_told_that_it_was_done(gateway: World) -> None:
    canvas = next(a["id"] for a in gateway.sandbox.scenario.assets.values() if a["id"] in gateway.asset_ids)
    lock = """mutation ($id: ID!) {
      lockAsset(input: { assetId: $id, lockExpiresAt: "2030-01-01T00:00:00Z" }) { lockId asset { url } }
      requestAssetDownload(input: { assetId: $id }) { download { url } }
    }"""
    made = await gateway.as_caller(LOCKER).execute(lock, id=canvas)
    assert isinstance(made["data"]["lockAsset"].pop("lockId"), str)
    assert made == {
        "data": {"lockAsset": {"asset": None}, "requestAssetDownload": None},
        "errors": [
            refused(either("assets:read"), "lockAsset", "asset"),
            refused(either("downloads:write"), "requestAssetDownload"),
        ],
    }
    assert gateway.calls == [("PUT", f"/assets/{canvas}/lock")]


async def test_an_answer_that_is_kept_for_one_caller_is_not_given_to_one_with_fewer_rights(gateway: World) -> None:
    query = "query ($id: ID!) { asset(assetId: $id) { url } }"
    first = await gateway.as_caller(VIEWER).execute(query, id=gateway.asset_ids[0])
    assert await gateway.as_caller(VIEWER).execute(query, id=gateway.asset_ids[0]) == first
    assert await gateway.as_caller(NOBODY).execute(query, id=gateway.asset_ids[0]) == {
        "data": {"asset": None}, "errors": [refused(either("assets:read"), "asset")],
    }  # fmt: skip
    assert gateway.calls == [("GET", f"/assets/{gateway.asset_ids[0]}")]


async def test_callers_who_may_do_all_that_is_asked_share_a_plan(gateway: World) -> None:
    if not gateway.app.state.engine.uses_plans:
        pytest.skip("without plans there are none to share")
    query = "query ($id: ID!) { asset(assetId: $id) { url } }"
    rich = caller("assets:read", "assets:write", "scans:read", id_="rich")
    engine = gateway.app.state.engine
    for one in (VIEWER, rich, caller("*"), NOBODY, LOCKER):
        context = gateway.gateway.context("request", one)
        await engine.answer(Asked(query, {"id": "x"}, caller=one), lambda context=context: context)
    (operation,) = engine.operations.find(query).operations
    assert list(operation.plans) == [(), (frozenset({"Query.asset"}),)]
    assert engine.counts["planned"] == 5


async def test_where_data_is_from_is_told_of_nothing_that_is_forbidden(gateway: World) -> None:
    query = "query ($id: ID!) { asset(assetId: $id) { url } scan(scanId: $id) { status } }"
    body = {"query": query, "variables": {"id": gateway.asset_ids[0]}, "extensions": {"freshness": True}}
    response = await gateway.client.post("/graphql", json=body, headers={"x-caller": "viewer"})
    made = response.json()
    assert made["data"]["scan"] is None
    assert [one["document"] for one in made["extensions"]["freshness"]["documents"]] == ["asset"]


async def test_a_forbidden_field_is_refused_in_whichever_part_it_stands() -> None:
    async with world({"gateway_incremental": True}) as gateway:
        query = '{ a: assets(first: 1) { nodes { kind } } ... @defer { b: scan(scanId: "x") { status } } }'
        answers = await gateway.app.state.engine.answer_in_parts(
            Asked(query, caller=VIEWER), lambda: gateway.gateway.context("request", VIEWER), Form.BY_ID
        )
        made = merged([msgspec.json.decode(part) async for part in answers])
        await answers.aclose()
    assert made.data["b"] is None
    assert [(error["path"], error["extensions"]["code"]) for error in made.errors] == [(["b"], "FORBIDDEN")]


async def test_a_document_may_hold_operations_that_its_caller_may_not_ask(gateway: World) -> None:
    text = """subscription Mine { downloadJobUpdated(jobId: "x") { jobId } }
    subscription Others { scanUpdated(scanId: "x") { status } }"""
    one = caller("downloads:read", id_="one")
    given = await gateway.app.state.engine.subscribe(
        text, None, "Mine", lambda: gateway.gateway.context("request", one)
    )
    made = msgspec.json.decode(given)
    assert [error["extensions"]["code"] for error in made["errors"]] == ["NOT_FOUND"]


def test_the_readme_lists_every_scope() -> None:
    listed = re.findall(r"^\| `([a-z:*]+)` \| (.+) \|$", README.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert [(scope, what) for scope, what in listed if scope in SCOPES] == list(SCOPES.items())
