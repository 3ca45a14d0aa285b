"""Loops end; speech that repeats does not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.speech.repetition import FASTEST_SPEECH, compression_ratio, looping


@given(st.lists(st.integers(0, 9), min_size=1, max_size=24), st.lists(st.integers(10, 20), max_size=10))
def test_what_is_said_faster_than_anybody_can_is_a_loop(phrase: list[int], before: list[int]) -> None:
    tokens = before + phrase * 300
    loop = looping(tokens, seconds=30)
    assert loop >= FASTEST_SPEECH * 30 - len(phrase)
    rest = tokens[: len(tokens) - loop]
    assert rest[: len(before)] == before
    assert len(rest) <= len(before) + len(phrase), "one round of it stays"


@given(st.lists(st.integers(0, 9), min_size=1, max_size=6), st.integers(1, 6))
def test_speech_that_repeats_is_none(phrase: list[int], rate: int) -> None:
    tokens = (phrase * 200)[: 30 * rate]
    assert looping(tokens, seconds=30) == 0


@given(st.lists(st.integers(), min_size=300, max_size=300, unique=True))
def test_what_does_not_repeat_is_none(tokens: list[int]) -> None:
    assert looping(tokens, seconds=1) == 0


def test_compression_tells_speech_from_loops() -> None:
    speech = "It was the best of times, it was the worst of times, it was the age of wisdom."
    assert compression_ratio(speech) < 1.6
    assert compression_ratio("Thank you. " * 30) > 2.4
    assert compression_ratio("") == pytest.approx(0)
