"""A scan belongs to a person: who may see their own only finds, by whichever way, that there are no others.

Every way that the schema has from a root to a scan is tried with every field of a scan, so that none can be forgotten.
"""

import asyncio
import itertools
import logging
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import httpx
import msgspec
import pytest
from graphql import (
    GraphQLField,
    GraphQLObjectType,
    get_named_type,
    is_abstract_type,
    is_leaf_type,
    is_required_argument,
)

from gateway.cache.document import Document
from gateway.engine.answer import Asked
from gateway.engine.answers import Kept
from gateway.engine.engine import Engine
from gateway.engine.operations import Operations
from gateway.engine.subscriptions import AnswerStream
from gateway.federation import subgraph
from gateway.graph.ids import global_id
from gateway.prism.owned import scans_of
from gateway.prism.owner import owner_of
from gateway.process import create_gateway
from gateway.sandbox import Fault, Sandbox
from gateway.sandbox.scans import Scan
from tests.callers import caller, gate
from tests.world import URL, Clock, World, settings_for, settle, world

pytestmark = pytest.mark.uncovered

GRAPH = subgraph()._schema  # noqa: SLF001 - graphql-core's own; the whole graph, and what a router asks
SCAN = GRAPH.type_map["Scan"]
assert isinstance(SCAN, GraphQLObjectType)

MISSING = "00000000-0000-4000-8000-000000000000"
CANARY = "canary"
OWN = ("scans:read:own", "assets:read", "assets:write", "downloads:read")
OWNER = caller(*OWN, owner=f"{CANARY}-token", id_="owner")
STRANGER = caller(*OWN, owner="member-0001", id_="stranger")
NAMELESS = caller(*OWN, id_="nameless")
CLINIC = caller("scans:read", "assets:read", "assets:write", id_="clinic")
CALLERS = (OWNER, STRANGER, NAMELESS, CLINIC)

ASSET_ID = "asset_linked"
# What leads to a scan by its id, or to the asset that is linked to it: the value of each argument that any way takes.
ARGUMENTS = {
    "scanId": '"{id}"',
    "scanIds": '["{id}"]',
    "id": '"{node}"',
    "ids": '["{node}"]',
    "representations": '[{{ __typename: "Scan", scanId: "{id}" }}, {{ __typename: "Scan", id: "{node}" }}]',
    "assetId": '"{asset}"',
    "assetIds": '["{asset}"]',
    "id of Asset": '"{asset_node}"',
    "ids of Asset": '["{asset_node}"]',
    "representations of Asset": '[{{ __typename: "Asset", assetId: "{asset}" }}]',
    "unlockAsset.input": '{{ assetId: "{asset}" }}',
    "linkAssetsToScan.input": '{{ scanId: "{id}", assetIds: ["{asset}"] }}',
    "unlinkAssetsFromScan.input": '{{ scanId: "{id}", assetIds: ["{asset}"] }}',
}
# What a scan's own fields take.
CHOICES = {"type": "MODEL"}


@dataclass(frozen=True)
class Way:
    """A way from a root to a scan: its kind, and an operation with places for an id and for what is asked of a scan."""

    kind: str
    steps: tuple[str, ...]
    text: str

    def operation(self, scan_id: str, fields: str) -> str:
        """Ask something of a scan by this way."""
        text = self.text.replace("<fields>", fields)
        ids = {"id": scan_id, "node": global_id("Scan", scan_id)}
        ids |= {"asset": ASSET_ID, "asset_node": global_id("Asset", ASSET_ID)}
        for name, value in ARGUMENTS.items():
            text = text.replace(f"<{name}>", value.format(**ids))
        return text

    @property
    def names_the_scan(self) -> bool:
        """Whether who goes this way has its id, rather than that of something else which tells of it."""
        return self.operation("one", "") != self.operation("another", "")


def ways() -> Iterator[Way]:
    for root in (GRAPH.query_type, GRAPH.mutation_type, GRAPH.subscription_type):
        if root is not None:
            for steps, text in ways_from(root, frozenset({root.name})):
                yield Way(root.name.lower(), steps, f"{root.name.lower()} {{ {text} }}")


