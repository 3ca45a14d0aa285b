"""The arithmetic of percentiles, as MLPerf's LoadGen does it."""

from __future__ import annotations

from collections.abc import Sequence
from math import comb


def percentile(values: Sequence[float], percent: int) -> float:
    """The smallest value that `percent` of the values do not exceed (nearest rank). Raises `ValueError` for none."""
    if not values:
        raise ValueError("no values")
    rank = -(-percent * len(values) // 100)  # in whole numbers: .07 * 100 is not 7
    return sorted(values)[max(rank, 1) - 1]


def allowed_late(queries: int, percent: int = 99) -> int:
    """How many of so many may be late for the percentile to be in time: by definition the same as `percentile`'s."""
    return queries - max(-(-percent * queries // 100), 1)


def queries_needed(late: int, percent: int = 99, confidence: float = 0.99) -> int:
    """How many queries it takes for so many late ones to show that the true percentile is in time.

    The early-stopping criterion of MLPerf's LoadGen: were more than `100 - percent` of a hundred late, so few would
    be seen with a probability of `1 - confidence` at most.
    """
    share = 1 - percent / 100
    low, high = late, late + 1
    while _at_most(late, high, share) > 1 - confidence:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if _at_most(late, middle, share) > 1 - confidence:
            low = middle
        else:
            high = middle
    return high


def _at_most(late: int, queries: int, share: float) -> float:
    """The probability of no more than `late` of `queries` where each is late with a probability of `share`."""
    return sum(comb(queries, count) * share**count * (1 - share) ** (queries - count) for count in range(late + 1))
