"""Recordings cut at pauses, so that each piece can be recognised while the next ones wait.

A stream of the server sends text for every thirty seconds; pieces of some seconds give the first words sooner,
and each knows when it begins.
"""

from __future__ import annotations

import io
import wave
from collections.abc import Iterator
from dataclasses import dataclass

import av
import numpy as np
from numpy.typing import NDArray

from ekiben_demos.faults import CannotDo

Samples = NDArray[np.int16]

RATE = 16_000
FRAME = RATE // 50
"""20 ms: loudness is measured in these."""
PAUSE_FRAMES = 15
REST_SECONDS = 2.0
"""The last piece is never shorter, for a model guesses where it hears half a word; short recordings excepted."""


@dataclass(frozen=True)
class Piece:
    """A part of a recording that begins at `start` seconds: 16 kHz, one channel."""

    start: float
    samples: Samples

    @property
    def seconds(self) -> float:
        return len(self.samples) / RATE

    def wav(self) -> bytes:
        file = io.BytesIO()
        with wave.open(file, "wb") as writer:
            writer.setnchannels(1)
            writer.setsampwidth(2)
            writer.setframerate(RATE)
            writer.writeframes(self.samples.astype("<i2").tobytes())
        return file.getvalue()


def pieces_of(path: str) -> Iterator[Piece]:
    """The recording's, or the video's, pieces. Raises `CannotDo` where there is no sound, PyAV's errors."""
    with av.open(path) as container:
        if not container.streams.audio:
            raise CannotDo("There is no sound in this file.")
        yield from cut(_decoded(container))


def cut(blocks: Iterator[Samples], *, shortest: float = 4.0, longest: float = 14.0) -> Iterator[Piece]:
    """Pieces of `shortest` to `longest` seconds, cut where it is quietest."""
    waiting = np.empty(0, np.int16)
    begin = 0
    enough = int((longest + REST_SECONDS) * RATE)
    for block in blocks:
        waiting = np.concatenate([waiting, block])
        while len(waiting) >= enough:
            end = quietest(waiting, int(shortest * RATE), int(longest * RATE))
            yield Piece(begin / RATE, waiting[:end])
            waiting = waiting[end:]
            begin += end
    if len(waiting):
        yield Piece(begin / RATE, waiting)


def quietest(samples: Samples, first: int, last: int) -> int:
    """The middle of the quietest 0.3 s between two samples; the last one where several are as quiet."""
    count = (last - first) // FRAME
    frames = samples[first : first + count * FRAME].astype(np.float64).reshape(count, FRAME)
    loudness = np.log10(1 + np.square(frames).mean(axis=1))
    around = np.convolve(loudness, np.ones(PAUSE_FRAMES) / PAUSE_FRAMES, mode="valid").round(6)
    place = len(around) - 1 - int(np.argmin(around[::-1]))
    return first + (place + PAUSE_FRAMES // 2) * FRAME


def _decoded(container: av.container.InputContainer) -> Iterator[Samples]:
    """About a second at a time."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE, frame_size=RATE)
    for frame in container.decode(audio=0):
        for resampled in resampler.resample(frame):
            yield resampled.to_ndarray()[0]
    for resampled in resampler.resample(None):
        yield resampled.to_ndarray()[0]
