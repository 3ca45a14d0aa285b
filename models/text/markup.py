"""HTML whose text is to be translated: tags inside a sentence become single characters that nothing else uses."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

FIRST_STAND_IN = 0xF0000
STAND_INS = 0xFFFD
"""A plane of Unicode for private use."""

# Nothing here looks past the next < (comments: the next comment) or gives back what it took of a tag, so however
# broken markup is it is read once.
_MARKUP = re.compile(
    r"""
      <!--(?:(?!<!--).)*?-->
    | <[!?][^<>]*>
    | </?([A-Za-z][^\s<>/]*+)(?:[^<>"']|"[^<"]*"|'[^<']*')*+>
    """,
    re.VERBOSE | re.DOTALL,
)
_STAND_IN = re.compile("[\U000f0000-\U000ffffd]")
_LONG_REFERENCE = re.compile("&#([0-9]{8,}+)")

INLINE = re.compile(
    "a|abbr|b|bdi|bdo|cite|code|data|del|dfn|em|font|i|img|ins|kbd|label|mark|q|s|samp|small|span|strike|strong|sub|"
    "sup|time|tt|u|var|wbr"
)
VERBATIM = re.compile("code|kbd|math|pre|samp|script|style|svg|textarea|var")
"""What is between these tags is no prose."""

EMPTY = re.compile("area|base|br|col|embed|hr|img|input|link|meta|source|track|wbr")
"""Elements that have nothing between tags, as they are one tag."""

_STAYS = re.compile(
    r"""\s(?:translate\s*=\s*["']?no["'\s/>]|class\s*=\s*(?:"[^"]*?\bnotranslate\b|'[^']*?\bnotranslate\b|notranslate\b))""",
    re.IGNORECASE,
)
"""What an element says of which nothing is to be translated."""


@dataclass
class Run:
    """Text between two block tags, with a stand-in for each inline tag; or mere markup."""

    pieces: list[str] = field(default_factory=list)
    is_prose: bool = True
    stand_ins: dict[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    def add(self, text: str) -> None:
        self.pieces.append(_STAND_IN.sub("", _unescaped(text)))  # stand-ins that are not ours go

    def stand_in(self, markup: str) -> None:
        character = chr(FIRST_STAND_IN + len(self.stand_ins))
        self.stand_ins[character] = markup
        self.pieces.append(character)

    def restore(self, translated: str) -> str:
        """The translation as HTML again."""
        return _STAND_IN.sub(lambda match: self.stand_ins[match[0]], html.escape(translated, quote=False))


def runs(document: str) -> Iterator[Run]:
    """The document in pieces of prose and markup, in order."""
    run = Run()
    at = 0
    while found := _MARKUP.search(document, at):
        run.add(document[at : found.start()])
        name = (found[1] or "").lower()
        end = found.end()
        opens = found[0][1] != "/"
        if opens and VERBATIM.fullmatch(name):
            end = _end_of_verbatim(document, name, end)
        elif opens and _STAYS.search(found[0]) and not (EMPTY.fullmatch(name) or found[0].endswith("/>")):
            end = _end_of_element(document, name, end)
        markup = document[found.start() : end]
        # A comment stands inside sentences too, as some renderers leave them there.
        if (INLINE.fullmatch(name) or markup.startswith("<!--")) and len(run.stand_ins) < STAND_INS:
            run.stand_in(markup)
        else:
            yield run
            yield Run([markup], False)
            run = Run()
        at = end
    run.add(document[at:])
    yield run


def prose(document: str, enough: int) -> str:
    """The document's text without its markup: the beginning of it, where there is enough."""
    pieces: list[str] = []
    length = 0
    for run in runs(document):
        if length >= enough:
            break
        if run.is_prose:
            pieces.append(_STAND_IN.sub(" ", run.text))
            length += len(pieces[-1].strip())
    return " ".join(" ".join(pieces).split())


def _unescaped(text: str) -> str:
    """The text with characters for their references."""
    # Python reads no number of more than 4,300 digits; the largest of a character has seven.
    return html.unescape(_LONG_REFERENCE.sub(lambda found: f"&#{found[1].lstrip('0')[:8] or '0'}", text))


def _end_of_verbatim(document: str, name: str, start: int) -> int:
    closing = re.compile(rf"</{name}\s*>", re.IGNORECASE).search(document, start)
    return closing.end() if closing else len(document)


def _end_of_element(document: str, name: str, start: int) -> int:
    """Where the element ends whose first tag ends at `start`, with others of its name inside it."""
    depth = 1
    for tag in re.compile(rf"<(/?){re.escape(name)}(?=[\s/>])[^<>]*>", re.IGNORECASE).finditer(document, start):
        depth += -1 if tag[1] else 1
        if depth == 0:
            return tag.end()
    return len(document)


def without_edges(text: str) -> tuple[str, str, str]:
    """A sentence without the tags that it begins and ends with: before, the sentence, after.

    Where others are inside they stay, as only between tags that are there it can be seen that something still is.
    """
    begin, end = 0, len(text)
    while begin < end and _is_edge(text[begin]):
        begin += 1
    while begin < end and _is_edge(text[end - 1]):
        end -= 1
    if _STAND_IN.search(text, begin, end):
        middle = text.strip()
        begin = text.index(middle)
        end = begin + len(middle)
    return text[:begin], text[begin:end], text[end:]


def _is_edge(character: str) -> bool:
    return character.isspace() or bool(_STAND_IN.match(character))
