"""A caller's prompt is text: it steers nothing, and of a long one only the end is read."""

from __future__ import annotations

from typing import Any

import pytest
from tokenizers import Tokenizer, pre_tokenizers
from tokenizers.models import BPE

from models.speech.whisper import Generation, Vocabulary
from models.speech.whisper_search import MAX_TOKENS
from models.speech.whisper_transcription import PROMPT_CHARACTERS, previous

LETTERS = sorted(pre_tokenizers.ByteLevel.alphabet())
END, START, PREVIOUS, NO_SPEECH, NO_TIMESTAMPS = range(len(LETTERS), len(LETTERS) + 5)
STEERING = ["<|endoftext|>", "<|startoftranscript|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>"]


class Counting:
    """A tokenizer that notes how much it is given at once."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self.longest = 0

    def encode(self, sequence: str, *, add_special_tokens: bool) -> Any:
        self.longest = max(self.longest, len(sequence))
        return self._tokenizer.encode(sequence, add_special_tokens=add_special_tokens)


@pytest.fixture
def tokenizer() -> Counting:
    """Of letters."""
    tokenizer = Tokenizer(BPE({letter: place for place, letter in enumerate(LETTERS)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.add_special_tokens(STEERING)
    tokenizer.add_tokens(["<|0.00|>"])  # known as such without being special
    return Counting(tokenizer)


@pytest.fixture
def words(tokenizer: Counting) -> Vocabulary:
    generation = Generation(
        end=END,
        start=START,
        previous=PREVIOUS,
        no_speech=NO_SPEECH,
        no_timestamps=NO_TIMESTAMPS,
        suppressed=(),
        suppressed_first=(),
    )
    return Vocabulary(tokenizer, generation)  # type: ignore[arg-type]


def written(words: Vocabulary, prompt: str) -> str:
    first, *ids = previous(words, prompt)
    assert first == PREVIOUS
    return "".join(LETTERS[id] for id in ids).replace("Ġ", " ")


@pytest.mark.parametrize("token", [*STEERING, "<|0.00|>"])
def test_what_steers_is_left_out(words: Vocabulary, token: str) -> None:
    assert "".join(written(words, f"{token}Beckett{token}, Joyce").split()) == "Beckett,Joyce"


def test_the_end_of_a_long_prompt_is_read(words: Vocabulary, tokenizer: Counting) -> None:
    prompt = "".join(f"{number}," for number in range(100_000))
    assert written(words, prompt) == prompt[-(MAX_TOKENS - 1) :]
    assert tokenizer.longest <= PROMPT_CHARACTERS + 1


@pytest.mark.parametrize("prompt", ["", " ", " \n" * PROMPT_CHARACTERS])
def test_no_prompt_is_none(words: Vocabulary, prompt: str) -> None:
    assert previous(words, prompt) == ()


def test_space_around_it_counts_for_nothing(words: Vocabulary) -> None:
    assert written(words, "  Beckett" + " " * 2 * PROMPT_CHARACTERS) == " Beckett"
