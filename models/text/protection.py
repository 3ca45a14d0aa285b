"""What comes through a translation unharmed: addresses, placeholders, tags, and what the vocabulary does not know.

A protected span is replaced by a short name like `X1`, which translators copy as they copy the names of things, and
put back afterwards. Whether it was copied is checked, never assumed.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import count

Span = tuple[int, int]

MOST_NAMES = 9
"""A sentence of more names than this is more names than sentence."""

_PROTECTED = re.compile(
    r"""
      (?:https?://|ftp://|www\.)[^\s<>"]{0,2000}[^\s<>"'.,;:!?)\]}…]      # an address, without the full stop after it
    | (?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+             # e-mail
    | </?[A-Za-z][^<>]{0,1000}>                                           # <tag/>
    | \$?\{(?:[^{}]|\{(?:[^{}]|\{[^{}]{0,100}\}){0,100}+\}){0,200}+\}     # {name}, ${name}, {{name}}, {n, plural, …}
    | \[\[[^\[\]]{1,100}\]\] | \$\(\w{1,100}\) | (?<![\w%])%\w{1,100}%(?!\w)                # [[name]], $(name), %name%
    | (?<![\w$])\$[A-Za-z_]\w{0,100}                                      # $name
    | (?<![\d%])%(?:\(\w{1,100}\)|\d{1,2}\$)?[-+\#0]?\d{0,3}(?:\.\d{1,3})?                  # %s, %(name)d, %1$s,
      (?:(?:ll?|hh?|[zjt])?[sdifuxXeEgGc]\b|@)                                              # %lu, %@
    | (?<![\w:]):[A-Za-z_]\w{0,100}:?                                     # :name, :smile:
    | (?<!\w)[A-Za-z]:\\[^\s<>"|?*]{0,500}[\w\\]                          # C:\Users
    | \\[nrt"]                                                            # \n, as programs write a line break
    | [⁰¹²³⁴-⁹⁺⁻₀-₉]+                                                     # m², which a vocabulary may know as m2
    | !?\[(?=[^\[\]]{1,500}\]\() | \]\([^()\s]{0,2000}(?:\s"[^"]{0,200}")?\)   # [what a link says](where it leads)
    | (?<![\w*])\*{1,3}(?=\w) | (?<=[\w.,:;!?)])\*{1,3}(?![\w*])           # *emphasis*
    | `[^`]{1,200}`                                                       # `code`
    | (?<!\w)[@\#]\w{1,100}                                               # @name, #subject
    | \S{100,}                                                            # no word of any language
    """,
    re.VERBOSE,
)
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_NUMBERED_PREFIX = re.compile("X[0-9]+Z")
_JOINER = "\u200d"
_EMOJI_PARTS = frozenset("\u200d\ufe0e\ufe0f\u20e3")
_SWAPPED = str.maketrans(".,", ",.")


def protected_spans(text: str) -> list[Span]:
    """Where addresses, placeholders, tags and the like are."""
    return [match.span() for match in _PROTECTED.finditer(text)]


def unprotected(text: str) -> str:
    """The text with spaces for its protected spans."""
    return _PROTECTED.sub(" ", text)


def number_spans(text: str) -> list[Span]:
    return [match.span() for match in _NUMBER.finditer(text)]


def whole_spans(text: str, places: Iterable[Span]) -> list[Span]:
    """These places with what cannot be taken from them: the rest of the word, the number beside a symbol.

    Of places in the same word only the first is taken whole; the others are in its span or touch it.
    """
    spans: list[Span] = []
    last = 0
    for begin, end in sorted(places):
        if end <= last:
            continue
        while begin > last and _belongs(text[begin - 1], text[begin]):
            begin -= 1
        while end < len(text) and _belongs(text[end], text[end - 1]):
            end += 1
        spans.append((begin, end))
        last = end
    return spans


def _belongs(outer: str, inner: str) -> bool:
    if inner == _JOINER or unicodedata.category(outer).startswith("M") or outer in _EMOJI_PARTS:
        return not outer.isspace()
    return outer.isalnum() if inner.isalnum() else outer.isdigit()  # €5


def united(spans: Iterable[Span]) -> list[Span]:
    """The spans in order, those that overlap or touch as one."""
    result: list[Span] = []
    for begin, end in sorted(spans):
        if result and begin <= result[-1][1]:
            result[-1] = (result[-1][0], max(end, result[-1][1]))
        else:
            result.append((begin, end))
    return result


def joined(text: str, spans: Iterable[Span]) -> list[Span]:
    """The spans united, also where only punctuation is between them: `{a}/{b}` is one thing, without spaces in it."""
    result: list[Span] = []
    for begin, end in united(spans):
        if result and not any(each.isalnum() or each.isspace() for each in text[result[-1][1] : begin]):
            begin, _ = result.pop()
        result.append((begin, end))
    return result


def numbers_kept(source: str, target: str) -> bool:
    """Whether both hold the same numbers; the comma and the point may have changed roles."""
    left = Counter(_NUMBER.findall(target))
    for number in _NUMBER.findall(source):
        written = next((each for each in (number, number.translate(_SWAPPED)) if left[each]), None)
        if written is None:
            return False
        left[written] -= 1
    return not left.total()


@dataclass(frozen=True)
class _Name:
    original: str
    space_before: bool
    space_after: bool


@dataclass(frozen=True)
class Masked:
    """A text with names in the place of its protected spans."""

    text: str
    prefix: str
    names: Sequence[_Name]

    @property
    def has_words(self) -> bool:
        return any(character.isalpha() for character in self.unnamed(self.text))

    def unnamed(self, text: str) -> str:
        """A text without the names."""
        return re.sub(rf"{self.prefix}\d+", " ", text)

    def _filled(self, text: str) -> list[bool]:
        """Whether there are words between a name and the next, for each but the last."""
        between = re.split(rf"\b{self.prefix}\d+\b", text)[1:-1]
        return [any(character.isalnum() for character in each) for each in between]

    def restore(self, translated: str, *, in_order: bool = False) -> str | None:
        """The translation with the originals again, or None where a name is not there exactly once.

        With `in_order` also where names changed places, or lost what was between them: tags around nothing.
        """
        pattern = re.compile(rf"( ?)\b{self.prefix}(\d+)\b( ?)")
        found = [int(match[2]) for match in pattern.finditer(translated)]
        if (found if in_order else sorted(found)) != list(range(1, len(self.names) + 1)):
            return None
        if in_order and any(
            before and not after
            for before, after in zip(self._filled(self.text), self._filled(translated), strict=True)
        ):
            return None

        def original(match: re.Match[str]) -> str:
            name = self.names[int(match[2]) - 1]
            before, after = ("" if name.space_before else match[1], "" if name.space_after else match[3])
            return before + name.original + after

        return pattern.sub(original, translated)


def mask(text: str, spans: Sequence[Span]) -> Masked:
    """Put names in the place of spans, which are in order and apart; a space beside one that touches a word."""
    prefix = _prefix(text)
    names: list[_Name] = []
    masked: list[str] = []
    at = 0
    ends_in_word = False
    for number, (begin, end) in enumerate(spans, 1):
        before = text[begin - 1].isalnum() if begin > at else ends_in_word
        ends_in_word = not (after := text[end : end + 1].isalnum())  # a name ends in a digit
        names.append(_Name(text[begin:end], before, after))
        masked += [text[at:begin], f"{' ' * before}{prefix}{number}{' ' * after}"]
        at = end
    return Masked("".join([*masked, text[at:]]), prefix, names)


def _prefix(text: str) -> str:
    """Letters that a text does not hold, for names."""
    for letters in ("X", "Z", *(a + b for a in "XZQ" for b in "ABCDEFGHIJKLMNOPQRSTUVWXYZ")):
        if letters not in text:
            return letters
    taken = set(_NUMBERED_PREFIX.findall(text))
    return next(letters for letters in map("X{}Z".format, count()) if letters not in taken)
