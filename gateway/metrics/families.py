"""The metrics of the gateway, each read from the object that counts it; a new one is a function here."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.utils import floatToGoString

from gateway import __version__
from gateway.cache.sharing import Sharing
from gateway.cache.store import DocumentStore
from gateway.engine.engine import Engine
from gateway.http.load import Load
from gateway.http.repeats import Repeats
from gateway.http.websocket import SocketEndpoint
from gateway.rates.rates import Rates
from gateway.tallies import BOUNDS, CallTally, Histogram, HttpTally, Outcome
from gateway.telemetry import Drift
from gateway.upstream.health import STATES, Healths
from gateway.upstream.network import Network
from gateway.watchers import Watchers

PREFIX = "scan_gateway"
EDGES = [*map(floatToGoString, BOUNDS), "+Inf"]

OPERATION = ["operation", "kind"]
CALL = ["api", "method", "route"]
HEALTH_COUNTS = {
    "retries": "Requests made after one that failed, or was given up.",
    "hedges": "Requests made beside one that was slow.",
    "unaffordable": "Retries and hedges that the budget did not allow.",
    "given_up": "Requests that were slow, and given up for another.",
    "too_late": "Calls that came to nothing before their operations' deadlines.",
    "refused": "Calls that were not made because the breaker was open.",
    "shed": "Calls that were not made because too many were waiting.",
    "opened": "How often the breaker opened.",
}
HEALTH_STATES = {
    "retry_budget": ("budget", "Retries and hedges that the budget allows."),
    "slots": ("limit", "Requests that may be under way at once."),
    "slots_queue": ("waiting", "Calls that wait for others to end."),
}
LOOKUP = ["tier", "kind", "outcome"]


def counter(name: str, what: str, labels: list[str], values: Iterable[tuple[list[str], float]]) -> Metric:
    """A count by labels."""
    family = CounterMetricFamily(f"{PREFIX}_{name}", what, labels=labels)
    for given, value in values:
        family.add_metric(given, value)
    return family


def gauge(name: str, what: str, labels: list[str], values: Iterable[tuple[list[str], float]]) -> Metric:
    """A state by labels."""
    family = GaugeMetricFamily(f"{PREFIX}_{name}", what, labels=labels)
    for given, value in values:
        family.add_metric(given, value)
    return family


def seconds(name: str, what: str, labels: list[str], values: Iterable[tuple[list[str], Histogram]]) -> Metric:
    """How long something took, by labels."""
    family = HistogramMetricFamily(f"{PREFIX}_{name}_seconds", what, labels=labels)
    for given, histogram in values:
        buckets = [(edge, float(count)) for edge, count in zip(EDGES, accumulate(histogram.counts), strict=True)]
        family.add_metric(given, buckets, histogram.seconds)
    return family


def state(name: str, what: str, value: float) -> Metric:
    """A state without labels."""
    return gauge(name, what, [], [([], value)])


def of_build() -> Iterator[Metric]:
    """Which version runs."""
    yield gauge("info", "The version that runs.", ["version"], [([__version__], 1)])


def of_loop() -> Iterator[Metric]:
    """What the event loop, in which this is asked, has to do."""
    yield state("tasks", "Tasks of the event loop that have not ended.", len(asyncio.all_tasks()))


def of_http(tally: HttpTally, repeats: Repeats | None, load: Load) -> Iterator[Metric]:
    """Requests to `/graphql` by status; some were repeated, or turned away, before they were parsed."""
    repeated = 0 if repeats is None else repeats.hits
    statuses = {200: 0, 503: 0, **tally.statuses}
    statuses[200] += repeated
    statuses[503] += load.turned_away
    values = [([str(status)], count) for status, count in sorted(statuses.items())]
    yield counter("http_requests", "HTTP requests to /graphql that ended, by status.", ["status"], values)
    yield state("http_requests_in_flight", "HTTP requests to /graphql under way, streams included.", tally.under_way)


def of_engine(engine: Engine) -> Iterator[Metric]:
    """Operations by name and outcome, the time they took, and what answered them."""
    tallies = engine.tallies.all()
    ended = [
        ([each.name, each.kind, outcome.name.lower()], each.outcomes[outcome])
        for each in tallies
        for outcome in Outcome
    ]
    yield counter("operations", "GraphQL operations by outcome.", [*OPERATION, "outcome"], ended)
    taken = [([each.name, each.kind], each) for each in tallies]
    yield seconds(
        "operation", "From an operation to its answer, or to the first part or opened stream.", OPERATION, taken
    )
    words = {"kept": "kept", "planned": "plan", "unplanned": "graphql-core", "left": "plan left for graphql-core"}
    words |= {"in parts": "parts", "shared": "shared event"}
    executed = [([word], engine.counts[key]) for key, word in words.items()]
    yield counter(
        "executions", "Answers by what made them; plans left and graphql-core are fall-backs.", ["by"], executed
    )
    yield state("operations_prepared", "Documents that are kept parsed and planned.", len(engine.operations))


def of_cache(store: DocumentStore, engine: Engine, repeats: Repeats | None) -> Iterator[Metric]:
    """What was found in memory, or behind it in Redis, and what was not, and how full memory is."""
    tally = store.tally
    outcomes = {"hit": tally.hits, "stale": tally.stale, "miss": tally.misses}
    kinds = sorted({kind for counts in outcomes.values() for kind in counts})  # of each all three: none is a number too
    found = [(["memory", kind, outcome], counts.get(kind, 0)) for outcome, counts in outcomes.items() for kind in kinds]
    if store.sharing is not None:
        shared = store.sharing.tier.counts
        found += [(["shared", "document", "hit"], shared.hits), (["shared", "document", "miss"], shared.misses)]
    found.append((["memory", "answer", "hit"], engine.counts["kept"]))
    found.append((["memory", "request", "hit"], 0 if repeats is None else repeats.hits))
    yield counter("cache_lookups", "What was looked up in a tier of the cache, by kind and outcome.", LOOKUP, found)
    yield state("cache_bytes", "Bytes of documents and answers in memory.", store.memory.used_bytes)
    yield state("cache_max_bytes", "The most that they may be.", store.memory.max_bytes)
    yield state("cache_entries", "Documents and answers in memory.", len(store.memory))
    yield state("flights", "Documents that are being fetched.", len(store.flights))


def of_sharing(sharing: Sharing | None) -> Iterator[Metric]:
    """What was found in Redis, where there is one, and whether it is there."""
    if sharing is None:
        return
    counts, link = sharing.tier.counts, sharing.tier.link
    fetches = [(["own"], counts.claimed), (["other"], counts.awaited)]
    yield counter("shared_fetches", "Fetches for all processes, by whether this one made them.", ["by"], fetches)
    yield state("redis_up", "Whether Redis answers, and its messages arrive.", float(link.is_up))
    yield counter(
        "redis_breaks", "How often Redis was left alone because it did not answer.", [], [([], link.counts.breaks)]
    )


def of_rates(rates: Rates) -> Iterator[Metric]:
    """What was refused to callers by the limits of what they may do in a minute."""
    refused = [([limit], count) for limit, count in rates.refused.items()]
    yield counter("rate_refusals", "Requests and operations refused by a rate limit.", ["limit"], refused)
    yield state("rate_accounts", "Callers who were heard of lately.", rates.accounts)


def of_load(load: Load) -> Iterator[Metric]:
    """How much the process has to do, over HTTP and WebSocket."""
    yield counter("overload_refusals", "Requests and operations refused for overload.", [], [([], load.refused)])
    yield state(
        "load_under_way", "Requests and operations that have begun; streams count while they answer.", load.under_way
    )
    yield state("load_waiting", "Requests that wait for their first turn.", load.waiting)


def of_upstreams(tallies: Mapping[str, CallTally]) -> Iterator[Metric]:
    """Each attempt at a call, by route and outcome, the time it took, and who waits."""
    routes = [([api, each.method, each.route], each) for api, tally in tallies.items() for each in tally.all()]
    ended = [([*labels, outcome], count) for labels, each in routes for outcome, count in each.outcomes.items()]
    yield counter("upstream_calls", "Calls to an upstream by status, or by what failed.", [*CALL, "outcome"], ended)
    yield seconds("upstream_call", "From a call to an upstream to its answer's end.", CALL, routes)
    under_way = [([api], tally.under_way) for api, tally in tallies.items()]
    yield gauge(
        "upstream_calls_in_flight", "Calls to an upstream under way, waiting ones included.", ["api"], under_way
    )


def of_pools(network: Network) -> Iterator[Metric]:
    """Connections to each upstream, and the calls that wait for one; not where something else makes them."""
    open_: Counter[tuple[str, str]] = Counter()
    waiting: Counter[str] = Counter()
    for api, pool in network.pools():
        open_.update({(api, state): count for state, count in pool.census().items()})
        waiting.update({api: pool.waiting})
    connections = [([*labels], count) for labels, count in open_.items()]
    yield gauge("upstream_connections", "Connections to an upstream.", ["api", "state"], connections)
    queues = [([api], count) for api, count in waiting.items()]
    yield gauge("upstream_queue", "Calls that wait for a connection to an upstream.", ["api"], queues)


def of_health(every: Mapping[str, Healths]) -> Iterator[Metric]:
    """How each upstream does: its breakers, the retries that its budgets have left, and what was not asked of it."""
    now = asyncio.get_running_loop().time()
    healths = {api: of_all.joined(now) for api, of_all in every.items()}
    states = [([api, one], float(health.breaker == one)) for api, health in healths.items() for one in STATES]
    yield gauge("upstream_breaker", "1 for the worst state of a tenant's circuit breaker.", ["api", "state"], states)
    for name, what in HEALTH_COUNTS.items():
        counts = [([api], getattr(health, name)) for api, health in healths.items()]
        yield counter(f"upstream_{name}", what, ["api"], counts)
    for name, (attribute, what) in HEALTH_STATES.items():
        values = [([api], getattr(health, attribute)) for api, health in healths.items()]
        yield gauge(f"upstream_{name}", what, ["api"], values)


def of_subscriptions(watchers: Watchers, sockets: SocketEndpoint) -> Iterator[Metric]:
    """Who subscribes, what is watched for them, and WebSockets."""
    yield state("subscriptions", "Open subscriptions, by whichever protocol.", watchers.subscribed)
    yield state("watched_documents", "Scans and jobs that are watched for subscribers.", len(watchers))
    yield state("websocket_connections", "Open WebSocket connections.", len(sockets.connections))
    operations = sum(connection.under_way for connection in sockets.connections)
    yield state("websocket_operations", "Operations under way on them.", operations)


def of_drift(drift: Drift) -> Iterator[Metric]:
    """Upstream values that the graph does not know, by place; the values stand in the log."""
    places: dict[str, int] = {}
    for (place, _), count in drift.counts.items():
        places[place] = places.get(place, 0) + count
    values = [([place], count) for place, count in places.items()]
    yield counter("upstream_drift", "Upstream values that the graph does not know.", ["place"], values)
