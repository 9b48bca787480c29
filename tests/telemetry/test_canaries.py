"""A full run with canaries in every secret place: none comes out in a log, an error, a trace or a metric."""

import asyncio
import base64
import io
import json
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import generate_latest

from gateway.app import create_app
from gateway.logs import configure_logging
from gateway.sandbox import Fault, Sandbox
from gateway.spans import Traces
from gateway.tallies import OTHER
from tests.http.exchanges import ask, connect
from tests.telemetry.reading import counted
from tests.world import URL, Clock, World, settings_for

KEYS = (Sandbox.prism_api_key, Sandbox.scenario_api_key, Sandbox.scenario_api_secret)
PAIR = base64.b64encode(":".join(KEYS[1:]).encode()).decode()
USER_TOKENS = {scan.user_token for scan in Sandbox().prism.scans.values()}
CLIENT = "client-canary-token"
VARIABLE = "variable-canary"
SIGNED = "https://cdn.example/a?Signature=signed-canary&Key-Pair-Id=signed-canary"
CANARIES = ("canary", *KEYS, PAIR, *USER_TOKENS, "Signature=", "X-Amz-", "Policy=", "Key-Pair-Id", "Traceback")
ECHO = f"{' '.join(KEYS)} {PAIR} {min(USER_TOKENS)} {SIGNED}"
FAULTS = (
    None,
    Fault(upstream="prism", status=403, body=json.dumps({"message": f"{KEYS[0]} may not read {SIGNED}"})),
    Fault(upstream="scenario", status=403, body=json.dumps({"message": f"{KEYS[1:]} {PAIR} not for {SIGNED}"})),
    Fault(status=503, body=ECHO),
    Fault(status=302, headers={"location": SIGNED}),
    Fault(status=200, body=json.dumps({"status": SIGNED, "id": ECHO, "asset": {"kind": SIGNED, "id": ECHO}})),
    Fault(malformed=True),
    Fault(cut=True),
)

READS = """
query Reads($scanId: ID!, $assetId: ID!, $jobId: ID!) {
  scan(scanId: $scanId) {
    status userToken assets { isReady } assetUrls { model expiresAt } assetUrl(type: MODEL) { url }
    linkedAssets { nodes { url } }
  }
  asset(assetId: $assetId) { kind url raw parent { url } scan { status } }
  several: assetsById(assetIds: [$assetId, "variable-canary-a", "variable-canary-b"]) { url }
  assets(first: 2) { nodes { url thumbnail { url asset { url } } } }
  downloadJob(jobId: $jobId) { downloadUrl }
}
"""
CHANGES = """
mutation Changes($scanId: ID!, $assetId: ID!) {
  requestAssetDownload(input: { assetId: $assetId }) { download { url } userErrors { code message } }
  requestBatchDownload(input: { assetIds: [$assetId] }) { downloadJob { jobId } userErrors { code message } }
  lockAsset(input: { assetId: $assetId, lockExpiresAt: "2030-01-01T00:00:00Z" }) { lockId userErrors { message } }
  unlockAsset(input: { assetId: $assetId, forceUnlock: true }) { asset { url } userErrors { message } }
  linkAssetsToScan(input: { scanId: $scanId, assetIds: [$assetId] }) { assets { url } userErrors { message } }
  unlinkAssetsFromScan(input: { scanId: $scanId, assetIds: [$assetId] }) { assets { url } userErrors { message } }
}
"""
FOLLOW = "subscription Follow($scanId: ID!) { scanUpdated(scanId: $scanId) { status } }"
FOLLOW_JOB = "subscription FollowJob($jobId: ID!) { downloadJobUpdated(jobId: $jobId) { status } }"
WRONG = ("{ nothing }", "{", "query A { __typename } query B { __typename }", "{ asset(assetId: 7) { kind } }")


@dataclass
class Seen:
    """What comes out of a gateway beside its data."""

    gateway: World
    log: io.StringIO
    exporter: InMemorySpanExporter
    errors: list[Any] = field(default_factory=list)

    def note(self, body: str) -> None:
        """Keep the errors of an answer: of a whole one, or of each part of a stream."""
        for line in body.splitlines():
            start = line.find("{")
            if start >= 0:
                self.errors += errors_in(json.JSONDecoder().raw_decode(line[start:])[0])

    @property
    def metrics(self) -> str:
        return generate_latest(self.gateway.app.state.metrics).decode()

    @property
    def spans(self) -> str:
        return str(encode_spans(self.exporter.get_finished_spans()))


def errors_in(told: Any) -> Iterator[Any]:
    """The errors that stand anywhere in an answer."""
    if isinstance(told, dict):
        yield from told.get("errors") or ()
        for value in told.values():
            yield from errors_in(value)
    elif isinstance(told, list):
        for value in told:
            yield from errors_in(value)


