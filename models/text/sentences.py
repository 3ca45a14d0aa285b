"""Taking texts apart into sentences, so that what is between them comes through as it is."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import sentencex

_BREAKS = re.compile(r"([\t\n\r\v\f\x1c-\x1e\x85\u2028\u2029]+)")

MOST_CHARACTERS = 5_000
"""What the segmenter is given at once: for quotation marks that have no end it takes time with the square of it."""

_LINE_MARKS = re.compile(r" *(?:(?:#{1,6}|>+|[-*+•–—]) +)+")
"""What Markdown and plain text begin lines with: headings, quotations, lists."""

_FENCE = "```"

_CLAUSE_ENDS = re.compile(r"(?<=[;:,.!?…)\]—–])\s+")
_SPACES = re.compile(r"\s+")


@dataclass(frozen=True)
class Part:
    """A piece of a text: one sentence, or what lies between sentences."""

    text: str
    is_sentence: bool


def parts(text: str, language: str, *, breaks: bool = True) -> Iterator[Part]:
    """The text in pieces: joined again they are the text.

    With `breaks` a line break or a tab ends a sentence, and what Markdown has of code, tables and marks stays.
    """
    for piece, is_prose in _lines(text) if breaks else [(text, True)]:
        for sentence in _sentences(piece, language) if is_prose else ():
            middle = sentence.strip()
            before, _, after = sentence.partition(middle) if middle else (sentence, "", "")
            for part in (Part(before, False), Part(middle, True), Part(after, False)):
                if part.text:
                    yield part
        if piece and not is_prose:
            yield Part(piece, False)


def _lines(text: str) -> Iterator[tuple[str, bool]]:
    """Lines and what is between them, each with whether it is prose: not what is between two lines of ```."""
    last_fence = text.rfind(_FENCE)
    is_code = False
    at = 0
    for line in _BREAKS.split(text):
        begin = at + len(line) - len(line.lstrip(" "))
        at += len(line)
        # A fence without another is none, and neither is `code` between three.
        if text.startswith(_FENCE, begin, at) and "`" not in line.lstrip(" `") and (is_code or begin < last_fence):
            is_code = not is_code
            yield line, False
        elif is_code:
            yield line, False
        elif line.startswith("|"):  # a row of a table
            yield from ((cell, cell != "|") for cell in re.split(r"(\|)", line))
        else:
            marks = _LINE_MARKS.match(line)
            end = marks.end() if marks else 0
            yield line[:end], False
            yield line[end:], True


def _sentences(text: str, language: str) -> Iterator[str]:
    """The text in sentences, with the space between them; one that goes on and on is cut between words."""
    at = 0
    while len(text) - at > MOST_CHARACTERS:
        *whole, last = _segment(text[at : at + MOST_CHARACTERS], language)
        yield from whole
        at += sum(map(len, whole))
        if len(last) > MOST_CHARACTERS // 2:
            spaces = [match.end() for match in _SPACES.finditer(last)]
            # What has no space at all is one word, however long: half of it would be another.
            gap = None if spaces else _SPACES.search(text, at + len(last))
            end = at + spaces[-1] if spaces else gap.end() if gap else len(text)
            yield text[at:end]
            at = end
    yield from _segment(text[at:], language)


def _segment(text: str, language: str) -> list[str]:
    return list(sentencex.segment(language, text)) if text.strip() else [text]


def cut(text: str, fits: Callable[[str], bool]) -> list[str]:
    """A sentence in pieces that fit, cut where clauses end, else between words, else anywhere."""
    if fits(text) or len(text) < 2:
        return [text]
    middle = len(text) / 2
    for gaps in (_CLAUSE_ENDS, _SPACES):
        # The gap nearest to the middle: halves are cut again where they do not fit yet.
        found = [match.span() for match in gaps.finditer(text) if match.start() and match.end() < len(text)]
        if found:
            begin, end = min(found, key=lambda span: abs(span[0] + span[1] - 2 * middle))
            return [*cut(text[:begin], fits), *cut(text[end:], fits)]
    half = len(text) // 2
    return [*cut(text[:half], fits), *cut(text[half:], fits)]
