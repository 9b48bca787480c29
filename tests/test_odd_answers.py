"""What nobody would expect of an upstream or a client, and what it costs: never more than its own place."""

import asyncio
import gc
import json
from typing import Any

import httpx
import pytest

from gateway.app import create_app
from gateway.sandbox import Sandbox
from gateway.sandbox.faults import Fault
from tests.world import ONCE, URL, Clock, World, settings_for, world


@pytest.mark.parametrize("name", ["modelId", "inferenceId", "collectionId", "parentAssetId", "rootAssetId", "authorId"])
async def test_an_empty_id_in_a_filter_is_refused(gateway: World, name: str) -> None:
    answer = await gateway.execute(f'{{ assets(filter: {{ {name}: "" }}) {{ nodes {{ assetId }} }} }}')
    assert answer["data"] == {"assets": None}
    assert answer["errors"][0]["extensions"] == {"code": "BAD_USER_INPUT"}
    assert gateway.calls == []


async def test_an_asset_without_an_id_breaks_the_contract_or_has_the_id_asked_for(gateway: World) -> None:
    gateway.sandbox.faults.add(Fault(status=200, body='{"asset": {"kind": "image"}}'))
    answer = await gateway.execute('{ asset(assetId: "asset_1") { id assetId kind } }')
    assert "INTERNAL_SERVER_ERROR" not in json.dumps(answer)


async def test_a_global_id_is_never_made_of_nothing(gateway: World) -> None:
    gateway.sandbox.faults.add(Fault(status=200, body='{"asset": {"kind": "image"}}'))
    answer = await gateway.execute('{ asset(assetId: "asset_1") { id } }')
    assert answer["data"]["asset"] != {"id": "QXNzZXQ6Tm9uZQ"}


async def test_a_job_without_an_id_breaks_the_contract_or_has_the_id_asked_for(gateway: World) -> None:
    gateway.sandbox.faults.add(Fault(status=200, body='{"jobStatus": "queued"}'))
    answer = await gateway.execute('{ downloadJob(jobId: "job_1") { id jobId status } }')
    assert "INTERNAL_SERVER_ERROR" not in json.dumps(answer)


@pytest.mark.parametrize("id_", [7, {"a": 1}, ["a"], True, ""])
async def test_a_parent_id_that_is_none_costs_the_parent_only(gateway: World, id_: Any) -> None:
    asset = {"id": "a", "metadata": {"parentId": id_, "rootParentId": id_}, "thumbnail": {"assetId": "b", "url": "x"}}
    gateway.sandbox.faults.add(Fault(path="/asset_1$", status=200, body=json.dumps({"asset": asset})))
    answer = await gateway.execute(
        '{ asset(assetId: "asset_1") { parent { kind } root { kind } thumbnail { asset { kind } } } }'
    )
    assert answer == {"data": {"asset": {"parent": None, "root": None, "thumbnail": {"asset": None}}}}
    assert gateway.calls == [("GET", "/assets/asset_1"), ("GET", "/assets/b")]


@pytest.mark.parametrize("uses_plans", [True, False], ids=["plans", "graphql-core"])
@pytest.mark.parametrize(
    ("numbers", "answered"),
    [
        ({"bbox": [1, 2, 3, 4]}, [1, 2, 3, 4]),
        ({"bbox": [1, None, 3, 4]}, None),
        ({"points": [[1, None, 3]]}, None),
        ({"contours": [None, [[[1, 2]]]]}, [None, [[[1, 2]]]]),
        ({"contours": [[[[1, None, 2]]]]}, None),
    ],
)
async def test_a_number_that_is_missing_from_a_list_lets_no_other_take_its_place(
    numbers: dict[str, Any], answered: Any, *, uses_plans: bool
) -> None:
    (name,) = numbers
    body = json.dumps({"asset": {"id": "asset_1", "metadata": numbers}})
    async with world({"gateway_plans": uses_plans}) as gateway:
        gateway.sandbox.faults.add(Fault(path="/asset_1$", status=200, body=body))
        answer = await gateway.execute(f'{{ asset(assetId: "asset_1") {{ metadata {{ {name} }} }} }}')
        assert answer["data"] == {"asset": {"metadata": {name: answered}}}
        assert [(error["path"], error["extensions"]["code"]) for error in answer.get("errors", ())] == (
            [(["asset", "metadata", name], "UPSTREAM_CONTRACT")] if answered is None else []
        )


