"""The composition root: the only place where clients, caches and contexts are made."""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphql import GraphQLSchema
from starlette.responses import RedirectResponse
from starlette.routing import Mount, Route

from gateway.auth.caller import ANYONE, Caller, Gate
from gateway.auth.gates import make_gate
from gateway.cache.freshness import Freshness
from gateway.cache.memory import BoundedMemoryCache
from gateway.cache.store import DocumentStore, take_nothing_before
from gateway.context import Context
from gateway.engine.admission import Admission
from gateway.engine.answers import Answers
from gateway.engine.engine import Engine
from gateway.engine.operations import Operations
from gateway.federation import subgraph
from gateway.graph.journal import Journal, Trace
from gateway.http import graphiql
from gateway.http.answering import Answering
from gateway.http.application import PATH, App, healthz, readyz
from gateway.http.connection import ConnectionLimits, Service
from gateway.http.direct import Direct
from gateway.http.door import Door
from gateway.http.endpoint import Endpoint, Options
from gateway.http.observing import ObservedAnswering, ObservedEndpoint, Watch, observe
from gateway.http.persisted import Documents, PersistedDocuments, read_trusted
from gateway.http.repeats import Repeats
from gateway.http.streams import Streams
from gateway.http.websocket import SocketEndpoint, SocketOptions, admit_by
from gateway.limits import DocumentLimits, RequestLimits
from gateway.metrics.exposition import registry_of
from gateway.metrics.readings import Sources
from gateway.prism.kinds import PrismKinds
from gateway.prism.loaders import PrismLoaders
from gateway.sandbox import Sandbox
from gateway.scenario.kinds import ScenarioKinds
from gateway.scenario.loaders import ScenarioLoaders
from gateway.schema import build_schema, schema
from gateway.settings import Settings
from gateway.sources import SourceMaker
from gateway.telemetry import watch_calls
from gateway.tenants import Tenants, guarded
from gateway.upstream.network import Network, Transports
from gateway.watch import Pace, Sleep, Watchers

if TYPE_CHECKING:
    from gateway.spans import Traces

READING_AND_CHANGING = ("GET", "HEAD", "POST")
REPEATS_SHARE = 8  # of the bytes that documents may take, as many again as an eighth for repeated requests


@dataclass(frozen=True, slots=True)
class Gateway:
    """What lives as long as the process: the store, the ways to the upstreams, what is watched there, and for whom."""

    store: DocumentStore
    network: Network
    watchers: Watchers
    tenants: Tenants
    settings: Settings
    clock: Callable[[], float]

    def context(
        self, request_id: str, caller: Caller = ANYONE, *, max_age: float = math.inf, is_traced: bool = False
    ) -> Context:
        """Make what lives as long as one request of a caller, or one event of a subscription.

        Nothing kept is taken that is older than `max_age` seconds. One that `is_traced` tells where its data is from.
        """
        tenant = self.tenants.of(caller)
        sources, reports_calls = tenant.sources, self.settings.gateway_report_calls
        journal = Journal(request_id, watch_calls(request_id), self.clock, reports_calls, caller, tenant.most)
        journal.trace = Trace() if is_traced else None
        take_nothing_before(journal.started - max_age)
        return Context(
            PrismLoaders(sources.prism, journal),
            ScenarioLoaders(sources.scenario, journal),
            journal,
            sources.scan_updates,
            sources.job_updates,
        )

    async def close(self) -> None:
        """End what is under way, then the connections."""
        await self.watchers.close()
        await self.store.close()
        await self.network.close()


def create_gateway(
    settings: Settings,
    *,
    transports: Transports | None = None,
    clock: Callable[[], float] = time.time,
    sleep: Sleep = asyncio.sleep,
    traces: "Traces | None" = None,
) -> Gateway:
    """Put a gateway together; `transports` by upstream stand in for the network, `sleep` goes by `clock`.

    Raises BadSettingsError for a file of tenants that cannot be used.
    """
    store = DocumentStore(BoundedMemoryCache(settings.gateway_cache_bytes), clock)
    network = Network(settings.gateway_upstream_timeout, transports or {}, traces)
    watchers, freshness = _watchers(settings, clock, sleep), _freshness(settings)
    maker = SourceMaker(
        network,
        store,
        watchers,
        PrismKinds(freshness),
        ScenarioKinds(freshness),
        clock,
        settings.gateway_upstream_timeout,
        settings.gateway_fresh_not_found,
    )
    return Gateway(store, network, watchers, Tenants(settings, maker, watchers), settings, clock)


