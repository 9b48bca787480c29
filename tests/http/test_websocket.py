"""GraphQL over WebSocket, message by message: `graphql-transport-ws`, and the old `graphql-ws` where it is spoken."""

import asyncio
import gc
import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from starlette.types import Scope

from gateway.auth.caller import ANYONE, Caller, OpenGate
from gateway.context import Context
from gateway.errors import GatewayError
from gateway.http.answering import Answering
from gateway.http.connection import Admit, ConnectionLimits, Service
from gateway.http.persisted import PersistedDocuments
from gateway.http.subprotocols import CloseCode, Closing
from gateway.http.websocket import SocketEndpoint, SocketOptions, admit_by
from gateway.sandbox import Fault
from tests.http.exchanges import connect
from tests.world import ONCE, World, settle, world

FOLLOW = "subscription ($scanId: ID!) { scanUpdated(scanId: $scanId) { status } }"
NAME = {"query": "{ __typename }"}
LOCK = """
mutation ($assetId: ID!) {
  lockAsset(input: { assetId: $assetId, lockExpiresAt: "2026-10-01T00:00:00Z" }) { asset { assetId } }
}
"""
STEADY = {"gateway_watch_jitter": 0}
INVALID = "Invalid message: "


def moving(gateway: World, place: int = 0) -> str:
    return list(gateway.sandbox.prism.scans)[20 + place]


def subscribe(id_: str, query: str, **variables: Any) -> dict[str, Any]:
    return {"id": id_, "type": "subscribe", "payload": {"query": query, "variables": variables}}


def state(id_: str, status: str) -> dict[str, Any]:
    return {"id": id_, "type": "next", "payload": {"data": {"scanUpdated": {"status": status}}}}


def name(id_: str) -> list[dict[str, Any]]:
    return [
        {"id": id_, "type": "next", "payload": {"data": {"__typename": "Query"}}},
        {"id": id_, "type": "complete"},
    ]


def refused(id_: str, message: str, code: str, **more: Any) -> list[dict[str, Any]]:
    return [{"id": id_, "type": "error", "payload": [{"message": message, "extensions": {"code": code, **more}}]}]


def is_at_rest(gateway: World) -> bool:
    """Whether nothing is watched, and nobody runs but the test."""
    return gateway.gateway.watchers.subscribed == 0 and asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_scan_is_followed_to_its_end() -> None:
    async with world(STEADY) as gateway:
        socket = await connect(gateway.app)
        await socket.say(subscribe("1", FOLLOW, scanId=moving(gateway)))
        assert socket.heard() == [state("1", "CREATED")]
        await gateway.clock.run(60)
        course = [state("1", status) for status in (*["PROCESSING"] * 4, "READY")]
        assert socket.heard() == [*course, {"id": "1", "type": "complete"}]
        await socket.leave()
        assert is_at_rest(gateway)


async def test_queries_and_mutations_are_answered_once_and_complete(gateway: World) -> None:
    socket, asset_id = await connect(gateway.app), gateway.asset_ids[0]
    await socket.say({"id": "q", "type": "subscribe", "payload": NAME})
    assert socket.heard() == name("q")
    await socket.say(subscribe("m", LOCK, assetId=asset_id))
    answer = {"data": {"lockAsset": {"asset": {"assetId": asset_id}}}}
    assert socket.heard() == [
        {"id": "m", "type": "next", "payload": answer},
        {"id": "m", "type": "complete"},
    ]


async def test_an_answer_with_data_and_errors_is_no_error_message(gateway: World) -> None:
    gateway.sandbox.faults.add(Fault(upstream="prism", status=503, headers={"x-should-retry": "false"}))
    socket = await connect(gateway.app)
    await socket.say(subscribe("1", '{ scan(scanId: "a") { status } }'))
    first, last = socket.heard()
    assert (first["type"], first["payload"]["data"]) == ("next", {"scan": {"status": None}})
    assert last == {"id": "1", "type": "complete"}


async def test_a_refused_subscription_is_an_answer_without_data_that_completes(gateway: World) -> None:
    socket = await connect(gateway.app)
    await socket.say(subscribe("1", FOLLOW, scanId="none"))
    first, last = socket.heard()
    assert (first["payload"]["data"], first["payload"]["errors"][0]["extensions"]["code"]) == (None, "NOT_FOUND")
    assert last == {"id": "1", "type": "complete"}


