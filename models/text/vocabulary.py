"""From text to a translator's tokens and back."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from sentencepiece import SentencePieceProcessor

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


class MarianVocabulary:
    """A SentencePiece model for each language, and one numbering of the pieces of both."""

    def __init__(self, source: SentencePieceProcessor, target: SentencePieceProcessor, ids: Mapping[str, int]) -> None:
        self._source = source
        self._target = target
        self._ids = ids
        self._pieces = {id: piece for piece, id in ids.items()}
        self._unknown = ids["<unk>"]
        self.end = ids["</s>"]
        self._plain = _plain_characters(lambda character: self._unknown in self.encode(character))

    def plain(self, text: str) -> str:
        return text.translate(self._plain)

    def encode(self, text: str) -> list[int]:
        return [self._ids.get(piece, self._unknown) for piece in self._source.encode(text, out_type=str)]

    def unknown(self, text: str) -> list[tuple[int, int]]:
        if self._unknown not in self.encode(text):
            return []
        pieces = self._source.encode(text, return_type="proto").pieces
        return _places(text, [(p.begin, p.end) for p in pieces if p.piece not in self._ids])

    def decode(self, ids: Sequence[int]) -> str:
        text: str = self._target.decode([self._pieces[id] for id in ids])
        return text


class SentencePieceVocabulary:
    """One SentencePiece model for both languages."""

    def __init__(self, pieces: SentencePieceProcessor) -> None:
        self._pieces = pieces
        self._unknown: int = pieces.unk_id()
        self.end: int = pieces.eos_id()
        self._plain = _plain_characters(lambda character: self._unknown in pieces.encode(character))

    def plain(self, text: str) -> str:
        return text.translate(self._plain)

    def encode(self, text: str) -> list[int]:
        ids: list[int] = self._pieces.encode(text)
        return ids

    def unknown(self, text: str) -> list[tuple[int, int]]:
        if self._unknown not in self._pieces.encode(text):
            return []
        pieces = self._pieces.encode(text, return_type="proto").pieces
        return _places(text, [(p.begin, p.end) for p in pieces if p.id == self._unknown])

    def decode(self, ids: Sequence[int]) -> str:
        text: str = self._pieces.decode(list(ids))
        return text


def _plain_characters(is_unknown: Callable[[str], bool]) -> dict[int, str]:
    return {ord(character): plain for character, plain in _TYPOGRAPHY.items() if is_unknown(character)}


def _places(text: str, places: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Places in bytes as places in characters. One character can become several pieces, some of no length."""
    characters = array("I", (place for place, character in enumerate(text) for _ in character.encode()))
    characters.append(len(text))
    return [(characters[begin], max(characters[begin] + 1, characters[end])) for begin, end in places]
