"""Global ids, and what `node` and `nodes` find by them."""

import base64
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from gateway.errors import BadUserInput
from gateway.graph.ids import MAX_ID_LENGTH, check_id, each_id, global_id, read_global_id
from tests.world import World

IDS = st.text(
    st.characters(exclude_categories=("C", "Z"), exclude_characters="/\\%?#"), min_size=1, max_size=64
).filter(lambda id_: id_ not in {".", ".."})
NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]*", fullmatch=True)

NODES = """
query Nodes($ids: [ID!]!) {
  nodes(ids: $ids) {
    __typename
    id
    ... on Scan { scanId status }
    ... on Asset { assetId kind }
    ... on DownloadJob { jobId }
  }
}
"""


@given(NAMES, IDS)
def test_a_global_id_leads_back_to_its_type_and_id(type_name: str, id_: str) -> None:
    assert read_global_id(global_id(type_name, id_), "id") == (type_name, id_)


@given(NAMES, IDS)
def test_a_global_id_can_stand_in_an_address(type_name: str, id_: str) -> None:
    text = global_id(type_name, id_)
    assert text.replace("-", "").replace("_", "").isalnum()
    assert text.isascii()


@given(NAMES, st.tuples(IDS, IDS))
def test_two_ids_never_share_a_global_id(type_name: str, ids: tuple[str, str]) -> None:
    assume(ids[0] != ids[1])
    assert global_id(type_name, ids[0]) != global_id(type_name, ids[1])


@given(st.text() | st.binary().map(lambda raw: base64.urlsafe_b64encode(raw).decode().rstrip("=")))
@example("U2NhbjphYi8_")
@example("U2NhbjpzY2FuXzF=")
@example("U2NhbjpzY2FuXzE=")
@example("QQ")
@example("QR")
def test_only_what_a_global_id_is_written_as_is_one(text: str) -> None:
    try:
        read = read_global_id(text, "id")
    except BadUserInput:
        return
    assert global_id(*read) == text


@given(st.text())
def test_an_id_that_passes_holds_nothing_that_means_something_in_an_address(id_: str) -> None:
    try:
        check_id(id_, "scanId")
    except BadUserInput:
        return
    assert id_ not in {"", ".", ".."}
    assert not set(id_) & set("/\\%?# \t\r\n")
    assert id_.isprintable()


@pytest.mark.parametrize("id_", ["a", "...", "asset_GTrL3mq4SXWyMxkOHRxlpw", "a-b_c.d~e", "é", "x" * MAX_ID_LENGTH])
def test_ids_as_upstreams_make_them_pass(id_: str) -> None:
    assert check_id(id_, "assetId") == id_


def test_the_message_names_the_argument_and_never_shows_the_id() -> None:
    with pytest.raises(BadUserInput) as raised:
        check_id("../canary", "assetId")
    assert raised.value.message == (
        "`assetId` is not an id: it holds a slash, a percent sign, white space or the like."
    )
    with pytest.raises(BadUserInput) as raised:
        check_id("c" * 257, "assetId")
    assert raised.value.message == "`assetId` must have 1 to 256 characters; this one has 257."
    with pytest.raises(BadUserInput) as raised:
        each_id(["a", "b", "c"], "assetIds", 2, str)
    assert raised.value.message == "`assetIds` takes at most 2 ids; these are 3."


async def one_of_each(gateway: World) -> list[dict[str, Any]]:
    """A scan, an asset and a download job, as the graph shows them under their own fields."""
    scan_id = gateway.sandbox.prism.scan_ids("READY")[0]
    asset_id = (await gateway.data("{ assets(first: 1) { nodes { assetId } } }"))["assets"]["nodes"][0]["assetId"]
    made = await gateway.data(
        """mutation Pack($assetId: ID!) {
          requestBatchDownload(input: { assetIds: [$assetId] }) { downloadJob { __typename id jobId } }
        }""",
        assetId=asset_id,
    )
    found = await gateway.data(
        """query Find($scanId: ID!, $assetId: ID!) {
          scan(scanId: $scanId) { __typename id scanId status }
          asset(assetId: $assetId) { __typename id assetId kind }
        }""",
        scanId=scan_id,
        assetId=asset_id,
    )
    return [found["scan"], found["asset"], made["requestBatchDownload"]["downloadJob"]]


