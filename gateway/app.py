"""The composition root: the only place where clients, caches and contexts are made."""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphql import GraphQLSchema
from starlette.responses import RedirectResponse
from starlette.routing import Mount, Route

from gateway.auth.caller import ANYONE, Caller, Gate
from gateway.auth.gates import make_gate
from gateway.cache.freshness import Freshness
from gateway.cache.generations import Generations
from gateway.cache.memory import BoundedMemoryCache
from gateway.cache.sharing import MissingRedisError, Sharing, over_redis
from gateway.cache.store import DocumentStore, take_nothing_before
from gateway.context import Context
from gateway.deadline import Deadline, hand_down
from gateway.engine.admission import Admission
from gateway.engine.answers import Answers
from gateway.engine.engine import Engine
from gateway.engine.operations import Operations
from gateway.federation import subgraph
from gateway.graph.journal import Journal, Trace
from gateway.http import graphiql
from gateway.http.answering import Answering
from gateway.http.application import PATH, App, Unready, healthz, readyz
from gateway.http.connection import ConnectionLimits, Service
from gateway.http.direct import Direct
from gateway.http.door import Door
from gateway.http.endpoint import Endpoint, Options
from gateway.http.load import Load
from gateway.http.observing import ObservedAnswering, ObservedEndpoint, Watch, observe
from gateway.http.persisted import Documents, PersistedDocuments, read_trusted
from gateway.http.repeats import Repeats
from gateway.http.streams import Streams
from gateway.http.websocket import SocketEndpoint, SocketOptions, admit_by
from gateway.limits import DocumentLimits, RequestLimits
from gateway.metrics.exposition import registry_of
from gateway.metrics.readings import Sources
from gateway.pace import Alone, Pace
from gateway.prism.kinds import PrismKinds
from gateway.prism.loaders import PrismLoaders
from gateway.rates.rates import NAMES as RATE_NAMES
from gateway.rates.rates import RateLimits, Rates
from gateway.rates.rates import Sharing as SharedRates
from gateway.sandbox import Sandbox
from gateway.scenario.kinds import ScenarioKinds
from gateway.scenario.loaders import ScenarioLoaders
from gateway.schema import build_schema, schema
from gateway.settings import BadSettingsError, Settings
from gateway.sources import SourceMaker
from gateway.telemetry import watch_calls
from gateway.tenants import Tenants, guarded
from gateway.upstream.health import Healths
from gateway.upstream.network import Network, Transports
from gateway.upstream.policy import Bounds, Policy
from gateway.watch import Sleep, Watchers

if TYPE_CHECKING:
    from gateway.spans import Traces

READING_AND_CHANGING = ("GET", "HEAD", "POST")
REPEATS_SHARE = 8  # of the bytes that documents may take, as many again as an eighth for repeated requests


