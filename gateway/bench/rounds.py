"""Short rounds, taken in turn by all that is compared: whatever disturbs the machine for a while disturbs all of it."""

import statistics
from collections.abc import Iterable

LENGTH = 0.3


def split(seconds: float) -> tuple[int, float]:
    """Divide a figure's seconds into rounds: how many, and how long each is."""
    count = max(1, round(seconds / LENGTH))
    return count, seconds / count


def median_ratio(over: Iterable[float], under: Iterable[float]) -> float:
    """Give the median of the ratios within each round."""
    return statistics.median(one / other for one, other in zip(over, under, strict=True))
