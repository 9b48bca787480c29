"""What lives as long as the process: the store, the ways to the upstreams, what is watched there, and for whom."""

import asyncio
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gateway.auth.caller import ANYONE, Caller
from gateway.cache.freshness import Freshness
from gateway.cache.generations import Generations
from gateway.cache.memory import BoundedMemoryCache
from gateway.cache.sharing import MissingRedisError, Sharing, over_redis
from gateway.cache.store import DocumentStore, take_nothing_before
from gateway.context import Context
from gateway.deadline import Deadline, hand_down
from gateway.graph.journal import Journal, Trace
from gateway.pace import Alone, Pace
from gateway.prism.kinds import PrismKinds
from gateway.prism.loaders import PrismLoaders
from gateway.rates.rates import MeterSharing, Rates, TenantRates
from gateway.scenario.kinds import ScenarioKinds
from gateway.scenario.loaders import ScenarioLoaders
from gateway.settings import BadSettingsError, Settings
from gateway.sources import SourceMaker
from gateway.telemetry import watch_calls
from gateway.tenants import Tenants
from gateway.upstream.health import Healths
from gateway.upstream.network import Network, TracesCalls, Transports
from gateway.upstream.policy import Bounds, Policy
from gateway.watch import Sleep
from gateway.watchers import Watchers

ACCOUNTS = 10  # that are kept for each client whose own credentials are
NEEDS_REDIS = "GATEWAY_REDIS_URL needs an extra: pip install 'scan-gateway[redis]'."


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
        take_nothing_before(journal.started - max_age)  # be it all: this may have begun where another one ended
        hand_down(Deadline(journal.loop.time() + min(wait, self.settings.gateway_deadline)))
        return Context(
            PrismLoaders(sources.prism, journal),
            ScenarioLoaders(sources.scenario, journal, tenant.links.hidden_from(caller)),
            journal,
            sources.scan_updates,
            sources.job_updates,
            self.rates,
            tenant.links,
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
    traces: TracesCalls | None = None,
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
    rates = _rates(settings, clock, sharing)
    tenants = Tenants(settings, maker, watchers, rates)
    return Gateway(store, network, maker.healths, watchers, tenants, settings, clock, rates)


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


def _rates(settings: Settings, clock: Callable[[], float], sharing: Sharing | None) -> Rates:
    limits, shared = TenantRates.of(settings.rates), None if sharing is None else _shared_meters(sharing, clock)
    can_be_made_up = settings.gateway_auth == "pass-through"
    return Rates(*limits, clock, shared, ACCOUNTS * settings.gateway_own_credentials if can_be_made_up else math.inf)


def _shared_meters(sharing: Sharing, clock: Callable[[], float]) -> MeterSharing:
    try:
        from gateway.rates.sharing import shared_meters  # noqa: PLC0415 - what it needs is an extra
    except ImportError as error:
        raise BadSettingsError([NEEDS_REDIS]) from error
    return shared_meters(sharing.tier.link.pool, clock)


def _sharing(settings: Settings, generations: Generations, clock: Callable[[], float]) -> Sharing | None:
    if settings.gateway_redis_url is None:
        return None
    url = settings.gateway_redis_url.get_secret_value()
    try:
        return over_redis(url, settings.gateway_redis_timeout, generations, clock)
    except MissingRedisError as error:
        raise BadSettingsError([NEEDS_REDIS]) from error
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
