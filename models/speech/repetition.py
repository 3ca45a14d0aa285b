"""Loops: models of speech that hear a tone, or music, may write one thing over and over."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Final

LONGEST_PERIOD: Final = 24
"""Tokens of a phrase that is looked for."""

FASTEST_SPEECH: Final = 6.5
"""Tokens a second: nobody speaks faster, so what repeats faster than this is not spoken."""

FEWEST_TOKENS: Final = 24
"""A loop is at least as long as this, however short the recording."""


def looping(tokens: Sequence[int], *, seconds: float) -> int:
    """How many tokens at the end repeat what stands before them, where that is a loop; else 0.

    Speech repeats too ("no, no, no"), but it takes its time: a repetition is a loop where it holds more tokens
    than can be spoken in so many seconds.
    """
    most = max(FEWEST_TOKENS, int(FASTEST_SPEECH * seconds))
    if len(tokens) <= most:
        return 0
    for period in range(1, LONGEST_PERIOD + 1):
        if tokens[-1] == tokens[-1 - period]:
            repeated = _repeated(tokens, period)
            if repeated > most - period:
                return repeated
    return 0


def _repeated(tokens: Sequence[int], period: int) -> int:
    """How many tokens at the end equal the one a period before them."""
    count = 0
    while count + period < len(tokens) and tokens[-1 - count] == tokens[-1 - count - period]:
        count += 1
    return count


def compression_ratio(text: str) -> float:
    """How much shorter zlib makes a text: about 1.5 for speech that is written down, more for loops."""
    data = text.encode()
    return len(data) / len(zlib.compress(data))
