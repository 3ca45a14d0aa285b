"""The rules that Whisper's tokens are chosen by, against those of transformers on random logits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from exporters.transformers_import import transformers
from models.speech.whisper import Generation
from models.speech.whisper_search import LATEST_START, MAX_TOKENS, WhisperSearch

VOCABULARY = 120
WORDS = Generation(
    end=40,
    start=41,
    previous=42,
    no_speech=43,
    no_timestamps=44,
    suppressed=(3, 41, 42, 43),
    suppressed_first=(7, 40),
)
FIRST = WORDS.first_timestamp


def search(*, timestamps: bool = True, **options: Any) -> WhisperSearch:
    prompt = (WORDS.start,) if timestamps else (WORDS.start, WORDS.no_timestamps)
    return WhisperSearch(WORDS, prompt=prompt, timestamps=timestamps, **{"seconds": 30.0, **options})


def reference_processors() -> list[Any]:
    made: Any = transformers
    settings = made.GenerationConfig(
        no_timestamps_token_id=WORDS.no_timestamps,
        eos_token_id=WORDS.end,
        bos_token_id=WORDS.start,
        max_initial_timestamp_index=LATEST_START,
    )
    return [
        made.SuppressTokensLogitsProcessor(list(WORDS.suppressed)),
        made.SuppressTokensAtBeginLogitsProcessor(list(WORDS.suppressed_first), begin_index=1),
        made.WhisperTimeStampLogitsProcessor(settings, begin_index=1),
    ]


@given(seed=st.integers(0, 10_000), towards=st.sampled_from([0.0, 2.0, 4.0]))
@settings(max_examples=60, deadline=None)
def test_the_same_tokens_as_transformers_on_random_logits(seed: int, towards: float) -> None:
    random = np.random.default_rng(seed)
    ours = search()
    tokens = [WORDS.start]
    processors = reference_processors()
    for _ in range(25):
        logits = random.normal(0, 2, VOCABULARY).astype(np.float32)
        logits[FIRST:] += towards
        logits[WORDS.end] -= 3
        scores = torch.from_numpy(logits)[None]
        for processor in processors:
            scores = processor(torch.tensor([tokens]), scores)
        wanted = int(scores.argmax())
        got = ours.choose(logits[None])
        assert got == (None if wanted == WORDS.end else wanted)
        if got is None:
            return
        tokens.append(got)


def test_the_likelihood_is_the_mean_over_the_tokens_and_the_end() -> None:
    logits = np.full((1, VOCABULARY), -20.0, np.float32)
    ours = search(timestamps=False)
    for token in (5, 6, WORDS.end):
        step = logits.copy()
        step[0, token] = 0
        ours.choose(np.concatenate([step, step]) if token == 5 else step)
    written = ours.result()
    assert written.tokens == (5, 6)
    assert written.mean_log_probability == pytest.approx(0, abs=1e-6)


def test_the_no_speech_probability_is_of_the_unmasked_start() -> None:
    at_start = np.zeros((2, VOCABULARY), np.float32)
    at_start[0, WORDS.no_speech] = np.log(VOCABULARY - 1)
    ours = search(timestamps=False)
    ours.choose(at_start)
    assert ours.result().no_speech_probability == pytest.approx(0.5)


def test_a_caller_s_prompt_comes_before_the_start() -> None:
    logits = np.zeros((4, VOCABULARY), np.float32)
    logits[2, WORDS.no_speech] = 50
    ours = WhisperSearch(WORDS, prompt=(WORDS.previous, 5, WORDS.start, 44), timestamps=False, seconds=30)
    ours.choose(logits)
    assert ours.result().no_speech_probability == pytest.approx(1)


def test_it_ends_after_the_most_tokens() -> None:
    random = np.random.default_rng(0)
    ours = search(timestamps=False)
    steps = 1
    while ours.choose(some_word(random)) is not None:
        steps += 1
    assert steps == MAX_TOKENS
    assert len(ours.result().tokens) == MAX_TOKENS


def some_word(random: np.random.Generator) -> NDArray[np.float32]:
    logits = np.full((1, VOCABULARY), -30.0, np.float32)
    logits[0, random.integers(8, 40)] = 0
    return logits


def test_a_loop_ends_early_and_counts_once() -> None:
    ours = search(timestamps=False, seconds=5.0)
    logits = np.full((1, VOCABULARY), -30.0, np.float32)
    logits[0, 9] = 0
    steps = 0
    while ours.choose(logits) is not None:
        steps += 1
    written = ours.result()
    assert written.looped
    assert steps < 40
    assert written.tokens == (9,)


def test_sampling_is_the_same_every_time_and_differs_from_greedy() -> None:
    random = np.random.default_rng(3)
    logits = random.normal(0, 1, (20, 1, VOCABULARY)).astype(np.float32)

    def tokens(temperature: float) -> tuple[int, ...]:
        ours = search(timestamps=False, temperature=temperature)
        for step in logits:
            if ours.choose(step) is None:
                break
        return ours.result().tokens

    assert tokens(1.0) == tokens(1.0) != tokens(0.0)
