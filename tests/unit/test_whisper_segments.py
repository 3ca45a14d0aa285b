"""Where a window's segments begin and end, and where the next window begins."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.speech.whisper_segments import Cut, cut

T = 1000
"""`<|0.00|>`"""


@pytest.mark.parametrize(
    ("tokens", "cuts", "done"),
    [
        # two whole segments, and the beginning of a third, which the next window hears
        (
            [T, 1, T + 100, T + 100, 2, T + 250, T + 250, 3],
            [Cut((T, 1, T + 100), 0, 200), Cut((T + 100, 2, T + 250), 200, 500)],
            500,
        ),
        # a lone timestamp at the end: nobody speaks after it
        (
            [T, 1, T + 100, T + 100, 2, T + 250],
            [Cut((T, 1, T + 100), 0, 200), Cut((T + 100, 2, T + 250), 200, 500)],
            3000,
        ),
        ([T, 1, T + 100, T + 100], [Cut((T, 1, T + 100), 0, 200)], 200),
        ([T, 1, 2, T + 100], [Cut((T, 1, 2, T + 100), 0, 200)], 3000),
        ([T, 1, 2], [Cut((T, 1, 2), 0, 3000)], 3000),
        ([1, 2], [Cut((1, 2), 0, 3000)], 3000),
        ([], [Cut((), 0, 3000)], 3000),
    ],
)
def test_cases_by_hand(tokens: list[int], cuts: list[Cut], done: int) -> None:
    assert cut(tokens, T, 3000) == (cuts, done)


@given(st.lists(st.tuples(st.integers(1, 100), st.integers(0, 20)), min_size=1, max_size=8), st.booleans())
def test_segments_follow_each_other_and_the_next_window_begins_where_they_end(
    stretches: list[tuple[int, int]], closed: bool
) -> None:
    tokens, time = [], 0
    for length, pause in stretches:
        tokens += [T + time, 1, T + time + length]
        time += length + pause
    if not closed:
        tokens.append(T + time)
    cuts, done = cut(tokens, T, 3000)
    assert len(cuts) == len(stretches)
    assert all(each.start < each.end for each in cuts)
    assert [each.start for each in cuts] == sorted(each.start for each in cuts)
    assert done == (3000 if closed else cuts[-1].end)
