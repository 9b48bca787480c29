"""No id, whatever it holds and wherever it is given, leads a call to another route."""

import base64
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import unquote

import httpx
import pytest
from graphql import (
    GraphQLField,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLObjectType,
    build_schema,
    get_named_type,
    get_nullable_type,
    is_list_type,
    is_required_input_field,
)
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.sandbox.faults import Fault
from gateway.schema import NODES, schema
from gateway.upstream.targets import segment
from tests.world import World

REFUSED = [
    "../x",
    "a/b",
    "/",
    "%2e%2e",
    "%2F",
    "..",
    ".",
    "..\\x",
    "download/job_x",
    "?x=1",
    "#a",
    " ",
    "a b",
    "a\nb",
    "a\r\nHost: elsewhere.example",
    "\x00",
    "a\x1bb",
    "a\x7f",
    "\u200b",
    "\u202ea",
    "\u2066a",
    "\u2028",
    "\ufeffa",
    "\u00a0",
    "x" * 10_000,
]
SURROGATES = ["\ud800", "a\udc00", "\udfff\ud800"]
WORDS_OF_ROUTES = ["get-bulk", "download", "lock", "unlock", "asset-urls", "scan-assets", "model"]
SIGNS = ["...", "..;", ";a=b", "a,b", "a&b=c", "a+b", "http:x", "@elsewhere.example", "~", "*", "\"'`<script>"]
ODD = [*WORDS_OF_ROUTES, *SIGNS, "{}", "{0}", "é", "体", "\U0001f9cd", "__proto__"]

ROUTES = [
    ("GET", "/scans/{}"),
    ("GET", "/scans/{}/scan-assets"),
    ("GET", "/scans/{}/asset-urls"),
    ("GET", "/scans/{}/asset-urls/model"),
    ("GET", "/assets"),
    ("GET", "/assets/{}"),
    ("POST", "/assets/get-bulk"),
    ("GET", "/assets/download/{}"),
    ("POST", "/assets/{}/download"),
    ("POST", "/assets/download"),
    ("PUT", "/assets/{}/lock"),
    ("PUT", "/assets/{}/unlock"),
    ("PUT", "/assets/{}/tags"),
]
IDS_IN_A_BODY = [("POST", "/assets/download")]

SCAN = "status assets { isReady } assetUrls { model } assetUrl(type: MODEL) { url }"
ASSET = "name parent { name } children(first: 1) { nodes { name } }"
SELECTIONS = {
    "Asset": ASSET,
    "AssetConnection": "nodes { name }",
    "DownloadJob": "downloadUrl",
    "LinkAssetsToScanPayload": "assets { name } userErrors { code }",
    "LockAssetPayload": "asset { name } userErrors { code }",
    "Node": f"... on Scan {{ {SCAN} }} ... on Asset {{ {ASSET} }} ... on DownloadJob {{ downloadUrl }}",
    "RequestAssetDownloadPayload": "download { url } userErrors { code }",
    "RequestBatchDownloadPayload": "downloadJob { jobId } userErrors { code }",
    "Scan": SCAN,
    "UnlinkAssetsFromScanPayload": "assets { name } userErrors { code }",
    "UnlockAssetPayload": "asset { name } userErrors { code }",
}
SAMPLES = {"lockExpiresAt": "2030-01-01T00:00:00Z", "assetId": "x", "assetIds": ["x"]}

GRAPH = build_schema(schema.as_str())


