"""What may be asked: each limit lets through what is just small enough, and names itself to what is not."""

import json
from typing import Any

import pytest
from graphql import get_introspection_query

from gateway.errors import AskedTooMuch
from gateway.limits import DocumentLimits, RequestLimits
from tests.world import World, world

SPREAD = " fragment A on Query { a: __typename b: __typename }"


def refused(limit: str, most: int, asked: int | None = None) -> dict[str, Any]:
    """The whole answer to what is refused for a limit."""
    name = limit.removeprefix("GATEWAY_MAX_").lower().replace("_", " ")
    counted = {} if asked is None else {"asked": asked}
    found = "more" if asked is None else f"{asked:,}"
    message = f"This is too much: {name} may be {most:,} at most, and here are {found}."
    extensions = {"code": "LIMIT_EXCEEDED", "retryable": False, "limit": limit, "most": most, **counted}
    return {"errors": [{"message": message, "extensions": extensions}]}


@pytest.mark.parametrize(
    ("limit", "most", "fits", "asked"),
    [
        ("document_bytes", 14, "{ __typename }", "{ __typename }#"),
        ("document_bytes", 15, "{__typename}#é", "{__typename}#éé"),
        ("definitions", 1, "{ __typename }", "{ __typename } fragment A on Query { __typename }"),
        ("depth", 2, "{ assets { __typename } }", "{ assets { pageInfo { hasNextPage } } }"),
        ("depth", 1, "{ ...A }" + SPREAD, "{ ...A } fragment A on Query { assets { __typename } }"),
        ("depth", 1, "{ ... { ... { __typename } } }", "{ ... { ... { assets { __typename } } } }"),
        ("depth", 2, "{ a(b: [[1], {c: 1}]) }", "{ a(b: [{c: [1]}]) }"),
        ("depth", 2, "{ a @b(c: [[1]]) }", "query ($d: D = {c: [[1]]}) { a }"),
        ("root_fields", 2, "{ ...A }" + SPREAD, "{ ...A c: __typename }" + SPREAD),
        ("aliases", 2, "{ ...A ...A }" + SPREAD, "{ ...A c: __typename }" + SPREAD),
        ("fragments", 2, "{ ...A ...A }" + SPREAD, "{ ...A ...A ...A }" + SPREAD),
        ("directives", 1, "{ ...A @skip(if: false) }" + SPREAD, "{ ...A @skip(if: true) x @skip(if: true) }" + SPREAD),
        ("fields", 4, "{ ...A ...A ... { ...A } }" + SPREAD, "{ ...A ... { ...A } c: __typename }" + SPREAD),
        ("values", 4, "{ a(b: [1, {c: $d}]) }", "query ($d: D = 1) { a(b: [1]) @c(d: [$d]) }"),
        ("merges", 1, "{ __typename __typename }", "{ __typename __typename __typename }"),
        ("merges", 1, "{ ...A ...A a: __typename }" + SPREAD, "{ ...A a: __typename b: __typename }" + SPREAD),
    ],
)
def test_a_limit_is_what_a_document_may_just_have(limit: str, most: int, fits: str, asked: str) -> None:
    def read(text: str) -> None:
        limits.check_bytes(text)
        limits.parse(text)

    limits = DocumentLimits(**{limit: most})
    read(fits)
    with pytest.raises(AskedTooMuch) as caught:
        read(asked)
    assert (caught.value.limit, caught.value.most) == (f"GATEWAY_MAX_{limit.upper()}", most)
    assert caught.value.asked is not None
    assert caught.value.asked > most


@pytest.mark.parametrize("more", ["{ a b c }", "#\n#\n#\n#\n#\n{ a }"])
def test_no_token_is_read_after_the_last_that_is_allowed(more: str) -> None:
    limits = DocumentLimits(tokens=4)
    limits.parse("#\n#\n{ a b }")
    with pytest.raises(AskedTooMuch, match="here are more") as caught:
        limits.parse(more + ' """ and this is no token at all')
    assert (caught.value.limit, caught.value.asked) == ("GATEWAY_MAX_TOKENS", None)


def test_fields_that_meet_deeper_down_are_compared_there_too() -> None:
    twice = "{ " + "a: asset(assetId: 1) { parent { id } } " * 2 + "}"
    DocumentLimits(merges=3).parse(twice)  # a, a.parent and a.parent.id
    with pytest.raises(AskedTooMuch, match=r"merges may be 2 at most, and here are 3\."):
        DocumentLimits(merges=2).parse(twice)


def test_a_fragment_in_itself_is_left_to_validation() -> None:
    DocumentLimits().parse("{ ...A } fragment A on Query { ...B } fragment B on Query { ...A __typename }")


@pytest.mark.parametrize("everything", [False, True])
def test_the_schema_may_be_asked_for_whole(everything: bool) -> None:  # noqa: FBT001 - a case
    options = dict.fromkeys(("specified_by_url", "directive_is_repeatable", "schema_description"), everything)
    query = get_introspection_query(descriptions=True, **options)
    DocumentLimits().check_bytes(query)
    DocumentLimits().parse(query)


def nested(depth: int) -> list[Any]:
    """So many lists in each other."""
    return [nested(depth - 1)] if depth > 1 else []


