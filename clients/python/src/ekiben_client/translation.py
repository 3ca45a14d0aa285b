"""Translation of texts from one language into another."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from ekiben_client._answer import Answer, Meta, expect, member
from ekiben_client._call import Call
from ekiben_client._media import Body
from ekiben_client.errors import UnexpectedAnswer, UnreadableInput

PATH = "/v1/translation"
DETECTION_PATH = "/detect"


@dataclass(frozen=True)
class Translation:
    text: str
    meta: Meta = field(compare=False)


@dataclass(frozen=True)
class DetectedLanguage:
    """A language by its ISO 639-1 code; `confidence` is from 0, a mere guess, to 1."""

    language: str
    confidence: float
    meta: Meta = field(compare=False)


def translation(*, target: str, source: str | None, model: str | None) -> Call[Sequence[str], tuple[Translation, ...]]:
    """Several texts in one request; the answer has them in the same order."""
    given = {"tgt_lang": target, "src_lang": source, "model": model}
    parameters = {name: value for name, value in given.items() if value is not None}

    def encode(texts: Sequence[str]) -> Body:
        with _refused_unless_text():
            return _json_body({"inputs": list(texts), "parameters": parameters})

    return Call(PATH, encode, _read)


def translation_of_one(*, target: str, source: str | None, model: str | None) -> Call[str, Translation]:
    several = translation(target=target, source=source, model=model)

    def read_one(answer: Answer, meta: Meta) -> Translation:
        translations = _read(answer, meta)
        if len(translations) != 1:
            raise UnexpectedAnswer(f"{len(translations)} translations of one text")
        return translations[0]

    return Call(PATH, lambda text: several.encode([text]), read_one)


@contextmanager
def _refused_unless_text() -> Iterator[None]:
    try:
        yield
    except (TypeError, ValueError) as error:
        raise UnreadableInput(f"not a text that can be sent: {error}") from error


def _json_body(document: dict[str, Any]) -> Body:
    return Body(json.dumps(document, ensure_ascii=False).encode(), "application/json")


def _read(answer: Answer, meta: Meta) -> tuple[Translation, ...]:
    listed = expect(answer.json(), list)
    return tuple(Translation(member(each, "translation_text", str), meta) for each in listed)


def language_detection() -> Call[str, DetectedLanguage]:
    """The route of LibreTranslate's dialect: languages, likeliest first, with their confidence in percent."""

    def encode(text: str) -> Body:
        with _refused_unless_text():
            return _json_body({"q": text})

    def read(answer: Answer, meta: Meta) -> DetectedLanguage:
        listed = expect(answer.json(), list)
        if not listed:
            raise UnexpectedAnswer("no language is named")
        likeliest = listed[0]
        return DetectedLanguage(member(likeliest, "language", str), member(likeliest, "confidence", float) / 100, meta)

    return Call(DETECTION_PATH, encode, read)
