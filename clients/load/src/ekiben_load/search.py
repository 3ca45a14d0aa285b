"""The search for the highest rate that a server keeps up with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from enum import StrEnum
from math import sqrt
from typing import Protocol

GROWTH = 1.25
"""The first step; each is the square of the last, up to `MAX_STEP`, so that a start far off costs little."""

MAX_STEP = 4.0

RESOLUTION = 1.05
"""The search ends where the highest rate that passed and the lowest that did not are this close by ratio."""

LOWEST_SHARE = 1 / 16
"""Of the start: a rate below it is not looked for, since its run would take very long."""

MAX_TRIALS = 14


class Verdict(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    INVALID = "invalid"
    """The generator fell behind its own schedule: nothing is known of the server."""


class Judged(Protocol):
    @property
    def verdict(self) -> Verdict: ...


async def highest_rate(
    trial: Callable[[float], Awaitable[Judged]],
    start: float,
    *,
    resolution: float = RESOLUTION,
    is_over: Callable[[], bool] = lambda: False,
) -> float | None:
    """The highest rate a second that passed, none where nothing did above a sixteenth of `start`.

    Growing geometric steps from `start` until one rate has passed and one has not, then bisection between them until
    `is_over`. An invalid trial is made once more; twice invalid counts as not passed.
    """
    passed: float | None = None
    failed: float | None = None
    rate, step, lowest = start, GROWTH, start * LOWEST_SHARE
    for _ in range(MAX_TRIALS):
        judged = await trial(rate)
        if judged.verdict is Verdict.INVALID:
            judged = await trial(rate)
        if judged.verdict is Verdict.PASSED:
            passed = rate
        else:
            failed = rate
        if passed is None and rate <= lowest:
            break
        if passed is None:
            rate, step = max(rate / step, lowest), min(step * step, MAX_STEP)
        elif failed is None:
            rate, step = rate * step, min(step * step, MAX_STEP)
        elif failed / passed <= resolution or is_over():
            break
        else:
            rate = sqrt(passed * failed)
    return passed
