"""Traces: a span for each request and each upstream call, in one trace with those before and behind; or nothing."""

import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from gateway.app import create_app
from gateway.sandbox import Fault, Sandbox
from gateway.spans import Traces
from gateway.tracing import NoTracesError, are_wanted, find_traces
from tests.http.exchanges import connect
from tests.processes import run, running
from tests.telemetry.receiver import Receiver, receiving
from tests.world import URL, Clock, World, settings_for

SCAN = "query Scan($scanId: ID!) { scan(scanId: $scanId) { status } }"
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@dataclass
class Traced:
    """A gateway whose spans are kept, and the headers of what its sandbox was sent."""

    gateway: World
    exporter: InMemorySpanExporter
    sent: list[httpx.Headers]

    @property
    def spans(self) -> list[ReadableSpan]:
        """The spans that ended, those of requests last."""
        return sorted(self.exporter.get_finished_spans(), key=lambda span: span.kind is SpanKind.SERVER)


class Overheard(httpx.AsyncBaseTransport):
    """A transport that takes note of headers."""

    def __init__(self, inner: httpx.AsyncBaseTransport, sent: list[httpx.Headers]) -> None:
        self.inner = inner
        self.sent = sent

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(request.headers)
        return await self.inner.handle_async_request(request)


@asynccontextmanager
async def traced_world() -> AsyncIterator[Traced]:
    exporter, provider, clock, sent = InMemorySpanExporter(), TracerProvider(), Clock(), list[httpx.Headers]()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    sandbox = Sandbox(clock=clock, url=URL)
    transport = Overheard(httpx.ASGITransport(sandbox.app), sent)
    transports = {"prism": transport, "scenario": transport}
    app = create_app(
        settings_for(sandbox), transports=transports, clock=clock, sleep=clock.sleep, traces=Traces(provider, exporter)
    )
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway.test")
    async with app.router.lifespan_context(app), client:
        yield Traced(World(app, sandbox, clock, client, {"x-request-id": "r-1"}), exporter, sent)


@pytest.fixture
async def traced() -> AsyncIterator[Traced]:
    async with traced_world() as made:
        yield made


def attributes_of(span: ReadableSpan) -> dict[str, object]:
    return dict(span.attributes or {})


async def test_a_request_is_a_span_and_each_upstream_call_is_one_within_it(traced: Traced) -> None:
    await traced.gateway.execute(SCAN, scanId=traced.gateway.sandbox.prism.scan_ids("READY")[0])
    call, request = traced.spans
    assert (call.name, call.kind, request.name, request.kind) == (
        "GET /scans/{scanId}",
        SpanKind.CLIENT,
        "query Scan",
        SpanKind.SERVER,
    )
    assert attributes_of(request) == {
        "http.request.method": "POST",
        "http.route": "/graphql",
        "http.response.status_code": 200,
        "graphql.operation.type": "query",
        "graphql.operation.name": "Scan",
        "scan_gateway.outcome": "ok",
        "scan_gateway.request_id": "r-1",
    }
    assert attributes_of(call) == {
        "http.request.method": "GET",
        "url.template": "/scans/{scanId}",
        "server.address": "sandbox.test",
        "http.response.status_code": 200,
    }
    assert call.parent == request.get_span_context()
    assert request.parent is None


async def test_a_trace_comes_in_and_goes_on_to_the_upstream(traced: Traced) -> None:
    traced.gateway.headers |= {"traceparent": PARENT, "tracestate": "vendor=1", "baggage": "user=canary"}
    await traced.gateway.execute(SCAN, scanId="a")
    call, request = traced.spans
    assert request.parent is not None
    assert (f"{request.parent.trace_id:032x}", f"{request.parent.span_id:016x}") == tuple(PARENT.split("-")[1:3])
    context = call.get_span_context()
    assert context is not None
    assert traced.sent[0]["traceparent"] == f"00-{context.trace_id:032x}-{context.span_id:016x}-01"
    assert context.trace_id == request.parent.trace_id
    assert traced.sent[0]["tracestate"] == "vendor=1"
    assert "baggage" not in traced.sent[0]


async def test_what_vendors_say_of_a_trace_goes_on_whole_though_it_comes_in_several_headers(traced: Traced) -> None:
    headers = [("traceparent", PARENT), ("tracestate", "one=1"), ("tracestate", "other=2"), ("accept", "*/*")]
    asked = {"query": SCAN, "variables": {"scanId": "a"}}
    await traced.gateway.client.post("/graphql", json=asked, headers=headers)
    assert traced.sent[0]["tracestate"] == "one=1,other=2"