@asynccontextmanager
async def seen_world() -> AsyncIterator[Seen]:
    """A gateway whose every setting tells as much as it can."""
    clock, exporter, provider, log = Clock(), InMemorySpanExporter(), TracerProvider(), io.StringIO()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    sandbox = Sandbox(clock=clock, url=URL)
    settings = settings_for(
        sandbox,
        gateway_log_requests=True,
        gateway_server_timing=True,
        gateway_report_calls=True,
        gateway_incremental=True,
        gateway_watch_jitter=0,
    )
    configure_logging("debug", secrets=settings.secrets, stream=log)
    transport = httpx.ASGITransport(sandbox.app)
    transports = {"prism": transport, "scenario": transport}
    traces = Traces(provider, exporter)
    app = create_app(settings, transports=transports, clock=clock, sleep=clock.sleep, traces=traces)
    client = httpx.AsyncClient(
        transport=httpx.ASGITransport(app),
        base_url="http://gateway.test",
        headers={"authorization": f"Bearer {CLIENT}", "cookie": f"session={CLIENT}", "accept": "application/json"},
    )
    async with app.router.lifespan_context(app), client:
        yield Seen(World(app, sandbox, clock, client), log, exporter)


async def run_everything(seen: Seen) -> None:
    """Every kind of operation, by every way in: as a whole, in parts, in a stream and over a WebSocket."""
    gateway = seen.gateway
    scan_id, asset_id = gateway.sandbox.prism.scan_ids("READY")[0], gateway.asset_ids[0]
    for ids in ((scan_id, asset_id), (VARIABLE, VARIABLE)):
        variables = {"scanId": ids[0], "assetId": ids[1], "jobId": VARIABLE}
        for query in (READS, CHANGES, READS, *WRONG):
            seen.note((await gateway.client.post("/graphql", json={"query": query, "variables": variables})).text)
        parts = ask(gateway.app, READS.replace("assets {", "... @defer { assets {", 1), "multipart/mixed", **variables)
        await parts.task
        seen.note(parts.body)
        await follow(seen, FOLLOW, scanId=ids[0])
        await follow(seen, FOLLOW_JOB, jobId=VARIABLE)
    await gateway.client.get("/graphql", params={"query": READS, "variables": json.dumps(variables), "token": CLIENT})
    await gateway.client.post("/graphql", content=VARIABLE, headers={"content-type": "application/json"})
    await gateway.client.get(f"/{VARIABLE}", params={"token": CLIENT})


async def follow(seen: Seen, query: str, **variables: str) -> None:
    """Subscribe over both protocols, for some time."""
    stream = ask(seen.gateway.app, query, "text/event-stream", **variables)
    socket = await connect(seen.gateway.app)
    await socket.say({"id": "1", "type": "subscribe", "payload": {"query": query, "variables": variables}})
    await seen.gateway.clock.run(60)
    await asyncio.sleep(0)
    for message in socket.heard():
        seen.note(json.dumps(message))
    await socket.leave()
    await stream.leave()
    seen.note(stream.body if stream.sent else "")


@pytest.mark.parametrize(
    "fault", FAULTS, ids=["well", "403 of one", "403 of the other", "503", "302", "drift", "malformed", "cut"]
)
async def test_no_canary_comes_out_in_a_log_an_error_a_trace_or_a_metric(fault: Fault | None) -> None:
    async with seen_world() as seen:
        if fault is not None:
            seen.gateway.sandbox.faults.add(fault)
        await run_everything(seen)
        told = {
            "logs": seen.log.getvalue(),
            "errors": json.dumps(seen.errors),
            "traces": seen.spans,
            "metrics": seen.metrics,
        }
        routes = {labels[-1] for labels in counted(seen.gateway.app, "upstream_calls_total")}
    assert [(place, each) for place, text in told.items() for each in CANARIES if each in text] == []
    assert OTHER not in routes
    assert ("upstream call" in told["logs"], "Reads" in told["metrics"], "query Reads" in told["traces"]) == (True,) * 3
    assert "extensions" in told["errors"]


def test_the_canaries_would_be_found_where_they_are_let_through() -> None:
    """The same look at a log that is not ours finds them."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logging.getLogger("somebody").addHandler(handler)
    logging.getLogger("somebody").warning("GET %s with %s", SIGNED, KEYS[0])
    logging.getLogger("somebody").removeHandler(handler)
    assert [each for each in CANARIES if each in stream.getvalue()] == [
        "canary",
        KEYS[0],
        "Signature=",
        "Key-Pair-Id",
    ]
