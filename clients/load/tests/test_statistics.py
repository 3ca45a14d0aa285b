from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ekiben_load.statistics import allowed_late, percentile, queries_needed

VALUES = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=300)
PERCENT = st.integers(1, 100)


@given(VALUES, PERCENT)
def test_a_percentile_is_that_of_numpy_by_nearest_rank(values: list[float], percent: int) -> None:
    # In hundredths of a thousandth: numpy, too, multiplies in floats, and 7 % of 100 are not 7.
    ranks = [percentile(values, percent)]
    assert ranks == [pytest.approx(np.percentile(values, percent - 1e-9, method="inverted_cdf"), abs=0)]


def test_no_values_have_no_percentile() -> None:
    with pytest.raises(ValueError, match="no values"):
        percentile([], 50)


@given(VALUES, PERCENT, st.floats(-1e6, 1e6))
def test_as_many_may_be_late_as_leave_the_percentile_in_time(values: list[float], percent: int, bound: float) -> None:
    late = sum(value > bound for value in values)
    assert (late <= allowed_late(len(values), percent)) == (percentile(values, percent) <= bound)


@pytest.mark.parametrize(("percent", "queries"), [(90, 64), (99, 662)])
def test_it_takes_as_many_queries_as_mlperf_says(percent: int, queries: int) -> None:
    """Of https://docs.mlcommons.org/inference/submission/: SingleStream needs 64 queries, MultiStream 662."""
    assert queries_needed(1, percent) == queries


def test_more_late_ones_take_more_queries() -> None:
    needed = [queries_needed(late) for late in range(20)]
    assert needed == sorted(set(needed))