async def test_nodes_finds_objects_of_every_type_in_the_order_asked(gateway: World) -> None:
    scan, asset, job = await one_of_each(gateway)
    ids = [job["id"], scan["id"], asset["id"], scan["id"]]
    assert await gateway.data(NODES, ids=ids) == {"nodes": [job, scan, asset, scan]}


async def test_node_finds_an_object_of_every_type(gateway: World) -> None:
    for found in await one_of_each(gateway):
        answer = await gateway.data("query Node($id: ID!) { node(id: $id) { __typename id } }", id=found["id"])
        assert answer == {"node": {"__typename": found["__typename"], "id": found["id"]}}


@pytest.mark.parametrize("type_name", ["Scan", "Asset", "DownloadJob"])
async def test_an_object_that_does_not_exist_is_null_without_an_error(gateway: World, type_name: str) -> None:
    id_ = global_id(type_name, "nothing")
    answer = await gateway.data(
        "query Node($id: ID!) { node(id: $id) { id } nodes(ids: [$id, $id]) { id } }",
        id=id_,
    )
    assert answer == {"node": None, "nodes": [None, None]}


GARBAGE = [
    ("", "`{}` takes global ids, as the field `id` gives them; this is none."),
    ("scan_1", "`{}` takes global ids, as the field `id` gives them; this is none."),
    ("é", "`{}` takes global ids, as the field `id` gives them; this is none."),
    ("U2Nhbg", "`{}` takes global ids, as the field `id` gives them; this is none."),
    ("U2NhbjpzY2FuXzE=", "`{}` takes global ids, as the field `id` gives them; this is none."),
    (global_id("Query", "1"), "`{}` names a type that this graph does not have."),
    (global_id("scan", "1"), "`{}` names a type that this graph does not have."),
    (global_id("", "1"), "`{}` names a type that this graph does not have."),
    (global_id("Scan", ""), "`{}` must have 1 to 256 characters; this one has 0."),
    (global_id("Scan", "a/b"), "`{}` is not an id: it holds a slash, a percent sign, white space or the like."),
]


@pytest.mark.parametrize(("id_", "message"), GARBAGE)
async def test_garbage_is_bad_input_and_costs_its_own_place_only(gateway: World, id_: str, message: str) -> None:
    scan_id = gateway.sandbox.prism.scan_ids("READY")[0]
    known = global_id("Scan", scan_id)
    query = "query Node($id: ID!, $ids: [ID!]!) { node(id: $id) { id } nodes(ids: $ids) { id } }"
    assert await gateway.execute(query, id=id_, ids=[known, id_]) == {
        "data": {"node": None, "nodes": [{"id": known}, None]},
        "errors": [
            {"message": message.format("id"), "path": ["node"], "extensions": {"code": "BAD_USER_INPUT"}},
            {"message": message.format("ids"), "path": ["nodes", 1], "extensions": {"code": "BAD_USER_INPUT"}},
        ],
    }
    assert gateway.calls == [("GET", f"/scans/{scan_id}")]


async def test_more_than_100_nodes_are_refused_before_any_call(gateway: World) -> None:
    query = "query Nodes($ids: [ID!]!) { nodes(ids: $ids) { id } }"
    assert await gateway.execute(query, ids=[global_id("Scan", "1")] * 101) == {
        "data": None,
        "errors": [
            {
                "message": "`ids` takes at most 100 ids; these are 101.",
                "path": ["nodes"],
                "extensions": {"code": "BAD_USER_INPUT"},
            }
        ],
    }
    assert gateway.calls == []