@pytest.mark.parametrize(
    ("payload", "message", "code"),
    [
        ({"extensions": {"a": 1}}, "This is no GraphQL request: it has no `query`.", "BAD_REQUEST"),
        (
            {"query": "query A { __typename }", "operationName": "B"},
            'Unknown operation named "B".',
            "OPERATION_RESOLUTION_FAILURE",
        ),
        ({"documentId": "sha256:no"}, "PersistedQueryNotFound", "PERSISTED_QUERY_NOT_FOUND"),
    ],
)
async def test_what_cannot_be_executed_is_an_error_of_that_operation_alone(
    payload: dict[str, Any], message: str, code: str, gateway: World
) -> None:
    socket = await connect(gateway.app)
    await socket.say({"id": "1", "type": "subscribe", "payload": payload})
    assert socket.heard() == refused("1", message, code)
    await socket.say({"id": "1", "type": "subscribe", "payload": NAME})
    assert socket.heard() == name("1")


@pytest.mark.parametrize(
    ("query", "codes"),
    [
        ("", ["GRAPHQL_PARSE_FAILED"]),
        ("{", ["GRAPHQL_PARSE_FAILED"]),
        ("{ a b }", ["GRAPHQL_VALIDATION_FAILED"] * 2),
        (FOLLOW, ["BAD_USER_INPUT"]),
    ],
)
async def test_an_operation_that_is_refused_leaves_the_others_alone(
    query: str, codes: list[str], gateway: World
) -> None:
    socket = await connect(gateway.app)
    await socket.say(subscribe("follow", FOLLOW, scanId=moving(gateway)))
    assert socket.heard() == [state("follow", "CREATED")]
    await socket.say(subscribe("bad", query))
    (error,) = socket.heard()
    assert (error["id"], error["type"]) == ("bad", "error")
    assert [one["extensions"]["code"] for one in error["payload"]] == codes
    await gateway.clock.run(60)
    assert socket.heard()[-2:] == [state("follow", "READY"), {"id": "follow", "type": "complete"}]


async def test_who_completes_an_operation_hears_no_more_of_it_and_may_use_its_id_again() -> None:
    async with world(STEADY) as gateway:
        socket = await connect(gateway.app)
        await socket.say(subscribe("1", FOLLOW, scanId=moving(gateway)))
        assert socket.heard() == [state("1", "CREATED")]
        await socket.say({"id": "1", "type": "complete"})
        assert gateway.gateway.watchers.subscribed == 0
        await socket.say({"id": "1", "type": "complete"})  # it was on its way
        await gateway.clock.run(60)
        assert socket.heard() == []
        await socket.say({"id": "1", "type": "subscribe", "payload": NAME})
        assert socket.heard() == name("1")


async def test_the_id_of_what_has_come_to_its_end_may_be_used_again() -> None:
    async with world(STEADY) as gateway:
        socket = await connect(gateway.app)
        await socket.say(subscribe("1", FOLLOW, scanId=moving(gateway)))
        await gateway.clock.run(60)
        assert socket.heard()[-1] == {"id": "1", "type": "complete"}
        await socket.say({"id": "1", "type": "subscribe", "payload": NAME})
        assert socket.heard() == name("1")


async def test_variables_that_are_too_much_are_refused_here_too() -> None:
    async with world({"gateway_max_list_items": 3}) as gateway:
        socket = await connect(gateway.app)
        await socket.say(subscribe("1", "query ($ids: [ID!]!) { assetsById(assetIds: $ids) { id } }", ids=["a"] * 4))
        (error,) = socket.heard()
        assert (error["id"], error["type"]) == ("1", "error")
        assert [one["extensions"] for one in error["payload"]] == [
            {"code": "LIMIT_EXCEEDED", "retryable": False, "limit": "GATEWAY_MAX_LIST_ITEMS", "most": 3, "asked": 4}
        ]
        assert gateway.calls == []