async def test_a_request_that_names_two_traces_is_of_neither(traced: Traced) -> None:
    headers = [("traceparent", PARENT), ("traceparent", PARENT.replace("0af7", "0af8")), ("accept", "*/*")]
    asked = {"query": SCAN, "variables": {"scanId": "a"}}
    await traced.gateway.client.post("/graphql", json=asked, headers=headers)
    assert traced.spans[-1].parent is None


async def test_a_client_that_samples_no_trace_has_none(traced: Traced) -> None:
    traced.gateway.headers["traceparent"] = PARENT[:-2] + "00"
    await traced.gateway.execute(SCAN, scanId="a")
    assert traced.spans == []
    assert traced.sent[0]["traceparent"].endswith("-00")


@pytest.mark.parametrize(("fault", "type_"), [(Fault(status=503), "503"), (Fault(cut=True), "unreadable")])
async def test_a_call_that_fails_says_how_and_nothing_else(traced: Traced, fault: Fault, type_: str) -> None:
    traced.gateway.sandbox.faults.add(fault)
    await traced.gateway.execute(SCAN, scanId="a")
    call, *others, request = traced.spans
    assert [other.name for other in others] == [call.name] * 3  # each time that it is tried again
    assert (call.status.status_code, call.status.description, attributes_of(call)["error.type"]) == (
        StatusCode.ERROR,
        None,
        type_,
    )
    assert (call.events, request.status.status_code) == ((), StatusCode.UNSET)
    assert attributes_of(request)["scan_gateway.outcome"] == "partial"


async def test_an_operation_over_a_websocket_is_a_request(traced: Traced) -> None:
    socket = await connect(traced.gateway.app)
    payload = {"query": SCAN, "variables": {"scanId": "a"}}
    await socket.say({"id": "1", "type": "subscribe", "payload": payload})
    call, request = traced.spans
    assert (request.name, request.kind, call.parent) == ("query Scan", SpanKind.SERVER, request.get_span_context())
    await socket.leave()


