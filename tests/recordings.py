"""Real speech for the tests: clips of this repository, and two recordings of the package that Moonshine comes in."""

from __future__ import annotations

import io
import json
from functools import cache
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from exporters.sources import fetch_members
from models.limits import Limits
from models.model import PackageMember
from models.speech.audio import RATE, Samples, decode

FOLDER = Path(__file__).parent / "data/recordings"
TEXTS: dict[str, str] = json.loads((FOLDER / "recordings.json").read_text("utf-8"))
"""What is said, by name, without punctuation."""

CLIPS = sorted(path.stem for path in FOLDER.glob("*.flac"))

WHEEL = "moonshine_voice-0.0.48-py3-none-manylinux_2_34_x86_64.whl"
PACKAGED = {
    "beckett": "e5a26b3d29e5b0bc8dbd72c11d16a3808a4ec0ac45b21f12a27d2a2fe5c5ae61",
    "two_cities": "f3348494d77cb74a02862f5e685ed09faf3e75832c5cc5c80703282c2cd8b52e",
}


@cache
def _packaged() -> dict[str, Path]:
    members = [PackageMember(WHEEL, f"moonshine_voice/assets/{name}.wav", sha) for name, sha in PACKAGED.items()]
    return dict(zip(PACKAGED, fetch_members(members), strict=True))


def path(name: str) -> Path:
    return _packaged()[name] if name in PACKAGED else FOLDER / f"{name}.flac"


def data(name: str) -> bytes:
    return path(name).read_bytes()


@cache
def samples(name: str) -> Samples:
    """Mono, 16 kHz."""
    return np.concatenate(list(decode(data(name), field="audio", limits=Limits())))


def joined(names: list[str]) -> Samples:
    """Recordings one after the other, each with half a second of silence behind it."""
    gap = np.zeros(RATE // 2, np.float32)
    return np.concatenate([part for name in names for part in (samples(name), gap)])


def encoded(
    wave: NDArray[Any],
    container: str = "wav",
    codec: str = "pcm_s16le",
    *,
    rate: int = RATE,
    layout: str = "mono",
    bit_rate: int | None = None,
) -> bytes:
    """Samples in -1..1 in a container of FFmpeg's; a stereo layout holds the same in both channels."""
    file = io.BytesIO()
    channels = 2 if layout == "stereo" else 1
    pcm = np.repeat((wave * 32767).clip(-32768, 32767).astype(np.int16), channels)[None]
    with av.open(file, "w", format=container) as output:
        stream: Any = output.add_stream(codec, rate=rate)
        stream.layout = layout
        if bit_rate:
            stream.bit_rate = bit_rate
        resampler = av.AudioResampler(format=stream.codec_context.format, layout=layout, rate=stream.rate)
        block = 100_000 * channels
        for start in range(0, pcm.shape[1], block):
            frame = av.AudioFrame.from_ndarray(pcm[:, start : start + block], format="s16", layout=layout)
            frame.sample_rate = rate
            for resampled in resampler.resample(frame):
                output.mux(stream.encode(resampled))
        for resampled in resampler.resample(None):
            output.mux(stream.encode(resampled))
        output.mux(stream.encode(None))
    return file.getvalue()
