"""The composition root: the only place where clients, caches and contexts are made."""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING

import httpx
from graphql import GraphQLSchema
from starlette.responses import RedirectResponse
from starlette.routing import Mount, Route

from gateway.auth.caller import ANYONE, Caller, Gate, OpenGate
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
from gateway.limits import CostLimits, DocumentLimits, RequestLimits
from gateway.metrics.exposition import registry_of
from gateway.metrics.readings import Sources
from gateway.prism import client as prism
from gateway.prism.kinds import PrismKinds
from gateway.prism.loaders import PrismLoaders
from gateway.prism.updates import ScanUpdates
from gateway.scenario import client as scenario
from gateway.scenario.kinds import ScenarioKinds
from gateway.scenario.loaders import ScenarioLoaders
from gateway.scenario.updates import JobUpdates
from gateway.schema import build_schema, schema
from gateway.settings import Settings
from gateway.tallies import CallTally
from gateway.telemetry import watch_calls
from gateway.upstream.channel import BASE_HEADERS, Channel, over
from gateway.upstream.credentials import Credential, basic, bearer, public
from gateway.upstream.http1 import Http1Channel
from gateway.upstream.network import open_network
from gateway.upstream.observed import ObservedChannel
from gateway.upstream.pool import Pool
from gateway.upstream.upstream import Upstream
from gateway.watch import Pace, Sleep, Watchers

if TYPE_CHECKING:
    from gateway.spans import Traces

READING_AND_CHANGING = ("GET", "HEAD", "POST")
REPEATS_SHARE = 8  # of the bytes that documents may take, as many again as an eighth for repeated requests

Transports = Mapping[str, httpx.AsyncBaseTransport | Channel]


@dataclass(frozen=True, slots=True)
class Gateway:
    """What lives as long as the process: the store, the two clients and what is watched."""

    store: DocumentStore
    prism: prism.PrismClient
    scenario: scenario.ScenarioClient
    settings: Settings
    clock: Callable[[], float]
    watchers: Watchers
    scan_updates: ScanUpdates
    job_updates: JobUpdates
    pools: Mapping[str, Pool]

    @property
    def upstreams(self) -> tuple[Upstream, Upstream]:
        """Both ways to the APIs."""
        return self.prism.upstream, self.scenario.upstream

    def context(
        self, request_id: str, caller: Caller = ANYONE, *, max_age: float = math.inf, is_traced: bool = False
    ) -> Context:
        """Make what lives as long as one request of a caller, or one event of a subscription.

        Nothing kept is taken that is older than `max_age` seconds. One that `is_traced` tells where its data is from.
        """
        calls = watch_calls(request_id)
        journal = Journal(request_id, calls, self.clock, self.settings.gateway_report_calls, caller)
        journal.trace = Trace() if is_traced else None
        take_nothing_before(journal.started - max_age)
        return Context(
            PrismLoaders(self.prism, journal),
            ScenarioLoaders(self.scenario, journal),
            journal,
            self.scan_updates,
            self.job_updates,
        )

    async def close(self) -> None:
        """End what is under way, then the connections."""
        await self.watchers.close()
        await self.store.close()
        for upstream in self.upstreams:
            await upstream.channel.close()


