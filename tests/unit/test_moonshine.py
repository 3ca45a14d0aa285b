"""Moonshine's text side: its vocabulary file, and long recordings in pieces."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.speech.audio import RATE
from models.speech.moonshine import END, LONGEST, SHORTEST, MoonshineSearch, pieces, quietest, read_vocabulary, text_of


@given(st.lists(st.binary(max_size=300), max_size=20))
def test_the_vocabulary_file_is_lengths_and_bytes(tokens: list[bytes]) -> None:
    data = b"".join(
        (bytes([len(each)]) if len(each) < 128 else bytes([128 + len(each) % 128, len(each) // 128])) + each
        for each in tokens
    )
    assert read_vocabulary(data) == tuple(tokens)


def test_tokens_join_to_text_also_where_a_letter_has_several() -> None:
    vocabulary = ("▁Caf".encode(), b"\xc3", b"\xa9", "▁au".encode(), b"")
    assert text_of([0, 1, 2, 3, 4], vocabulary) == " Café au"
    assert text_of([1], vocabulary) == "�"


@given(lengths=st.lists(st.integers(0, 200_000), max_size=12), seed=st.integers(0, 100))
@settings(max_examples=25, deadline=None)
def test_pieces_are_the_recording_and_none_is_too_long(lengths: list[int], seed: int) -> None:
    random = np.random.default_rng(seed)
    blocks = [random.normal(0, 1, length).astype(np.float32) for length in lengths]
    made = list(pieces(iter(blocks)))
    assert np.array_equal(
        np.concatenate([np.zeros(0, np.float32), *made]), np.concatenate([np.zeros(0, np.float32), *blocks])
    )
    assert all(len(piece) <= LONGEST for piece in made)
    assert all(len(piece) >= SHORTEST for piece in made[:-1])


def test_a_recording_is_cut_where_nobody_speaks() -> None:
    samples = np.random.default_rng(0).normal(0, 0.1, LONGEST).astype(np.float32)
    samples[17 * RATE : 17 * RATE + RATE // 5] = 0
    assert 17 * RATE <= quietest(samples) <= 17 * RATE + RATE // 5


def test_it_ends_at_the_end_or_at_more_than_can_be_said() -> None:
    def logits(token: int) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
        row = np.zeros((1, 100), np.float32)
        row[0, token] = 1
        return row

    short = MoonshineSearch(2.0)
    assert [short.choose(logits(token)) for token in (5, 6, END)] == [5, 6, None]
    assert short.result() == [5, 6]
    endless = MoonshineSearch(2.0)
    count = 0
    while endless.choose(logits(3 + count % 90)) is not None:
        count += 1
    assert count == pytest.approx(13)
