"""One call to an upstream: what is sent, and the name that each failure gets."""

import asyncio
import base64
import gc
import inspect
import tracemalloc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import msgspec
import pytest

from gateway.cache.document import Kind, Lifetime
from gateway.errors import GatewayError, UpstreamError
from gateway.process import create_gateway
from gateway.sandbox import Sandbox
from gateway.upstream.targets import Query, encode_query
from gateway.upstream.upstream import Upstream
from tests.world import NOON, Clock, World, settings_for, world

SANDBOX = Sandbox()


def fleeting(body: bytes, _now: float) -> Lifetime:
    """The lifetime of a JSON object that is stale at once."""
    msgspec.json.decode(body, type=dict[str, Any])
    return Lifetime(0)


THING = Kind("thing", fleeting)


class Handler(httpx.AsyncBaseTransport):
    """Answers as a function says, and keeps the requests."""

    def __init__(self, answer: Callable[[httpx.Request], httpx.Response]) -> None:
        self.answer = answer
        self.requests: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return self.answer(request)


class Silent(httpx.AsyncBaseTransport):
    """Takes a request and never answers."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:  # noqa: ARG002 - httpx's signature
        return await asyncio.Future[httpx.Response]()


class Dripping(httpx.AsyncByteStream):
    """A body that always has a little more, never long in coming."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            yield b" "
            await asyncio.sleep(0)


@asynccontextmanager
async def upstream(transport: httpx.AsyncBaseTransport, **settings: Any) -> AsyncIterator[Upstream]:
    """Scenario behind a transport."""
    gateway = create_gateway(
        settings_for(SANDBOX, **settings), transports={"scenario": transport, "prism": transport}, clock=Clock()
    )
    yield gateway.tenants.of().sources.scenario.upstream
    await gateway.close()


async def failure(transport: httpx.AsyncBaseTransport, **settings: Any) -> UpstreamError:
    """The error that one call ends in."""
    async with upstream(transport, **settings) as scenario:
        with pytest.raises(UpstreamError) as raised:
            await scenario.call("GET", "/things/1")
    return raised.value


def told(error: GatewayError) -> dict[str, Any]:
    """All that a client is told of an error."""
    return {"message": error.message, **error.extensions}


def httpx_errors() -> list[type[Exception]]:
    """Every exception that httpx exports."""
    exported = [getattr(httpx, name) for name in httpx.__all__]
    return [each for each in exported if inspect.isclass(each) and issubclass(each, Exception)]


def made(error: type[Exception]) -> Exception:
    """One of these exceptions, with whatever its constructor asks for."""
    request = httpx.Request("GET", "https://api.example/things?sig=canary")
    given = {"message": "canary", "request": request, "response": httpx.Response(500, request=request)}
    wanted = inspect.signature(error).parameters
    return error(**{name: value for name, value in given.items() if name in wanted})


CODES = {
    httpx.TimeoutException: "UPSTREAM_TIMEOUT",
    httpx.DecodingError: "UPSTREAM_CONTRACT",
    httpx.TooManyRedirects: "UPSTREAM_CONTRACT",
    httpx.InvalidURL: "UPSTREAM_REJECTED",
}
MESSAGES = {
    "UPSTREAM_TIMEOUT": "Scenario did not answer within 10 s.",
    "UPSTREAM_CONTRACT": "Scenario answered something else than the JSON it promises.",
    "UPSTREAM_REJECTED": "Scenario takes no address as long as this needs.",
    "UPSTREAM_UNAVAILABLE": "Scenario could not be reached.",
}


@pytest.mark.parametrize("error", httpx_errors())
async def test_every_failure_of_httpx_has_a_name_in_our_tree(error: type[Exception]) -> None:
    def fail(_: httpx.Request) -> httpx.Response:
        raise made(error)

    code = next((code for base, code in CODES.items() if issubclass(error, base)), "UPSTREAM_UNAVAILABLE")
    assert told(await failure(Handler(fail))) == {
        "message": MESSAGES[code],
        "code": code,
        "upstream": "scenario",
        "retryable": code != "UPSTREAM_REJECTED",
    }


