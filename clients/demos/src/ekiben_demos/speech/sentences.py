"""Where sentences end, in texts and in speech with times."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import sentencex

from ekiben_demos.speech.subtitles import Cue


@dataclass(frozen=True)
class Said:
    """Words and when they are said, in seconds."""

    text: str
    start: float
    end: float


def sentences_of(text: str, language: str = "en") -> list[str]:
    """The text's sentences, without what lies between them."""
    return [sentence.strip() for sentence in sentencex.segment(language, text) if sentence.strip()]


def complete_sentences(pieces: Iterable[str], language: str = "en") -> Iterator[str]:
    """Sentences of a text that comes in pieces, each as soon as the next one has begun."""
    rest = ""
    for piece in pieces:
        *complete, rest = sentencex.segment(language, rest + piece) or [""]
        yield from (sentence.strip() for sentence in complete if sentence.strip())
    yield from sentences_of(rest, language)


def cues_of(said: Iterable[Said], language: str = "en") -> list[Cue]:
    """A cue for each sentence; inside what has one pair of times, letters take equally long."""
    parts = [each for each in said if each.text.strip()]
    text = " ".join(part.text.strip() for part in parts)
    cues = []
    position = 0
    for sentence in sentences_of(text, language):
        begin = text.index(sentence, position)
        position = begin + len(sentence)
        cues.append(Cue(_time_at(parts, begin, ends=False), _time_at(parts, position, ends=True), sentence))
    return cues


def _time_at(parts: list[Said], position: int, *, ends: bool) -> float:
    """When the letter at this place of the joined text is said; `ends` where it is the one before that counts."""
    for part in parts:
        length = len(part.text.strip())
        if position < length:
            return part.start + (part.end - part.start) * position / length
        if ends and position == length:
            return part.end
        position -= length + 1  # the space between
    return parts[-1].end
