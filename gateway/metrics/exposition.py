"""`/metrics`: the metrics of this process, and of those that serve beside it, as Prometheus reads them."""

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, nullcontext

from prometheus_client import CollectorRegistry, Metric, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.metrics.crew import Crew

Read = Callable[[], Iterable[Metric]]


class Readings(Collector):
    """Metrics that are read when they are asked for; what reads them is given once."""

    def __init__(self, *reads: Read) -> None:
        self._reads = reads

    def collect(self) -> Iterator[Metric]:
        """Read everything."""
        for read in self._reads:
            yield from read()


def registry_of(reads: Sequence[Read]) -> CollectorRegistry:
    """Put the readings beside those of the process: its memory, CPU and file descriptors."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    registry.register(Readings(*reads))
    return registry


def metrics_app(registry: CollectorRegistry, crew: Crew | None = None) -> Starlette:
    """Build the application that answers Prometheus; it belongs on an address that no client reaches.

    As one of a crew it answers for all of them, and its lifespan is how long the others may ask it.
    """

    async def metrics(request: Request) -> Response:
        encode, type_ = _encoder(request.headers.get("accept", ""))
        told = registry if crew is None else await crew.gather()
        return Response(encode(told), headers={"content-type": type_, "cache-control": "no-store"})

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with nullcontext() if crew is None else crew.telling(registry):
            yield

    return Starlette(routes=[Route("/metrics", metrics)], lifespan=lifespan)


def _encoder(accept: str) -> tuple[Callable[[CollectorRegistry], bytes], str]:
    """Give what writes metrics as a client takes them, or as plain text where it asks for a version that is none."""
    try:
        return choose_encoder(accept)
    except TypeError:  # in comparing it with one
        return choose_encoder("")
