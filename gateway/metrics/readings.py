"""Everything that a gateway's metrics are read from, put together once."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from gateway.cache.store import DocumentStore
from gateway.engine.engine import Engine
from gateway.http.load import Load
from gateway.http.repeats import Repeats
from gateway.http.websocket import SocketEndpoint
from gateway.metrics import families
from gateway.metrics.exposition import Read
from gateway.rates.rates import Rates
from gateway.tallies import HttpTally
from gateway.telemetry import drift
from gateway.upstream.health import Healths
from gateway.upstream.network import Network
from gateway.watchers import Watchers


@dataclass(frozen=True, slots=True)
class Counters:
    """The objects that count."""

    http: HttpTally
    repeats: Repeats | None
    load: Load
    rates: Rates
    engine: Engine
    store: DocumentStore
    network: Network
    healths: Mapping[str, Healths]
    watchers: Watchers
    sockets: SocketEndpoint

    def readings(self) -> list[Read]:
        """What reads them."""
        return [
            families.of_build,
            families.of_loop,
            partial(families.of_http, self.http, self.repeats, self.load),
            partial(families.of_load, self.load),
            partial(families.of_rates, self.rates),
            partial(families.of_engine, self.engine),
            partial(families.of_cache, self.store, self.engine, self.repeats),
            partial(families.of_sharing, self.store.sharing),
            partial(families.of_upstreams, self.network.tallies),
            partial(families.of_health, self.healths),
            partial(families.of_pools, self.network),
            partial(families.of_subscriptions, self.watchers, self.sockets),
            partial(families.of_drift, drift),
        ]
