"""Recordings in any container become the same samples, within their budget, and only what is sound does."""

from __future__ import annotations

import io
import struct
import wave
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from models.errors import BudgetExceeded, InvalidInput
from models.limits import Limits
from models.media import AUDIO
from models.speech.audio import RATE, Samples, decode
from tests import recordings

BECKETT = recordings.samples("beckett")


def decoded(data: bytes, **limits: int) -> Samples:
    return np.concatenate(list(decode(data, field="audio", limits=Limits(**limits))))


def at_rate(rate: int) -> Samples:
    """The recording at another rate, by straight lines: good enough to be recognised again."""
    times = np.arange(len(BECKETT) * rate // RATE) * RATE / rate
    return np.interp(times, np.arange(len(BECKETT)), BECKETT).astype(np.float32)


def likeness(one: Samples, other: Samples) -> float:
    """The correlation of two recordings where they fit best."""
    size = 2 ** (len(one) + len(other)).bit_length()
    overlap = np.fft.irfft(np.fft.rfft(one, size) * np.fft.rfft(other, size).conj(), size)
    return float(overlap.max() / np.linalg.norm(one) / np.linalg.norm(other))


# name → container, codec, options, the media type that its first bytes show, how alike it has to be
FORMATS: dict[str, tuple[str, str, dict[str, Any], str | None, float]] = {
    "WAV": ("wav", "pcm_s16le", {}, "audio/wav", 0.9999),
    "WAV of 24 bits": ("wav", "pcm_s24le", {}, "audio/wav", 0.9999),
    "WAV of floats": ("wav", "pcm_f32le", {}, "audio/wav", 0.9999),
    "telephone": ("wav", "pcm_mulaw", {"rate": 8_000}, "audio/wav", 0.95),
    "studio": ("wav", "pcm_s16le", {"rate": 96_000, "layout": "stereo"}, "audio/wav", 0.98),
    "FLAC": ("flac", "flac", {"layout": "stereo"}, "audio/flac", 0.9999),
    "MP3": ("mp3", "libmp3lame", {"bit_rate": 64_000}, "audio/mpeg", 0.98),
    "OGG with Opus": ("ogg", "libopus", {"rate": 48_000}, "audio/ogg", 0.9),
    "WebM with Opus": ("webm", "libopus", {"rate": 48_000}, "audio/webm", 0.9),
    "M4A": ("ipod", "aac", {}, "audio/mp4", 0.98),
    "AAC": ("adts", "aac", {}, None, 0.98),
}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_sounds_like_the_recording(name: str) -> None:
    container, codec, options, media_type, alike = FORMATS[name]
    data = recordings.encoded(at_rate(options.get("rate", RATE)), container, codec, **options)
    samples = decoded(data)
    assert len(samples) == pytest.approx(len(BECKETT), abs=RATE // 10)
    assert likeness(samples, BECKETT) > alike
    assert AUDIO.sniff(data) == media_type


def wave_file(pcm: NDArray[np.int16]) -> bytes:
    """16-bit samples `[length, channels]` at 16 kHz, written by the standard library."""
    file = io.BytesIO()
    with wave.open(file, "wb") as output:
        output.setnchannels(pcm.shape[1])
        output.setsampwidth(2)
        output.setframerate(RATE)
        output.writeframes(pcm.tobytes())
    return file.getvalue()


def test_16_bits_at_16_khz_are_the_file_s_own_samples() -> None:
    pcm = np.random.default_rng(0).integers(-32768, 32768, (RATE, 1)).astype(np.int16)
    assert np.array_equal(decoded(wave_file(pcm)), pcm[:, 0] / np.float32(32768))


def test_what_is_above_8_khz_does_not_fold_down() -> None:
    tone = 0.5 * np.sin(2 * np.pi * 11_000 * np.arange(48_000) / 48_000)
    samples = decoded(recordings.encoded(tone, rate=48_000))
    assert np.abs(samples[1_000:-1_000]).max() < 0.5 * 10 ** (-40 / 20), "at least 40 dB below"


def test_channels_are_mixed() -> None:
    pcm = np.zeros((RATE, 2), np.int16)
    pcm[:, 0] = 10_000 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)
    samples = decoded(wave_file(pcm))
    assert len(samples) == RATE
    assert np.abs(samples - pcm[:, 0] / 2 / 32768).max() < 1e-3


def test_a_file_that_was_cut_off_counts_as_far_as_it_goes() -> None:
    for container, codec in (("wav", "pcm_s16le"), ("flac", "flac"), ("mp3", "libmp3lame")):
        data = recordings.encoded(BECKETT, container, codec)
        assert len(decoded(data[: len(data) // 2])) == pytest.approx(len(BECKETT) / 2, rel=0.15), container


def test_a_packet_that_is_damaged_is_left_out() -> None:
    data = bytearray(recordings.encoded(BECKETT, "flac", "flac"))
    middle = len(data) // 2
    data[middle : middle + 2_000] = bytes(2_000)
    assert len(decoded(bytes(data))) > 0.8 * len(BECKETT)


PLAYLIST = b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n"
NOT_SOUND = {
    "nothing": b"",
    "text": b"It was the best of times, it was the worst of times. " * 100,
    "a WAV's head": recordings.encoded(BECKETT)[:40],
    "half an M4A": recordings.encoded(BECKETT, "ipod", "aac")[:40_000],
    "a playlist": PLAYLIST,
    "a list of parts": b"ffconcat version 1.0\nfile '/etc/passwd'\n",
    "noise": np.random.default_rng(0).bytes(50_000),
    "a picture": b"\x89PNG\r\n\x1a\n" + bytes(1_000),
}


@pytest.mark.parametrize("name", NOT_SOUND)
def test_what_is_no_recording_is_refused_by_name(name: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        decoded(NOT_SOUND[name])
    assert caught.value.fields[0].field == "audio"


def test_a_recording_without_samples_is_refused() -> None:
    with pytest.raises(InvalidInput):
        decoded(wave_file(np.zeros((0, 1), np.int16)))


def test_the_budget_is_of_decoded_seconds() -> None:
    silence = recordings.encoded(np.zeros(60 * 48_000), "ogg", "libopus", rate=48_000, bit_rate=6_000)
    assert len(silence) < 60_000
    assert len(decoded(silence, audio_seconds=61)) == pytest.approx(60 * RATE, rel=0.01)
    with pytest.raises(BudgetExceeded, match="59 seconds"):
        decoded(silence, audio_seconds=59)


def test_decoding_stops_where_the_budget_ends() -> None:
    data = recordings.encoded(np.zeros(60 * RATE), "flac", "flac")
    blocks = decode(data, field="audio", limits=Limits(audio_seconds=10))
    heard: list[Samples] = []
    with pytest.raises(BudgetExceeded):
        heard.extend(blocks)
    assert 9 * RATE < sum(len(block) for block in heard) <= 10 * RATE


def test_a_rate_of_one_sample_a_second_costs_nothing() -> None:
    data = bytearray(recordings.encoded(BECKETT))
    data[24:32] = struct.pack("<II", 1, 2)
    with pytest.raises(BudgetExceeded):
        decoded(bytes(data))