async def test_pings_are_answered_with_what_they_said_before_the_beginning_too(gateway: World) -> None:
    socket = await connect(gateway.app, admitted=False)
    await socket.say({"type": "ping"})
    await socket.say({"type": "ping", "payload": {"a": [1, None]}})
    await socket.say({"type": "pong", "payload": {"b": 1}})
    await socket.say(b'{"type": "ping"}')
    assert socket.heard() == [{"type": "pong"}, {"type": "pong", "payload": {"a": [1, None]}}, {"type": "pong"}]


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("", "Input data was truncated."),
        ("{", "Input data was truncated."),
        (b"\xff", "JSON is malformed: invalid character (byte 0)."),
        ("null", "Expected `object`, got `null`."),
        ([], "Expected `object`, got `array`."),
        ('"ping"', "Expected `object`, got `str`."),
        ({}, "Object missing required field `type`."),
        ({"type": 1}, "Expected `str`, got `int` - at `$.type`."),
        ({"type": "ping", "payload": "x"}, "Expected `object | null`, got `str` - at `$.payload`."),
        ("[" * 100_000, "Expected `object`, got `array`."),
        ('{"type": "ping", "payload": ' + '{"a":' * 100_000, "it is nested too deeply."),
        ({"type": "hello"}, "no client says its `type`."),
        ({"type": "next", "id": "1", "payload": {}}, "no client says its `type`."),
        ({"type": "connection_ack"}, "no client says its `type`."),
        ({"type": "start", "id": "1", "payload": NAME}, "no client says its `type`."),
        ({"type": "connection_terminate"}, "no client says its `type`."),
        ({"type": "subscribe", "payload": NAME}, "it has no `id`."),
        ({"type": "subscribe", "id": "", "payload": NAME}, "it has no `id`."),
        ({"type": "subscribe", "id": 1, "payload": NAME}, "Expected `str | null`, got `int` - at `$.id`."),
        ({"type": "subscribe", "id": "1"}, "Expected `object`, got `null` in `payload`."),
        ({"type": "subscribe", "id": "1", "payload": {}}, "its `payload` has no `query`."),
        (
            {"type": "subscribe", "id": "1", "payload": {"query": 1}},
            "Expected `str | null`, got `int` - at `$.query` in `payload`.",
        ),
        (
            {"type": "subscribe", "id": "1", "payload": {**NAME, "variables": []}},
            "Expected `object | null`, got `array` - at `$.variables` in `payload`.",
        ),
    ],
)
async def test_what_is_no_message_closes_the_connection_and_says_why(message: Any, reason: str, gateway: World) -> None:
    socket = await connect(gateway.app)
    await socket.say(subscribe("1", FOLLOW, scanId=moving(gateway)))
    assert socket.heard() == [state("1", "CREATED")]
    await socket.say(message)
    assert socket.heard() == [(4400, INVALID + reason)]
    assert is_at_rest(gateway)


async def test_an_id_in_use_is_not_used_twice(gateway: World) -> None:
    socket, scan_id = await connect(gateway.app), moving(gateway)
    await socket.say(subscribe("1", FOLLOW, scanId=scan_id))
    await socket.say(subscribe("1", FOLLOW, scanId=scan_id))
    assert socket.heard() == [state("1", "CREATED"), (4409, "Subscriber for 1 already exists")]
    assert is_at_rest(gateway)


async def test_a_long_id_is_cut_short_where_it_is_the_reason(gateway: World) -> None:
    socket, id_ = await connect(gateway.app), "é" * 100
    await socket.say(subscribe(id_, FOLLOW, scanId=moving(gateway)))
    await socket.say(subscribe(id_, FOLLOW, scanId=moving(gateway)))
    (_, (code, reason)) = socket.heard()
    assert (code, reason) == (4409, "Subscriber for " + "é" * 54)


async def test_nothing_is_answered_before_the_beginning_and_there_is_one_beginning(gateway: World) -> None:
    early = await connect(gateway.app, admitted=False)
    await early.say({"id": "1", "type": "subscribe", "payload": NAME})
    assert early.heard() == [(4401, "Unauthorized")]
    twice = await connect(gateway.app)
    await twice.say({"type": "connection_init"})
    assert twice.heard() == [(4429, "Too many initialisation requests")]
    assert is_at_rest(gateway)


