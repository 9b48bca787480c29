"""GraphQL over HTTP: what a client may send, what a malformed request is answered, and what is served beside it."""

import sys
from typing import Any

import httpx
import pytest
from starlette.types import Message

from gateway.http import door, graphiql
from gateway.http.request_id import WELL_FORMED
from tests.world import World, world

ID = "request-1"
JSON = {"content-type": "application/json", "x-request-id": ID}
BROWSER = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
TWO_OPERATIONS = "query A { a: __typename } query B { b: __typename }"
JSON_TYPE = "application/json; charset=utf-8"
METHODS = "GET, HEAD, POST, OPTIONS"
MUTATION = 'mutation { unlockAsset(input: { assetId: "asset_1" }) { userErrors { code } } }'
SHALLOW = pytest.mark.skipif(sys.version_info >= (3, 14), reason="this Python reads whatever depth a URL has room for")


def refusal(message: str, code: str = "BAD_REQUEST") -> dict[str, Any]:
    """The whole answer to a request that is refused."""
    return {"errors": [{"message": message, "extensions": {"code": code, "requestId": ID}}]}


async def test_a_query_is_answered_by_post_and_by_get(gateway: World) -> None:
    scan_id = gateway.sandbox.prism.scan_ids("READY")[0]
    query = "query Ready($scanId: ID!) { scan(scanId: $scanId) { assets { isReady } } }"
    variables = f'{{"scanId": "{scan_id}"}}'
    posted = await gateway.client.post("/graphql", json={"query": query, "variables": {"scanId": scan_id}})
    got = await gateway.client.get("/graphql", params={"query": query, "variables": variables})
    for answer in (posted, got):
        assert (answer.status_code, answer.headers["content-type"]) == (200, JSON_TYPE)
        assert answer.json() == {"data": {"scan": {"assets": {"isReady": True}}}}
    assert gateway.calls == [("GET", f"/scans/{scan_id}/scan-assets")]


async def test_a_mutation_by_get_is_refused_before_anything_happens(gateway: World) -> None:
    answer = await gateway.client.get("/graphql", params={"query": MUTATION}, headers={"x-request-id": ID})
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert answer.json() == refusal("Mutations are not allowed when using GET.")
    assert gateway.calls == []


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "QUERY"])
async def test_other_methods_are_told_which_are_taken(method: str, gateway: World) -> None:
    answer = await gateway.client.request(method, "/graphql", headers={"x-request-id": ID})
    assert (answer.status_code, answer.headers["allow"]) == (405, METHODS)
    assert answer.json() == refusal("GraphQL only supports GET and POST requests.")


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "Input data was truncated"),
        (b"{", "Input data was truncated"),
        (b"query { a }", "JSON is malformed: invalid character (byte 0)"),
        (b'{"query": "{ __typename }"} x', "JSON is malformed: trailing characters (byte 29)"),
        (b'{"query": "\xff"}', "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"),
        (b"\xff\xfe", "JSON is malformed: invalid character (byte 0)"),
        (b"[]", "Expected `object`, got `array`"),
        (b'[{"query": "{ __typename }"}]', "a batch is not taken, one request holds one operation"),
        (b'"{ __typename }"', "Expected `object`, got `str`"),
        (b"null", "Expected `object`, got `null`"),
        (b"1", "Expected `object`, got `int`"),
        (b"{}", "it has no `query`"),
        (b'{"qeury": "{ __typename }"}', "it has no `query`"),
        (b'{"query": null}', "it has no `query`"),
        (b'{"query": 1}', "Expected `str | null`, got `int` - at `$.query`"),
        (b'{"query": "{ a }", "variables": []}', "Expected `object | null`, got `array` - at `$.variables`"),
        (b'{"query": "{ a }", "variables": "{}"}', "Expected `object | null`, got `str` - at `$.variables`"),
        (b'{"query": "{ a }", "variables": {"a": NaN}}', "JSON is malformed: invalid character (byte 38)"),
        (b'{"query": "{ a }", "extensions": 1}', "Expected `object | null`, got `int` - at `$.extensions`"),
        (b'{"query": "{ a }", "operationName": 1}', "Expected `str | null`, got `int` - at `$.operationName`"),
        pytest.param(b'{"query": "{ a }", "variables": {"a": ' + b"[" * 99_999, "it is nested too deeply", id="deep"),
    ],
)
async def test_a_body_that_is_no_request_is_refused_with_the_reason(body: bytes, why: str, gateway: World) -> None:
    answer = await gateway.client.post("/graphql", content=body, headers=JSON)
    assert (answer.status_code, answer.headers["content-type"]) == (400, JSON_TYPE)
    assert answer.json() == refusal(f"This is no GraphQL request: {why}.")


