"""The metrics of several worker processes, of which Prometheus reaches any one: whoever is asked asks the others.

Each worker tells its own over a Unix socket in a folder that they share, under a number of its own, as its process has
one. A worker that does not answer in time is told of as not up, and the others all the same; one that has ended is not.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

GONE: list["Family"] = []  # what a worker tells that has ended
PATIENCE = 1.0  # seconds
SUFFIX = ".sock"
LONGEST_NUMBER = 2**22  # as many processes as Linux may have


class Sample(msgspec.Struct, array_like=True):
    """A value, with the name and the labels under which it is told."""

    name: str
    labels: dict[str, str]
    value: float


class Family(msgspec.Struct, array_like=True):
    """A metric of one worker."""

    name: str
    documentation: str
    type: str
    samples: list[Sample]


class Gathered(Collector):
    """What the workers told, by worker; None for one that hangs."""

    def __init__(self, told: dict[str, list[Family] | None]) -> None:
        self._told = told

    def collect(self) -> Iterator[Metric]:
        """Give each metric once, with its samples from every worker under the label `worker`."""
        up = GaugeMetricFamily("scan_gateway_worker_up", "Whether a worker tells its metrics.", labels=["worker"])
        metrics: dict[str, Metric] = {}
        for worker, families in sorted(self._told.items()):
            up.add_metric([worker], float(families is not None))
            for family in families or ():
                metric = metrics.setdefault(family.name, Metric(family.name, family.documentation, family.type))
                for sample in family.samples:
                    metric.add_sample(sample.name, {**sample.labels, "worker": worker}, sample.value)
        yield up
        yield from metrics.values()


@dataclass(frozen=True, slots=True)
class Crew:
    """The workers that share a folder, and the number of this one."""

    folder: Path
    number: int

    @asynccontextmanager
    async def telling(self, registry: CollectorRegistry) -> AsyncIterator[None]:
        """Tell whoever asks, until the block ends."""

        async def tell(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(msgspec.json.encode(list(_families(registry.collect()))))
            with suppress(ConnectionError):  # whoever asked waits no more
                await writer.drain()
            writer.close()

        path = self.folder / f"{self.number}{SUFFIX}"
        server = await asyncio.start_unix_server(tell, path)
        try:
            async with server:
                yield
        finally:
            path.unlink(missing_ok=True)

    async def gather(self) -> CollectorRegistry:
        """Ask every worker, this one among them."""
        sockets = sorted(self.folder.glob(f"*{SUFFIX}"))
        told = await asyncio.gather(*map(_ask, sockets))
        registry = CollectorRegistry(auto_describe=False)
        by_worker = zip((path.stem for path in sockets), told, strict=True)
        registry.register(Gathered({worker: families for worker, families in by_worker if families is not GONE}))
        return registry


def check_folder(folder: Path) -> None:
    """Raises OSError where no worker could have a socket in a folder, as where its path is too long for one."""
    if not hasattr(socket, "AF_UNIX"):
        return  # nor are there workers, which need fork
    path = folder / f"{LONGEST_NUMBER}{SUFFIX}"
    with socket.socket(socket.AF_UNIX) as tried:
        tried.bind(str(path))
    path.unlink()


def _families(metrics: Iterable[Metric]) -> Iterator[Family]:
    for metric in metrics:
        samples = [Sample(sample.name, sample.labels, sample.value) for sample in metric.samples]
        yield Family(metric.name, metric.documentation, metric.type, samples)


async def _ask(path: Path) -> list[Family] | None:
    try:
        async with asyncio.timeout(PATIENCE):
            return await _told_at(path)
    except (ConnectionError, FileNotFoundError, msgspec.DecodeError):
        _forget(path)
        return GONE
    except OSError:  # its time is over, or so many wait for it already that no more may
        return None


async def _told_at(path: Path) -> list[Family]:
    reader, writer = await asyncio.open_unix_connection(path)
    try:
        return msgspec.json.decode(await reader.read(-1), type=list[Family])
    finally:
        writer.close()


def _forget(path: Path) -> None:
    """Remove the socket of a worker that was killed, or ends."""
    path.unlink(missing_ok=True)
