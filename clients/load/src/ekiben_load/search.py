"""The search for the highest rate that a server keeps up with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from enum import StrEnum
from math import sqrt
from typing import Protocol

GROWTH = 1.3
RESOLUTION = 1.05
"""The search ends where the highest rate that passed and the lowest that did not are this close."""

MAX_TRIALS = 16


class Verdict(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    INVALID = "invalid"
    """The generator fell behind its own schedule: nothing is known of the server."""


class Judged(Protocol):
    @property
    def verdict(self) -> Verdict: ...


async def highest_rate(trial: Callable[[float], Awaitable[Judged]], start: float) -> float | None:
    """The highest rate a second that passed, none where nothing did.

    Geometric steps from `start` until one rate has passed and one has not, then bisection between them. An invalid
    trial is made once more; twice invalid counts as not passed.
    """
    passed: float | None = None
    failed: float | None = None
    rate = start
    for _ in range(MAX_TRIALS):
        judged = await trial(rate)
        if judged.verdict is Verdict.INVALID:
            judged = await trial(rate)
        if judged.verdict is Verdict.PASSED:
            passed = rate
        else:
            failed = rate
        if passed is None:
            rate /= GROWTH
        elif failed is None:
            rate *= GROWTH
        elif failed / passed <= RESOLUTION:
            break
        else:
            rate = sqrt(passed * failed)
    return passed