def create_gateway(
    settings: Settings,
    *,
    transports: Transports | None = None,
    clock: Callable[[], float] = time.time,
    sleep: Sleep = asyncio.sleep,
    traces: "Traces | None" = None,
) -> Gateway:
    """Put a gateway together; `transports` by upstream stand in for the network, `sleep` goes by `clock`."""
    store = DocumentStore(BoundedMemoryCache(settings.gateway_cache_bytes), clock)
    freshness = _freshness(settings)
    pools: dict[str, Pool] = {}

    def upstream(
        name: str, title: str, url: str, credential: Credential, *, headers: Mapping[str, str], routes: tuple[str, ...]
    ) -> Upstream:
        every = {**BASE_HEADERS, **headers, "authorization": credential.header}
        channel = _channel((transports or {}).get(name), url, every, settings.gateway_upstream_timeout)
        if isinstance(channel, Http1Channel):
            pools[name] = channel.pool
        tally = CallTally(routes)
        observed = ObservedChannel(name, channel, tally)
        return Upstream(
            name=name,
            title=title,
            channel=observed if traces is None else traces.traced(observed, url, tally),
            credential=credential,
            store=store,
            clock=clock,
            timeout=settings.gateway_upstream_timeout,
            not_found_for=settings.gateway_fresh_not_found,
            scope=_scope(url.rstrip("/"), credential, settings.scenario_project_id),
            tally=tally,
        )

    to_prism = upstream(
        "prism",
        "Prism",
        str(settings.prism_url),
        bearer(settings.prism_api_key.get_secret_value()),
        headers=prism.HEADERS,
        routes=prism.ROUTES,
    )
    to_scenario = upstream(
        "scenario",
        "Scenario",
        str(settings.scenario_url),
        _scenario_credential(settings),
        headers=scenario.HEADERS,
        routes=scenario.ROUTES,
    )
    watchers = _watchers(settings, clock, sleep)
    prism_client = prism.PrismClient(to_prism, PrismKinds(freshness))
    scenario_client = scenario.ScenarioClient(to_scenario, ScenarioKinds(freshness), settings.scenario_project_id)
    return Gateway(
        store,
        prism_client,
        scenario_client,
        settings,
        clock,
        watchers,
        ScanUpdates(prism_client, watchers),
        JobUpdates(scenario_client, watchers),
        pools,
    )


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

    `app.state.metrics` is what Prometheus is told, and `traces` where spans go. Raises BadSettingsError for trusted
    documents that cannot be read.
    """
    gateway = create_gateway(settings, transports=transports, clock=clock, sleep=sleep, traces=traces)
    page = graphiql.page(examples) if settings.shows_graphiql else None

    @asynccontextmanager
    async def lifespan(app: App) -> AsyncIterator[None]:
        yield
        app.state.ready = False
        await gateway.close()
        if traces is not None:
            await asyncio.to_thread(traces.close)

    graphql_schema = _schema(settings)
    answers = Answers(gateway.store) if settings.gateway_plans else None
    operations = Operations(graphql_schema, settings.gateway_operations, admission=_admission(settings))
    joins_calls = not gateway.scenario.upstream.credential.is_public
    most = settings.limits(CostLimits)
    watch = Watch(settings.gateway_log_requests, settings.gateway_server_timing, traces)
    engine = Engine(graphql_schema, operations, settings.gateway_plans, answers, most=most, joins_calls=joins_calls)
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
    gate: Gate = OpenGate()
    documents, answering = _documents(settings), Answering(engine, gateway.context)
    streams = Streams(answering, settings.gateway_heartbeat / 2)
    in_parts = streams.in_parts if settings.gateway_incremental else None
    endpoint = Endpoint(engine, gateway.context, documents, options, streams, in_parts=in_parts, gate=gate, clock=clock)
    sockets = _sockets(settings, _observed(answering, watch), documents, gate)
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
    app.state.engine = engine
    app.state.repeats = Repeats(settings.gateway_cache_bytes // REPEATS_SHARE) if settings.gateway_answers else None
    app.state.limits = limits
    sources = Sources(
        endpoint.tally,
        app.state.repeats,
        engine,
        gateway.store,
        gateway.upstreams,
        gateway.pools,
        gateway.watchers,
        sockets,
    )
    app.state.metrics = registry_of(sources.readings())
    app.state.ready = True
    return app


def _channel(
    transport: httpx.AsyncBaseTransport | Channel | None, url: str, headers: Mapping[str, str], timeout: float
) -> Channel:
    if isinstance(transport, httpx.AsyncBaseTransport):
        return over(transport, url, headers, timeout)
    return transport or open_network(url, headers, timeout)


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


def _sockets(settings: Settings, answering: Answering, documents: Documents, gate: Gate) -> SocketEndpoint:
    limits = ConnectionLimits(settings.gateway_websocket_init_timeout, settings.gateway_websocket_operations)
    options = SocketOptions(
        settings.gateway_websocket_connections,
        _words(settings.gateway_websocket_origins),
        settings.gateway_websocket_legacy,
        _words(settings.gateway_hosts),
    )
    requests = settings.limits(RequestLimits)
    return SocketEndpoint(Service(answering, documents, limits, admit_by(gate), requests), options)


def _admission(settings: Settings) -> Admission:
    return Admission(settings.limits(DocumentLimits), settings.gateway_introspection, settings.gateway_suggestions)


def _words(text: str | None) -> frozenset[str]:
    return frozenset((text or "").split())


def _scenario_credential(settings: Settings) -> Credential:
    """Choose as Scenario's own SDK does: key and secret first, then the user's token."""
    if settings.scenario_api_key and settings.scenario_api_secret:
        return basic(settings.scenario_api_key.get_secret_value(), settings.scenario_api_secret.get_secret_value())
    if settings.scenario_jwt:
        return bearer(settings.scenario_jwt.get_secret_value())
    return public()


def _scope(url: str, credential: Credential, project_id: str | None) -> str:
    """Tell apart what another address, credential or project would be answered."""
    return blake2b(f"{url}\n{credential.fingerprint}\n{project_id}".encode(), digest_size=8).hexdigest()


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
