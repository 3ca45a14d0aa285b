"""From text to a translator's tokens and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from sentencepiece import SentencePieceProcessor

VOCABULARY_FILE = "vocabulary.spm"


_TYPOGRAPHY = {"‘": "'", "’": "'", "‚": "'", "“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "–": "-", "—": "-"}
"""Plain characters for those that not every vocabulary has."""


class Vocabulary(Protocol):
    """What a translator reads and writes; `end` closes every sentence."""

    @property
    def end(self) -> int: ...

    def plain(self, text: str) -> str:
        """The text with plain quotes and dashes where the vocabulary lacks those of typography."""

    def encode(self, text: str) -> list[int]:
        """The ids of one sentence, without the end."""

    def unknown(self, text: str) -> list[tuple[int, int]]:
        """Where the text has characters that the vocabulary does not know."""

    def decode(self, ids: Sequence[int]) -> str:
        """The sentence of these ids, which hold no end."""


class SentencePieceVocabulary:
    """One SentencePiece model for both languages."""

    def __init__(self, pieces: SentencePieceProcessor) -> None:
        self._pieces = pieces
        self._unknown: int = pieces.unk_id()
        self.end: int = pieces.eos_id()
        self._plain = str.maketrans(
            {character: plain for character, plain in _TYPOGRAPHY.items() if self._unknown in pieces.encode(character)}
        )

    def plain(self, text: str) -> str:
        return text.translate(self._plain)

    def encode(self, text: str) -> list[int]:
        ids: list[int] = self._pieces.encode(text)
        return ids

    def unknown(self, text: str) -> list[tuple[int, int]]:
        if self._unknown not in self._pieces.encode(text):
            return []
        data = text.encode()
        # Offsets are of bytes; one character can become several pieces, the unknown one of no length.
        places = [
            (p.begin, p.end) for p in self._pieces.encode(text, return_type="proto").pieces if p.id == self._unknown
        ]
        spans = []
        for begin, end in places:
            start = len(data[:begin].decode())
            spans.append((start, max(start + 1, len(data[:end].decode()))))
        return spans

    def decode(self, ids: Sequence[int]) -> str:
        text: str = self._pieces.decode(list(ids))
        return text
