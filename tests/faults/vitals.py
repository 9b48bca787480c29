"""What a gateway's process holds, as its own metrics tell."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.telemetry.reading import samples_of

OF_CLIENTS = (
    "scan_gateway_http_requests_in_flight",
    "scan_gateway_websocket_connections",
    "scan_gateway_subscriptions",
    "scan_gateway_watched_documents",
    "scan_gateway_flights",
)


@dataclass(frozen=True, slots=True)
class Vitals:
    """Resident bytes, tasks of the event loop, and file descriptors that are no connections to upstreams.

    `busy` counts, by its metric, what clients cause, while there is any; `documents` and `operations` how many are
    kept, and `full` is the share of the bytes that documents may take.
    """

    resident: float
    tasks: float
    descriptors: float
    busy: Mapping[str, float]
    documents: float
    operations: float
    full: float


async def vitals_at(client: httpx.AsyncClient, url: str) -> Vitals:
    """Ask a gateway for its metrics."""
    text = (await client.get(url)).raise_for_status().text
    told = samples_of(text_string_to_metric_families(text))

    def total(name: str) -> float:
        return sum(told[name].values())

    return Vitals(
        total("process_resident_memory_bytes"),
        total("scan_gateway_tasks"),
        total("process_open_fds") - total("scan_gateway_upstream_connections"),
        {name: count for name in OF_CLIENTS if (count := total(name))},
        total("scan_gateway_cache_entries"),
        total("scan_gateway_operations_prepared"),
        total("scan_gateway_cache_bytes") / total("scan_gateway_cache_max_bytes"),
    )


def growth(resident: Sequence[float]) -> float:
    """By what share the median of the last sixth of some figures is above that of the first."""
    window = max(1, len(resident) // 6)
    return statistics.median(resident[-window:]) / statistics.median(resident[:window]) - 1
