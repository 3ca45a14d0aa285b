"""From text to a translator's tokens and back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from sentencepiece import SentencePieceProcessor

VOCABULARY_FILE = "vocabulary.spm"


class Vocabulary(Protocol):
    """What a translator reads and writes; `end` closes every sentence."""

    end: int

    def encode(self, text: str) -> list[int]:
        """The ids of one sentence, without the end."""

    def decode(self, ids: Sequence[int]) -> str:
        """The sentence of these ids, which hold no end."""


class SentencePieceVocabulary:
    """One SentencePiece model for both languages."""

    def __init__(self, file: Callable[[str], Path]) -> None:
        self._pieces = SentencePieceProcessor(model_file=str(file(VOCABULARY_FILE)))
        self.end = self._pieces.eos_id()

    def encode(self, text: str) -> list[int]:
        ids: list[int] = self._pieces.encode(text)
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        text: str = self._pieces.decode(list(ids))
        return text
