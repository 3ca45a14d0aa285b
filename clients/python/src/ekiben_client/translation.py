"""Translation of texts from one language into another."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from ekiben_client._answer import Answer, Meta, expect, member
from ekiben_client._call import Call
from ekiben_client._media import Body
from ekiben_client.errors import UnexpectedAnswer, UnreadableInput

PATH = "/v1/translation"


@dataclass(frozen=True)
class Translation:
    text: str
    meta: Meta = field(compare=False)


def translation(*, target: str, source: str | None, model: str | None) -> Call[Sequence[str], tuple[Translation, ...]]:
    """Several texts in one request; the answer has them in the same order."""
    given = {"tgt_lang": target, "src_lang": source, "model": model}
    parameters = {name: value for name, value in given.items() if value is not None}

    def encode(texts: Sequence[str]) -> Body:
        try:
            document = json.dumps({"inputs": list(texts), "parameters": parameters}, ensure_ascii=False)
            return Body(document.encode(), "application/json")
        except (TypeError, ValueError) as error:
            raise UnreadableInput(f"not a text that can be sent: {error}") from error

    return Call(PATH, encode, _read)


def translation_of_one(*, target: str, source: str | None, model: str | None) -> Call[str, Translation]:
    several = translation(target=target, source=source, model=model)

    def read_one(answer: Answer, meta: Meta) -> Translation:
        translations = _read(answer, meta)
        if len(translations) != 1:
            raise UnexpectedAnswer(f"{len(translations)} translations of one text")
        return translations[0]

    return Call(PATH, lambda text: several.encode([text]), read_one)


def _read(answer: Answer, meta: Meta) -> tuple[Translation, ...]:
    listed = expect(answer.json(), list)
    return tuple(Translation(member(each, "translation_text", str), meta) for each in listed)