@pytest.mark.parametrize(
    ("limit", "most", "fits", "asked"),
    [
        ("variables_bytes", 13, {"a": "12345"}, {"a": "123456"}),
        ("variables_depth", 3, {"a": nested(3), "b": {"c": [{}]}}, {"a": nested(4)}),
        ("variables_depth", 3, {"a": "[[[[["}, {"a": {"b": {"c": {"d": {}}}}}),
        ("list_items", 2, {"a": [1, 2], "b": [3, 4]}, {"a": {"b": [1, 2, 3]}}),
        ("list_items", 2, {"a": {"b": 1, "c": 2}}, {"a": [{"b": 1, "c": 2, "d": 3}]}),
    ],
)
def test_a_limit_is_what_variables_may_just_have(
    limit: str, most: int, fits: dict[str, Any], asked: dict[str, Any]
) -> None:
    limits = RequestLimits(**{limit: most})
    limits.check_variables(fits)
    with pytest.raises(AskedTooMuch) as caught:
        limits.check_variables(asked)
    assert (caught.value.limit, caught.value.most) == (f"GATEWAY_MAX_{limit.upper()}", most)


async def test_a_document_that_is_too_much_is_refused_with_its_numbers_and_no_upstream_call() -> None:
    async with world({"gateway_max_aliases": 2}) as gateway:
        query = "{ a: asset(assetId: 1) { id } b: asset(assetId: 1) { id } c: asset(assetId: 1) { id } }"
        assert await gateway.execute(query) == refused("GATEWAY_MAX_ALIASES", 2, 3)
        assert gateway.calls == []


async def test_variables_that_are_too_much_are_refused_with_their_numbers() -> None:
    async with world({"gateway_max_list_items": 3}) as gateway:
        query = "query ($ids: [ID!]!) { assetsById(assetIds: $ids) { id } }"
        assert await gateway.execute(query, ids=["a"] * 4) == refused("GATEWAY_MAX_LIST_ITEMS", 3, 4)
        response = await gateway.client.post("/graphql", json={"query": query, "variables": {"ids": ["a"] * 4}})
        assert (response.status_code, gateway.calls) == (413, [])


async def test_what_is_too_long_for_the_documents_that_are_kept_is_not_kept_either() -> None:
    async with world({"gateway_max_document_bytes": 100}) as gateway:
        assert await gateway.execute("{ __typename }" + " " * 87) == refused("GATEWAY_MAX_DOCUMENT_BYTES", 100, 101)
        assert len(gateway.app.state.engine.operations) == 0


async def test_a_body_is_refused_as_soon_as_it_is_too_long_or_says_that_it_will_be() -> None:
    async with world({"gateway_max_body_bytes": 100}) as gateway:
        sent = []

        async def endless() -> Any:
            while True:
                sent.append(b" " * 40)
                yield sent[-1]

        headers = {"content-type": "application/json"}
        answer = await gateway.client.post("/graphql", content=endless(), headers=headers)
        assert (answer.status_code, len(sent)) == (413, 3)
        assert without_ids(answer.json()) == refused("GATEWAY_MAX_BODY_BYTES", 100)
        answer = await gateway.client.post("/graphql", content=b" " * 101, headers=headers)
        assert (answer.status_code, without_ids(answer.json())) == (413, refused("GATEWAY_MAX_BODY_BYTES", 100, 101))


async def test_a_url_that_is_too_long_is_refused() -> None:
    async with world({"gateway_max_url_bytes": 100}) as gateway:
        answer = await gateway.client.get("/graphql?query=" + "x" * 95)
        assert (answer.status_code, without_ids(answer.json())) == (414, refused("GATEWAY_MAX_URL_BYTES", 100, 101))


def without_ids(answer: dict[str, Any]) -> dict[str, Any]:
    for error in answer["errors"]:
        assert error["extensions"].pop("requestId")
    return answer


async def test_the_schema_is_not_told_where_a_setting_says_so() -> None:
    async with world({"gateway_introspection": False}) as gateway:
        answer = json.dumps(await gateway.execute("{ __schema { types { name } } }"))
        assert "GRAPHQL_VALIDATION_FAILED" in answer
        assert "ScanAssets" not in answer
        assert await gateway.data("{ __typename }") == {"__typename": "Query"}


@pytest.mark.parametrize(("suggests", "hint"), [(True, " Did you mean 'asset' or 'assets'?"), (False, "")])
async def test_names_that_are_like_it_are_told_unless_a_setting_says_otherwise(
    suggests: bool,  # noqa: FBT001 - a case
    hint: str,
) -> None:
    async with world({"gateway_suggestions": suggests}) as gateway:
        (error,) = (await gateway.execute("{ asse { id } }"))["errors"]
        assert error["message"] == f"Cannot query field 'asse' on type 'Query'.{hint}"


async def test_several_wrong_names_are_told_without_them(gateway: World) -> None:
    answer = await gateway.execute("{ asse1 asse2 }")
    assert [error["message"] for error in answer["errors"]] == [
        f"Cannot query field 'asse{number}' on type 'Query'." for number in (1, 2)
    ]