async def test_who_does_not_begin_in_time_is_closed_whatever_else_it_says() -> None:
    async with world({"gateway_websocket_init_timeout": 0.05}) as gateway:
        socket = await connect(gateway.app, admitted=False)
        await socket.say({"type": "ping"})
        await asyncio.wait_for(socket.task, 10)
        assert socket.heard() == [{"type": "pong"}, (4408, "Connection initialisation timeout")]
        late = await connect(gateway.app)
        await asyncio.sleep(0.1)
        assert not late.task.done()
        await late.leave()


@pytest.mark.parametrize("offered", [["graphql-ws"], ["mqtt", "soap"], [""]])
async def test_another_subprotocol_is_not_acceptable(offered: list[str], gateway: World) -> None:
    socket = await connect(gateway.app, *offered, admitted=False)
    assert socket.sent[0] == {"type": "websocket.accept", "subprotocol": None}
    assert socket.heard() == [(4406, "Subprotocol not acceptable")]
    assert is_at_rest(gateway)


async def test_the_first_subprotocol_that_both_speak_is_spoken() -> None:
    for settings, spoken in (({}, "graphql-transport-ws"), ({"gateway_websocket_legacy": True}, "graphql-ws")):
        async with world(settings) as gateway:
            socket = await connect(gateway.app, "mqtt", "graphql-ws", "graphql-transport-ws", admitted=False)
            assert socket.sent == [{"type": "websocket.accept", "subprotocol": spoken}]
            await socket.leave()


async def test_the_old_subprotocol_has_its_own_words() -> None:
    async with world({**STEADY, "gateway_websocket_legacy": True}) as gateway:
        socket = await connect(gateway.app, "graphql-ws")
        start = {"id": "1", "type": "start", "payload": {"query": FOLLOW, "variables": {"scanId": moving(gateway)}}}
        await socket.say(start)
        assert socket.heard() == [{**state("1", "CREATED"), "type": "data"}]
        await socket.say({"id": "1", "type": "stop"})
        assert gateway.gateway.watchers.subscribed == 0
        await socket.say({"id": "2", "type": "start", "payload": {"query": "{"}})
        refusal, last = socket.heard()
        assert (refusal["type"], refusal["payload"]["errors"][0]["extensions"]["code"]) == (
            "data",
            "GRAPHQL_PARSE_FAILED",
        )
        assert last == {"id": "2", "type": "complete"}
        await socket.say({"type": "connection_terminate"})
        assert socket.heard() == [(1000, "")]
        assert is_at_rest(gateway)


async def test_one_operation_more_than_a_connection_may_have_is_refused_alone() -> None:
    async with world({**STEADY, "gateway_websocket_operations": 2}) as gateway:
        socket = await connect(gateway.app)
        for id_ in "abc":
            await socket.say(subscribe(id_, FOLLOW, scanId=moving(gateway)))
        message = "A connection has at most 2 operations under way."
        assert socket.heard() == [
            state("a", "CREATED"),
            state("b", "CREATED"),
            *refused("c", message, "LIMIT_EXCEEDED", retryable=True),
        ]
        await socket.say({"id": "a", "type": "complete"})
        await socket.say({"id": "c", "type": "subscribe", "payload": NAME})
        assert socket.heard() == name("c")
        await socket.leave()


async def test_one_connection_more_than_are_held_is_told_to_try_later() -> None:
    async with world({"gateway_websocket_connections": 1}) as gateway:
        first = await connect(gateway.app)
        second = await connect(gateway.app, admitted=False)
        assert second.heard() == [(1013, "At most 1 connections are held.")]
        await first.leave()
        third = await connect(gateway.app)
        await third.leave()


async def test_no_way_leads_past_the_trusted_documents(tmp_path: Path) -> None:
    text, other = "{ __typename }", "{ type: __typename }"
    manifest = tmp_path / "manifest.json"
    manifest.write_text(json.dumps({"name": text}), encoding="utf-8")
    async with world({"gateway_trusted_documents": str(manifest)}) as gateway:
        socket = await connect(gateway.app)
        await socket.say({"id": "1", "type": "subscribe", "payload": {"documentId": "name"}})
        assert socket.heard() == name("1")
        await socket.say({"id": "2", "type": "subscribe", "payload": {"query": other}})
        message = "Only trusted documents are executed; this is none of them."
        assert socket.heard() == refused("2", message, "QUERY_NOT_IN_SAFELIST")
        await socket.say({"id": "3", "type": "subscribe", "payload": {"documentId": "other"}})
        assert socket.heard() == refused("3", "No trusted document has this id.", "PERSISTED_QUERY_NOT_IN_LIST")
        await socket.leave()


