"""What is said, as words that can be compared."""

from __future__ import annotations

import re
from difflib import SequenceMatcher

_FILLERS = """
a an the please could can would will you i want like to um uh er hey hi hello ok okay now just so my me some in at for
of and then let lets let's us it it's is be kindly thanks thank degrees degree
"""
_NEGATIONS = "not don't dont never no without"
_UNITS = """
zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen
nineteen
"""
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"

FILLERS = frozenset(_FILLERS.split())
"""Words that change nothing about what is wanted."""

NEGATIONS = frozenset(_NEGATIONS.split())
"""Words that turn everything round: with one of them nothing is done."""

UNITS = {word: number for number, word in enumerate(_UNITS.split())}
TENS = {word: 10 * number for number, word in enumerate(_TENS.split(), 2)}

_WORD = re.compile(r"[a-z]+(?:'[a-z]+)?|[0-9]+")
_PHRASES = (
    (re.compile(r"\bhalf (?:an|a|one) hour\b"), "30 minutes"),
    (re.compile(r"\b(an|one) hour and (?:a half|30 minutes)\b"), "90 minutes"),
    (re.compile(r"\bquarter of an hour\b"), "15 minutes"),
    (re.compile(r"\b(?:an|a|one) (second|minute|hour)\b"), r"1 \1"),
    (re.compile(r"\bliving[ -]room\b"), "livingroom"),
    (re.compile(r"\bbed[ -]room\b"), "bedroom"),
    (re.compile(r"\bbath[ -]room\b"), "bathroom"),
    (re.compile(r"\bgood[ -]night\b"), "goodnight"),
)


def words_of(text: str) -> list[str]:
    """Lower case, without punctuation and fillers; numbers in digits: "Ten minutes, please!" → 10, minutes."""
    text = text.lower().replace("’", "'")
    for phrase, replacement in _PHRASES:
        text = phrase.sub(replacement, text)
    return [word for word in _in_digits(_WORD.findall(text)) if word not in FILLERS]


def _in_digits(words: list[str]) -> list[str]:
    """Number words below a hundred as digits: "twenty two" → 22."""
    result: list[str] = []
    tens = None
    for word in words:
        if tens is not None:
            unit = UNITS.get(word, 0)
            if 0 < unit < 10:
                result.append(str(tens + unit))
                tens = None
                continue
            result.append(str(tens))
            tens = None
        if word in TENS:
            tens = TENS[word]
        else:
            result.append(str(UNITS[word]) if word in UNITS else word)
    return result if tens is None else [*result, str(tens)]


def likeness(heard: str, meant: str) -> float:
    """1 for the same word, less for one that is written alike, 0 below 0.7; words of up to three letters must match."""
    if heard == meant:
        return 1.0
    if min(len(heard), len(meant)) <= 3 or heard.isdigit() or meant.isdigit():
        return 0.0
    ratio = SequenceMatcher(None, heard, meant, autojunk=False).ratio()
    return ratio if ratio >= 0.7 else 0.0
