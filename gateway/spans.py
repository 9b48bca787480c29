"""OpenTelemetry: a server span for each request and a client span for each upstream call, joined by W3C traceparent.

Spans hold routes, statuses and names of operations; never documents, variables, ids, query strings or what an
exception says.
"""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.trace import Tracer as OtelTracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from gateway import __version__
from gateway.http.observing import ObservedRequest
from gateway.tallies import CallTally, Outcome
from gateway.upstream.channel import NO_HEADERS, Answer, Channel
from gateway.upstream.failures import failure_word

PATIENCE = 2.0  # seconds in which spans are exported when the process ends
PROPAGATOR = TraceContextTextMapPropagator()
FIRST_ERROR = 400  # what an upstream answers from here on is no success
FIRST_OWN_ERROR = 500  # what the gateway answers from here on is its own failure


@dataclass(frozen=True, slots=True)
class Traces:
    """Makes spans with a provider, which exports them by the exporter."""

    provider: TracerProvider
    exporter: SpanExporter

    @property
    def tracer(self) -> OtelTracer:
        """What makes spans."""
        return self.provider.get_tracer("scan-gateway", __version__)

    @contextmanager
    def request(self, observed: ObservedRequest, headers: Mapping[str, str]) -> Iterator[Span]:
        """Span a request, as part of the trace that it says it belongs to."""
        with self.tracer.start_as_current_span(
            "graphql",
            PROPAGATOR.extract(headers),
            SpanKind.SERVER,
            record_exception=False,  # whose message may say anything
            set_status_on_exception=False,
        ) as span:
            try:
                yield span
            except Exception as error:
                _fail(span, type(error).__name__)
                raise
            finally:
                _describe(span, observed)

    def traced(self, channel: Channel, url: str, tally: CallTally) -> "TracedChannel":
        """Span the calls of a channel to an address."""
        parts = urlsplit(url)
        server: dict[str, str | int] = {"server.address": parts.hostname or ""}
        if parts.port:
            server["server.port"] = parts.port
        return TracedChannel(self.tracer, channel, tally, server)

    def close(self) -> None:
        """Export what is left, where that is taken in time; blocks."""
        giving_up = threading.Timer(PATIENCE, self.exporter.shutdown)
        giving_up.start()
        self.provider.shutdown()
        giving_up.cancel()


@dataclass(frozen=True, slots=True)
class TracedChannel:
    """A channel whose calls are spans, each told to the upstream as `traceparent`."""

    tracer: OtelTracer
    channel: Channel
    tally: CallTally
    server: Mapping[str, str | int]

    async def send(
        self, method: str, target: str, content: bytes | None, headers: Mapping[str, str] = NO_HEADERS
    ) -> Answer:
        """Make one request. Raises what the other channel does."""
        route = self.tally.of(method, target).route
        with self.tracer.start_as_current_span(
            f"{method} {route}",
            kind=SpanKind.CLIENT,
            attributes={"http.request.method": method, "url.template": route, **self.server},
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            carried = dict(headers)
            PROPAGATOR.inject(carried)
            try:
                answer = await self.channel.send(method, target, content, carried)
            except Exception as error:
                _fail(span, failure_word(error))
                raise
            span.set_attribute("http.response.status_code", answer.status)
            if answer.status >= FIRST_ERROR:
                _fail(span, str(answer.status))
            return answer

    async def close(self) -> None:
        """Close the other channel."""
        await self.channel.close()


def exported() -> Traces:
    """Export spans in batches, as OTEL_… variables say where, how many and how often."""
    resource = Resource.create({SERVICE_VERSION: __version__})
    if str(resource.attributes[SERVICE_NAME]).startswith("unknown_service"):
        resource = resource.merge(Resource({SERVICE_NAME: "scan-gateway"}))
    provider = TracerProvider(resource=resource)
    exporter = OTLPSpanExporter()
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return Traces(provider, exporter)


def _describe(span: Span, observed: ObservedRequest) -> None:
    """Name a request by what it asked for, once that is known."""
    if observed.request_id:
        span.set_attribute("scan_gateway.request_id", observed.request_id)
    if observed.protocol == "http":
        span.set_attributes({"http.request.method": observed.method or "", "http.route": "/graphql"})
    if observed.status is not None:
        span.set_attribute("http.response.status_code", observed.status)
        if observed.status >= FIRST_OWN_ERROR:
            _fail(span, str(observed.status))
    if observed.tally is not None and observed.outcome is not None:
        span.update_name(f"{observed.tally.kind} {observed.tally.name}".strip())
        span.set_attributes(
            {
                "graphql.operation.type": observed.tally.kind,
                "graphql.operation.name": observed.tally.name,
                "scan_gateway.outcome": observed.outcome.name.lower(),
            }
        )
        if observed.outcome is Outcome.FAILED:
            _fail(span, "failed")


def _fail(span: Span, why: str) -> None:
    span.set_attribute("error.type", why)
    span.set_status(Status(StatusCode.ERROR))