async def test_a_document_sent_once_is_known_by_its_hash(gateway: World) -> None:
    socket, hash_ = await connect(gateway.app), sha256(b"{ __typename }").hexdigest()
    extensions = {"persistedQuery": {"version": 1, "sha256Hash": hash_}}
    await socket.say({"id": "1", "type": "subscribe", "payload": {**NAME, "extensions": extensions}})
    await socket.say({"id": "2", "type": "subscribe", "payload": {"extensions": extensions}})
    assert socket.heard() == [*name("1"), *name("2")]
    wrong = {"persistedQuery": {"version": 1, "sha256Hash": "0" * 64}}
    await socket.say({"id": "3", "type": "subscribe", "payload": {**NAME, "extensions": wrong}})
    message = "The id of the persisted document is not the SHA-256 of `query`."
    assert socket.heard() == refused("3", message, "BAD_REQUEST")


def endpoint(gateway: World, admit: Admit) -> SocketEndpoint:
    answering = Answering(gateway.app.state.engine, gateway.gateway.context)
    return SocketEndpoint(Service(answering, PersistedDocuments(0), ConnectionLimits(), admit), SocketOptions())


async def test_who_may_connect_is_decided_by_what_the_client_says_at_the_beginning(gateway: World) -> None:
    async def admit(scope: Scope, payload: Mapping[str, Any]) -> Caller:
        assert scope["path"] == "/graphql"
        if payload.get("token") != "right":
            raise Closing(CloseCode.FORBIDDEN, "Forbidden")
        return ANYONE

    app = endpoint(gateway, admit)
    for payload, answer in (({"token": "right"}, {"type": "connection_ack"}), ({"token": "x"}, (4403, "Forbidden"))):
        socket = await connect(app, admitted=False)
        await socket.say({"type": "connection_init", "payload": payload})
        assert socket.heard() == [answer]
        await socket.leave()


async def test_a_bug_is_one_operations_error_and_logged(gateway: World, caplog: pytest.LogCaptureFixture) -> None:
    class Broken(GatewayError):
        pass

    def fail(*_: object, **__: object) -> Context:
        raise Broken("secret")

    service = Service(
        Answering(gateway.app.state.engine, fail), PersistedDocuments(0), ConnectionLimits(), admit_by(OpenGate())
    )
    socket = await connect(SocketEndpoint(service, SocketOptions()))
    await socket.say({"id": "1", "type": "subscribe", "payload": NAME})
    message = "The gateway failed here; its log tells more under this requestId."
    assert socket.heard() == refused("1", message, "INTERNAL_SERVER_ERROR")
    assert [record.levelname for record in caplog.records] == ["ERROR"]


@pytest.mark.parametrize(
    ("origins", "origin", "is_welcome"),
    [
        ("", None, True),
        ("", "https://gateway.test", True),
        ("", "https://gateway.test:444", False),
        ("", "https://elsewhere.test", False),
        ("", "null", False),
        ("https://a.test https://elsewhere.test", "https://elsewhere.test", True),
        ("https://a.test", "http://a.test", False),
        ("*", "https://elsewhere.test", True),
    ],
)
async def test_only_pages_of_known_origins_may_connect(origins: str, origin: str | None, is_welcome: bool) -> None:  # noqa: FBT001
    async with world({"gateway_websocket_origins": origins}) as gateway:
        headers = {"host": "gateway.test", **({"origin": origin} if origin else {})}
        socket = await connect(gateway.app, admitted=False, headers=headers)
        first = socket.sent[0]
        assert (first["type"], first.get("status")) == (
            ("websocket.accept", None) if is_welcome else ("websocket.http.response.start", 403)
        )
        await socket.leave()
        assert is_at_rest(gateway)


async def test_who_leaves_is_not_watched_for(gateway: World) -> None:
    socket = await connect(gateway.app)
    for number in range(3):
        await socket.say(subscribe(str(number), FOLLOW, scanId=moving(gateway, number)))
    assert gateway.gateway.watchers.subscribed == 3
    await socket.leave()
    assert (socket.task.done(), is_at_rest(gateway)) == (True, True)


