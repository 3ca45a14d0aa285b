"""Translating one sentence so that what must not change does not: tried, checked, and tried again with more care."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field

import numpy as np

from models.task import Array, Item
from models.text.protection import (
    MOST_NAMES,
    Span,
    joined,
    mask,
    number_spans,
    numbers_kept,
    protected_spans,
    united,
    whole_spans,
)
from models.text.sentences import cut
from models.text.translators import Translator
from models.text.vocabulary import Vocabulary
from models.wire import travels

LENGTH_FACTOR = 2.5
LENGTH_ALLOWANCE = 8
"""A translation has at most this many tokens for each of its source's, and these on top: Marian's own bound."""
LOOP_TOKENS = 24
LOOP_REPEATS = 4
"""Tokens at the end that are the same few, so many times over, are a loop where the source has none."""

PAIRED = ("</", "*", "](")
"""What closes: a tag's end, and emphasis and links as Markdown has them."""

Rows = Generator[list[str], list[str], str]
"""Yields texts to be translated, gets their translations, and returns what they were for."""


@travels
@dataclass
class GreedySearch:
    """The likeliest token at each step, until the end, `most` tokens, or a loop."""

    prompt: tuple[int, ...]
    end: int
    most: int
    banned: tuple[int, ...] = ()
    may_loop: bool = False
    tokens: list[int] = field(default_factory=list)

    def choose(self, logits: Array) -> int | None:
        scores = logits[-1]
        if self.banned:
            scores = scores.copy()
            scores[list(self.banned)] = -np.inf
        token = int(scores.argmax())
        if token == self.end:
            return None
        self.tokens.append(token)
        if len(self.tokens) >= self.most:
            return None
        if not self.may_loop and (length := loop_length(self.tokens)):
            del self.tokens[-length * (repeats(self.tokens, length) - 1) :]
            return None
        return token

    def result(self) -> list[int]:
        return self.tokens


def repeats(tokens: Sequence[int], length: int) -> int:
    """How often the last `length` tokens stand at the end, one after the other."""
    last = tokens[-length:]
    count = 1
    while tokens[-length * (count + 1) : -length * count] == last:
        count += 1
    return count


def loop_length(tokens: Sequence[int]) -> int:
    """How many tokens repeat themselves at the end, or 0 where none do."""
    for length in range(1, LOOP_TOKENS // 2 + 1):
        if len(tokens) > length and tokens[-1] == tokens[-1 - length]:
            count = repeats(tokens, length)
            if count >= LOOP_REPEATS and count * length >= LOOP_TOKENS:
                return length
    return 0


def row(model: Translator, vocabulary: Vocabulary, text: str) -> Item:
    """The item that translates one piece of text."""
    ids = [*vocabulary.encode(text), vocabulary.end]
    search = GreedySearch(
        prompt=(model.start,),
        end=vocabulary.end,
        most=int(LENGTH_FACTOR * len(ids)) + LENGTH_ALLOWANCE,
        banned=model.banned,
        may_loop=any(loop_length(ids[: place + 1]) for place in range(LOOP_TOKENS, len(ids))),
    )
    return Item({"ids": np.array(ids, np.int64)}, cost=len(ids), search=search)


def translate(text: str, model: Translator, vocabulary: Vocabulary, *, in_order: bool = False) -> Rows:
    """One sentence. `in_order` keeps protected spans in their order, and the words between them there, as tags need it;
    so do tags and emphasis in plain text."""

    def fits(piece: str) -> bool:
        return len(piece) <= model.max_tokens * 10 and len(vocabulary.encode(piece)) < model.max_tokens

    text = vocabulary.plain(text)
    known = protected_spans(text)
    spans = joined(text, [*known, *whole_spans(text, vocabulary.unknown(_blanked(text, known)))])
    if not mask(text, spans).has_words:
        return text
    in_order = in_order or any(mark in text[begin:end] for begin, end in spans for mark in PAIRED)
    numbers_too = joined(text, [*spans, *whole_spans(text, number_spans(text))])
    for protected in (spans, numbers_too) if numbers_too != spans else (spans,):
        if len(protected) <= MOST_NAMES:
            masked = mask(text, protected)
            translated = " ".join((yield cut(masked.text, fits)))
            restored = masked.restore(translated, in_order=in_order)
            # Numbers are the model's to write first, as 3.5 becomes 3,5. Of some words it makes nothing at all.
            if restored and numbers_kept(masked.unnamed(masked.text), masked.unnamed(translated)):
                return restored
    return (yield from _between(text, numbers_too, fits))


def _between(text: str, spans: Sequence[Span], fits: Callable[[str], bool]) -> Rows:
    """The text between the spans, each piece for itself: nothing is lost, at the price of context; of what the model
    makes nothing of, the source stays."""
    pieces: list[str] = []
    at = 0
    for begin, end in [*spans, (len(text), len(text))]:
        pieces += [text[at:begin], text[begin:end]]
        at = end
    rows = [
        cut(piece.strip(), fits) if place % 2 == 0 and _has_words(piece) else [] for place, piece in enumerate(pieces)
    ]
    texts = [row for some in rows for row in some]
    translated = iter((yield texts) if texts else ())
    for place, some in enumerate(rows):
        if some:
            middle = pieces[place].strip()
            before, _, after = pieces[place].partition(middle)
            pieces[place] = before + " ".join(next(translated) or row for row in some) + after
    return "".join(pieces)


def _has_words(text: str) -> bool:
    return any(character.isalpha() for character in text)


def _blanked(text: str, spans: Sequence[Span]) -> str:
    """The text with spaces in the place of spans."""
    pieces = []
    at = 0
    for begin, end in united(spans):
        pieces += [text[at:begin], " " * (end - begin)]
        at = end
    return "".join([*pieces, text[at:]])
