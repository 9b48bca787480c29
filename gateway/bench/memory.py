"""Whether memory stays level, however many different operations come by: for each that is kept another is let go."""

import gc
import resource
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import msgspec
import uvloop

from gateway.bench.cpu import ask, bench_app
from gateway.bench.modes import URL
from gateway.bench.servers import FORK
from gateway.bench.upstream import record
from gateway.http.application import App
from gateway.memory import settle
from gateway.sandbox import Sandbox

KEPT = 200
SECONDS = 1.5  # by default, which makes it 1,000 and 5,000 operations
STEPS = (5, 25)
STATM = Path("/proc/self/statm")


class Memory(msgspec.Struct, frozen=True, rename="camel"):
    """How many operations the cache keeps, the process's KiB once it is full, and what a thousand more add.

    `growth` is KiB for each thousand, by how many were asked since it was full.
    """

    operations: int
    resident: int
    growth: dict[int, float]


def memory(seconds: float) -> Memory | None:
    """Measure in a process of its own, where nothing else comes and goes; None where the system does not tell."""
    if not STATM.exists():
        return None
    with ProcessPoolExecutor(1, FORK) as pool:
        return pool.submit(_run, max(10, int(KEPT * seconds / SECONDS))).result()


def _run(kept: int) -> Memory:
    return uvloop.run(_measure(kept))


async def _measure(kept: int) -> Memory:
    """Fill the cache twice over, so that what it lets go has room, and then ask many times more."""
    sandbox = Sandbox(url=URL)
    app = bench_app(sandbox, record(sandbox), "plans, warm", gateway_operations=kept)
    scan_id = sandbox.prism.scan_ids("READY")[0]
    settle()
    full = await _resident_after(app, scan_id, range(2 * kept))
    growth, first = {}, 2 * kept
    for step in STEPS:
        more = step * kept
        resident = await _resident_after(app, scan_id, range(first, 2 * kept + more))
        growth[more], first = round((resident - full) / more * 1_000, 1), 2 * kept + more
    return Memory(kept, full, growth)


async def _resident_after(app: App, scan_id: str, numbers: range) -> int:
    """Ask an operation for each number, all different, and give the KiB that the process takes then."""
    for number in numbers:
        query = (
            f'{{ s{number}: scan(scanId: "{scan_id}") {{ assets {{ isReady updated{number}: body {{ status }} }} }} }}'
        )
        await ask(app, msgspec.json.encode({"query": query}))
    gc.collect()
    return _resident()


def _resident() -> int:
    return int(STATM.read_text().split()[1]) * resource.getpagesize() // 1024