@dataclass(frozen=True)
class Place:
    """Where an id can be given: an argument of a root field, or a field of the input that an argument takes."""

    root: GraphQLObjectType
    field: str
    argument: str
    inner: str | None = None

    def __str__(self) -> str:
        """Its schema coordinate."""
        return f"{self.root}.{self.field}({self.argument}:)" if self.inner is None else f"{self.named}.{self.inner}"

    @property
    def declared(self) -> GraphQLField:
        field: GraphQLField = self.root.fields[self.field]
        return field

    @property
    def type(self) -> GraphQLInputType:
        return self.declared.args[self.argument].type

    @property
    def named(self) -> str:
        return get_named_type(self.type).name

    def document(self) -> str:
        """Write the operation that gives `$value` here."""
        call = f"{self.field}({self.argument}: $value) {{ {SELECTIONS[get_named_type(self.declared.type).name]} }}"
        return f"{self.root.name.lower()} Hostile($value: {self.type}) {{ {call} }}"

    def value(self, id_: str, scan_id: str) -> Any:
        """Make the `$value` that holds an id here, and samples of what must stand beside it, among which is a scan."""
        if self.inner is None:
            return listed(self.type, id_)
        fields = input_fields(self.type)
        samples = {**SAMPLES, "scanId": scan_id}
        beside = {name: samples[name] for name, f in fields.items() if is_required_input_field(f)}
        return {**beside, self.inner: listed(fields[self.inner].type, id_)}


def listed(type_: GraphQLInputType, id_: str) -> str | list[str]:
    """Give an id, in a list where that is what is taken."""
    return [id_] if is_list_type(get_nullable_type(type_)) else id_


def input_fields(type_: GraphQLInputType) -> dict[str, GraphQLInputField]:
    """List the fields of an input object; none of anything else."""
    named = get_named_type(type_)
    return named.fields if isinstance(named, GraphQLInputObjectType) else {}


def takes_id(type_: GraphQLInputType) -> bool:
    """Tell whether it is an id or a list of them."""
    return get_named_type(type_).name == "ID"


def places() -> Iterator[Place]:
    """Find every place at the roots where an id can be given."""
    for root in filter(None, (GRAPH.query_type, GRAPH.mutation_type, GRAPH.subscription_type)):
        for name, field in root.fields.items():
            for argument, declared in field.args.items():
                if takes_id(declared.type):
                    yield Place(root, name, argument)
                for inner, part in input_fields(declared.type).items():
                    if takes_id(part.type):
                        yield Place(root, name, argument, inner)


PLACES = list(places())


def coordinates() -> Iterator[str]:
    """Name every argument and input field of the whole graph that takes an id."""
    for type_ in GRAPH.type_map.values():
        if isinstance(type_, GraphQLInputObjectType):
            yield from (f"{type_}.{name}" for name, part in type_.fields.items() if takes_id(part.type))
        if isinstance(type_, GraphQLObjectType) and not type_.name.startswith("__"):
            for name, field in type_.fields.items():
                yield from (f"{type_}.{name}({arg}:)" for arg, part in field.args.items() if takes_id(part.type))


def test_every_argument_and_input_field_that_takes_an_id_is_tried_here() -> None:
    assert sorted(map(str, PLACES)) == sorted(coordinates())


async def send(gateway: World, place: Place, id_: str) -> dict[str, Any]:
    """Give an id at a place; in ASCII, which can write lone surrogates too; a subscription is refused in one answer."""
    if place.root is GRAPH.subscription_type:
        refused: dict[str, Any] = json.loads(cast("bytes", await gateway.subscribe(place.document(), value=id_)))
        return refused
    scan_id = next(iter(gateway.sandbox.prism.scans))
    body = json.dumps({"query": place.document(), "variables": {"value": place.value(id_, scan_id)}})
    response = await gateway.client.post("/graphql", content=body, headers={"content-type": "application/json"})
    answer: dict[str, Any] = response.json()
    return answer


def spellings(place: Place, id_: str) -> Sequence[str]:
    """Spell an id as it is, and where global ids are taken, within one of each type too."""
    if place.field not in {"node", "nodes"}:
        return [id_]
    raw = [f"{type_name}:{id_}".encode(errors="surrogatepass") for type_name in NODES]
    return [id_, *(base64.urlsafe_b64encode(each).decode().rstrip("=") for each in raw)]


def codes(answer: dict[str, Any]) -> set[str]:
    """List the codes of an answer's errors, beside data and within."""
    beside = {error["extensions"]["code"] for error in answer.get("errors", ())}
    return beside | set(re.findall(r'"code": "(\w+)"', json.dumps(answer.get("data"))))


def holds_nothing(value: Any) -> bool:
    """Tell whether there is no object in an answer's data: nulls, empty lists and user errors all through."""
    if isinstance(value, dict):
        return all(key == "userErrors" or holds_nothing(part) for key, part in value.items())
    return value is None or (isinstance(value, list) and all(map(holds_nothing, value)))


