"""The composition root: puts the engine, and what speaks HTTP, in front of what lives as long as the process."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from graphql import GraphQLSchema
from starlette.responses import RedirectResponse
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Lifespan

from gateway.auth.caller import Gate
from gateway.auth.gates import make_gate
from gateway.engine.admission import Admission
from gateway.engine.answers import Answers
from gateway.engine.engine import Engine
from gateway.engine.operations import Operations
from gateway.federation import subgraph
from gateway.http import graphiql
from gateway.http.answering import Answering
from gateway.http.application import PATH, App, Unready, healthz, readyz
from gateway.http.asking import Options
from gateway.http.connection import ConnectionLimits, Service
from gateway.http.direct import Direct
from gateway.http.door import Door
from gateway.http.endpoint import Endpoint
from gateway.http.load import Bounded, Load
from gateway.http.observing import ObservedAnswering, ObservedEndpoint, Observer, observe
from gateway.http.persisted import Documents, PersistedDocuments, read_trusted
from gateway.http.repeats import Repeats
from gateway.http.streams import Streams
from gateway.http.websocket import SocketEndpoint, SocketOptions, admit_by
from gateway.limits import DocumentLimits, RequestLimits
from gateway.metrics.exposition import registry_of
from gateway.metrics.readings import Counters
from gateway.process import Gateway, create_gateway
from gateway.sandbox import Sandbox
from gateway.schema import build_schema, schema
from gateway.settings import Settings
from gateway.tallies import OperationTallies
from gateway.tenants import guarded
from gateway.upstream.health import Healths
from gateway.upstream.network import Transports
from gateway.watch import Sleep

if TYPE_CHECKING:
    from gateway.spans import Traces

READING_AND_CHANGING = ("GET", "HEAD", "POST")
REPEATS_SHARE = 8  # of the bytes that documents may take, as many again as an eighth for repeated requests


def create_app(
    settings: Settings,
    *,
    transports: Transports | None = None,
    clock: Callable[[], float] = time.time,
    sleep: Sleep = asyncio.sleep,
    examples: graphiql.Examples | None = None,
    gate: Gate | None = None,
    traces: "Traces | None" = None,
) -> App:
    """Build the ASGI application. Its lifespan closes what it opens; `app.state.gateway` is what it serves.

    A `gate` stands in for that of the settings; `app.state.metrics` is what Prometheus is told, and `traces` where
    spans go.

    Raises BadSettingsError for tenants or trusted documents that cannot be read, and where nobody, or anybody, would be
    let in.
    """
    gateway = create_gateway(settings, transports=transports, clock=clock, sleep=sleep, traces=traces)
    let_in = guarded(gate or make_gate(settings, clock, is_simulated=_is_simulated(settings)), gateway.tenants)
    observer = Observer(settings.gateway_log_requests, settings.gateway_server_timing, traces)
    engine, options = _engine(settings, gateway, observer), _options(settings, examples)
    load = Load(settings.gateway_max_requests, settings.gateway_overload_after)
    documents, answering = _documents(settings), Answering(engine, gateway.context)
    streams = Streams(answering, settings.gateway_heartbeat / 2, let_in.admits, clock, load)
    endpoint = Endpoint(
        engine,
        gateway.context,
        documents,
        options,
        streams,
        in_parts=streams.in_parts if settings.gateway_incremental else None,
        gate=let_in,
        rates=gateway.rates,
        clock=clock,
    )
    app = App(
        _guarded(endpoint, options.door, load, observer),
        _sockets(settings, _observed(answering, observer), documents, gate=let_in, gateway=gateway, load=load),
        _routes(options),
        _lifespan(gateway, let_in, traces),
        settings,
        direct=None if observer.is_wanted else Direct(PATH.encode(), options.door.headers, endpoint.direct),
        load=load,
        unready=_unready(settings, gateway.healths),
    )
    app.state.gateway, app.state.gate, app.state.engine, app.state.limits = gateway, let_in, engine, options.limits
    app.state.repeats = Repeats(settings.gateway_cache_bytes // REPEATS_SHARE) if settings.gateway_answers else None
    app.state.metrics = registry_of(_counters(app, endpoint).readings())
    return app


def _lifespan(gateway: Gateway, gate: Gate, traces: "Traces | None") -> Lifespan[App]:
    """What is opened before the first request, and closed after the last."""

    @asynccontextmanager
    async def lifespan(app: App) -> AsyncIterator[None]:
        gateway.open()
        yield
        app.leave()
        await gateway.close()
        await gate.close()
        if traces is not None:
            await asyncio.to_thread(traces.close)

    return lifespan


def _engine(settings: Settings, gateway: Gateway, observer: Observer) -> Engine:
    graph = _schema(settings)
    operations = Operations(graph, settings.gateway_operations, admission=_admission(settings))
    answers = Answers(gateway.store) if settings.gateway_plans and settings.gateway_cache_bytes else None
    observed = observe if observer.is_wanted else None
    tallies = OperationTallies(settings.gateway_metrics_operations, observed)
    return Engine(graph, operations, settings.gateway_plans, answers, rates=gateway.rates, tallies=tallies)


def _options(settings: Settings, examples: graphiql.Examples | None) -> Options:
    return Options(
        graphiql.page(examples) if settings.shows_graphiql else None,
        settings.gateway_compress_from,
        settings.gateway_client_refresh,
        settings.gateway_answers,
        settings.limits(RequestLimits),
        Door(_words(settings.gateway_hosts), _words(settings.gateway_origins)),
        settings.gateway_rate_headers,
    )


def _guarded(endpoint: Endpoint, door: Door, load: Load, observer: Observer) -> ASGIApp:
    """Let through the door what may come in, and no more at a time than can be answered."""
    bounded = Bounded(endpoint, load)
    return door.open_to(ObservedEndpoint(bounded, observer) if observer.is_wanted else bounded, READING_AND_CHANGING)


def _routes(options: Options) -> list[BaseRoute]:
    """What is served beside GraphQL."""
    static = [] if options.page is None else [Mount("/graphiql", graphiql.static_files())]
    return [Route("/", RedirectResponse(PATH)), Route("/healthz", healthz), Route("/readyz", readyz), *static]


def _counters(app: App, endpoint: Endpoint) -> Counters:
    """What counts, for Prometheus."""
    gateway: Gateway = app.state.gateway
    return Counters(
        endpoint.tally,
        app.state.repeats,
        app.load,
        gateway.rates,
        app.state.engine,
        gateway.store,
        gateway.network,
        gateway.healths,
        gateway.watchers,
        app.sockets,
    )


def _observed(answering: Answering, observer: Observer) -> Answering:
    """Choose whether each operation over WebSocket is looked at."""
    return ObservedAnswering(answering.engine, answering.make_context, observer) if observer.is_wanted else answering


def _unready(settings: Settings, healths: Mapping[str, Healths]) -> Unready:
    """Say that a required upstream is down."""
    required, patience = sorted(_words(settings.gateway_required_upstreams)), settings.gateway_unready_after

    def why() -> str | None:
        now = asyncio.get_running_loop().time()
        return next((f"{name} is down" for name in required if healths[name].is_gone(now, patience)), None)

    return why


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
    settings: Settings, answering: Answering, documents: Documents, *, gate: Gate, gateway: Gateway, load: Load
) -> SocketEndpoint:
    limits = ConnectionLimits(settings.gateway_websocket_init_timeout, settings.gateway_websocket_operations)
    options = SocketOptions(
        settings.gateway_websocket_connections,
        _words(settings.gateway_websocket_origins),
        settings.gateway_websocket_legacy,
        _words(settings.gateway_hosts),
        settings.gateway_heartbeat / 2,
    )
    requests = settings.limits(RequestLimits)
    service = Service(
        answering,
        documents,
        limits,
        admit_by(gate),
        requests,
        gate.admits,
        gateway.clock,
        rates=gateway.rates,
        load=load,
    )
    return SocketEndpoint(service, options)


def _admission(settings: Settings) -> Admission:
    its, stock = settings, not settings.gateway_plans
    return Admission(its.limits(DocumentLimits), its.gateway_introspection, its.gateway_suggestions, stock)


def _is_simulated(settings: Settings) -> bool:
    """Whether the gateway's credentials are those of every sandbox, which open nothing that is anybody's.

    Where tenants are in a file these are not what the upstreams are asked with.
    """
    given = (settings.prism_api_key, settings.scenario_api_key, settings.scenario_api_secret, settings.scenario_jwt)
    words = {one.get_secret_value() for one in given if one is not None}
    made_up = {Sandbox.prism_api_key, Sandbox.scenario_api_key, Sandbox.scenario_api_secret, Sandbox.scenario_jwt}
    return settings.gateway_tenants_file is None and bool(words) and words <= made_up


def _words(text: str | None) -> frozenset[str]:
    return frozenset((text or "").split())
