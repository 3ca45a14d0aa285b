"""Log-mel spectrograms as Whisper was trained on, made while a recording is decoded.

Features are cut off at a distance below the loudest place of the whole recording, so a recording has to be heard to
its end before its first window is known. What is long is then heard again, instead of being kept: kept features would
be 115 MB for an hour, of how small a file ever, and hearing it takes a hundredth of the time of understanding it.

Source: https://arxiv.org/abs/2212.04356, section 2.2; equal to `WhisperFeatureExtractor` of transformers.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.speech.audio import RATE, Recording, Samples

HOP: Final = 160
FRAME: Final = 400
FRAMES_PER_SECOND: Final = RATE // HOP
WINDOW_FRAMES: Final = 30 * FRAMES_PER_SECOND
"""What the encoder looks at: 30 seconds."""

BLOCK_FRAMES: Final = 500
"""What is computed at once: small enough for a core's cache, and for BLAS not to wake threads of its own."""

KEPT_BLOCKS: Final = 60
"""A recording of up to so many, five minutes, is heard once only."""

STRETCH: Final = (BLOCK_FRAMES - 1) * HOP + FRAME
"""The samples of a block."""

PIECE_BLOCKS: Final = 12
"""What is heard between two pauses: a minute, which takes some 40 ms."""

DYNAMIC_RANGE: Final = 8.0
"""Orders of magnitude below the loudest place of the recording at which features are cut off."""

QUIETEST: Final = -10.0
"""The logarithm of silence."""

Features = NDArray[np.float32]


@cache
def mel_filters(bands: int) -> Features:
    """`[bands, 201]`: triangles of equal area on Slaney's scale (linear to 1 kHz, then logarithmic), 0-8 kHz."""
    highest = 15 + np.log(RATE / 2 / 1000) * 27 / np.log(6.4)
    mels = np.linspace(0, highest, bands + 2)
    edges = np.where(mels < 15, mels * 200 / 3, 1000 * np.exp((mels - 15) * np.log(6.4) / 27))
    low, middle, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    bins = np.linspace(0, RATE / 2, FRAME // 2 + 1)
    triangles = np.minimum((bins - low) / (middle - low), (high - bins) / (high - middle))
    return np.asarray(np.maximum(0, triangles) * 2 / (high - low), np.float32)


HANN: Final = np.hanning(FRAME + 1)[:-1].astype(np.float32)


@dataclass(frozen=True)
class _Band:
    """One triangle without the zeros around it, which would be most of the work."""

    first: int
    weights: Features

    @classmethod
    def of(cls, triangle: Features) -> _Band:
        [bins] = np.nonzero(triangle)
        return cls(int(bins[0]), triangle[bins[0] : bins[-1] + 1])


class Spectrogram:
    """The spectrogram of a recording: `survey` it to the end, then ask for windows, none before the last one."""

    def __init__(self, recording: Recording, bands: int) -> None:
        self.samples = 0
        self._recording = recording
        self._bands = [_Band.of(triangle) for triangle in mel_filters(bands)]
        self._loudest = QUIETEST
        self._blocks: deque[Features] = deque()
        self._first_block = 0
        self._further: Iterator[Features] = iter(())

    @property
    def frames(self) -> int:
        """Whole frames of the recording, without what silence adds behind it."""
        return self.samples // HOP

    def survey(self) -> Iterator[None]:
        """Hear the whole recording, with a pause after each piece."""
        for number, samples in enumerate(_stretches(self._counted()), 1):
            block = self._block(samples)
            self._loudest = max(self._loudest, float(block.max()))
            if number <= KEPT_BLOCKS:
                self._blocks.append(block)
            if number % PIECE_BLOCKS == 0:
                yield
        if number > KEPT_BLOCKS:
            self._blocks.clear()
            self._further = map(self._block, _stretches(self._recording))

    def window(self, first: int) -> Features:
        """`[bands, 3000]` from this frame on, in the encoder's scale; silence after the end."""
        self._go_to(first)
        out = np.full((len(self._bands), WINDOW_FRAMES), QUIETEST, np.float32)
        skip, filled = first % BLOCK_FRAMES, 0
        for block in self._blocks:
            part = block[:, skip : skip + WINDOW_FRAMES - filled]
            out[:, filled : filled + part.shape[1]] = part
            filled, skip = filled + part.shape[1], 0
        assert filled >= min(WINDOW_FRAMES, self.frames - first), "the second time less was heard than the first"
        np.maximum(out, self._loudest - DYNAMIC_RANGE, out=out)
        out += 4
        out /= 4
        return out

    def _go_to(self, first: int) -> None:
        """Have the blocks from that of frame `first` to that of the window's end."""
        assert first >= self._first_block * BLOCK_FRAMES, "windows are asked for in order"
        while self._first_block < first // BLOCK_FRAMES:
            if self._blocks:
                self._blocks.popleft()
            else:
                next(self._further, None)
            self._first_block += 1
        while (self._first_block + len(self._blocks)) * BLOCK_FRAMES < first + WINDOW_FRAMES:
            block = next(self._further, None)
            if block is None:
                break
            self._blocks.append(block)

    def _counted(self) -> Iterator[Samples]:
        for samples in self._recording:
            self.samples += len(samples)
            yield samples

    def _block(self, samples: Samples) -> Features:
        """`[bands, frames]`: the logarithm of each band's power."""
        frames = np.lib.stride_tricks.sliding_window_view(samples, FRAME)[::HOP]
        spectrum = np.fft.rfft(frames * HANN, axis=1)
        power = np.ascontiguousarray((spectrum.real**2 + spectrum.imag**2).T)
        block = np.empty((len(self._bands), len(frames)), np.float32)
        for band, out in zip(self._bands, block, strict=True):
            np.dot(band.weights, power[band.first : band.first + len(band.weights)], out=out)
        return np.log10(np.maximum(block, 10**QUIETEST, out=block), out=block)


def _stretches(recording: Recording) -> Iterator[Samples]:
    """The samples of `BLOCK_FRAMES` frames at a time, or of what is left; silence follows the recording.

    Frame i is centred on sample `i * HOP`; the beginning is mirrored, so that the first one has a left half.
    """
    waiting: list[Samples] = []
    length = 0
    begun = False
    for samples in chain(recording, [np.zeros(FRAME, np.float32), None]):
        if samples is not None:
            waiting.append(samples)
            length += len(samples)
            if length < STRETCH:
                continue
        joined = np.concatenate(waiting)
        if not begun:
            begun = True
            joined = np.concatenate([joined[FRAME // 2 : 0 : -1], joined])
        while len(joined) >= (STRETCH if samples is not None else FRAME):
            yield joined[:STRETCH]
            joined = joined[BLOCK_FRAMES * HOP :]
        waiting, length = [joined.copy()], len(joined)