@dataclass(frozen=True, slots=True)
class Gateway:
    """What lives as long as the process: the store, the ways to the upstreams, what is watched there, and for whom."""

    store: DocumentStore
    network: Network
    healths: Mapping[str, Healths]
    watchers: Watchers
    tenants: Tenants
    settings: Settings
    clock: Callable[[], float]
    rates: Rates

    def context(
        self,
        request_id: str,
        caller: Caller = ANYONE,
        *,
        max_age: float = math.inf,
        wait: float = math.inf,
        is_traced: bool = False,
    ) -> Context:
        """Make what lives as long as one request of a caller, or one event of a subscription.

        Nothing kept is taken that is older than `max_age` seconds, and nothing waited for longer than `wait`. One that
        `is_traced` tells where its data is from.
        """
        tenant = self.tenants.of(caller)
        sources, reports_calls = tenant.sources, self.settings.gateway_report_calls
        journal = Journal(request_id, watch_calls(request_id), self.clock, reports_calls, caller, tenant.most)
        journal.trace = Trace() if is_traced else None
        take_nothing_before(journal.started - max_age)
        hand_down(Deadline(journal.loop.time() + min(wait, self.settings.gateway_deadline)))
        return Context(
            PrismLoaders(sources.prism, journal),
            ScenarioLoaders(sources.scenario, journal),
            journal,
            sources.scan_updates,
            sources.job_updates,
            self.rates,
        )

    def open(self) -> None:
        """Begin what goes on in the background."""
        if self.store.sharing is not None:
            self.store.sharing.open()

    async def close(self) -> None:
        """End what is under way, then the connections."""
        await self.watchers.close()
        await self.rates.close()
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
    generations = Generations()
    sharing = _sharing(settings, generations, clock)
    store = DocumentStore(BoundedMemoryCache(settings.gateway_cache_bytes), clock, generations, sharing)
    network = Network(_bounds(settings), transports or {}, traces)
    watchers, freshness = _watchers(settings, clock, sleep, sharing), _freshness(settings)
    maker = SourceMaker(
        network,
        store,
        watchers,
        PrismKinds(freshness),
        ScenarioKinds(freshness),
        clock,
        _policy(settings),
        settings.gateway_fresh_not_found,
        {"prism": settings.prism_rate, "scenario": settings.scenario_rate},
    )
    tenants = Tenants(settings, maker, watchers)
    return Gateway(store, network, maker.healths, watchers, tenants, settings, clock, _rates(settings, clock))


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
    page = graphiql.page(examples) if settings.shows_graphiql else None

    @asynccontextmanager
    async def lifespan(app: App) -> AsyncIterator[None]:
        gateway.open()
        yield
        app.leave()
        await gateway.close()
        await let_in.close()
        if traces is not None:
            await asyncio.to_thread(traces.close)

    graphql_schema = _schema(settings)
    answers = Answers(gateway.store) if settings.gateway_plans else None
    operations = Operations(graphql_schema, settings.gateway_operations, admission=_admission(settings))
    watch = Watch(settings.gateway_log_requests, settings.gateway_server_timing, traces)
    engine = Engine(graphql_schema, operations, settings.gateway_plans, answers, rates=gateway.rates)
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
        settings.gateway_rate_headers,
    )
    let_in = guarded(gate or make_gate(settings, clock, is_simulated=_is_simulated(settings)), gateway.tenants)
    documents, answering = _documents(settings), Answering(engine, gateway.context)
    load = Load(settings.gateway_max_requests, settings.gateway_overload_after)
    streams = Streams(answering, settings.gateway_heartbeat / 2, let_in.admits, clock, load)
    in_parts = streams.in_parts if settings.gateway_incremental else None
    endpoint = Endpoint(
        engine,
        gateway.context,
        documents,
        options,
        streams,
        in_parts=in_parts,
        gate=let_in,
        rates=gateway.rates,
        clock=clock,
    )
    opened = door.open_to(endpoint, READING_AND_CHANGING)
    sockets = _sockets(settings, _observed(answering, watch), documents, gate=let_in, gateway=gateway, load=load)
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
        load=load,
        unready=_unready(settings, gateway.healths),
    )
    app.state.gateway = gateway
    app.state.gate = let_in
    app.state.engine = engine
    app.state.repeats = Repeats(settings.gateway_cache_bytes // REPEATS_SHARE) if settings.gateway_answers else None
    app.state.limits = limits
    sources = Sources(
        endpoint.tally,
        app.state.repeats,
        load,
        gateway.rates,
        engine,
        gateway.store,
        gateway.network,
        gateway.healths,
        gateway.watchers,
        sockets,
    )
    app.state.metrics = registry_of(sources.readings())
    return app


def _observed(answering: Answering, watch: Watch) -> Answering:
    """Choose whether each operation over WebSocket is looked at."""
    return ObservedAnswering(answering.engine, answering.make_context, watch) if watch.is_wanted else answering


def _unready(settings: Settings, healths: Mapping[str, Healths]) -> Unready:
    """Say that a required upstream is down."""
    required, patience = sorted(_words(settings.gateway_required_upstreams)), settings.gateway_unready_after

    def why() -> str | None:
        now = asyncio.get_running_loop().time()
        return next((f"{name} is down" for name in required if healths[name].is_gone(now, patience)), None)

    return why


def _bounds(settings: Settings) -> Bounds:
    return Bounds(
        settings.gateway_upstream_timeout,
        settings.gateway_upstream_connect_timeout,
        settings.gateway_upstream_connections,
        settings.gateway_upstream_head_bytes,
        settings.gateway_upstream_body_bytes,
    )


def _policy(settings: Settings) -> Policy:
    return Policy(
        settings.gateway_retries,
        settings.gateway_retry_share,
        settings.gateway_hedge,
        settings.gateway_slow_from,
        settings.gateway_breaker_calls,
        settings.gateway_breaker_share,
        settings.gateway_breaker_rest,
        settings.gateway_upstream_connections,
    )


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


def _rates(settings: Settings, clock: Callable[[], float]) -> Rates:
    """Limit callers who are told apart by what is set, or else by default; and anyone by what is set alone."""
    given = {name: getattr(settings, f"gateway_rate_{name}") for name in RATE_NAMES}
    limits = RateLimits(**{name: value for name, value in given.items() if value is not None})
    anyone = RateLimits(**{name: value or 0 for name, value in given.items()})
    url = settings.gateway_redis_url
    return Rates(limits, anyone, clock, None if url is None else _shared_meters(url.get_secret_value(), clock))


def _shared_meters(url: str, clock: Callable[[], float]) -> SharedRates:
    try:
        from gateway.rates.sharing import shared_meters  # noqa: PLC0415 - what it needs is an extra
    except ImportError as error:
        raise BadSettingsError(["GATEWAY_REDIS_URL needs an extra: pip install 'scan-gateway[redis]'."]) from error
    return shared_meters(url, clock)


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


def _sharing(settings: Settings, generations: Generations, clock: Callable[[], float]) -> Sharing | None:
    if settings.gateway_redis_url is None:
        return None
    url = settings.gateway_redis_url.get_secret_value()
    try:
        return over_redis(url, settings.gateway_redis_timeout, generations, clock)
    except MissingRedisError as error:
        raise BadSettingsError(["GATEWAY_REDIS_URL needs an extra: pip install 'scan-gateway[redis]'."]) from error
    except ValueError as error:
        raise BadSettingsError(["GATEWAY_REDIS_URL cannot be used: it is not an address of Redis."]) from error


def _watchers(settings: Settings, clock: Callable[[], float], sleep: Sleep, sharing: Sharing | None) -> Watchers:
    pace = Pace(
        settings.gateway_watch_shortest,
        settings.gateway_watch_longest,
        settings.gateway_watch_growth,
        settings.gateway_watch_jitter,
    )
    turns = Alone() if sharing is None else sharing.leases
    most, most_subscribers = settings.gateway_watch_documents, settings.gateway_watch_subscribers
    return Watchers(pace, most, most_subscribers, clock, sleep, turns)


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