async def test_who_leaves_before_it_is_answered_leaves_nothing(gateway: World) -> None:
    socket = await connect(gateway.app)
    socket.inbox.put_nowait({"type": "websocket.receive", "text": json.dumps(subscribe("1", FOLLOW, scanId="none"))})
    await socket.leave()
    assert (socket.task.done(), is_at_rest(gateway)) == (True, True)


async def test_who_leaves_while_it_is_told_something_leaves_nothing(
    gateway: World, caplog: pytest.LogCaptureFixture
) -> None:
    socket = await connect(gateway.app)
    socket.reads.clear()
    for number, payload in enumerate((NAME, {"query": "{"}, {"documentId": "x"})):
        await socket.say({"id": str(number), "type": "subscribe", "payload": payload})
    socket.has_left = True
    socket.reads.set()
    await settle()
    assert not socket.task.done()
    await socket.leave()
    gc.collect()
    assert (socket.task.done(), is_at_rest(gateway), caplog.records) == (True, True, [])


async def test_who_does_not_read_is_told_the_newest_state_alone_and_holds_nobody_up() -> None:
    async with world(STEADY) as gateway:
        slow, quick = await connect(gateway.app), await connect(gateway.app)
        for socket in (slow, quick):
            await socket.say(subscribe("1", FOLLOW, scanId=moving(gateway)))
        slow.reads.clear()
        await gateway.clock.run(60)
        assert [one["type"] for one in quick.heard()] == ["next"] * 6 + ["complete"]
        assert slow.heard() == [state("1", "CREATED")]
        slow.reads.set()
        await settle()
        assert slow.heard() == [state("1", "PROCESSING"), state("1", "READY"), {"id": "1", "type": "complete"}]
        for socket in (slow, quick):
            await socket.leave()


async def test_at_shutdown_what_is_under_way_is_answered_and_clients_are_sent_elsewhere() -> None:
    async with world(STEADY) as gateway:
        socket = await connect(gateway.app)
        await socket.say(subscribe("follow", FOLLOW, scanId=moving(gateway)))
        assert socket.heard() == [state("follow", "CREATED")]
        socket.inbox.put_nowait({"type": "websocket.receive", "text": json.dumps(subscribe("query", "{ __typename }"))})
        await gateway.app.drain()
        await settle()
        assert socket.heard() == [*name("query"), (1012, "The gateway ends; connect again.")]
        assert (await gateway.client.get("/readyz")).status_code == 503
        await socket.leave()


async def test_at_shutdown_what_came_while_others_were_answered_is_answered_too_and_nothing_begins_after_that() -> None:
    async with world(ONCE) as gateway:
        for delay in (0.2, 1.0):
            gateway.sandbox.faults.add(Fault(delay=delay, times=1))
        socket = await connect(gateway.app)
        await socket.say(subscribe("slow", "{ assets(first: 1) { nodes { kind } } }"))
        ending = asyncio.create_task(gateway.app.drain())
        await settle()
        await socket.say(subscribe("lock", LOCK, assetId=gateway.asset_ids[0]))
        await socket.until_sent(2)
        await settle()
        await socket.say(subscribe("late", LOCK, assetId=gateway.asset_ids[1]))
        await ending
        heard = [one if isinstance(one, tuple) else (one["type"], one["id"]) for one in socket.heard()]
        answered = [(type_, id_) for id_ in ("slow", "lock") for type_ in ("next", "complete")]
        assert heard == [*answered, (1012, "The gateway ends; connect again.")]
        assert [method for method, _ in gateway.calls] == ["GET", "PUT"]
        await socket.leave()


async def test_a_thousand_subscribers_to_one_scan_are_one_call_an_interval() -> None:
    async with world(STEADY) as gateway:
        sockets = [await connect(gateway.app) for _ in range(1_000)]
        scan_id = moving(gateway)
        for socket in sockets:
            await socket.say(subscribe("1", FOLLOW, scanId=scan_id))
        assert all(socket.heard() == [state("1", "CREATED")] for socket in sockets)
        gateway.forget_calls()
        await gateway.clock.run(2)
        assert gateway.calls == [("GET", f"/scans/{scan_id}")]
        assert all(socket.heard() == [state("1", "PROCESSING")] for socket in sockets)
        await gateway.app.drain()
