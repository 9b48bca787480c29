"""Whether cost grows as the work does: pages of 1 to 1,000 assets, upstream in process, nothing cached."""

import statistics

import msgspec

from gateway.bench.cpu import Benchmark, Upstreams, bench_app, in_rounds
from gateway.sandbox import Sandbox

SIZES = (1, 10, 100, 1_000)
FIELDS = ("assetId", "kind", "status", "mimeType", "url", "urlExpiresAt", "name", "tags", "createdAt", "updatedAt")


class Scaling(msgspec.Struct, frozen=True, rename="camel"):
    """Microseconds of CPU by selected leaves, and the straight line through them: µs a leaf, and how well it fits."""

    microseconds: dict[int, float]
    slope: float
    r_squared: float


async def scaling(sandbox: Sandbox, upstreams: Upstreams, seconds: float) -> Scaling:
    """Measure each size for some seconds."""
    app = bench_app(sandbox, upstreams, "plans, cold")
    spent = await in_rounds({size * len(FIELDS): Benchmark(app, _page(size), upstreams) for size in SIZES}, seconds)
    medians = {leaves: statistics.median(its) for leaves, its in spent.items()}
    leaves, microseconds = list(map(float, medians)), list(medians.values())
    return Scaling(
        {count: round(one, 1) for count, one in medians.items()},
        round(statistics.linear_regression(leaves, microseconds).slope, 3),
        round(statistics.correlation(leaves, microseconds) ** 2, 4),
    )


def _page(size: int) -> bytes:
    query = f"{{ assets(first: {size}) {{ nodes {{ {' '.join(FIELDS)} }} }} }}"
    return msgspec.json.encode({"query": query})