@pytest.mark.parametrize(("accept", "status"), [("application/json", 200), ("application/graphql-response+json", 400)])
async def test_a_query_without_a_word_is_a_request_whose_document_does_not_parse(
    accept: str, status: int, gateway: World
) -> None:
    headers = {"x-request-id": ID, "accept": accept}
    answer = await gateway.client.post("/graphql", json={"query": ""}, headers=headers)
    (error,) = refusal("Syntax Error: Unexpected <EOF>.", "GRAPHQL_PARSE_FAILED")["errors"]
    place = [{"line": 1, "column": 1}]
    assert (answer.status_code, answer.json()) == (status, {"errors": [{**error, "locations": place}]})


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"query": "{ __typename }", "operationName": "A"}, 'Unknown operation named "A".'),
        ({"query": TWO_OPERATIONS, "operationName": "C"}, 'Unknown operation named "C".'),
        ({"query": TWO_OPERATIONS}, "The document holds several operations: `operationName` must name one."),
        ({"query": "fragment A on Query { __typename }"}, "The document holds no operation."),
        ({"query": "type Query { a: Int }"}, "The document holds no operation."),
    ],
)
async def test_a_document_without_the_operation_that_is_meant_is_refused(
    request_: dict[str, str], message: str, gateway: World
) -> None:
    answer = await gateway.client.post("/graphql", json=request_, headers={"x-request-id": ID})
    assert (answer.status_code, answer.json()) == (200, refusal(message, "OPERATION_RESOLUTION_FAILURE"))


async def test_the_named_operation_of_several_is_executed(gateway: World) -> None:
    answer = await gateway.client.post("/graphql", json={"query": TWO_OPERATIONS, "operationName": "B"})
    assert answer.json() == {"data": {"b": "Query"}}


@pytest.mark.parametrize("rest", ["query: __typename }", "__typename } fragment mutation on Query { __typename }"])
async def test_a_keyword_that_is_only_a_name_makes_no_second_operation(rest: str, gateway: World) -> None:
    answer = await gateway.client.post("/graphql", json={"query": f"query query {{ {rest}"})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "media_type",
    [
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=a",
        "application/graphql",
        "application/graphql-response+json",
        "application/json; charset=utf-16",
        "application/json, text/plain",
        "json",
        "a" * 2_000,
    ],
)
async def test_a_post_that_is_not_json_is_refused_so_that_no_form_of_another_site_can_send_it(
    media_type: str, gateway: World
) -> None:
    headers = {"content-type": media_type, "x-request-id": ID}
    answer = await gateway.client.post("/graphql", content=b'{"query": "{ __typename }"}', headers=headers)
    assert (answer.status_code, answer.json()) == (415, refusal("A POST must be application/json, in UTF-8."))


@pytest.mark.parametrize(
    "media_type",
    ["application/json; charset=utf-8", "Application/JSON", 'application/json;charset="UTF-8"', "application/json;"],
)
async def test_json_is_recognised_however_it_is_written(media_type: str, gateway: World) -> None:
    headers = {"content-type": media_type}
    answer = await gateway.client.post("/graphql", content=b'{"query": "{ __typename }"}', headers=headers)
    assert (answer.status_code, answer.json()) == (200, {"data": {"__typename": "Query"}})


@pytest.mark.parametrize(
    ("parameters", "why"),
    [
        ({}, "it has no `query`"),
        ({"query": ""}, "it has no `query`"),
        ({"query": "{ a }", "variables": "{"}, "Input data was truncated"),
        ({"query": "{ a }", "variables": "[]"}, "Expected `object | null`, got `array` - at `$.variables`"),
        pytest.param({"query": "{ a }", "variables": "[" * 5_000}, "it is nested too deeply", id="deep", marks=SHALLOW),
        ({"query": "{ a }", "extensions": "a"}, "JSON is malformed: invalid character (byte 0)"),
        ({"query": "{ a }", "extensions": "1"}, "Expected `object | null`, got `int` - at `$.extensions`"),
    ],
)
async def test_parameters_that_are_no_request_are_refused_with_the_reason(
    parameters: dict[str, str], why: str, gateway: World
) -> None:
    answer = await gateway.client.get("/graphql", params=parameters, headers={"x-request-id": ID})
    assert (answer.status_code, answer.json()) == (400, refusal(f"This is no GraphQL request: {why}."))