async def test_a_moment_out_of_range_is_bad_input(gateway: World) -> None:
    moment = "0001-01-01T00:00:00+01:00"
    answer = await gateway.execute(f'{{ assets(filter: {{ createdAfter: "{moment}" }}) {{ nodes {{ assetId }} }} }}')
    assert answer["errors"][0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"


async def test_an_upstreams_moment_out_of_range_is_null(gateway: World) -> None:
    asset = {"id": "a", "createdAt": "0001-01-01T00:00:00+01:00"}
    gateway.sandbox.faults.add(Fault(status=200, body=json.dumps({"asset": asset})))
    assert await gateway.data('{ asset(assetId: "a") { createdAt } }') == {"asset": {"createdAt": None}}


async def test_a_page_that_scenario_does_not_have_is_not_found(gateway: World) -> None:
    gateway.sandbox.faults.add(Fault(upstream="scenario", status=404))
    answer = await gateway.execute("{ assets { nodes { assetId } } }")
    assert answer["errors"][0]["extensions"] == {
        "code": "NOT_FOUND",
        "upstream": "scenario",
        "upstreamStatus": 404,
        "retryable": False,
    }


class Turning(httpx.AsyncBaseTransport):
    """A transport that gets a bug."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self.inner = inner
        self.broken = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.broken:
            raise RuntimeError("canary")
        return await self.inner.handle_async_request(request)


async def test_a_bug_behind_a_refresh_is_logged_without_its_message_and_trace(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    sandbox = Sandbox(url=URL, clock=clock)
    transport = Turning(httpx.ASGITransport(sandbox.app))
    app = create_app(settings_for(sandbox), transports={"prism": transport, "scenario": transport}, clock=clock)
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway.test")
    asset_id = next(iter(sandbox.scenario.assets))
    async with app.router.lifespan_context(app), client:
        gateway = World(app, sandbox, clock, client)
        for _ in range(2):
            await gateway.data(f'{{ asset(assetId: "{asset_id}") {{ assetId }} }}')
            clock.advance(61)
            transport.broken = True
        for _ in range(30):
            await asyncio.sleep(0)
        gc.collect()
    assert "canary" not in caplog.text
    assert "Traceback" not in caplog.text


async def test_a_deep_request_body_is_a_bad_request(gateway: World) -> None:
    body = b'{"query": "{ __typename }", "variables": {"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}}"
    response = await gateway.client.post("/graphql", content=body, headers={"content-type": "application/json"})
    assert (response.status_code, response.json()["errors"][0]["extensions"]["code"]) == (400, "BAD_REQUEST")


async def test_a_deep_answer_to_a_change_breaks_the_contract(gateway: World) -> None:
    gateway.sandbox.faults.add(Fault(status=200, body='{"asset": ' + "[" * 100_000))
    answer = await gateway.execute('mutation { unlockAsset(input: { assetId: "a" }) { userErrors { code } } }')
    assert answer["errors"][0]["extensions"]["code"] == "UPSTREAM_CONTRACT"


@pytest.mark.parametrize("uses_plans", [True, False], ids=["plans", "graphql-core"])
async def test_raw_passes_on_what_is_deep_and_refuses_what_is_too_deep(*, uses_plans: bool) -> None:
    async with world({**ONCE, "gateway_plans": uses_plans}) as gateway:
        for depth in (499, 500, 930, 960, 980):
            deep = "[" * depth + "]" * depth
            body = f'{{"asset": {{"id": "a", "kind": "image", "x": {deep}}}}}'
            gateway.sandbox.faults.add(Fault(path=f"/asset_{depth}$", status=200, body=body))
            answer = await gateway.execute(f'{{ asset(assetId: "asset_{depth}") {{ raw }} }}')
            if depth == 499:
                assert answer == {"data": {"asset": {"raw": {"id": "a", "kind": "image", "x": json.loads(deep)}}}}
            else:
                assert answer["data"] == {"asset": None}
                assert [error["extensions"]["code"] for error in answer["errors"]] == ["UPSTREAM_CONTRACT"]


async def test_drift_does_not_log_a_signature(gateway: World, caplog: pytest.LogCaptureFixture) -> None:
    asset = {"id": "a", "kind": "https://c.example/a?Signature=CANARY"}
    gateway.sandbox.faults.add(Fault(status=200, body=json.dumps({"asset": asset})))
    await gateway.data('{ asset(assetId: "a") { kind } }')
    assert "CANARY" not in caplog.text


async def test_two_operations_without_a_name_are_refused(gateway: World) -> None:
    answer = await gateway.execute("query A { __typename } query B { __typename }")
    assert "errors" in answer


async def test_no_document_shows_its_body(gateway: World) -> None:
    asset_id = next(iter(gateway.sandbox.scenario.assets))
    await gateway.data(f'{{ asset(assetId: "{asset_id}") {{ url }} }}')
    scenario = gateway.sources.scenario
    document = scenario.upstream.peek(scenario.kinds.asset, asset_id)
    assert "Signature=" not in repr(document)


async def test_a_malformed_request_has_a_request_id_too(gateway: World) -> None:
    response = await gateway.client.post("/graphql", content=b"{", headers={"content-type": "application/json"})
    assert response.json()["errors"][0]["extensions"]["requestId"] == response.headers["x-request-id"]


async def test_the_sandbox_records_a_call_whose_path_holds_a_line_break(gateway: World) -> None:
    asset = {"id": "a", "metadata": {"parentId": "a\nb"}}
    gateway.sandbox.faults.add(Fault(path="/asset_1$", status=200, body=json.dumps({"asset": asset})))
    await gateway.data('{ asset(assetId: "asset_1") { parent { kind } } }')
    assert gateway.calls == [("GET", "/assets/asset_1"), ("GET", "/assets/a%0Ab")]


@pytest.mark.parametrize("late", ["previewImage", "model"])
async def test_a_scan_whose_files_come_one_by_one_is_asked_for_again_until_they_are_there(
    gateway: World, late: str
) -> None:
    url = "https://x.test/a?Expires=1790003600"
    half = {"previewImage": url, "model": url, late: None}
    gateway.sandbox.faults.add(Fault(path="/asset-urls$", status=200, body=json.dumps(half), times=1))
    scan_id = gateway.sandbox.prism.scan_ids("READY")[0]
    query = f'{{ scan(scanId: "{scan_id}") {{ assetUrls {{ {late} }} }} }}'
    assert (await gateway.data(query))["scan"]["assetUrls"] == {late: None}
    gateway.clock.advance(3)
    assert (await gateway.data(query))["scan"]["assetUrls"][late] is not None


@pytest.mark.parametrize("status", [["READY"], {}, 7, None])
async def test_a_status_of_the_wrong_type_costs_no_other_field(gateway: World, status: Any) -> None:
    record = {"status": status, "userId": "u", "scanAssets": {"body": status}}
    gateway.sandbox.faults.add(Fault(path="/scans/", status=200, body=json.dumps(record)))
    data = await gateway.data('{ scan(scanId: "s") { userId assets { isFinal } } }')
    assert data == {"scan": {"userId": "u", "assets": {"isFinal": False}}}


async def test_a_page_of_html_is_no_url(gateway: World) -> None:
    gateway.sandbox.faults.add(Fault(status=200, body="<html>hello</html>"))
    answer = await gateway.execute('{ scan(scanId: "s") { assetUrl(type: MODEL) { url } } }')
    assert answer["errors"][0]["extensions"]["code"] == "UPSTREAM_CONTRACT"


async def test_no_url_anywhere_in_an_asset_is_served_dead(gateway: World) -> None:
    canvas = {"assetId": "b", "url": f"https://x.test/a?Expires={int(gateway.clock.now) + 30}"}
    body = json.dumps({"asset": {"id": "a", "metadata": {"thumbnail": canvas}}})
    gateway.sandbox.faults.add(Fault(status=200, body=body))
    for wait, calls in ((0, 1), (29, 0), (1, 1)):
        gateway.clock.advance(wait)
        await gateway.data('{ asset(assetId: "a") { metadata { thumbnail { url } } } }')
        assert len(gateway.calls) == calls


async def test_a_member_of_a_page_that_is_none_is_left_out(gateway: World) -> None:
    page = {"assets": [None, {"kind": "image"}, {"id": "a"}, 7], "nextPaginationToken": None}
    gateway.sandbox.faults.add(Fault(path="/assets$", status=200, body=json.dumps(page)))
    assert await gateway.data("{ assets { nodes { assetId } } }") == {"assets": {"nodes": [{"assetId": "a"}]}}


TOKEN_PAGE = """query ($after: String) {
  assets(first: 1, after: $after) { nodes { assetId } pageInfo { hasNextPage endCursor } }
}"""


@pytest.mark.parametrize("length", [6_200, 8_192, 11_998])
async def test_a_cursor_leads_on_however_long_the_token_in_it_is(gateway: World, length: int) -> None:
    for id_, token in (("a", "t" * length), ("b", None)):
        body = json.dumps({"assets": [{"id": id_}], "nextPaginationToken": token})
        gateway.sandbox.faults.add(Fault(path="/assets$", status=200, body=body, times=1))
    first = (await gateway.data(TOKEN_PAGE))["assets"]
    assert (first["nodes"], first["pageInfo"]["hasNextPage"]) == ([{"assetId": "a"}], True)
    then = (await gateway.data(TOKEN_PAGE, after=first["pageInfo"]["endCursor"]))["assets"]
    assert (then["nodes"], then["pageInfo"]["hasNextPage"]) == ([{"assetId": "b"}], False)
    assert f"paginationToken={'t' * length}" in gateway.sandbox.scenario.requests[-1].query


async def test_a_page_after_which_no_cursor_can_lead_on_says_that_there_is_more(gateway: World) -> None:
    body = json.dumps({"assets": [{"id": "a"}, {"id": "b"}], "nextPaginationToken": "t" * 11_999})
    gateway.sandbox.faults.add(Fault(path="/assets$", status=200, body=body))
    lost = {
        "message": "Scenario has more, but its token for that is too long to go on from.",
        "path": ["assets"],
        "extensions": {"code": "UPSTREAM_CONTRACT", "upstream": "scenario", "retryable": True},
    }
    first = await gateway.execute(TOKEN_PAGE)
    after = first["data"]["assets"]["pageInfo"]["endCursor"]
    assert first == {"data": {"assets": {"nodes": [{"assetId": "a"}], "pageInfo": info(after, has_next=True)}}}
    for ids in ([{"assetId": "b"}], []):
        then = await gateway.execute(TOKEN_PAGE, after=after)
        after = then["data"]["assets"]["pageInfo"]["endCursor"]
        assert then == {"data": {"assets": {"nodes": ids, "pageInfo": info(after, has_next=False)}}, "errors": [lost]}


def info(end: str | None, *, has_next: bool) -> dict[str, Any]:
    return {"hasNextPage": has_next, "endCursor": end}


HALVES = r'"A man \ud83d\ude00 \ud83d \\ud83d \ude00"'  # as a text that was cut by UTF-16 is written
WHOLE = "A man \U0001f600 \ufffd \\ud83d \ufffd"


@pytest.mark.parametrize(
    ("query", "body", "data"),
    [
        (
            "{ assets { nodes { assetId description } } }",
            '{"assets": [{"id": "a", "description": %s}, {"id": "b"}]}',
            {"assets": {"nodes": [{"assetId": "a", "description": WHOLE}, {"assetId": "b", "description": None}]}},
        ),
        (
            '{ assetsById(assetIds: ["a", "b"]) { description } }',
            '{"assets": [{"id": "b"}, {"id": "a", "description": %s}]}',
            {"assetsById": [{"description": WHOLE}, {"description": None}]},
        ),
        (
            '{ asset(assetId: "a") { raw } }',
            '{"asset": {"id": "a", "description": %s}}',
            {"asset": {"raw": {"id": "a", "description": WHOLE}}},
        ),
        (
            """mutation {
              lockAsset(input: { assetId: "a", lockExpiresAt: "2026-09-22T00:00:00Z" }) { asset { description } }
            }""",
            '{"asset": {"id": "a", "description": %s}, "lockId": "l"}',
            {"lockAsset": {"asset": {"description": WHOLE}}},
        ),
    ],
    ids=["page", "bulk", "asset", "lock"],
)
async def test_half_a_character_costs_nothing_but_itself(
    gateway: World, query: str, body: str, data: dict[str, Any]
) -> None:
    gateway.sandbox.faults.add(Fault(upstream="scenario", status=200, body=body % HALVES))
    assert await gateway.execute(query) == {"data": data}
    assert len(gateway.calls) == 1


async def test_a_byte_order_mark_is_none_of_the_answer(gateway: World) -> None:
    gateway.sandbox.faults.add(Fault(upstream="prism", status=200, body='\ufeff{"id": "s", "status": "READY"}'))
    assert await gateway.execute('{ scan(scanId: "s") { status } }') == {"data": {"scan": {"status": "READY"}}}
    assert gateway.calls == [("GET", "/scans/s")]


async def test_a_token_that_is_none_breaks_the_contract_and_keeps_what_was_read(gateway: World) -> None:
    pages = [{"assets": [{"id": "a"}], "nextPaginationToken": "t"}, {"assets": [], "nextPaginationToken": 7}]
    for page in pages:
        gateway.sandbox.faults.add(Fault(path="/assets$", status=200, body=json.dumps(page), times=1))
    answer = await gateway.execute("{ assets { nodes { assetId } pageInfo { hasNextPage } } }")
    assert answer["data"] == {"assets": {"nodes": [{"assetId": "a"}], "pageInfo": {"hasNextPage": True}}}
    assert answer["errors"][0]["extensions"]["code"] == "UPSTREAM_CONTRACT"


@pytest.mark.parametrize("status", [503, 504, 429])
async def test_a_record_that_cannot_be_had_is_not_followed_by_a_call_for_its_stages(
    gateway: World, status: int
) -> None:
    gateway.sandbox.faults.add(Fault(upstream="prism", status=status, headers={"x-should-retry": "false"}))
    answer = await gateway.execute('{ scan(scanId: "s") { status assets { isReady } } }')
    assert answer["data"] == {"scan": {"status": None, "assets": None}}
    assert gateway.calls == [("GET", "/scans/s")]


async def test_one_bad_id_of_many_is_wrong_at_its_own_place(gateway: World) -> None:
    asset_id = gateway.asset_ids[0]
    query = "query ($ids: [ID!]!) { assetsById(assetIds: $ids) { assetId } scansById(scanIds: $ids) { scanId } }"
    answer = await gateway.execute(query, ids=[asset_id, "a/b"])
    assert answer["data"] == {
        "assetsById": [{"assetId": asset_id}, None],
        "scansById": [{"scanId": asset_id}, None],
    }
    assert sorted(error["path"] for error in answer["errors"]) == [["assetsById", 1], ["scansById", 1]]


@pytest.mark.parametrize("arguments", ["types: []", "tags: [], privacy: PUBLIC", "privacy: UNKNOWN"])
async def test_a_filter_that_names_nothing_is_refused(gateway: World, arguments: str) -> None:
    answer = await gateway.execute(f"{{ assets(filter: {{ {arguments} }}) {{ nodes {{ assetId }} }} }}")
    assert answer["errors"][0]["extensions"] == {"code": "BAD_USER_INPUT"}
    assert gateway.calls == []


async def test_null_is_no_filter_beside_the_deleted_ones(gateway: World) -> None:
    await gateway.data("{ assets(filter: { deleted: true, modelId: null }) { nodes { assetId } } }")
    assert gateway.calls == [("GET", "/assets")]


async def test_a_change_whose_outcome_is_unknown_is_not_to_be_made_again(gateway: World) -> None:
    gateway.sandbox.faults.add(Fault(method="POST", status=504))
    answer = await gateway.execute(
        'mutation { requestBatchDownload(input: { assetIds: ["a"] }) { downloadJob { jobId } } }'
    )
    assert answer["errors"][0]["message"] == "Scenario answered 504. Whether the change was made is unknown."
    assert answer["errors"][0]["extensions"]["retryable"] is False


@pytest.mark.parametrize("body", ["{}", '{"jobId": null}', '{"jobId": ""}'])
async def test_a_batch_that_was_taken_without_a_job_may_have_begun(gateway: World, body: str) -> None:
    gateway.sandbox.faults.add(Fault(method="POST", status=200, body=body))
    mutation = 'mutation { requestBatchDownload(input: { assetIds: ["a"] }) { downloadJob { jobId } } }'
    answer = await gateway.execute(mutation)
    assert answer["errors"][0]["extensions"] == {
        "code": "UPSTREAM_CONTRACT",
        "upstream": "scenario",
        "retryable": False,
    }