def create_app(
    settings: Settings,
    *,
    transports: Transports | None = None,
    clock: Callable[[], float] = time.time,
    sleep: Sleep = asyncio.sleep,
    examples: graphiql.Examples | None = None,
    traces: "Traces | None" = None,
) -> App:
    """Build the ASGI application. Its lifespan closes what it opens; `app.state.gateway` is what it serves.

    `app.state.metrics` is what Prometheus is told, and `traces` where spans go. Raises BadSettingsError for tenants or
    trusted documents that cannot be read, and where nobody, or anybody, would be let in.
    """
    gateway = create_gateway(settings, transports=transports, clock=clock, sleep=sleep, traces=traces)
    page = graphiql.page(examples) if settings.shows_graphiql else None

    @asynccontextmanager
    async def lifespan(app: App) -> AsyncIterator[None]:
        yield
        app.state.ready = False
        await gateway.close()
        await gate.close()
        if traces is not None:
            await asyncio.to_thread(traces.close)

    graphql_schema = _schema(settings)
    answers = Answers(gateway.store) if settings.gateway_plans else None
    operations = Operations(graphql_schema, settings.gateway_operations, admission=_admission(settings))
    watch = Watch(settings.gateway_log_requests, settings.gateway_server_timing, traces)
    engine = Engine(graphql_schema, operations, settings.gateway_plans, answers)
    engine.tallies.most = settings.gateway_metrics_operations
    engine.tallies.observe = observe if watch.is_wanted else None
    door = Door(_words(settings.gateway_hosts), _words(settings.gateway_origins))
    limits = settings.limits(RequestLimits)
    options = Options(
        page,
        settings.gateway_compress_from,
        settings.gateway_client_refresh,
        settings.gateway_answers,
        limits,
        door,
    )
    gate = guarded(make_gate(settings, clock, is_simulated=_is_simulated(settings)), gateway.tenants)
    documents, answering = _documents(settings), Answering(engine, gateway.context)
    streams = Streams(answering, settings.gateway_heartbeat / 2, gate.admits, clock)
    in_parts = streams.in_parts if settings.gateway_incremental else None
    endpoint = Endpoint(engine, gateway.context, documents, options, streams, in_parts=in_parts, gate=gate, clock=clock)
    sockets = _sockets(settings, _observed(answering, watch), documents, gate, clock)
    opened = door.open_to(endpoint, READING_AND_CHANGING)
    app = App(
        ObservedEndpoint(opened, watch) if watch.is_wanted else opened,
        sockets,
        [
            Route("/", RedirectResponse(PATH)),
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            *([Mount("/graphiql", graphiql.static_files())] if page else []),
        ],
        lifespan,
        settings,
        direct=None if watch.is_wanted else Direct(PATH.encode(), door.headers, endpoint.direct),
    )
    app.state.gateway = gateway
    app.state.gate = gate
    app.state.engine = engine
    app.state.repeats = Repeats(settings.gateway_cache_bytes // REPEATS_SHARE) if settings.gateway_answers else None
    app.state.limits = limits
    sources = Sources(
        endpoint.tally,
        app.state.repeats,
        engine,
        gateway.store,
        gateway.network,
        gateway.watchers,
        sockets,
    )
    app.state.metrics = registry_of(sources.readings())
    app.state.ready = True
    return app


def _observed(answering: Answering, watch: Watch) -> Answering:
    """Choose whether each operation over WebSocket is looked at."""
    return ObservedAnswering(answering.engine, answering.make_context, watch) if watch.is_wanted else answering


def _documents(settings: Settings) -> Documents:
    """Choose what documents may be executed: those of a list, or any, of which some are remembered."""
    if settings.gateway_trusted_documents is not None:
        return read_trusted(settings.gateway_trusted_documents)
    return PersistedDocuments(settings.gateway_persisted_bytes)


def _schema(settings: Settings) -> GraphQLSchema:
    """Choose the graph that is served: for clients, or with what a router asks of a subgraph as well."""
    is_incremental = settings.gateway_incremental
    if settings.gateway_federation:
        served = subgraph(is_incremental=is_incremental)
    else:
        served = build_schema(is_incremental=True) if is_incremental else schema
    return served._schema  # noqa: SLF001 - graphql-core's own, which Strawberry does not give out otherwise


def _sockets(
    settings: Settings, answering: Answering, documents: Documents, gate: Gate, clock: Callable[[], float]
) -> SocketEndpoint:
    limits = ConnectionLimits(settings.gateway_websocket_init_timeout, settings.gateway_websocket_operations)
    options = SocketOptions(
        settings.gateway_websocket_connections,
        _words(settings.gateway_websocket_origins),
        settings.gateway_websocket_legacy,
        _words(settings.gateway_hosts),
    )
    requests = settings.limits(RequestLimits)
    service = Service(answering, documents, limits, admit_by(gate), requests, gate.admits, clock)
    return SocketEndpoint(service, options)


def _admission(settings: Settings) -> Admission:
    return Admission(settings.limits(DocumentLimits), settings.gateway_introspection, settings.gateway_suggestions)


def _is_simulated(settings: Settings) -> bool:
    """Whether the gateway's credentials are those of every sandbox, which open nothing that is anybody's."""
    given = (settings.prism_api_key, settings.scenario_api_key, settings.scenario_api_secret, settings.scenario_jwt)
    words = {one.get_secret_value() for one in given if one is not None}
    made_up = {Sandbox.prism_api_key, Sandbox.scenario_api_key, Sandbox.scenario_api_secret, Sandbox.scenario_jwt}
    return bool(words) and words <= made_up


def _words(text: str | None) -> frozenset[str]:
    return frozenset((text or "").split())


def _watchers(settings: Settings, clock: Callable[[], float], sleep: Sleep) -> Watchers:
    pace = Pace(
        settings.gateway_watch_shortest,
        settings.gateway_watch_longest,
        settings.gateway_watch_growth,
        settings.gateway_watch_jitter,
    )
    return Watchers(pace, settings.gateway_watch_documents, settings.gateway_watch_subscribers, clock, sleep)


def _freshness(settings: Settings) -> Freshness:
    return Freshness(
        stages_moving=settings.gateway_fresh_stages_moving,
        stages_final=settings.gateway_fresh_stages_final,
        stages_final_stale=settings.gateway_stale_stages_final,
        urls_margin=settings.gateway_fresh_urls_margin,
        urls_unknown=settings.gateway_fresh_urls_unknown,
        asset=settings.gateway_fresh_asset,
        asset_stale=settings.gateway_stale_asset,
        page=settings.gateway_fresh_page,
        page_stale=settings.gateway_stale_page,
        job_moving=settings.gateway_fresh_job_moving,
        job_final=settings.gateway_fresh_job_final,
    )