@pytest.mark.parametrize(
    ("query_string", "why"),
    [
        ("query={a}&query={b}", "it has `query` more than once"),
        ("query={a}&variables={}&variables=", "it has `variables` more than once"),
        ("query=%ff", "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"),
        ("&".join(["a=1"] * 101), "it has more than 100 parameters"),
    ],
)
async def test_a_query_string_that_can_be_read_in_two_ways_or_none_is_refused(
    query_string: str, why: str, gateway: World
) -> None:
    answer = await gateway.client.get(f"/graphql?{query_string}", headers={"x-request-id": ID})
    assert (answer.status_code, answer.json()) == (400, refusal(f"This is no GraphQL request: {why}."))


async def test_what_is_no_parameter_of_graphql_is_ignored_however_often_it_stands(gateway: World) -> None:
    answer = await gateway.client.get("/graphql?query={__typename}&utm=a&utm=b")
    assert (answer.status_code, answer.json()) == (200, {"data": {"__typename": "Query"}})


async def test_head_is_get_without_the_body(gateway: World) -> None:
    got = await gateway.client.get("/graphql", params={"query": "{ __typename }"}, headers={"x-request-id": ID})
    head = await gateway.client.head("/graphql", params={"query": "{ __typename }"}, headers={"x-request-id": ID})
    assert (head.status_code, head.headers, head.content) == (200, got.headers, b"")
    page = await gateway.client.head("/graphql", headers=BROWSER)
    assert (page.status_code, page.headers["content-type"], page.content) == (200, "text/html; charset=utf-8", b"")
    changing = await gateway.client.head("/graphql", params={"query": MUTATION})
    assert (changing.status_code, changing.headers["allow"], gateway.calls) == (405, "POST", [])


async def test_options_tells_the_methods(gateway: World) -> None:
    answer = await gateway.client.options("/graphql", headers={"x-request-id": ID})
    assert (answer.status_code, answer.content) == (204, b"")
    assert dict(answer.headers) == {"allow": METHODS, "x-request-id": ID}


async def test_a_compressed_body_is_refused(gateway: World) -> None:
    headers = {**JSON, "content-encoding": "gzip"}
    answer = await gateway.client.post("/graphql", content=b"\x1f\x8b", headers=headers)
    assert (answer.status_code, answer.json()) == (415, refusal("A body must not be compressed."))
    assert answer.headers["accept-encoding"] == "identity"


async def test_an_empty_parameter_is_one_left_out(gateway: World) -> None:
    answer = await gateway.client.get("/graphql?query={__typename}&variables=&extensions=&operationName=")
    assert (answer.status_code, answer.json()) == (200, {"data": {"__typename": "Query"}})


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("query A { a } query B {", "GRAPHQL_PARSE_FAILED"),
        ("{ nothing }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { a }", "GRAPHQL_VALIDATION_FAILED"),
        ("query A($id: ID!) { node(id: $id) { id } }", "BAD_USER_INPUT"),
        ('{ node(id: "nonsense") { id } }', "BAD_USER_INPUT"),
    ],
)
async def test_a_request_that_graphql_refuses_is_an_answer_with_a_coded_error_under_its_id(
    query: str, code: str, gateway: World
) -> None:
    answer = await gateway.client.post("/graphql", json={"query": query}, headers={"x-request-id": ID})
    assert answer.status_code == 200
    assert [error["extensions"] for error in answer.json()["errors"]] == [{"code": code, "requestId": ID}]


@pytest.mark.parametrize("id_", ["a", "0f3c.A-b_c", "a" * 64])
async def test_a_well_formed_request_id_comes_back(id_: str, gateway: World) -> None:
    answer = await gateway.client.post("/graphql", json={"query": "{ nothing }"}, headers={"x-request-id": id_})
    assert answer.headers["x-request-id"] == id_
    assert answer.json()["errors"][0]["extensions"]["requestId"] == id_