def known(id_: str) -> set[tuple[str, ...]]:
    """List the calls that an id may lead to, segment by segment: it is exactly one of them."""
    return {(method, *(id_ if part == "{}" else part for part in route.split("/"))) for method, route in ROUTES}


def beside(gateway: World) -> set[tuple[str, ...]]:
    """List the calls that the samples may lead to which stand beside an id."""
    return {("PUT", "", "assets", "x", "tags"), ("GET", "", "scans", next(iter(gateway.sandbox.prism.scans)))}


def made(calls: list[tuple[str, str]]) -> set[tuple[str, ...]]:
    """Take calls apart into segments, as an upstream does: at each slash, before anything is decoded."""
    return {(method, *map(unquote, path_.split("/"))) for method, path_ in calls}


@pytest.mark.parametrize("place", PLACES, ids=str)
async def test_an_id_that_could_be_read_as_an_address_is_refused_before_any_call(gateway: World, place: Place) -> None:
    for id_ in REFUSED:
        for spelling in spellings(place, id_):
            answer = await send(gateway, place, spelling)
            assert holds_nothing(answer["data"]), id_
            assert codes(answer) & {"BAD_USER_INPUT", "INVALID", "NOT_FOUND"} == codes(answer) != set(), id_
    assert set(gateway.calls) <= set(IDS_IN_A_BODY)


@pytest.mark.parametrize("place", PLACES, ids=str)
async def test_an_odd_id_reaches_its_own_route_as_one_segment_or_none_at_all(gateway: World, place: Place) -> None:
    for id_ in ODD:
        for spelling in spellings(place, id_):
            answer = await send(gateway, place, spelling)
            assert holds_nothing(answer["data"]), id_
            assert codes(answer) <= {"BAD_USER_INPUT", "INVALID", "NOT_FOUND"}, id_
        assert set() < made(gateway.calls) <= known(id_) | beside(gateway), id_


@pytest.mark.parametrize("place", PLACES, ids=str)
async def test_half_a_character_is_refused_before_any_call(gateway: World, place: Place) -> None:
    for id_ in SURROGATES:
        for spelling in spellings(place, id_):
            answer = await send(gateway, place, spelling)
            assert holds_nothing(answer.get("data")), id_
            assert codes(answer) in ({"BAD_REQUEST"}, {"BAD_USER_INPUT"}), id_
    assert gateway.calls == []


async def test_an_id_written_into_the_query_is_checked_like_a_variable(gateway: World) -> None:
    answer = await gateway.execute('{ scan(scanId: "..\\u002fx") { status } asset(assetId: "\\u002e.") { name } }')
    assert [error["extensions"] for error in answer["errors"]] == [{"code": "BAD_USER_INPUT"}] * 2
    assert gateway.calls == []


async def test_an_id_that_scenario_hands_out_is_one_segment_too(gateway: World) -> None:
    for number, id_ in enumerate(id_ for id_ in (*REFUSED, *ODD) if "\n" not in id_):  # which the sandbox never sees
        asset = {"asset": {"id": f"asset_{number}", "metadata": {"parentId": id_}}}
        gateway.sandbox.faults.add(Fault(path=f"/asset_{number}$", status=200, body=json.dumps(asset)))
        assert await gateway.data(f'{{ asset(assetId: "asset_{number}") {{ parent {{ name }} }} }}') == {
            "asset": {"parent": None}
        }
        assert made(gateway.calls) == {("GET", "", "assets", f"asset_{number}"), ("GET", "", "assets", id_)}


@given(st.text(min_size=1))
@example("..")
@example(".")
@example("a/../b")
@example("%2e%2e")
@example("{}")
def test_any_text_is_one_segment_of_a_path(id_: str) -> None:
    for before, after in ((["", "scans"], []), (["", "assets"], ["lock"])):
        sent = httpx.URL("https://api.example" + "/".join([*before, segment(id_), *after])).raw_path.decode()
        assert [unquote(part) for part in sent.split("/")] == [*before, id_, *after]
