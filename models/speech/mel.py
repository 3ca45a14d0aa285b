"""Log-mel spectrograms as Whisper was trained on, made while a recording is decoded.

Source: https://arxiv.org/abs/2212.04356, section 2.2; equal to `WhisperFeatureExtractor` of transformers.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.speech.audio import RATE, Samples

HOP: Final = 160
FRAME: Final = 400
FRAMES_PER_SECOND: Final = RATE // HOP
WINDOW_FRAMES: Final = 30 * FRAMES_PER_SECOND
"""What the encoder looks at: 30 seconds."""

BLOCK_FRAMES: Final = 500
"""What is computed at once: small enough for a core's cache, and for BLAS not to wake threads of its own."""

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
    """The spectrogram of a recording that arrives in pieces; it keeps no samples, and 32 kB for each second."""

    def __init__(self, bands: int) -> None:
        self.samples = 0
        self._bands = [_Band.of(triangle) for triangle in mel_filters(bands)]
        self._blocks: list[Features] = []
        self._waiting: list[Samples] = []
        self._waiting_samples = 0
        self._loudest = QUIETEST
        self._begun = False

    @property
    def frames(self) -> int:
        """Whole frames of the recording, without what silence adds behind it."""
        return self.samples // HOP

    def add(self, samples: Samples) -> None:
        self.samples += len(samples)
        self._wait(samples)
        while self._waiting_samples >= BLOCK_FRAMES * HOP + FRAME:
            self._compute(BLOCK_FRAMES)

    def finish(self) -> None:
        """The recording ends here; silence follows."""
        self._wait(np.zeros(FRAME, np.float32))
        self._compute(self._waiting_samples // HOP)

    def window(self, first: int) -> Features:
        """`[bands, 3000]` from this frame on, in the encoder's scale; silence after the end."""
        out = np.full((len(self._bands), WINDOW_FRAMES), QUIETEST, np.float32)
        place, skip, filled = first // BLOCK_FRAMES, first % BLOCK_FRAMES, 0
        for block in self._blocks[place : place + WINDOW_FRAMES // BLOCK_FRAMES + 1]:
            part = block[:, skip : skip + WINDOW_FRAMES - filled]
            out[:, filled : filled + part.shape[1]] = part
            filled, skip = filled + part.shape[1], 0
        np.maximum(out, self._loudest - DYNAMIC_RANGE, out=out)
        out += 4
        out /= 4
        return out

    def _wait(self, samples: Samples) -> None:
        self._waiting.append(samples)
        self._waiting_samples += len(samples)

    def _compute(self, frames: int) -> None:
        """The next frames of what waits; frame i is centred on sample `i * HOP`."""
        samples = np.concatenate(self._waiting)
        if not self._begun:
            self._begun = True  # the beginning is mirrored, so that its first frame has a left half
            short = max(0, FRAME // 2 + 1 - len(samples))
            mirrored = np.pad(samples, (0, short))[FRAME // 2 : 0 : -1]
            samples = np.concatenate([mirrored, samples])
        frames = min(frames, (len(samples) - FRAME) // HOP + 1)
        windows = np.lib.stride_tricks.sliding_window_view(samples, FRAME)[: frames * HOP : HOP]
        spectrum = np.fft.rfft(windows * HANN, axis=1)
        power = np.ascontiguousarray((spectrum.real**2 + spectrum.imag**2).T)
        block = np.empty((len(self._bands), frames), np.float32)
        for band, out in zip(self._bands, block, strict=True):
            np.dot(band.weights, power[band.first : band.first + len(band.weights)], out=out)
        np.log10(np.maximum(block, 10**QUIETEST, out=block), out=block)
        self._blocks.append(block)
        self._loudest = max(self._loudest, float(block.max()))
        rest = samples[frames * HOP :].copy()
        self._waiting, self._waiting_samples = [rest], len(rest)