@pytest.mark.parametrize("id_", [None, "", "a" * 65, "a b", "-a", "é", "<script>", "a\tb"])
async def test_any_other_request_id_is_replaced_and_the_new_one_stands_in_every_error(
    id_: str | None, gateway: World
) -> None:
    headers = {} if id_ is None else {b"x-request-id": id_.encode()}
    answer = await gateway.client.post("/graphql", json={"query": "{ a b }"}, headers=headers)
    made = answer.headers["x-request-id"]
    assert WELL_FORMED.fullmatch(made.encode())
    assert made != id_
    assert [error["extensions"]["requestId"] for error in answer.json()["errors"]] == [made, made]


async def test_two_requests_get_two_ids(gateway: World) -> None:
    answers = [await gateway.client.get("/graphql", params={"query": "{ __typename }"}) for _ in range(2)]
    assert len({answer.headers["x-request-id"] for answer in answers}) == 2


async def test_a_client_that_leaves_while_it_sends_is_answered_nothing(gateway: World) -> None:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [(b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": "/graphql", "headers": headers, "query_string": b""}
    await gateway.app(scope, receive, send)
    assert sent == []


async def test_upstream_calls_are_reported_only_where_the_settings_want_it(gateway: World) -> None:
    query = "{ assets(first: 1) { pageInfo { hasNextPage } } }"
    data = {"assets": {"pageInfo": {"hasNextPage": True}}}
    assert await gateway.execute(query) == {"data": data}
    async with world({"gateway_report_calls": True}) as reporting:
        assert await reporting.execute(query) == {"data": data, "extensions": {"upstreamCalls": {"scenario": 1}}}
        assert await reporting.execute("{ __typename }") == {
            "data": {"__typename": "Query"},
            "extensions": {"upstreamCalls": {}},
        }


async def test_a_browser_gets_the_page_under_its_policy(gateway: World) -> None:
    page = await gateway.client.get("/graphql", headers=BROWSER)
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert page.headers["content-security-policy"] == graphiql.CONTENT_SECURITY_POLICY
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.text == graphiql.page()


async def test_a_program_that_takes_anything_is_not_shown_the_page(gateway: World) -> None:
    answer = await gateway.client.get("/graphql", headers={"accept": "*/*", "x-request-id": ID})
    assert answer.json() == refusal("This is no GraphQL request: it has no `query`.")


async def test_a_browser_that_opens_a_link_with_a_query_executes_nothing(gateway: World) -> None:
    headers = {**BROWSER, "x-request-id": ID}
    answer = await gateway.client.get("/graphql", params={"query": "{ __typename }"}, headers=headers)
    assert (answer.status_code, answer.json()) == (403, refusal(door.NOT_MEANT, "FORBIDDEN"))


async def test_without_graphiql_there_is_no_page_and_no_file() -> None:
    async with world({"gateway_graphiql": False}) as bare:
        page = await bare.client.get("/graphql", headers={**BROWSER, "x-request-id": ID})
        assert page.status_code == 400
        assert page.json() == refusal("This is no GraphQL request: it has no `query`.")
        assert (await bare.client.get("/graphiql/index.html")).status_code == 404


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize(
    ("target", "location"), [("", "../graphql"), ("?query=%7Ba%7D&a=b", "../graphql?query=%7Ba%7D&a=b")]
)
async def test_a_slash_too_many_leads_back_by_the_way_on_which_it_came(
    gateway: World, method: str, target: str, location: str
) -> None:
    answer = await gateway.client.request(method, f"/graphql/{target}", headers={"host": "elsewhere.test"})
    assert (answer.status_code, answer.headers["location"]) == (307, location)
    answer = await gateway.client.request(method, "/healthz/", headers={"host": "elsewhere.test"})
    assert answer.status_code == 404


async def test_healthz_says_that_the_process_runs(gateway: World) -> None:
    assert answer_of(await gateway.client.get("/healthz")) == (200, {"status": "ok"})


async def test_readyz_says_whether_requests_may_be_sent(gateway: World) -> None:
    assert answer_of(await gateway.client.get("/readyz")) == (200, {"status": "ready"})
    gateway.app.leave()
    assert answer_of(await gateway.client.get("/readyz")) == (503, {"status": "draining"})
    assert answer_of(await gateway.client.get("/healthz")) == (200, {"status": "ok"})


async def test_a_gateway_that_has_shut_down_is_not_ready() -> None:
    async with world() as ended:
        pass
    transport = httpx.ASGITransport(app=ended.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway.test") as client:
        assert answer_of(await client.get("/readyz")) == (503, {"status": "draining"})


def answer_of(response: httpx.Response) -> tuple[int, Any]:
    return response.status_code, response.json()
