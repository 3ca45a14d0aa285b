"""Cutting what Whisper wrote for a window into segments, and saying where the next window begins.

Source: the reference implementation (`openai/whisper`, transcribe.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

TIMESTAMP_FRAMES: Final = 2
"""From one timestamp token to the next: 0.02 s."""


@dataclass(frozen=True)
class Cut:
    """Tokens between two places of a window, in frames from its beginning."""

    tokens: tuple[int, ...]
    start: int
    end: int


def cut(tokens: Sequence[int], first_timestamp: int, frames: int) -> tuple[list[Cut], int]:
    """The segments of a window of so many frames, and how many of them are done with.

    Two timestamps side by side close a segment and open the next. What the last pair opened is heard again by
    the next window, unless the text ends in one lone timestamp, which says that nobody speaks after it.
    """

    def frame(token: int) -> int:
        return (token - first_timestamp) * TIMESTAMP_FRAMES

    stamps = [token >= first_timestamp for token in tokens]
    closed = stamps[-2:] == [False, True]
    borders = [place for place in range(1, len(tokens)) if stamps[place] and stamps[place - 1]]
    if not borders:
        last = next((token for token in reversed(tokens) if token > first_timestamp), None)
        return [Cut(tuple(tokens), 0, frames if last is None else frame(last))], frames
    pieces: Iterator[tuple[int, int]] = pairwise([0, *borders, len(tokens)] if closed else [0, *borders])
    cuts = [Cut(tuple(tokens[begin:end]), frame(tokens[begin]), frame(tokens[end - 1])) for begin, end in pieces]
    return cuts, frames if closed else frame(tokens[borders[-1] - 1])
