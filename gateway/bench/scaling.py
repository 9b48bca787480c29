"""Whether cost grows as the work does: pages of 1 to 1,000 assets, upstream in process, nothing cached."""

import statistics
from dataclasses import dataclass

import msgspec

from gateway.bench.cpu import cost
from gateway.bench.queries import Query
from gateway.sandbox import Sandbox

SIZES = (1, 10, 100, 1_000)
FIELDS = ("assetId", "kind", "status", "mimeType", "url", "urlExpiresAt", "name", "tags", "createdAt", "updatedAt")


@dataclass(frozen=True, slots=True)
class Scaling:
    """Microseconds of CPU by selected leaves, and the straight line through them: µs a leaf, and how well it fits."""

    microseconds: dict[int, float]
    slope: float
    r_squared: float


async def scaling(sandbox: Sandbox, seconds: float) -> Scaling:
    """Measure each size for some seconds."""
    costs = {size: (await cost(sandbox, "plans, cold", _page(size), seconds)).microseconds for size in SIZES}
    by_leaves = {size * len(FIELDS): spent for size, spent in costs.items()}
    leaves, spent = list(map(float, by_leaves)), list(by_leaves.values())
    return Scaling(
        {count: round(one, 1) for count, one in by_leaves.items()},
        round(statistics.linear_regression(leaves, spent).slope, 3),
        round(statistics.correlation(leaves, spent) ** 2, 4),
    )


def _page(size: int) -> Query:
    query = f"{{ assets(first: {size}) {{ nodes {{ {' '.join(FIELDS)} }} }} }}"
    return Query(f"page of {size}", msgspec.json.encode({"query": query}))