async def test_an_answer_that_was_kept_is_a_request_without_calls(traced: Traced) -> None:
    for _ in range(2):
        await traced.gateway.execute(SCAN, scanId="a")
    assert [span.kind for span in traced.spans] == [SpanKind.CLIENT, SpanKind.SERVER, SpanKind.SERVER]


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({}, False),
        ({"OTEL_SERVICE_NAME": "x"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:1"}, True),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, False),
        ({"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, False),
    ],
)
def test_traces_are_made_where_the_standard_variables_say_so(environment: dict[str, str], *, wanted: bool) -> None:
    assert are_wanted(environment) == wanted


@pytest.mark.parametrize(
    "environment",
    [
        {"OTEL_TRACES_EXPORTER": "zipkin"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
    ],
)
def test_what_cannot_be_exported_so_is_refused_by_the_name_of_the_variable(environment: dict[str, str]) -> None:
    with pytest.raises(NoTracesError, match=rf"{list(environment)[-1]} cannot be {list(environment.values())[-1]}"):
        find_traces(environment)


@pytest.mark.parametrize(
    "address",
    ["collector:4318", "collector", "//collector:4318", "grpc://collector:4317", "http://", "http://a:431800"],
)
@pytest.mark.parametrize("name", ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"])
def test_an_address_where_nothing_can_arrive_is_refused_by_the_name_of_its_variable(name: str, address: str) -> None:
    with pytest.raises(NoTracesError) as refused:
        find_traces({name: address})
    assert str(refused.value) == f"{name} cannot be used: it must be an address such as http://collector:4318."


@pytest.mark.parametrize("address", ["http://127.0.0.1:1/v1/traces", "HTTPS://[::1]"])
def test_an_address_that_is_not_gone_by_is_not_looked_at(address: str) -> None:
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": address}
    assert find_traces(environment) is not None


def test_the_extra_is_named_where_it_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "gateway.spans", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(NoTracesError, match=r"pip install 'scan-gateway\[otel\]'"):
        find_traces({"OTEL_TRACES_EXPORTER": "otlp"})


def test_nothing_that_makes_traces_is_imported_where_no_traces_are_asked_for() -> None:
    code = (
        "import sys, gateway.cli; from gateway.app import create_app; from gateway.tracing import find_traces\n"
        "from gateway.environment import read_settings\n"
        "create_app(read_settings(None, prism_api_key='k', scenario_public=True), traces=find_traces({}))\n"
        "sys.exit(any(name in sys.modules for name in ('gateway.spans', 'opentelemetry.exporter')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0  # noqa: S603 - our own code


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_served_gateway_exports_to_a_receiver_before_it_ends(
    receiver: Receiver, tmp_path: Path, workers: str
) -> None:
    settings = {
        "PRISM_URL": "http://127.0.0.1:1/prism",
        "PRISM_API_KEY": Sandbox.prism_api_key,
        "SCENARIO_PUBLIC": "true",
        "GATEWAY_PORT": "0",
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
        "OTEL_SERVICE_NAME": "ours",
    }
    with running("serve", "--workers", workers, folder=tmp_path, settings=settings) as served:
        url = served.wait_for(r"listening on (\S+?)/graphql")
        asked = {"query": SCAN, "variables": {"scanId": "a"}}
        httpx.post(f"{url}/graphql", json=asked, headers={"traceparent": PARENT}, trust_env=False)
        code, printed = served.stop(signal.SIGTERM)
    assert code == 0, printed
    assert set(receiver.paths) == {"/v1/traces"}
    assert {span.name for span in receiver.spans} == {"query Scan", "GET /scans/{scanId}"}
    assert {span.trace_id.hex() for span in receiver.spans} == {PARENT.split("-")[1]}
    resource = {each.key: each.value.string_value for each in receiver.exports[0].resource_spans[0].resource.attributes}
    assert resource["service.name"] == "ours"


def test_a_receiver_that_is_not_there_keeps_nobody_from_answering_or_ending(tmp_path: Path) -> None:
    settings = {"PRISM_API_KEY": Sandbox.prism_api_key, "SCENARIO_PUBLIC": "true", "GATEWAY_PORT": "0"}
    nowhere = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}
    with running("serve", folder=tmp_path, settings={**settings, **nowhere}) as served:
        url = served.wait_for(r"listening on (\S+?)/graphql")
        answer = httpx.post(f"{url}/graphql", json={"query": "{ __typename }"}, trust_env=False).json()
        code, printed = served.stop(signal.SIGTERM)
    assert (answer, code) == ({"data": {"__typename": "Query"}}, 0), printed
    assert "Traceback" not in printed


def test_what_lets_spans_into_a_receiver_stands_in_no_log_however_it_is_written(tmp_path: Path) -> None:
    settings = {"PRISM_API_KEY": Sandbox.prism_api_key, "SCENARIO_PUBLIC": "true", "GATEWAY_PORT": "0"}
    asking = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1",
        "OTEL_EXPORTER_OTLP_HEADERS": "x-one=canary-of-one,x-two: canary-of-two",
        "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "x-three: canary%20of%20three,canary-of-four",
    }
    with running("serve", folder=tmp_path, settings={**settings, **asking}) as served:
        served.wait_for("(accepting requests)")
        code, printed = served.stop(signal.SIGTERM)
    assert (code, "Header format invalid!" in printed, "canary" in printed) == (0, True, False), printed


@pytest.mark.parametrize(
    ("variable", "workers", "exit_code", "why"),
    [
        (
            "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT",
            "1",
            2,
            "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT must be a non-negative integer but got -1",
        ),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "1", 2, "max_queue_size must be a positive integer."),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "2", 3, "max_queue_size must be a positive integer."),
    ],
)
def test_a_variable_that_cannot_be_used_is_told_in_a_line(
    variable: str, workers: str, exit_code: int, why: str, tmp_path: Path
) -> None:
    settings = {"PRISM_API_KEY": Sandbox.prism_api_key, "SCENARIO_PUBLIC": "true", "GATEWAY_PORT": "0"}
    asking = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", variable: "-1"}
    ended = run("serve", "--workers", workers, folder=tmp_path, settings={**settings, **asking})
    assert ended.returncode == exit_code, ended.stderr
    assert f"OTEL_… variables cannot be used: {why}" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_provider_of_credentials_that_is_not_installed_is_told_likewise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_PYTHON_EXPORTER_OTLP_HTTP_CREDENTIAL_PROVIDER", "of-ours")
    begin = find_traces({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"})
    assert begin is not None
    with pytest.raises(NoTracesError, match="variables cannot be used: Requested component 'of-ours' not found"):
        begin()
