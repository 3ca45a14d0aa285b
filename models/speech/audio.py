"""Recordings: from untrusted bytes in any container to blocks of mono samples at 16 kHz."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import av
import numpy as np
from av.audio.resampler import AudioResampler
from numpy.typing import NDArray

from models.errors import BudgetExceeded, InvalidInput
from models.limits import Limits

Samples = NDArray[np.float32]

Recording = Iterable[Samples]
"""A recording in blocks; it can be heard more than once, and is decoded anew each time."""

RATE: Final = 16_000
"""Samples a second, of everything that leaves this module."""

DEMUXERS = "wav,w64,flac,mp3,ogg,matroska,webm,mov,mp4,m4a,aac"
"""Containers that are opened. FFmpeg knows others that read further files or addresses: playlists, lists of parts."""

OPTIONS = {"format_whitelist": DEMUXERS, "protocol_whitelist": "", "enable_drefs": "0"}

# FFmpeg writes what it thinks of a file to standard error; callers are told by exceptions.
av.logging.set_level(None)


@dataclass(frozen=True)
class File:
    """A recording as a file from outside; `decode` says how it is heard and what that may raise."""

    data: bytes
    field: str
    limits: Limits

    def __iter__(self) -> Iterator[Samples]:
        return decode(self.data, field=self.field, limits=self.limits)


def decode(data: bytes, *, field: str, limits: Limits) -> Iterator[Samples]:
    """Decode the first sound track of a file into blocks of samples in -1..1, mixed to mono, at 16 kHz.

    FFmpeg resamples and mixes to 16 bits, as it does for both reference implementations of Whisper. Packets
    that are damaged are left out, as players do, and a file that was cut off counts as far as it goes.

    Raises `BudgetExceeded` as soon as there are more than `limits.audio_seconds`, before they are resampled,
    and `InvalidInput` naming `field` where the bytes hold no sound that can be decoded.
    """
    # FFmpeg's errors are its own or OSError, ValueError, EOFError, …: on bytes from outside the bytes are at fault.
    try:
        container = av.open(io.BytesIO(data), "r", options=OPTIONS, metadata_errors="ignore")
    except Exception as error:
        raise InvalidInput.of(field, "is not a recording in WAV, FLAC, MP3, OGG, WebM or MP4") from error
    with container:
        if not container.streams.audio:
            raise InvalidInput.of(field, "has no sound track")
        heard = 0
        for samples in _resampled(container, field, limits):
            heard += len(samples)
            yield samples
    if not heard:
        raise InvalidInput.of(field, "the recording is empty or damaged")


def _resampled(container: av.container.InputContainer, field: str, limits: Limits) -> Iterator[Samples]:
    """The blocks; a track whose rate or channels change on the way gets a new resampler there."""
    resampler: AudioResampler | None = None
    layout: tuple[object, ...] = ()
    seconds = 0.0
    for frame in _frames(container):
        if frame.rate <= 0 or frame.samples <= 0:
            continue
        seconds += frame.samples / frame.rate
        if seconds > limits.audio_seconds:
            raise BudgetExceeded(f"{field}: is longer than the {limits.audio_seconds:,} seconds that are accepted")
        found = (frame.rate, frame.format.name, frame.layout.name)
        if resampler is None or found != layout:
            yield from _flush(resampler)
            resampler, layout = AudioResampler(format="s16", layout="mono", rate=RATE), found
        frame.pts = None  # time stamps that jump would be filled up with silence
        for out in resampler.resample(frame):
            yield _samples(out)
    yield from _flush(resampler)


def _flush(resampler: AudioResampler | None) -> Iterator[Samples]:
    if resampler is not None:
        for out in resampler.resample(None):
            yield _samples(out)


def _samples(frame: av.AudioFrame) -> Samples:
    samples: Samples = frame.to_ndarray()[0] * np.float32(1 / 32768)
    return samples


def _frames(container: av.container.InputContainer) -> Iterator[av.AudioFrame]:
    packets = container.demux(container.streams.audio[0])
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except (av.FFmpegError, ValueError):
            return  # the container breaks off here
        try:
            frames = packet.decode()
        except (av.FFmpegError, ValueError):
            continue
        yield from frames
