"""What a client is told when something fails, and that the rest is answered all the same."""

import json
import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest

from gateway import errors
from gateway.app import create_app
from gateway.errors import GatewayError, UpstreamError
from gateway.sandbox import Sandbox
from gateway.sandbox.faults import Fault
from tests.world import URL, Clock, World, settings_for, world

BOTH = """
query Both($scanId: ID!, $assetId: ID!) {
  scan(scanId: $scanId) { scanId status assets { isReady } }
  asset(assetId: $assetId) { assetId }
}
"""
HTML = "<!DOCTYPE html><html><body><h1>canary</h1></body></html>"


async def some_ids(gateway: World) -> dict[str, str]:
    """Variables for BOTH: a scan that is ready, and an asset that is not in the cache."""
    assets = await gateway.data("{ assets(first: 1) { nodes { assetId } } }")
    gateway.sandbox.scenario.clear()
    gateway.clock.advance(3600)
    return {"scanId": gateway.sandbox.prism.scan_ids("READY")[0], "assetId": assets["assets"]["nodes"][0]["assetId"]}


def in_order(errors_: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Sort errors by path: fields of different objects are answered in no particular order."""
    return sorted(errors_, key=lambda error: list(map(str, error["path"])))


@dataclass(frozen=True)
class Failure:
    """What either upstream's failure is told as, but for its name."""

    message: str
    extensions: dict[str, Any]

    def of(self, title: str, *path: str | int) -> dict[str, Any]:
        """Tell it of one upstream, at a path."""
        extensions = {**self.extensions, "upstream": title.lower()}
        return {"message": f"{title} {self.message}", "path": [*path], "extensions": extensions}


def answered(status: int, code: str, said: str = "", **more: Any) -> Failure:
    """Tell of an answer that is no success."""
    retryable = code not in {"UPSTREAM_REJECTED", "NOT_FOUND"}
    message = f"answered {status}: {said}" if said else f"answered {status}."
    return Failure(message, {"code": code, "upstreamStatus": status, "retryable": retryable, **more})


NO_JSON = Failure(
    "answered something else than the JSON it promises.", {"code": "UPSTREAM_CONTRACT", "retryable": True}
)
CUT = Failure("could not be reached.", {"code": "UPSTREAM_UNAVAILABLE", "retryable": True})
TIMEOUT = Failure("did not answer within 10 s.", {"code": "UPSTREAM_TIMEOUT", "retryable": True})
NO_SCAN = Failure("has no such scan.", {"code": "NOT_FOUND", "upstreamStatus": 404, "retryable": False})

FAILURES: dict[str, tuple[dict[str, Any], Failure]] = {
    "401": ({"status": 401}, answered(401, "UPSTREAM_REJECTED", "Unauthorized")),
    "403": ({"status": 403}, answered(403, "UPSTREAM_REJECTED", "Forbidden")),
    "403 in HTML": ({"status": 403, "body": HTML}, answered(403, "UPSTREAM_REJECTED")),
    "408": ({"status": 408}, answered(408, "UPSTREAM_TIMEOUT", "Request Timeout")),
    "429": (
        {"status": 429, "retry_after": 7, "body": '{"message": "Slow down"}', "headers": {"x-should-retry": "false"}},
        answered(429, "UPSTREAM_RATE_LIMITED", "Slow down", retryAfter=7),
    ),
    "500": ({"status": 500}, answered(500, "UPSTREAM_UNAVAILABLE")),
    "502 in HTML": ({"status": 502, "body": HTML}, answered(502, "UPSTREAM_UNAVAILABLE")),
    "503": ({"status": 503, "retry_after": 30}, answered(503, "UPSTREAM_UNAVAILABLE", retryAfter=30)),
    "504": ({"status": 504}, answered(504, "UPSTREAM_TIMEOUT")),
    "redirect": ({"status": 302, "headers": {"location": f"{URL}/?canary"}}, answered(302, "UPSTREAM_CONTRACT")),
    "HTML": ({"status": 200, "body": HTML}, NO_JSON),
    "deep JSON": ({"status": 200, "body": "[" * 100_000}, NO_JSON),
    "no body": ({"status": 204, "body": ""}, NO_JSON),
    "torn JSON": ({"malformed": True}, NO_JSON),
    "cut connection": ({"cut": True}, CUT),
}


# No body may mean that there are no stages yet.
OF_PRISM = {name: failure for name, failure in FAILURES.items() if name != "no body"}


@pytest.mark.parametrize(("fault", "failure"), OF_PRISM.values(), ids=OF_PRISM)
async def test_what_prism_fails_at_is_null_with_a_coded_error_and_scenario_answers(
    gateway: World, fault: dict[str, Any], failure: Failure
) -> None:
    variables = await some_ids(gateway)
    gateway.sandbox.faults.add(Fault(upstream="prism", **fault))
    answer = await gateway.execute(BOTH, **variables)
    assert answer["data"] == {
        "scan": {"scanId": variables["scanId"], "status": None, "assets": None},
        "asset": {"assetId": variables["assetId"]},
    }
    assert in_order(answer["errors"]) == [
        failure.of("Prism", "scan", "assets"),
        failure.of("Prism", "scan", "status"),
    ]


@pytest.mark.parametrize(("fault", "failure"), FAILURES.values(), ids=FAILURES)
async def test_what_scenario_fails_at_is_null_with_a_coded_error_and_prism_answers(
    gateway: World, fault: dict[str, Any], failure: Failure
) -> None:
    variables = await some_ids(gateway)
    gateway.sandbox.faults.add(Fault(upstream="scenario", **fault))
    scan = {"scanId": variables["scanId"], "status": "READY", "assets": {"isReady": True}}
    assert await gateway.execute(BOTH, **variables) == {
        "data": {"scan": scan, "asset": None},
        "errors": [failure.of("Scenario", "asset")],
    }


async def out_of_time(_seconds: float) -> None:
    """End a delay as httpx ends one that it waits too long for."""
    raise httpx.ReadTimeout("canary")


async def test_an_upstream_that_does_not_answer_in_time_costs_its_own_fields_only() -> None:
    async with world(sleep=out_of_time) as gateway:
        variables = await some_ids(gateway)
        gateway.sandbox.faults.add(Fault(upstream="scenario", delay=3600))
        scan = {"scanId": variables["scanId"], "status": "READY", "assets": {"isReady": True}}
        assert await gateway.execute(BOTH, **variables) == {
            "data": {"scan": scan, "asset": None},
            "errors": [TIMEOUT.of("Scenario", "asset")],
        }


async def test_a_scan_that_does_not_exist_is_not_found_where_its_record_is_read_and_null_elsewhere(
    gateway: World,
) -> None:
    fields = "status weight { value } assets { isReady } assetUrls { model } assetUrl(type: MODEL) { url }"
    answer = await gateway.execute(
        f'{{ scan(scanId: "nothing") {{ scanId {fields} }} asset(assetId: "no") {{ kind }} }}'
    )
    nothing = dict.fromkeys(["status", "weight", "assets", "assetUrls", "assetUrl"])
    assert answer["data"] == {"scan": {"scanId": "nothing", **nothing}, "asset": None}
    assert in_order(answer["errors"]) == [
        NO_SCAN.of("Prism", "scan", "status"),
        NO_SCAN.of("Prism", "scan", "weight"),
    ]


async def test_one_route_that_fails_costs_no_field_of_another(gateway: World) -> None:
    scan_id = gateway.sandbox.prism.scan_ids("READY")[0]
    gateway.sandbox.faults.add(Fault(path="/asset-urls$", status=500))
    assert await gateway.execute(
        f'{{ scan(scanId: "{scan_id}") {{ status assetUrls {{ model }} assets {{ isReady }} }} }}'
    ) == {
        "data": {"scan": {"status": "READY", "assetUrls": None, "assets": {"isReady": True}}},
        "errors": [answered(500, "UPSTREAM_UNAVAILABLE").of("Prism", "scan", "assetUrls")],
    }


async def test_a_page_that_fails_after_the_first_cuts_the_connection_short_with_an_error_beside_the_data(
    gateway: World,
) -> None:
    await gateway.data("{ assets(first: 100) { nodes { assetId } } }")
    gateway.sandbox.faults.add(Fault(upstream="scenario", status=500))
    answer = await gateway.execute("{ some: assets(first: 150) { nodes { assetId } pageInfo { hasNextPage } } }")
    assert len(answer["data"]["some"]["nodes"]) == 100
    assert answer["data"]["some"]["pageInfo"] == {"hasNextPage": True}
    assert answer["errors"] == [answered(500, "UPSTREAM_UNAVAILABLE").of("Scenario", "some")]


async def test_assets_that_fail_together_are_null_each_with_an_error_at_its_place(gateway: World) -> None:
    gateway.sandbox.faults.add(Fault(path="/get-bulk$", status=503))
    assert await gateway.execute('{ assetsById(assetIds: ["a", "b"]) { assetId } }') == {
        "data": {"assetsById": [None, None]},
        "errors": [answered(503, "UPSTREAM_UNAVAILABLE").of("Scenario", "assetsById", place) for place in (0, 1)],
    }


REFUSALS = [
    ("{ scan", {}, "GRAPHQL_PARSE_FAILED", "Syntax Error: Expected Name, found <EOF>."),
    ("{" + "a{" * 490, {}, "GRAPHQL_PARSE_FAILED", "Syntax Error: Document is nested too deeply. Parsing aborted."),
    ("{ nothing }", {}, "GRAPHQL_VALIDATION_FAILED", "Cannot query field 'nothing' on type 'Query'."),
    (
        "{ scan { scanId } }",
        {},
        "GRAPHQL_VALIDATION_FAILED",
        "Argument 'Query.scan(scanId:)' of type 'ID!' is required, but it was not provided.",
    ),
    (
        "query Scan($id: ID!) { scan(scanId: $id) { scanId } }",
        {},
        "BAD_USER_INPUT",
        "Variable '$id' has invalid value: Expected a value of non-null type 'ID!' to be provided.",
    ),
    (
        "query Assets($filter: AssetFilter) { assets(filter: $filter) { nodes { assetId } } }",
        {"filter": {"createdAfter": "yesterday"}},
        "BAD_USER_INPUT",
        (
            "Variable '$filter' has invalid value at .createdAfter:"
            ' DateTime takes an RFC 3339 timestamp such as "2026-11-22T10:00:00Z".'
        ),
    ),
]


@pytest.mark.parametrize(("query", "variables", "code", "message"), REFUSALS, ids=[code for *_, code, _ in REFUSALS])
async def test_what_graphql_itself_refuses_has_a_code_and_makes_no_call(
    gateway: World, query: str, variables: dict[str, Any], code: str, message: str
) -> None:
    assert await gateway.execute(query, **variables) == {"errors": [{"message": message, "extensions": {"code": code}}]}
    assert gateway.calls == []


async def test_an_argument_out_of_range_is_bad_input_at_its_field(gateway: World) -> None:
    assert await gateway.execute("{ assets(first: 0) { nodes { assetId } } }") == {
        "data": {"assets": None},
        "errors": [
            {
                "message": "`first` takes 1 to 1,000; this is 0.",
                "path": ["assets"],
                "extensions": {"code": "BAD_USER_INPUT"},
            }
        ],
    }


def drifted(path: list[str | int], rule: str) -> dict[str, Any]:
    """The error of a scalar that is none."""
    return {
        "message": f"The upstream sent something else here: {rule}.",
        "path": path,
        "extensions": {"code": "UPSTREAM_CONTRACT", "retryable": False},
    }


async def test_a_scalar_of_another_type_costs_its_own_field_only_and_is_not_shown(gateway: World) -> None:
    canary = {"canary": "https://cdn.example/?Signature=canary"}
    asset = {
        "id": "asset_1",
        "kind": "image",
        "mimeType": canary,
        "isHidden": "canary",
        "outputIndex": "canary",
        "embedding": [0.5, "canary"],
        "properties": {"size": "canary", "width": 1024},
    }
    gateway.sandbox.faults.add(Fault(status=200, body=json.dumps({"asset": asset})))
    fields = "assetId kind mimeType isHidden outputIndex embedding properties { size width }"
    answer = await gateway.execute(f'{{ asset(assetId: "asset_1") {{ {fields} }} }}')
    nulls = dict.fromkeys(["mimeType", "isHidden", "outputIndex", "embedding"])
    assert answer["data"]["asset"] == {
        "assetId": "asset_1",
        "kind": "IMAGE",
        **nulls,
        "properties": {"size": None, "width": 1024},
    }
    assert in_order(answer["errors"]) == [
        drifted(["asset", "embedding", 1], "Float cannot represent non numeric value"),
        drifted(["asset", "isHidden"], "Boolean cannot represent a non boolean value"),
        drifted(["asset", "mimeType"], "String cannot represent value"),
        drifted(["asset", "outputIndex"], "Int cannot represent non-integer value"),
        drifted(["asset", "properties", "size"], "BigInt cannot represent a value that is not a whole number"),
    ]


async def test_a_document_that_only_shows_itself_broken_when_it_is_read_breaks_the_contract(gateway: World) -> None:
    gateway.sandbox.faults.add(
        Fault(status=200, body='{"asset": {"id": "asset_1", "mimeType": "x", "outputIndex": 1e999}}')
    )
    assert await gateway.execute('{ asset(assetId: "asset_1") { mimeType outputIndex } }') == {
        "data": {"asset": {"mimeType": "x", "outputIndex": None}},
        "errors": [
            {
                "message": "The upstream sent something here that cannot be read.",
                "path": ["asset", "outputIndex"],
                "extensions": {"code": "UPSTREAM_CONTRACT", "retryable": False},
            }
        ],
    }


class Buggy(httpx.AsyncBaseTransport):
    """A transport with a bug, as any library may have one."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        raise RuntimeError(f"canary of {request.url}")


@asynccontextmanager
async def buggy_world() -> AsyncIterator[World]:
    """A gateway whose way to both upstreams has a bug."""
    sandbox = Sandbox(url=URL)
    app = create_app(settings_for(sandbox), transports={"prism": Buggy(), "scenario": Buggy()})
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway.test")
    async with app.router.lifespan_context(app), client:
        yield World(app, sandbox, Clock(), client)


INTERNAL = {
    "message": "The gateway failed here; its log tells more under this requestId.",
    "extensions": {"code": "INTERNAL_SERVER_ERROR"},
}


async def test_a_bug_is_masked_for_the_client_and_costs_its_own_field_only(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with buggy_world() as gateway:
        answer = await gateway.execute('{ scan(scanId: "1") { scanId status } asset(assetId: "2") { kind } }')
    assert answer["data"] == {"scan": {"scanId": "1", "status": None}, "asset": None}
    assert in_order(answer["errors"]) == [{**INTERNAL, "path": ["asset"]}, {**INTERNAL, "path": ["scan", "status"]}]
    assert "canary" not in caplog.text
    assert "Traceback" not in caplog.text


async def test_a_bug_is_logged_by_its_kind_and_place_under_the_requests_id(caplog: pytest.LogCaptureFixture) -> None:
    async with buggy_world() as gateway:
        body = {"query": 'mutation { unlockAsset(input: { assetId: "1" }) { lockId: __typename } }'}
        response = await gateway.client.post("/graphql", json=body, headers={"x-request-id": "request-1"})
    (error,) = response.json()["errors"]
    assert error["extensions"] == {"code": "INTERNAL_SERVER_ERROR", "requestId": "request-1"}
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert re.fullmatch(
        r"INTERNAL_SERVER_ERROR at \['unlockAsset'\]: RuntimeError in handle_async_request:\d+",
        record.getMessage(),
    )
    assert vars(record)["request_id"] == "request-1"
    assert record.exc_info is None


async def test_every_error_carries_the_id_that_the_answer_has_in_its_header(gateway: World) -> None:
    for query in ("{", "{ nothing }", '{ scan(scanId: "/") { scanId } }', '{ scan(scanId: "1") { status } }'):
        response = await gateway.client.post("/graphql", json={"query": query})
        (error,) = response.json()["errors"]
        assert error["extensions"]["requestId"] == response.headers["x-request-id"]


def documented(bullet: str) -> dict[str, str]:
    """The classes that stand behind a bullet of the tree in the docstring, with their codes."""
    assert errors.__doc__ is not None
    return dict(re.findall(rf"^ +{bullet} (\w+) +([A-Z_]+|\(carries .*\))(?:  .*)?$", errors.__doc__, re.MULTILINE))


def test_the_tree_in_the_docstring_is_the_tree_of_the_classes() -> None:
    direct = {each.__name__: each.code for each in GatewayError.__subclasses__() if each is not UpstreamError}
    assert documented("·") == {**direct, "UpstreamError": "(carries upstream, status, retryable, retryAfter)"}
    assert documented("-") == {each.__name__: each.code for each in UpstreamError.__subclasses__()}
    assert not [leaf for each in UpstreamError.__subclasses__() for leaf in each.__subclasses__()]


def test_every_code_is_in_the_docstring_and_no_two_errors_share_one() -> None:
    tree = [*documented("·").values(), *documented("-").values()]
    constants = [errors.PARSE_FAILED, errors.VALIDATION_FAILED, errors.INTERNAL]
    assert len({*tree, *constants}) == len(tree) + len(constants)
    assert errors.__doc__ is not None
    assert all(code in errors.__doc__ for code in constants)


ASKS_FROM = "query ($from: DateTime) { assets(first: 1, filter: { createdAfter: $from }) { nodes { assetId } } }"
NO_MOMENT = 'DateTime takes an RFC 3339 timestamp such as "2026-11-22T10:00:00Z".'


@pytest.mark.parametrize(
    "moment",
    [
        "2026-11-22",
        "2026-11-22T10:00:00",
        "2026-11-22T10:00Z",
        "20261122T100000Z",
        "2026-W47-7T10:00:00Z",
        "2026-11-22T10:00:00+01",
        "2026-11-22T24:00:00Z",
        "2026-11-31T10:00:00Z",
        "٢٠٢٦-11-22T10:00:00Z",
        "2026-11-22T10:00:00Z\n",
        1_795_341_600,
    ],
)
async def test_a_moment_that_is_not_rfc_3339_is_refused_whether_it_is_given_or_written(
    moment: str | int, gateway: World
) -> None:
    answer = await gateway.execute(ASKS_FROM, **{"from": moment})
    message = f"Variable '$from' has invalid value: {NO_MOMENT}"
    assert answer == {"errors": [{"message": message, "extensions": {"code": "BAD_USER_INPUT"}}]}
    written = f"{{ assets(filter: {{ createdAfter: {json.dumps(moment)} }}) {{ nodes {{ assetId }} }} }}"
    (error,) = (await gateway.client.post("/graphql", json={"query": written})).json()["errors"]
    assert error == {
        "message": NO_MOMENT,
        "locations": [{"line": 1, "column": 34}],
        "extensions": {"code": "GRAPHQL_VALIDATION_FAILED", "requestId": error["extensions"]["requestId"]},
    }
    assert gateway.calls == []


@pytest.mark.parametrize(
    "moment",
    [
        "2026-11-22T10:00:00Z",
        "2026-11-22t10:00:00z",
        "2026-11-22 10:00:00Z",
        "2026-11-22T10:00:00.000000001Z",
        "2026-11-22T11:30:00+01:30",
        "2026-11-22T10:00:00-00:00",
    ],
)
async def test_a_moment_may_be_written_in_every_way_that_rfc_3339_knows(moment: str, gateway: World) -> None:
    await gateway.data(ASKS_FROM, **{"from": moment})
    (request,) = gateway.sandbox.scenario.requests
    assert parse_qs(request.query)["createdAfter"] == ["2026-11-22T10:00:00Z"]
