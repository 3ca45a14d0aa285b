"""Runners of one server take the machine's cards in turns."""

from __future__ import annotations

import pytest

from services.placement.gpus import visible_gpu


@pytest.mark.parametrize(
    ("visible", "count", "gpus"),
    [
        (None, 1, ["0", "0", "0", "0"]),
        (None, 2, ["0", "1", "0", "1"]),
        (None, 8, ["0", "1", "2", "3"]),
        (None, 0, [None] * 4),
        ("2,GPU-a", 8, ["2", "GPU-a", "2", "GPU-a"]),
        ("", 8, [""] * 4),  # hidden from everybody
    ],
)
def test_each_runner_has_a_card_that_there_is(visible: str | None, count: int, gpus: list[str | None]) -> None:
    assert [visible_gpu(place, visible, count) for place in range(4)] == gpus
