"""What a client takes: media types with their weights, the status rules of each, and streams only where asked for."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import strawberry
from starlette.types import Receive, Send

from gateway.engine.engine import Engine
from gateway.engine.incremental import Form
from gateway.engine.operations import Operations
from gateway.http.asking import Options, Streamed
from gateway.http.endpoint import Endpoint
from gateway.http.negotiation import GRAPHQL_RESPONSE, LEGACY_JSON, WholeType, accepted
from gateway.http.persisted import PersistedDocuments
from gateway.sandbox import Fault
from tests.world import World, world

GRAPHQL, JSON = "application/graphql-response+json", "application/json"
TYPES = {GRAPHQL: f"{GRAPHQL}; charset=utf-8", JSON: f"{JSON}; charset=utf-8"}
APOLLO = f"{GRAPHQL},{JSON};q=0.9"
URQL = f"{GRAPHQL}, application/graphql+json, {JSON}, text/event-stream, multipart/mixed"
APOLLO_STREAM = f"multipart/mixed;boundary=graphql;subscriptionSpec=1.0,{GRAPHQL},{JSON};q=0.9"
JAVA = "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2"


@pytest.mark.parametrize(
    ("header", "whole"),
    [
        (None, LEGACY_JSON),
        ("", LEGACY_JSON),
        ("*/*", LEGACY_JSON),
        ("application/*", LEGACY_JSON),
        (JSON, LEGACY_JSON),
        (GRAPHQL, GRAPHQL_RESPONSE),
        (f"{JSON}, {GRAPHQL}", GRAPHQL_RESPONSE),
        (f"{JSON}, {GRAPHQL};q=0.9", LEGACY_JSON),
        (f"{JSON};q=0.9, {GRAPHQL}", GRAPHQL_RESPONSE),
        (f"{JSON}, {GRAPHQL};q=0", LEGACY_JSON),
        (f"{JSON};q=0, {GRAPHQL};q=0", None),
        (f"{JSON};q=0, */*", GRAPHQL_RESPONSE),
        (f"*/*, {JSON};q=0.5", GRAPHQL_RESPONSE),
        (f"{GRAPHQL}, */*", GRAPHQL_RESPONSE),
        (f"{GRAPHQL};q=0.2, */*;q=0.1", GRAPHQL_RESPONSE),
        ("application/*;q=0.5, */*;q=0", LEGACY_JSON),
        ("application/*;q=0, */*", None),
        (f"{JSON};q=0.000", None),
        (f"{JSON};q=1.000", LEGACY_JSON),
        (f"{JSON};q=high", None),
        (f"{JSON};q=", None),
        (f"{JSON};q=7, {GRAPHQL}", GRAPHQL_RESPONSE),
        ("APPLICATION/JSON", LEGACY_JSON),
        (f" {JSON} ; Q=0.1 , text/plain ", LEGACY_JSON),
        (f"{JSON};charset=utf-8", LEGACY_JSON),
        (f'{JSON};charset="UTF-8"', LEGACY_JSON),
        (f"{JSON};charset=latin1", None),
        (f"{GRAPHQL};charset=utf-16, {JSON};q=0.1", LEGACY_JSON),
        (f'text/plain;note="a, {JSON}"', None),
        (f'text/plain;note="a\\", {JSON}"', None),
        (f'text/plain;note="open, {JSON}', None),
        (f"{JSON};version=2", LEGACY_JSON),
        (f",,{JSON},;,", LEGACY_JSON),
        ("text/html", None),
        ("json", None),
        (";", None),
        ("text/event-stream", None),
        (APOLLO, GRAPHQL_RESPONSE),
        (URQL, GRAPHQL_RESPONSE),
        (APOLLO_STREAM, GRAPHQL_RESPONSE),
        (JAVA, LEGACY_JSON),
    ],
)
def test_the_media_type_of_a_whole_answer_is_the_one_of_most_weight(
    header: str | None, whole: WholeType | None
) -> None:
    assert accepted(None if header is None else header.encode()).whole is whole


@pytest.mark.parametrize(
    ("header", "streams"),
    [
        ("*/*", []),
        ("text/*", []),
        (JSON, []),
        ("text/event-stream;q=0", []),
        ("text/event-stream", [("text/event-stream", {})]),
        (URQL, [("text/event-stream", {}), ("multipart/mixed", {})]),
        ("text/event-stream;q=0.5, multipart/mixed", [("multipart/mixed", {}), ("text/event-stream", {})]),
        (APOLLO_STREAM, [("multipart/mixed", {"boundary": "graphql", "subscriptionspec": "1.0"})]),
        (f"multipart/mixed;deferSpec=20220824,{JSON}", []),
        (
            'multipart/mixed;boundary="graphql";subscriptionSpec="1.0"',
            [("multipart/mixed", {"boundary": "graphql", "subscriptionspec": "1.0"})],
        ),
    ],
)
def test_a_stream_is_taken_only_where_it_is_named(header: str, streams: list[tuple[str, dict[str, str]]]) -> None:
    assert [(one.name, one.parameters) for one in accepted(header.encode()).streams] == streams


@pytest.mark.parametrize(
    ("header", "form"),
    [
        (JSON, None),
        ("multipart/mixed", None),
        ("multipart/*;deferSpec=20220824, */*", None),
        (APOLLO_STREAM, None),
        ("multipart/mixed;deferSpec=20991231", None),
        ("multipart/mixed;deferSpec=20220824;q=0", None),
        (f"multipart/mixed;deferSpec=20220824,{APOLLO}", Form.BY_PATH),
        (f'Multipart/Mixed; boundary="-"; DeferSpec="20220824",{JSON}', Form.BY_PATH),
        (f"multipart/mixed;incrementalSpec=v0.2,{APOLLO}", Form.BY_ID),
        ("multipart/mixed;deferSpec=20220824;q=0.5, multipart/mixed;incrementalSpec=v0.2", Form.BY_ID),
        ("multipart/mixed;deferSpec=20220824;subscriptionSpec=1.0", Form.BY_PATH),
    ],
)
def test_parts_of_one_answer_are_taken_only_in_a_form_that_is_named(header: str, form: Form | None) -> None:
    assert accepted(header.encode()).form is form


@pytest.mark.parametrize(
    "refused",
    [
        {"query": "{"},
        {"query": "{ nothing }"},
        {"query": "query ($id: ID!) { node(id: $id) { id } }"},
        {"query": "query ($id: ID!) { node(id: $id) { id } }", "variables": {"id": None}},
        {"query": "query ($id: ID!) { node(id: $id) { id } }", "variables": {"id": {}}},
        {"query": "{ __typename }", "operationName": "A"},
        {"query": "query A { __typename } query B { __typename }"},
        {"query": "fragment A on Query { __typename }"},
    ],
)
@pytest.mark.parametrize("plans", [True, False])
async def test_what_graphql_refuses_has_no_data_and_a_status_by_media_type(
    refused: dict[str, Any], *, plans: bool
) -> None:
    async with world({"gateway_plans": plans}) as gateway:
        for type_, status in ((GRAPHQL, 400), (JSON, 200)):
            answer = await gateway.client.post("/graphql", json=refused, headers={"accept": type_})
            assert (answer.status_code, answer.headers["content-type"]) == (status, TYPES[type_])
            assert answer.json().keys() == {"errors"}


@pytest.mark.parametrize("type_", [GRAPHQL, JSON])
async def test_a_malformed_request_is_400_in_either_media_type(type_: str, gateway: World) -> None:
    for body in (b"{", b"{}", b'{"query": 1}', b'{"query": "{ __typename }", "variables": []}'):
        headers = {"accept": type_, "content-type": JSON}
        answer = await gateway.client.post("/graphql", content=body, headers=headers)
        assert (answer.status_code, answer.headers["content-type"]) == (400, TYPES[type_])
        assert answer.json()["errors"][0]["extensions"]["code"] == "BAD_REQUEST"


@pytest.mark.parametrize("type_", [GRAPHQL, JSON])
async def test_data_beside_errors_and_null_data_are_200(type_: str, gateway: World) -> None:
    gateway.sandbox.faults.add(Fault(upstream="prism", status=503))
    for query in (
        '{ scan(scanId: "s") { assets { isReady } } }',
        '{ nodes(ids: ["x", "y"]) { id } assetsById(assetIds: [""]) { assetId } }',
    ):
        answer = await gateway.client.post("/graphql", json={"query": query}, headers={"accept": type_})
        assert (answer.status_code, answer.headers["content-type"]) == (200, TYPES[type_])
        assert answer.json().keys() == {"data", "errors"}


async def test_who_takes_no_type_of_ours_is_told_which_there_are_and_nothing_happens(gateway: World) -> None:
    headers = {"accept": "application/xml, text/html", "x-request-id": "a"}
    answer = await gateway.client.post("/graphql", json={"query": "{ assets { nodes { id } } }"}, headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (406, TYPES[JSON])
    message = "Answers are application/graphql-response+json or application/json; the Accept header takes neither."
    assert answer.json() == {"errors": [{"message": message, "extensions": {"code": "BAD_REQUEST", "requestId": "a"}}]}
    assert gateway.calls == []


async def test_headers_that_come_more_than_once_are_read_as_one(gateway: World) -> None:
    headers = [("accept", "text/plain"), ("accept", GRAPHQL), ("content-type", JSON)]
    answer = await gateway.client.post("/graphql", content=b'{"query": "{ __typename }"}', headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (200, TYPES[GRAPHQL])


async def test_an_accept_header_beyond_all_measure_is_refused_unread(gateway: World) -> None:
    headers = {"accept": ", ".join([JSON] * 200)}
    answer = await gateway.client.post("/graphql", json={"query": "{ __typename }"}, headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (431, TYPES[JSON])
    assert answer.json()["errors"][0]["message"] == "The header Accept is longer than 2000 bytes."


@strawberry.type
class Query:
    now: int = 1


@strawberry.type
class Mutation:
    @strawberry.mutation
    def set(self) -> int:
        return 2


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def ticks(self) -> AsyncIterator[int]:
        yield 1


@asynccontextmanager
async def streaming(gateway: World, streamed: list[Streamed]) -> AsyncIterator[httpx.AsyncClient]:
    """A real endpoint over a schema with a subscription; what it hands on as a stream is noted and answered `data`."""

    async def stream(one: Streamed, _receive: Receive, send: Send) -> None:
        streamed.append(one)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"data"})

    schema = strawberry.Schema(Query, Mutation, Subscription)._schema  # noqa: SLF001 - graphql-core's own
    engine = Engine(schema, Operations(schema), uses_plans=False)
    endpoint = Endpoint(engine, gateway.gateway.context, PersistedDocuments(0), Options(), stream, clock=time.time)
    transport = httpx.ASGITransport(app=endpoint)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway.test") as client:
        yield client


@pytest.mark.parametrize(
    ("accept", "query", "streamed"),
    [
        (URQL, "subscription { ticks }", "text/event-stream"),
        (APOLLO_STREAM, "subscription { ticks }", "multipart/mixed"),
        ("text/event-stream", "subscription { ticks }", "text/event-stream"),
        ("text/event-stream", "{ now }", "text/event-stream"),
        ("text/event-stream", "mutation { set }", "text/event-stream"),
        ("text/event-stream", "{ nothing }", "text/event-stream"),
        (URQL, "{ now }", None),
        (URQL, "mutation { set }", None),
        (URQL, "{ nothing }", None),
        (f"text/event-stream, {JSON};q=0.1", "{ now }", None),
    ],
)
async def test_a_subscription_is_streamed_and_a_query_only_where_nothing_else_is_taken(
    accept: str, query: str, streamed: str | None, gateway: World
) -> None:
    seen: list[Streamed] = []
    async with streaming(gateway, seen) as client:
        answer = await client.post("/graphql", json={"query": query}, headers={"accept": accept})
    assert [(one.type.name, one.operation.query) for one in seen] == ([(streamed, query)] if streamed else [])
    assert (answer.text == "data") is bool(streamed)


@pytest.mark.parametrize("accept", [JSON, "*/*", "text/*, */*"])
async def test_a_subscription_without_a_stream_to_put_it_in_is_refused(accept: str, gateway: World) -> None:
    async with streaming(gateway, []) as client:
        answer = await client.post("/graphql", json={"query": "subscription { ticks }"}, headers={"accept": accept})
    assert answer.status_code == 406
    message = "A subscription needs an Accept header that names text/event-stream or multipart/mixed."
    assert answer.json()["errors"][0]["message"] == message
