"""Deferred queries over HTTP, whole responses compared, with the upstream calls that they make."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from gateway.sandbox import Fault
from tests.engine.merging import Merged, merged
from tests.http.exchanges import ask, connect
from tests.world import World, settle, world

ON = {"gateway_incremental": True}
GRAPHQL = "application/graphql-response+json"
JSON = f"{GRAPHQL},application/json;q=0.9"
BY_PATH = f"multipart/mixed;deferSpec=20220824,{JSON}"
BY_ID = f"multipart/mixed;incrementalSpec=v0.2,{JSON}"
BOTH = pytest.mark.parametrize("accept", [BY_PATH, BY_ID])

FIRST = "scan(scanId: $id) { assets { isReady } }"
LATER = "scan(scanId: $id) { assetUrls { model expiresAt } }"
DEFERRED = f'query ($id: ID!) {{ {FIRST} ... @defer(label: "urls") {{ {LATER} }} }}'
WHOLE = f"query ($id: ID!) {{ {FIRST} {LATER} }}"
PAGES = "{ assets(first: 150) { nodes @stream(initialCount: 149) { assetId } pageInfo { hasNextPage } } }"
TWO = "query A { ... @defer { __typename } } query B { __typename }"
LOCK = (
    'mutation { lockAsset(input: { assetId: "a", lockExpiresAt: "2026-10-01T00:00:00Z" }) { ... @defer { lockId } } }'
)


def ready(gateway: World) -> str:
    return gateway.sandbox.prism.scan_ids("READY")[0]


def slow_urls(gateway: World, delay: float = 0.05) -> None:
    gateway.sandbox.faults.add(Fault(upstream="prism", path="asset-urls", delay=delay))


def part(body: Any) -> str:
    return f"\r\ncontent-type: application/json\r\n\r\n{json.dumps(body, separators=(',', ':'))}\r\n--graphql"


def read(body: str) -> list[Any]:
    """The parts of a response, read as JSON."""
    opening, *parts, end = body.split("\r\n--graphql")
    assert (opening, end) == ("", "--\r\n")
    return [json.loads(one.partition("\r\n\r\n")[2]) for one in parts]


async def parts_of(gateway: World, query: str, accept: str, **variables: Any) -> list[Any]:
    exchange = ask(gateway.app, query, accept, **variables)
    await exchange.task
    assert exchange.status == 200
    return read(exchange.body)


BEGUN = {"scan": {"assets": {"isReady": True}}}
PENDING = [{"id": "0", "path": [], "label": "urls"}]


@pytest.mark.parametrize(
    ("accept", "parameter", "first", "last"),
    [
        (BY_PATH, "deferSpec=20220824", {"data": BEGUN, "hasNext": True}, lambda urls: {
            "incremental": [{"data": {"scan": urls}, "path": [], "label": "urls"}],
            "hasNext": False,
        }),
        (BY_ID, "incrementalSpec=v0.2", {"data": BEGUN, "pending": PENDING, "hasNext": True}, lambda urls: {
            "incremental": [{"data": urls, "id": "0", "subPath": ["scan"]}],
            "completed": [{"id": "0"}],
            "hasNext": False,
        }),
    ],
)  # fmt: skip
async def test_slow_urls_do_not_hold_back_the_rest(accept: str, parameter: str, first: Any, last: Any) -> None:
    async with world(ON) as gateway:
        slow_urls(gateway)
        exchange = ask(gateway.app, DEFERRED, accept, id=ready(gateway))
        await exchange.until_sent(3)
        assert exchange.body == "\r\n--graphql" + part(first)
        assert exchange.headers == {
            "content-type": f'multipart/mixed;boundary="graphql";{parameter}',
            "cache-control": "no-store, no-transform",
            "vary": "accept",
            "x-accel-buffering": "no",
            "x-content-type-options": "nosniff",
            "cross-origin-resource-policy": "same-origin",
            "x-request-id": "test",
        }
        await exchange.task
        paths = [f"/scans/{ready(gateway)}/{document}" for document in ("asset-urls", "scan-assets")]
        assert gateway.calls == [("GET", path) for path in paths]
        urls = (await gateway.data(f"query ($id: ID!) {{ {LATER} }}", id=ready(gateway)))["scan"]
        assert exchange.body == "\r\n--graphql" + part(first) + part(last(urls)) + "--\r\n"


@BOTH
async def test_parts_take_as_many_calls_as_the_whole_and_say_so_at_last(accept: str) -> None:
    query = "query ($id: ID!) { scan(scanId: $id) { assets { isReady } ... @defer { status assetUrls { model } } } }"
    async with world({**ON, "gateway_report_calls": True}) as gateway:
        answer = merged(await parts_of(gateway, query, accept, id=ready(gateway)))
        calls = gateway.calls
        assert answer.extensions == {"upstreamCalls": {"prism": 2}}
    async with world({**ON, "gateway_report_calls": True}) as gateway:
        whole = await gateway.execute(query, id=ready(gateway))
        assert whole == {"data": answer.data, "extensions": answer.extensions}
        assert gateway.calls == calls


@BOTH
async def test_the_first_and_the_last_part_say_what_was_called_until_then_and_those_between_do_not(accept: str) -> None:
    query = (
        "query ($id: ID!) { scan(scanId: $id) { status ... @defer { assetUrls { model } }"
        " ... @defer { linkedAssets(first: 5) { nodes { assetId } } } } }"
    )
    async with world({**ON, "gateway_report_calls": True}) as gateway:
        slow_urls(gateway)
        gateway.sandbox.faults.add(Fault(upstream="scenario", path="^/search", delay=0.2))
        parts = await parts_of(gateway, query, accept, id=ready(gateway))
        assert [one.get("extensions") for one in parts] == [
            {"upstreamCalls": {"prism": 2, "scenario": 1}},
            None,
            {"upstreamCalls": {"prism": 2, "scenario": 2}},
        ]
        assert len(gateway.calls) == 4


@BOTH
async def test_a_page_is_streamed_and_merges_into_the_whole_page(accept: str) -> None:
    async with world(ON) as gateway:
        first, *rest = await parts_of(gateway, PAGES, accept)
        calls = gateway.calls
        assert len(first["data"]["assets"]["nodes"]) == 149
        assert calls == [("GET", "/assets"), ("GET", "/assets")]
        assert merged([first, *rest]).data == await gateway.data(PAGES)


@BOTH
async def test_a_page_cut_short_says_so_beside_what_was_read(accept: str) -> None:
    query = "{ ... @defer { assets(first: 150) { nodes { assetId } } } }"
    async with world(ON) as gateway:
        await gateway.data("{ assets(first: 100) { nodes { assetId } } }")
        gateway.sandbox.faults.add(Fault(upstream="scenario", status=503))
        answer = merged(await parts_of(gateway, query, accept))
        whole = await gateway.execute(query)
        for error in answer.errors:
            assert error["extensions"].pop("requestId") == "test"
        assert (answer.data, answer.errors) == (whole["data"], whole["errors"])
        assert [error["path"] for error in answer.errors] == [["assets"]]


@pytest.mark.parametrize(
    "accept",
    [
        JSON,
        f"multipart/mixed,{JSON}",
        f"multipart/mixed;deferSpec=20991231,{JSON}",
        f"multipart/mixed;deferSpec=20220824;q=0,{JSON}",
        f"multipart/mixed;boundary=graphql;subscriptionSpec=1.0,{JSON}",
        f"text/event-stream,{JSON}",
    ],
)
async def test_who_does_not_name_a_form_is_answered_whole(accept: str) -> None:
    async with world(ON) as gateway:
        given, whole = (ask(gateway.app, query, accept, id=ready(gateway)) for query in (DEFERRED, WHOLE))
        await asyncio.gather(given.task, whole.task)
        assert (given.sent, given.status) == (whole.sent, 200)


async def test_the_form_that_the_client_prefers_is_taken() -> None:
    accept = "multipart/mixed;deferSpec=20220824;q=0.5, multipart/mixed;incrementalSpec=v0.2, */*;q=0.1"
    async with world(ON) as gateway:
        exchange = ask(gateway.app, DEFERRED, accept, id=ready(gateway))
        await exchange.task
        assert exchange.headers["content-type"].endswith(";incrementalSpec=v0.2")


@BOTH
async def test_without_the_setting_the_graph_has_no_such_directives(accept: str, gateway: World) -> None:
    exchange = ask(gateway.app, DEFERRED, accept, id=ready(gateway))
    await exchange.task
    assert (exchange.status, exchange.headers["content-type"]) == (400, f"{GRAPHQL}; charset=utf-8")
    assert [error["message"] for error in json.loads(exchange.body)["errors"]] == ["Unknown directive '@defer'."]


@BOTH
async def test_what_defers_nothing_is_whole_with_the_headers_of_a_whole_answer(accept: str) -> None:
    query = "query ($id: ID!) { ... @defer(if: false) { scan(scanId: $id) { scanId } } }"
    async with world(ON) as gateway:
        for exchange in (
            ask(gateway.app, query, accept, id="a"),
            ask(gateway.app, '{ scan(scanId: "a") { scanId } }', accept),
            ask(gateway.app, query, accept, method="GET", id="a"),
        ):  # fmt: skip
            await exchange.task
            assert exchange.headers["content-type"] == f"{GRAPHQL}; charset=utf-8"
            assert exchange.body == '{"data":{"scan":{"scanId":"a"}}}'
        assert exchange.headers["cache-control"] == "private, no-cache"


@BOTH
async def test_what_is_refused_is_refused_as_a_whole(accept: str) -> None:
    async with world(ON) as gateway:
        for query, method, status, code in (
            ("{ ... @defer { nothing } }", "POST", 400, "GRAPHQL_VALIDATION_FAILED"),
            (TWO, "POST", 400, "OPERATION_RESOLUTION_FAILURE"),
            (DEFERRED, "POST", 400, "BAD_USER_INPUT"),
            (LOCK, "GET", 405, "BAD_REQUEST"),
        ):  # fmt: skip
            exchange = ask(gateway.app, query, accept, method=method)
            await exchange.task
            (error,) = json.loads(exchange.body)["errors"]
            assert (exchange.status, error["extensions"]["code"]) == (status, code)


@pytest.mark.parametrize("spec", ["deferSpec=20220824", "incrementalSpec=v0.2"])
async def test_who_takes_parts_alone_gets_a_whole_answer_in_one(spec: str) -> None:
    async with world(ON) as gateway:
        exchange = ask(gateway.app, "{ __typename }", f"multipart/mixed;{spec}")
        await exchange.task
        assert exchange.body == "\r\n--graphql" + part({"data": {"__typename": "Query"}}) + "--\r\n"
        follow = ask(gateway.app, "subscription { scanUpdated(scanId: 1) { status } }", f"multipart/mixed;{spec}")
        await follow.task
        assert follow.status == 406


@BOTH
async def test_a_mutation_is_answered_whole(accept: str) -> None:
    async with world(ON) as gateway:
        query = LOCK.replace('"a"', f'"{gateway.asset_ids[0]}"')
        exchange = ask(gateway.app, query, accept)
        await exchange.task
        assert json.loads(exchange.body)["data"]["lockAsset"]["lockId"]


async def test_events_and_websockets_carry_whole_answers() -> None:
    async with world(ON) as gateway:
        whole = await gateway.execute(WHOLE, id=ready(gateway))
        exchange = ask(gateway.app, DEFERRED, "text/event-stream", id=ready(gateway))
        await exchange.task
        body = exchange.body.removeprefix(":\n\nevent: next\ndata: ").removesuffix("\n\nevent: complete\ndata:\n\n")
        assert json.loads(body) == whole
        socket = await connect(gateway.app)
        payload = {"query": DEFERRED, "variables": {"id": ready(gateway)}}
        await socket.say({"type": "subscribe", "id": "1", "payload": payload})
        assert socket.heard() == [{"type": "next", "id": "1", "payload": whole}, {"type": "complete", "id": "1"}]
        await socket.leave()


@BOTH
@pytest.mark.parametrize("sent", [0, 3])
async def test_who_leaves_ends_every_call(accept: str, sent: int) -> None:
    async with world(ON) as gateway:
        slow_urls(gateway, delay=60)
        exchange = ask(gateway.app, DEFERRED, accept, id=ready(gateway))
        if sent:
            await exchange.until_sent(sent)
        await exchange.leave()
        await asyncio.wait([exchange.task])
        await settle()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert not gateway.gateway.store.flights
        assert len(exchange.sent) == sent


@BOTH
async def test_in_silence_a_part_says_that_more_will_come(accept: str) -> None:
    async with world({**ON, "gateway_heartbeat": 0.02}) as gateway:
        slow_urls(gateway, delay=60)
        exchange = ask(gateway.app, DEFERRED, accept, id=ready(gateway))
        await exchange.until_sent(5)
        assert [message["body"].decode() for message in exchange.sent[3:]] == [part({"hasNext": True})] * 2
        await exchange.leave()


@BOTH
async def test_head_has_the_headers_alone_and_leaves_nothing_under_way(accept: str) -> None:
    async with world(ON) as gateway:
        slow_urls(gateway, delay=60)
        exchange = ask(gateway.app, DEFERRED, accept, method="HEAD", id=ready(gateway))
        await exchange.task
        assert (exchange.status, exchange.body, exchange.is_complete) == (200, "", True)
        assert exchange.headers["content-type"].startswith("multipart/mixed")
        await settle()
        assert asyncio.all_tasks() == {asyncio.current_task()}


@BOTH
async def test_kept_answers_are_whole_ones_and_answer_whole_ones_alone(accept: str) -> None:
    async with world({**ON, "gateway_answers": True}) as gateway:
        counts = gateway.app.state.engine.counts
        parts = await parts_of(gateway, DEFERRED, accept, id=ready(gateway))
        assert (dict(counts), len(parts)) == ({"in parts": 1}, 2)
        whole = await gateway.execute(DEFERRED, id=ready(gateway))
        assert await gateway.execute(DEFERRED, id=ready(gateway)) == whole == {"data": merged(parts).data}
        assert dict(counts) == {"in parts": 1, "planned": 1, "kept": 1}
        assert merged(await parts_of(gateway, DEFERRED, accept, id=ready(gateway))).data == whole["data"]
        assert dict(counts) == {"in parts": 2, "planned": 1, "kept": 1}


@BOTH
async def test_only_trusted_documents_are_answered_in_parts(accept: str, tmp_path: Path) -> None:
    manifest = tmp_path / "manifest.json"
    manifest.write_text(json.dumps({"later": DEFERRED}))
    async with world({**ON, "gateway_trusted_documents": manifest}) as gateway:
        assert len(await parts_of(gateway, DEFERRED, accept, id=ready(gateway))) == 2
        other = ask(gateway.app, DEFERRED.replace("urls", "other"), accept, id=ready(gateway))
        await other.task
        assert (other.status, json.loads(other.body)["errors"][0]["extensions"]["code"]) == (
            403,
            "QUERY_NOT_IN_SAFELIST",
        )


@BOTH
async def test_a_refresh_and_where_data_is_from_are_asked_for_as_of_a_whole_answer(accept: str) -> None:
    async with world(ON) as gateway:
        await gateway.data(WHOLE, id=ready(gateway))
        assert len(gateway.calls) == 2
        gateway.clock.advance(1)
        body = {"query": DEFERRED, "variables": {"id": ready(gateway)}, "extensions": {"freshness": True}}
        answers = []
        for headers in ({}, {"cache-control": "no-cache"}):
            response = await gateway.client.post("/graphql", json=body, headers={"accept": accept, **headers})
            answers.append(merged(read(response.text)))
        assert [sources(answer) for answer in answers] == [
            {"scan_assets": "cache", "scan_asset_urls": "cache"},
            {"scan_assets": "upstream", "scan_asset_urls": "upstream"},
        ]
        assert len(gateway.calls) == 2


def sources(answer: Merged) -> dict[str, str]:
    documents = answer.extensions["freshness"]["documents"]
    return {document["document"]: document["source"] for document in documents}
