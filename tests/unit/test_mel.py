"""Features equal those of transformers' `WhisperFeatureExtractor`, in whatever pieces a recording comes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporters.transformers_import import transformers
from models.speech.audio import RATE, Recording, Samples
from models.speech.mel import (
    BLOCK_FRAMES,
    HOP,
    KEPT_BLOCKS,
    PIECE_BLOCKS,
    QUIETEST,
    WINDOW_FRAMES,
    Features,
    Spectrogram,
    mel_filters,
)
from tests import recordings

LONG = recordings.joined(["two_cities", "beckett", "librivox-0870", "two_cities"])


def spectrogram(samples: Samples, *, piece: int = 1024, bands: int = 80) -> Spectrogram:
    return surveyed([samples[start : start + piece] for start in range(0, len(samples), piece)], bands)


def surveyed(recording: Recording, bands: int = 80) -> Spectrogram:
    made = Spectrogram(recording, bands)
    for _ in made.survey():
        pass
    return made


def reference(samples: Samples, **options: int) -> Features:
    extractor: Any = transformers.WhisperFeatureExtractor(**options)  # type: ignore[no-untyped-call]
    features: Features = extractor(samples, sampling_rate=RATE, return_tensors="np")["input_features"][0]
    return features


@pytest.mark.parametrize("name", [*recordings.CLIPS, "beckett"])
def test_a_clip_s_features_are_those_of_the_reference(name: str) -> None:
    samples = recordings.samples(name)
    assert np.abs(spectrogram(samples).window(0) - reference(samples)).max() < 1e-4


def test_features_of_128_bands_too() -> None:
    samples = recordings.samples("beckett")
    got = spectrogram(samples, bands=128).window(0)
    assert np.abs(got - reference(samples, feature_size=128)).max() < 1e-4


def test_windows_of_a_long_recording_are_cut_out_of_the_whole() -> None:
    whole = reference(LONG, chunk_length=-(-len(LONG) // RATE))
    made = spectrogram(LONG)
    assert made.frames == len(LONG) // HOP > 3 * BLOCK_FRAMES
    for first in (0, 1, 777, BLOCK_FRAMES, 2 * BLOCK_FRAMES + 1234):
        wanted = whole[:, first : first + WINDOW_FRAMES]
        assert np.abs(made.window(first) - wanted).max() < 1e-4


def test_windows_are_the_same_where_a_recording_is_too_long_to_be_kept() -> None:
    long = np.resize(LONG, (KEPT_BLOCKS * BLOCK_FRAMES + 4321) * HOP + 77)
    long[-RATE:] *= 3  # what is loudest comes last, and counts for the first window
    heard = 0

    class Counting:
        def __iter__(self) -> Iterator[Samples]:
            nonlocal heard
            for start in range(0, len(long), RATE):
                heard += 1
                yield long[start : start + RATE]

    made = Spectrogram(Counting(), 80)
    assert sum(1 for _ in made.survey()) == made.frames // BLOCK_FRAMES // PIECE_BLOCKS
    once = heard
    whole = reference(long, chunk_length=-(-len(long) // RATE))
    for first in (0, 2999, 3000, 3002, 11_111, made.frames - WINDOW_FRAMES, made.frames - 1):
        wanted = whole[:, first : first + WINDOW_FRAMES]
        assert np.abs(made.window(first)[:, : wanted.shape[1]] - wanted).max() < 1e-4
        assert heard - once <= (first + WINDOW_FRAMES + 2 * BLOCK_FRAMES) // 100 + 2, "heard no further than needed"
    assert heard == 2 * once


def test_behind_the_end_there_is_silence() -> None:
    made = spectrogram(LONG)
    window = made.window(made.frames - 100)
    assert np.ptp(window[:, 110:]) == 0
    assert window[0, 110] == pytest.approx(window.max() - 2, abs=2), "cut off below the loudest of the recording"


@given(pieces=st.lists(st.integers(0, 20_000), min_size=1, max_size=30))
@settings(max_examples=15, deadline=None)
def test_pieces_make_no_difference(pieces: list[int]) -> None:
    samples = LONG[: sum(pieces)]
    made = surveyed(np.split(samples, np.cumsum(pieces)[:-1]))
    assert np.array_equal(made.window(0), spectrogram(samples, piece=max(1, len(samples))).window(0))


@pytest.mark.parametrize("length", [0, 1, 159, 160, 199, 200, 201, 400, 480_000, 480_001, 480_160])
def test_any_length_has_a_window(length: int) -> None:
    made = spectrogram(LONG[:length])
    assert made.frames == length // HOP
    window = made.window(0)
    assert window.shape == (80, WINDOW_FRAMES)
    assert np.isfinite(window).all()


def test_silence_is_the_lowest_value_there_is() -> None:
    window = spectrogram(np.zeros(RATE, np.float32)).window(0)
    assert np.abs(window - (QUIETEST + 4) / 4).max() < 1e-6


def test_every_band_hears_something() -> None:
    assert (mel_filters(80).sum(axis=1) > 0).all()