def ways_from(type_: GraphQLObjectType, passed: frozenset[str]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every way on from a type to a scan, through no type twice."""
    for name, its in type_.fields.items():
        named = get_named_type(its.type)
        if is_leaf_type(named) or named.name in passed:
            continue
        for each in GRAPH.get_possible_types(named) if is_abstract_type(named) else [named]:
            head = f"{name}{given(type_, name, its, each)} {{ ... on {each.name} {{"
            if each is SCAN:
                yield (name,), f"{head} <fields> }} }}"
            elif each.name not in passed:
                for steps, text in ways_from(each, passed | {named.name, each.name}):
                    yield (name, *steps), f"{head} {text} }} }}"


def given(type_: GraphQLObjectType, field: str, its: GraphQLField, leads_to: GraphQLObjectType) -> str:
    """The arguments of a step, for which this test must know what leads to a scan."""
    if type_ not in (GRAPH.query_type, GRAPH.mutation_type, GRAPH.subscription_type):
        return ""
    names = [name for name, argument in its.args.items() if is_required_argument(argument)]
    known = {name: [f"{field}.{name}", f"{name} of {leads_to.name}"] for name in names}
    chosen = {name: next((one for one in several if one in ARGUMENTS), name) for name, several in known.items()}
    return f"({', '.join(f'{name}: <{one}>' for name, one in chosen.items())})" if names else ""


def fields_of_a_scan() -> Iterator[str]:
    """Each field of a scan, with everything below it that is no other object of the graph."""
    for name, its in SCAN.fields.items():  # type: ignore[attr-defined] # an object type
        arguments = ", ".join(
            f"{key}: {CHOICES[key]}" for key, argument in its.args.items() if is_required_argument(argument)
        )
        yield f"{name}{f'({arguments})' if arguments else ''}{selection(get_named_type(its.type), 0)}"


def selection(type_: Any, depth: int) -> str:
    if is_leaf_type(type_):
        return ""
    if type_.name == "Asset":
        return " { assetId tags raw url }"
    below = [
        f"{name}{selection(get_named_type(its.type), depth + 1)}"
        for name, its in type_.fields.items()
        if not any(map(is_required_argument, its.args.values()))
        and (depth < 2 or is_leaf_type(get_named_type(its.type)) or type_.name == "AssetEdge")
    ]
    return f" {{ {' '.join(below)} }}"


FIELDS = list(fields_of_a_scan())
WAYS = [way for way in ways() if way.steps[0] != "lockAsset"]  # which answers as unlockAsset, and once only
# Each way with plans and without, with everything kept and nothing; by a link with both or neither, as that is one more
# step before the same; and changes, of which graphql-core executes all, once.
CASES = [
    (way, uses_plans, is_warm)
    for way, uses_plans, is_warm in itertools.product(WAYS, (True, False), (True, False))
    if (uses_plans and is_warm) or (way.kind != "mutation" and (way.names_the_scan or (not uses_plans and not is_warm)))
]
NOWHERE = ("unlinkAssetsFromScan", "assets", "scan")  # there is no link any more
LEADING = [(way, uses_plans) for way, uses_plans, is_warm in CASES if is_warm and way.steps != NOWHERE]
CALLS_FOR_AN_ASSET = {
    ("GET", "/assets"), ("GET", f"/assets/{ASSET_ID}"), ("PUT", f"/assets/{ASSET_ID}/unlock"),
}  # fmt: skip
MADE_OF_THE_ID = {"id", "scanId"}


def named(case: tuple[Any, ...]) -> str:
    """Name a case in a report."""
    way, uses_plans, *warm = case
    return "-".join(
        [".".join(way.steps), "plans" if uses_plans else "graphql-core", *("warm" if one else "cold" for one in warm)]
    )


def everything() -> str:
    """All of a scan at once."""
    return " ".join(FIELDS)


def warming(scan_id: str) -> str:
    """A query that has everything kept, and the linked asset whatever that is linked to."""
    return f'{{ scan(scanId: "{scan_id}") {{ {everything()} }} asset(assetId: "{ASSET_ID}") {{ name }} }}'


def someones(sandbox: Sandbox) -> Scan:
    """Let a scan with everything there is be the owner's, with canaries in its record."""
    scan_id = sandbox.prism.scan_ids("READY")[0]
    made = replace(
        sandbox.prism.scans[scan_id],
        user_token=f"{CANARY}-token",
        user_id=f"{CANARY}-user",
        prism_scan_id=f"{CANARY}-prism",
        scan_assets_id=f"{CANARY}-stages",
        kilograms=4242.42,
    )
    sandbox.prism.scans[scan_id] = made
    return made


def link(gateway: World, scan_id: str) -> None:
    """Let an asset, the newest and the only one, be linked to a scan."""
    assets = gateway.sandbox.scenario.assets
    *_, newest = gateway.asset_ids
    for asset_id, asset in assets.items():
        assets[asset_id] = {**asset, "tags": []}
    linked = assets[newest]
    assets[ASSET_ID] = {**linked, "id": ASSET_ID, "tags": ["a", f"prism-scan:{scan_id}"], "createdAt": "2030-01-01"}


CANARIES = (CANARY, "4242.42", "X-Amz-Signature", "succeeded", "SUCCEEDED")


@asynccontextmanager
async def clinic(*, uses_plans: bool = True, **settings: Any) -> AsyncIterator[tuple[World, str]]:
    """A gateway with these callers, and the id of the owner's scan."""
    chosen = {
        "gateway_federation": True, "gateway_plans": uses_plans, "gateway_report_calls": True,
        "gateway_watch_jitter": 0, "gateway_max_upstream_calls": 1_000, "gateway_max_objects": 100_000, **settings,
    }  # fmt: skip
    async with world(chosen, gate=gate(*CALLERS)) as made:
        yield made, someones(made.sandbox).scan_id


async def ask(gateway: World, who: Any, way: Way, scan_id: str, fields: str, *, is_traced: bool = False) -> str:
    """What a caller is answered over HTTP, as it comes; to a subscription all that there is at this moment."""
    stream = way.kind == "subscription"
    body: dict[str, Any] = {"query": way.operation(scan_id, fields)}
    if is_traced:
        body["extensions"] = {"freshness": True}
    accept = "text/event-stream" if stream else "application/json"
    headers = {"x-caller": who.id, "accept": accept, "x-request-id": "test"}
    response = await gateway.client.post("/graphql", json=body, headers=headers)
    assert response.status_code == 200
    return response.text


def nameless(text: str, scan_id: str) -> str:
    """An answer without the id that was asked for."""
    return text.replace(scan_id, "<id>").replace(global_id("Scan", scan_id), "<node>")


def kept(gateway: World) -> Mapping[str, bytes]:
    """Everything that is in memory, by its key."""
    entries = gateway.gateway.store.memory._entries  # noqa: SLF001 - all of it
    bodies = {key: entry.body for key, entry in entries.items() if isinstance(entry, Document | Kept)}
    assert len(bodies) == len(entries)
    return bodies


def assert_clean(*texts: str) -> None:
    """No canary stands in a text."""
    assert [canary for canary in CANARIES for text in texts if canary in text] == []


def test_every_way_to_a_scan_is_tried() -> None:
    """That there are fewer than this is what a test that tries none would not notice."""
    assert {way.steps for way in WAYS} >= {
        ("scan",), ("scansById",), ("node",), ("nodes",), ("_entities",), ("scanUpdated",), ("asset", "scan"),
        ("assets", "nodes", "scan"), ("node", "scan"), ("_entities", "scan"), ("linkAssetsToScan", "scan"),
    }  # fmt: skip
    assert len(FIELDS) == len(SCAN.fields) >= 15  # type: ignore[attr-defined] # an object type
    unknown = [name for way in WAYS for name in re.findall(r"<(.+?)>", way.text) if name not in {*ARGUMENTS, "fields"}]
    assert unknown == [], "say in ARGUMENTS what leads to a scan"


@pytest.mark.parametrize(("way", "uses_plans", "is_warm"), CASES, ids=map(named, CASES))
async def test_someone_elses_scan_and_a_missing_one_look_the_same(
    way: Way, caplog: pytest.LogCaptureFixture, *, uses_plans: bool, is_warm: bool
) -> None:
    caplog.set_level(logging.DEBUG)
    async with clinic(uses_plans=uses_plans) as (gateway, scan_id):
        each = FIELDS if way.names_the_scan and way.kind != "mutation" else []  # else no field of a scan is resolved
        for fields in [*each, everything()]:
            told, calls = [], []
            for id_ in (scan_id, MISSING):
                link(gateway, id_)
                await gateway.gateway.store.memory.clear()
                for who in (OWNER, CLINIC) if is_warm else ():
                    await gateway.as_caller(who).data(warming(scan_id))
                before, _ = kept(gateway).keys(), gateway.calls
                caplog.clear()
                for who, pause in ((STRANGER, 0), (STRANGER, 1), (STRANGER, 3), (NAMELESS, 0)):
                    gateway.clock.advance(pause)
                    told.append(nameless(await ask(gateway, who, way, id_, fields), id_))
                calls.append([(method, path.replace(id_, "<id>")) for method, path in gateway.calls])
                after = [body.decode() for key, body in kept(gateway).items() if key not in before]
                assert_clean(caplog.text, *after)
            assert told[:4] == told[4:]
            assert calls[0] == calls[1]
            assert set(calls[0]) <= {("GET", "/scans/<id>"), *CALLS_FOR_AN_ASSET}
            assert_clean(*told)
            assert way.names_the_scan or not any("<id>" in one or "<node>" in one for one in told)


@pytest.mark.parametrize(("way", "uses_plans"), LEADING, ids=map(named, LEADING))
async def test_whose_scan_it_is_sees_what_who_may_see_every_scan_does(way: Way, *, uses_plans: bool) -> None:
    async with clinic(uses_plans=uses_plans) as (gateway, scan_id):
        link(gateway, scan_id)
        answers = [await ask(gateway, who, way, scan_id, everything()) for who in (CLINIC, OWNER)]
        assert CANARY in answers[0]
        assert "errors" not in answers[1]
        theirs, mine = (re.sub(r',"extensions":\{"upstreamCalls":\{[^}]*\}\}', "", one) for one in answers)
        assert "prism-scan:" not in mine  # which says whose an asset is to who may see every scan
        assert mine == re.sub(r',"prism-scan:[^"]*"', "", theirs)


@pytest.mark.parametrize("way", [way for way in WAYS if way.kind == "query"], ids=lambda way: ".".join(way.steps))
async def test_what_is_told_of_where_data_is_from_is_the_same_too(way: Way) -> None:
    async with clinic() as (gateway, scan_id):
        told = []
        for id_ in (MISSING, scan_id):
            link(gateway, id_)
            await gateway.gateway.store.memory.clear()
            await gateway.as_caller(OWNER).execute(warming(scan_id))
            told.append(nameless(await ask(gateway, STRANGER, way, id_, everything(), is_traced=True), id_))
        assert told[0] == told[1]
        assert_clean(*told)
        assert way.names_the_scan or "<id>" not in told[0]
        mine = await ask(gateway, OWNER, way, scan_id, everything(), is_traced=True)
        assert '"document":"scan","id":"' + scan_id in mine


@pytest.mark.parametrize("spec", ["deferSpec=20220824", "incrementalSpec=v0.2"])
@pytest.mark.parametrize("way", [way for way in WAYS if way.kind == "query"], ids=lambda way: ".".join(way.steps))
async def test_what_is_deferred_tells_no_more(way: Way, spec: str) -> None:
    async with clinic(gateway_incremental=True) as (gateway, scan_id):
        told, calls = [], []
        headers = {"x-caller": STRANGER.id, "accept": f"multipart/mixed;{spec}", "x-request-id": "test"}
        for id_ in (scan_id, MISSING):
            link(gateway, id_)
            await gateway.gateway.store.memory.clear()
            await gateway.as_caller(CLINIC).execute(warming(id_))
            gateway.forget_calls()
            query = way.operation(id_, f"... @defer {{ {everything()} }}")
            answer = await gateway.client.post("/graphql", json={"query": query}, headers=headers)
            told.append(nameless(answer.text, id_))
            calls.append([(method, path.replace(id_, "<id>")) for method, path in gateway.calls])
        assert told[0] == told[1]
        assert calls[0] == calls[1]
        assert_clean(*told)


async def test_what_is_asked_first_is_whose_it_is_and_with_no_right_to_it_nothing_else() -> None:
    query = '{{ scan(scanId: "{}") {{ assetUrls {{ model }} }} }}'
    async with clinic() as (gateway, scan_id):
        await gateway.as_caller(OWNER).data(query.format(scan_id))
        assert gateway.calls == [("GET", f"/scans/{scan_id}"), ("GET", f"/scans/{scan_id}/asset-urls")]
        await gateway.as_caller(CLINIC).data(f'{{ scan(scanId: "{scan_id}") {{ assetUrls {{ model }} }} }}')
        assert gateway.calls == []
        await gateway.as_caller(STRANGER).execute(query.format(scan_id))
        assert gateway.calls == [("GET", f"/scans/{scan_id}")]


async def test_the_stages_alone_of_ones_own_scan_are_read_from_the_record_that_says_whose_it_is() -> None:
    async with clinic() as (gateway, scan_id):
        told = await gateway.as_caller(OWNER).data(f'{{ scan(scanId: "{scan_id}") {{ assets {{ isReady }} }} }}')
        assert told == {"scan": {"assets": {"isReady": True}}}
        assert gateway.calls == [("GET", f"/scans/{scan_id}")]


async def test_who_may_see_every_scan_causes_the_calls_that_it_takes_and_no_more() -> None:
    async with clinic() as (gateway, scan_id):
        await gateway.as_caller(CLINIC).data(f'{{ scan(scanId: "{scan_id}") {{ assetUrls {{ model }} }} }}')
        assert gateway.calls == [("GET", f"/scans/{scan_id}/asset-urls")]


@pytest.mark.parametrize("token", [None, "", 7, ["member-0001"]])
async def test_a_scan_that_names_nobody_is_nobodys(token: object) -> None:
    nobody = caller(*OWN, owner="", id_="nobody")
    async with world({}, gate=gate(STRANGER, NAMELESS, nobody, CLINIC)) as gateway:
        scan_id = gateway.sandbox.prism.scan_ids("READY")[0]
        scan = gateway.sandbox.prism.scans[scan_id]
        lacking = {"lacks": frozenset({"userToken"})} if token is None else {"overrides": {"userToken": token}}
        gateway.sandbox.prism.scans[scan_id] = replace(scan, **lacking)
        query = f'{{ node(id: "{global_id("Scan", scan_id)}") {{ id }} }}'
        for who in (STRANGER, NAMELESS, nobody):
            assert await gateway.as_caller(who).data(query) == {"node": None}
        assert await gateway.as_caller(CLINIC).data(query) == {"node": {"id": global_id("Scan", scan_id)}}


@pytest.mark.parametrize(
    "token", ["Jos\u00e9", "jose\u0301", "Jose\u0301 ", "\u200bJose\u0301", "Jose", "\uff2aose\u0301", None]
)
async def test_a_token_names_who_has_it_to_the_letter(token: str | None) -> None:
    other = caller(*OWN, owner=token, id_="other")
    async with world({}, gate=gate(other)) as gateway:
        scan_id = gateway.sandbox.prism.scan_ids("READY")[0]
        scans = gateway.sandbox.prism.scans
        scans[scan_id] = replace(scans[scan_id], user_token="Jose\u0301")
        query = f'{{ node(id: "{global_id("Scan", scan_id)}") {{ id }} }}'
        assert await gateway.as_caller(other).data(query) == {"node": None}


async def test_a_scan_that_is_given_to_another_is_no_longer_ones_own() -> None:
    query = '{{ scan(scanId: "{}") {{ status assetUrls {{ model }} }} }}'
    async with clinic(gateway_fresh_stages_final=10, gateway_stale_stages_final=0) as (gateway, scan_id):
        assert (await gateway.as_caller(OWNER).data(query.format(scan_id)))["scan"]["status"] == "READY"
        scan = gateway.sandbox.prism.scans[scan_id]
        gateway.sandbox.prism.scans[scan_id] = replace(scan, user_token="member-0001")
        gateway.clock.advance(11)
        answer = await gateway.as_caller(OWNER).execute(query.format(scan_id))
        assert answer["data"]["scan"] == {"status": None, "assetUrls": None}
        assert {error["extensions"]["code"] for error in answer["errors"]} == {"NOT_FOUND"}
        assert (await gateway.as_caller(STRANGER).data(query.format(scan_id)))["scan"]["status"] == "READY"


@pytest.mark.parametrize("fields", [one for one in FIELDS if one not in MADE_OF_THE_ID], ids=lambda one: one.split()[0])
async def test_whose_a_scan_is_is_never_told_by_a_stale_record(fields: str) -> None:
    query = '{{ scan(scanId: "{}") {{ {} }} }}'
    async with clinic() as (gateway, scan_id):
        for who in (OWNER, CLINIC):
            await gateway.as_caller(who).data(query.format(scan_id, everything()))
        scan = gateway.sandbox.prism.scans[scan_id]
        gateway.sandbox.prism.scans[scan_id] = replace(scan, user_token="member-0001")
        gateway.clock.advance(1_800)
        gateway.forget_calls()
        answer = await gateway.as_caller(OWNER).execute(query.format(scan_id, fields))
        assert list(answer["data"]["scan"].values()) == [None]
        assert [error["extensions"]["code"] for error in answer["errors"]] == ["NOT_FOUND"]
        assert gateway.calls == [("GET", f"/scans/{scan_id}")]
        assert_clean(str(answer))
        stale = await gateway.as_caller(CLINIC).execute(query.format(scan_id, "status"))
        assert stale["data"] == {"scan": {"status": "READY"}}
        assert stale["extensions"]["freshness"] == {"stale": [{"document": "scan", "id": scan_id, "age": 1800}]}


@pytest.mark.parametrize("fields", [one for one in FIELDS if one not in MADE_OF_THE_ID], ids=lambda one: one.split()[0])
@pytest.mark.parametrize(
    "first", ["status", "assets { isReady }", "assetUrls { model }"], ids=lambda one: one.split()[0]
)
async def test_no_answer_outlives_the_record_that_says_whose_a_scan_is(first: str, fields: str) -> None:
    async with clinic() as (gateway, scan_id):
        owner = gateway.as_caller(OWNER)
        for asked in (first, fields):
            await owner.data(f'{{ scan(scanId: "{scan_id}") {{ {asked} }} }}')
        scan = gateway.sandbox.prism.scans[scan_id]
        gateway.sandbox.prism.scans[scan_id] = replace(scan, user_token="member-0001")
        gateway.clock.advance(3)
        anew = replace(owner, headers={**owner.headers, "cache-control": "no-cache"})
        await anew.execute(f'{{ scan(scanId: "{scan_id}") {{ createdAt }} }}')
        gateway.forget_calls()
        answer = await owner.execute(f'{{ scan(scanId: "{scan_id}") {{ {fields} }} }}')
        assert list(answer["data"]["scan"].values()) == [None]
        assert [error["extensions"]["code"] for error in answer["errors"]] == ["NOT_FOUND"]
        assert gateway.calls == []


async def test_an_upstream_that_fails_shows_nothing_and_is_asked_once() -> None:
    async with clinic() as (gateway, scan_id):
        gateway.sandbox.faults.add(Fault(status=500, upstream="prism", headers={"x-should-retry": "false"}))
        answer = await gateway.as_caller(OWNER).execute(f'{{ scan(scanId: "{scan_id}") {{ {everything()} }} }}')
        assert {error["extensions"]["code"] for error in answer["errors"]} == {"UPSTREAM_UNAVAILABLE"}
        assert set(answer["data"]["scan"].values()) == {global_id("Scan", scan_id), scan_id, None}
        assert gateway.calls == [("GET", f"/scans/{scan_id}")]


async def test_a_record_that_is_refused_is_asked_for_once_though_there_are_two_ways_to_a_url() -> None:
    async with clinic() as (gateway, scan_id):
        gateway.sandbox.faults.add(Fault(status=403, upstream="prism"))
        answer = await gateway.as_caller(OWNER).execute(
            f'{{ scan(scanId: "{scan_id}") {{ assetUrl(type: TEXTURE) {{ url }} }} }}'
        )
        assert [error["extensions"]["code"] for error in answer["errors"]] == ["UPSTREAM_REJECTED"]
        assert gateway.calls == [("GET", f"/scans/{scan_id}")]


FOLLOW = (
    "subscription ($id: ID!) { scanUpdated(scanId: $id) { status assets { isFinal } assetUrl(type: MODEL) { url } } }"
)


async def read(stream: AnswerStream, found: list[Any]) -> None:
    """Collect what a subscription answers."""
    async for answer in stream:
        found.append(msgspec.json.decode(answer))  # noqa: PERF401 - as they come


@pytest.mark.parametrize("uses_plans", [True, False], ids=["plans", "graphql-core"])
async def test_a_scan_that_is_followed_is_looked_at_for_as_long_as_it_is_ones_own(*, uses_plans: bool) -> None:
    async with clinic(uses_plans=uses_plans) as (gateway, _):
        scan_id = list(gateway.sandbox.prism.scans)[20]  # which moves
        mine = replace(gateway.sandbox.prism.scans[scan_id], user_token=f"{CANARY}-token")
        gateway.sandbox.prism.scans[scan_id] = mine
        seen: dict[str, list[Any]] = {"owner": [], "clinic": []}
        readers = []
        for who in (OWNER, CLINIC):
            stream = await gateway.as_caller(who).subscribe(FOLLOW, id=scan_id)
            assert isinstance(stream, AnswerStream)
            readers.append(asyncio.create_task(read(stream, seen[who.id])))
        assert len(gateway.gateway.watchers) == 2
        await gateway.clock.run(6)
        assert [one["data"]["scanUpdated"]["status"] for one in seen["owner"]][:2] == ["CREATED", "PROCESSING"]
        gateway.sandbox.prism.scans[scan_id] = replace(mine, user_token=f"{CANARY}-other", user_id=f"{CANARY}-other")
        told = len(seen["owner"])
        await gateway.clock.run(60)
        (last,) = seen["owner"][told:]
        assert last["data"] is None
        assert [error["extensions"]["code"] for error in last["errors"]] == ["NOT_FOUND"]
        assert_clean(str(last))
        assert seen["clinic"][-1]["data"]["scanUpdated"]["status"] == "READY"
        await asyncio.wait(readers)
        assert len(gateway.gateway.watchers) == 0


async def test_who_gives_up_while_it_is_found_out_whose_a_scan_is_ends_the_call() -> None:
    asked = asyncio.Event()

    class Silent(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            asked.set()
            await asyncio.Event().wait()
            raise AssertionError(request)

    sandbox = Sandbox(clock=Clock(), url=URL)
    gateway = create_gateway(settings_for(sandbox), transports={"prism": Silent(), "scenario": Silent()}, clock=Clock())
    engine = Engine(GRAPH, Operations(GRAPH))
    query = '{ scan(scanId: "x") { assetUrls { model } assets { isReady } assetUrl(type: MODEL) { url } } }'
    answering = asyncio.create_task(
        engine.answer(Asked(query, caller=OWNER), lambda: gateway.context("request", OWNER))
    )
    await asked.wait()
    answering.cancel()
    await asyncio.wait([answering])
    await settle()
    assert not gateway.store.flights
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_what_is_asked_for_again_after_it_was_given_up_is_answered() -> None:
    async with clinic() as (gateway, scan_id):
        journal = gateway.gateway.context("request", OWNER).journal
        scans = scans_of(gateway.gateway.tenants.of(OWNER).sources.prism, journal)
        given_up = scans.asset_urls(scan_id)
        given_up.cancel()
        document = await scans.asset_urls(scan_id)
        assert isinstance(document, Document)
        assert b"X-Amz-Signature" in document.body
        assert given_up.cancelled()


def test_a_key_that_tells_owners_apart_shows_no_token() -> None:
    keys = {owner.key for who in (OWNER, STRANGER, NAMELESS) if (owner := owner_of(who)) is not None}
    assert len(keys) == 3
    assert_clean(*keys)
    assert owner_of(CLINIC) is owner_of(caller("*")) is None