def named(status: int) -> tuple[str, bool]:
    """The code of a status that is no success, and whether asking again may help."""
    known = {
        404: ("NOT_FOUND", False),
        408: ("UPSTREAM_TIMEOUT", True),
        410: ("NOT_FOUND", False),
        429: ("UPSTREAM_RATE_LIMITED", True),
        504: ("UPSTREAM_TIMEOUT", True),
    }
    classes = {3: ("UPSTREAM_CONTRACT", True), 4: ("UPSTREAM_REJECTED", False), 5: ("UPSTREAM_UNAVAILABLE", True)}
    return known.get(status) or classes[status // 100]


@pytest.mark.parametrize("status", [*range(300, 309), *range(400, 432), 451, 499, *range(500, 512), 520, 599])
async def test_every_status_that_is_no_success_has_a_code(status: int) -> None:
    code, retryable = named(status)
    answer = Handler(lambda _: httpx.Response(status, json={"message": "so"}))
    assert told(await failure(answer)) == {
        "message": f"Scenario answered {status}: so" if 400 <= status < 500 else f"Scenario answered {status}.",
        "code": code,
        "upstream": "scenario",
        "upstreamStatus": status,
        "retryable": retryable,
    }


@pytest.mark.parametrize("status", [429, 500, 503, 403, 302])
async def test_retry_after_is_carried_whatever_the_status(status: int) -> None:
    answer = Handler(lambda _: httpx.Response(status, headers={"retry-after": "30"}))
    error = await failure(answer)
    assert (error.status, error.retry_after, error.extensions["retryAfter"]) == (status, 30, 30)


@pytest.mark.parametrize(
    ("error", "is_unknown"),
    [
        (httpx.ConnectError, False),
        (httpx.ConnectTimeout, False),
        (httpx.PoolTimeout, False),
        (httpx.ReadTimeout, True),
        (httpx.NetworkError, True),
        (httpx.DecodingError, True),
    ],
)
async def test_whether_a_change_was_made_is_unknown_unless_it_never_left(
    error: type[Exception], *, is_unknown: bool
) -> None:
    def fail(_: httpx.Request) -> httpx.Response:
        raise made(error)

    async with upstream(Handler(fail)) as scenario:
        with pytest.raises(UpstreamError) as raised:
            await scenario.change("PUT", "/things/1")
    assert raised.value.message.endswith("Whether the change was made is unknown.") is is_unknown
    assert raised.value.extensions["retryable"] is not is_unknown


async def test_retry_after_as_a_date_counts_from_the_gateways_clock() -> None:
    headers = {"retry-after": "Mon, 21 Sep 2026 14:14:20 GMT"}
    assert NOON == 1_790_000_000
    assert (await failure(Handler(lambda _: httpx.Response(429, headers=headers)))).retry_after == 60


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(status: int) -> None:
    answer = Handler(lambda _: httpx.Response(status, headers={"location": "https://elsewhere.example/?sig=canary"}))
    error = await failure(answer)
    assert error.message == f"Scenario answered {status}."
    assert [request.url.path for request in answer.requests] == ["/scenario/v1/things/1"]


async def test_an_upstream_that_never_answers_times_out() -> None:
    assert told(await failure(Silent(), gateway_upstream_timeout=0.01)) == {
        "message": "Scenario did not answer within 0.01 s.",
        "code": "UPSTREAM_TIMEOUT",
        "upstream": "scenario",
        "retryable": True,
    }


async def test_an_answer_that_never_ends_times_out_although_something_always_comes() -> None:
    answer = Handler(lambda _: httpx.Response(200, stream=Dripping()))
    assert (await failure(answer, gateway_upstream_timeout=0.01)).code == "UPSTREAM_TIMEOUT"


@pytest.mark.parametrize("status", [200, 201, 204, 206, 269])
async def test_every_2xx_is_a_success(status: int) -> None:
    async with upstream(Handler(lambda _: httpx.Response(status, content=b"{}"))) as scenario:
        assert await scenario.call("GET", "/things/1") == b"{}"


async def test_an_answer_that_is_not_utf_8_breaks_the_contract() -> None:
    error = await failure(Handler(lambda _: httpx.Response(200, content=b'{"name": "caf\xe9"}')))
    assert error.code == "UPSTREAM_CONTRACT"


async def test_an_answer_that_is_not_compressed_as_it_says_breaks_the_contract() -> None:
    headers = {"content-encoding": "gzip"}
    stream = httpx.ByteStream(b'{"plain": true}')
    error = await failure(Handler(lambda _: httpx.Response(200, headers=headers, stream=stream)))
    assert error.code == "UPSTREAM_CONTRACT"


@pytest.mark.parametrize(
    ("status", "code"),
    [(404, "NOT_FOUND"), (429, "UPSTREAM_RATE_LIMITED"), (503, "UPSTREAM_UNAVAILABLE")],
)
async def test_a_refusal_that_is_not_compressed_as_it_says_counts_as_its_status(status: int, code: str) -> None:
    headers = {"content-encoding": "gzip", "retry-after": "30"}
    stream = httpx.ByteStream(b"<html></html>")
    error = await failure(Handler(lambda _: httpx.Response(status, headers=headers, stream=stream)))
    assert (error.code, error.status, error.retry_after) == (code, status, 30)
    assert error.message == f"Scenario answered {status}."


@pytest.mark.parametrize("body", [b"", b"<html></html>", b'{"torn', b"[]", b"7", b"[" * 100_000])
async def test_a_document_that_is_not_what_was_promised_breaks_the_contract(body: bytes) -> None:
    async with upstream(Handler(lambda _: httpx.Response(200, content=body))) as scenario:
        outcome = await scenario.get(THING, "1", "/things/1")
        assert isinstance(outcome, UpstreamError)
        assert outcome.code == "UPSTREAM_CONTRACT"


async def test_an_address_too_long_for_httpx_is_refused_without_a_call() -> None:
    answer = Handler(lambda _: httpx.Response(200, content=b"{}"))
    async with upstream(answer) as scenario:
        with pytest.raises(UpstreamError) as raised:
            await scenario.call("GET", "/things", query={"tags": ["x" * 70_000]})
    assert (raised.value.code, answer.requests) == ("UPSTREAM_REJECTED", [])


def test_a_query_is_written_as_the_official_client_writes_it() -> None:
    query: Query = {
        "types": ["uploaded-3d", "img23d"],
        "originalAssets": True,
        "deleted": False,
        "pageSize": 50,
        "tags": ["two words", "a&b=c", "é"],
        "paginationToken": None,
        "createdAfter": "2026-01-01T00:00:00Z",
    }
    assert encode_query(query) == (
        "types=uploaded-3d%2Cimg23d&originalAssets=true&deleted=false&pageSize=50"
        "&tags=two+words%2Ca%26b%3Dc%2C%C3%A9&createdAfter=2026-01-01T00%3A00%3A00Z"
    )


async def test_no_text_of_any_length_that_a_client_sends_is_remembered(gateway: World) -> None:
    query = "query ($tag: String!) { assets(filter: { privacy: PUBLIC, tags: [$tag] }) { nodes { assetId } } }"
    await gateway.execute(query, tag="x" * 100_000)
    tracemalloc.start()
    for number in range(20):
        await gateway.execute(query, tag=f"{number}" * 100_000)
    gc.collect()
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 1_000_000


async def test_scenario_receives_the_query_as_it_was_written(gateway: World) -> None:
    await gateway.data(
        """{ assets(
          first: 3
          filter: { types: [UPLOADED_3D, IMG23D], privacy: PUBLIC, tags: ["two words", "é"], modelId: "model_1:ab" }
        ) { nodes { assetId } } }"""
    )
    (request,) = gateway.sandbox.scenario.requests
    assert (request.method, request.path, request.body) == ("GET", "/assets", b"")
    assert request.query == (
        "modelId=model_1%3Aab&types=uploaded-3d%2Cimg23d&tags=two+words%2C%C3%A9&privacy=public"
        "&sortBy=createdAt&sortDirection=desc&pageSize=50"
    )


async def test_prism_receives_its_three_headers_on_every_route(gateway: World) -> None:
    scan_id = gateway.sandbox.prism.scan_ids("READY")[0]
    for fields in ("status", "assetUrl(type: MODEL) { url }", "assetUrls { model }"):
        await gateway.data(f'{{ scan(scanId: "{scan_id}") {{ {fields} }} }}')
    headers = {
        "accept": "application/json;v=1",
        "authorization": f"Bearer {gateway.sandbox.prism_api_key}",
        "content-type": "application/json",
    }
    requests = gateway.sandbox.prism.requests
    assert [request.path.rpartition("/")[2] for request in requests] == [scan_id, "model", "asset-urls"]
    assert all(headers.items() <= request.headers.items() for request in requests)


CREDENTIALS: list[tuple[dict[str, Any], str]] = [
    ({}, "Basic " + base64.b64encode(b"sandbox-scenario-api-key:sandbox-scenario-api-secret").decode()),
    ({"scenario_jwt": Sandbox.scenario_jwt}, f"Bearer {Sandbox.scenario_jwt}"),
    ({"scenario_public": True}, "public-auth-token"),
]


@pytest.mark.parametrize(("settings", "header"), CREDENTIALS)
async def test_scenario_receives_the_credential_of_the_settings(settings: dict[str, Any], header: str) -> None:
    async with world(settings) as gateway:
        await gateway.data("{ assets(first: 1) { nodes { assetId } } }")
        (request,) = gateway.sandbox.scenario.requests
        assert request.headers["authorization"] == header


async def test_key_and_secret_go_before_a_jwt_as_in_the_official_client() -> None:
    answer = Handler(lambda _: httpx.Response(200, content=b"{}"))
    given = {"scenario_api_key": SANDBOX.scenario_api_key, "scenario_api_secret": SANDBOX.scenario_api_secret}
    async with upstream(answer, scenario_jwt="jwt", **given) as scenario:
        await scenario.call("GET", "/things")
    assert answer.requests[0].headers["authorization"] == CREDENTIALS[0][1]


async def test_the_project_of_the_settings_goes_along_on_every_route_of_scenario() -> None:
    project = Sandbox.project_id
    async with world({"scenario_project_id": project}) as gateway:
        assets = await gateway.data("{ assets(first: 2) { nodes { assetId } } }")
        one, other = (node["assetId"] for node in assets["assets"]["nodes"])
        gateway.clock.advance(3600)
        await gateway.data(f'{{ asset(assetId: "{one}") {{ kind }} }}')
        gateway.clock.advance(3600)
        await gateway.data(f'{{ assetsById(assetIds: ["{one}", "{other}"]) {{ kind }} }}')
        await gateway.data('{ downloadJob(jobId: "job_1") { status } }')
        await gateway.data(
            f"""mutation {{
              requestAssetDownload(input: {{ assetId: "{one}" }}) {{ userErrors {{ code }} }}
              requestBatchDownload(input: {{ assetIds: ["{one}"] }}) {{ userErrors {{ code }} }}
              dry: requestBatchDownload(input: {{ assetIds: ["{one}"], dryRun: true }}) {{ userErrors {{ code }} }}
              lockAsset(input: {{ assetId: "{one}", lockExpiresAt: "2030-01-01T00:00:00Z" }}) {{ lockId }}
              unlockAsset(input: {{ assetId: "{one}", forceUnlock: true }}) {{ userErrors {{ code }} }}
            }}"""
        )
        assert [(request.method, request.path, request.query) for request in gateway.sandbox.scenario.requests] == [
            ("GET", "/assets", f"sortBy=createdAt&sortDirection=desc&projectId={project}&pageSize=50"),
            ("GET", f"/assets/{one}", f"projectId={project}"),
            ("POST", "/assets/get-bulk", f"projectId={project}"),
            ("GET", "/assets/download/job_1", f"projectId={project}"),
            ("POST", f"/assets/{one}/download", f"projectId={project}"),
            ("POST", "/assets/download", f"projectId={project}"),
            ("POST", "/assets/download", f"projectId={project}&dryRun=true"),
            ("PUT", f"/assets/{one}/lock", f"projectId={project}"),
            ("PUT", f"/assets/{one}/unlock", f"projectId={project}"),
        ]
