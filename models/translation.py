"""Translation between languages, sentence by sentence."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from models.errors import InvalidInput
from models.media import TEXT
from models.task import PAUSE, Conversation, Input, Parameters, Partial, Request, Task
from models.text import languages
from models.text.lookahead import Lookahead
from models.text.parts import Part, parts
from models.text.translators import CATALOGUE, Translator
from models.text.vocabulary import Vocabulary

AT_ONCE = 50
"""Pieces after which others have the thread, where none of them has to be waited for: a text can be all line breaks."""

Language = Annotated[str, Field(min_length=1, max_length=20, examples=["en", "pt-BR"])]


class TranslationParameters(Parameters):
    src_lang: Annotated[Language | None, Field(description="The texts' language; left out, it is detected.")] = None
    tgt_lang: Annotated[
        Language | None, Field(description="Into which language; left out, the first there is for the texts' own.")
    ] = None
    format: Annotated[Literal["text", "html"], Field(description="`html` keeps tags and translates between them.")] = (
        "text"
    )


class Translated(BaseModel):
    translation_text: str


@dataclass(frozen=True)
class Piece:
    """A piece of one translation, for callers that stream: those of one input, joined, are the whole."""

    input: int
    text: str


class Translation(Task[Translator, TranslationParameters]):
    name = "translation"
    title = "Translation"
    description = (
        "Texts in another language, one for each input, in order. Line breaks, addresses, numbers, emoji and "
        "placeholders stay; language codes are ISO 639-1."
    )
    inputs = (Input("inputs", TEXT),)
    answer_type = list[Translated]
    partial_type = Piece
    # By bergamot-tiny-en-pt.
    example = ({"translation_text": "O gato está dormindo no sofá."},)
    deadline_seconds = 600.0
    parameters = TranslationParameters
    models = CATALOGUE

    @property
    def default_models(self) -> tuple[Translator, ...]:
        """Both ways of the pair that the package index has."""
        return self.models[:2]

    def open(self, model: Translator, file: Callable[[str], Path]) -> Vocabulary:
        languages.detector()
        return model.open(file)

    def choose(self, served: Sequence[Translator], request: Request[TranslationParameters]) -> Translator:
        """The model of the first text that needs one."""
        found = (find_translator(served, text, request.parameters) for text in request.texts["inputs"])
        return next((each for each in found if each is not None), served[0])

    def converse(self, model: Translator, request: Request[TranslationParameters]) -> Conversation[list[Translated]]:
        texts = request.texts["inputs"]
        served = [model] if request.parameters.model else [each for each in self.models if each.id in request.opened]
        translators = yield from _translators(texts, served, request.parameters)
        rows = Lookahead[Part]()
        begun: deque[Part] = deque()  # in the order of the texts
        whole: list[list[str]] = [[] for _ in texts]
        pieces = 0  # since something was waited for
        for part in parts(texts, translators, html=request.parameters.format == "html"):
            begun.append(part)
            rows.add(part.begin(request.opened))
            while rows.full:
                yield from rows.submit()
                if rows.full:
                    yield from _take(rows, request.opened)
                    pieces = 0
            yield from _hand_over(begun, whole)
            pieces += 1
            if pieces % AT_ONCE == 0:
                yield PAUSE
        while not rows.idle:
            yield from rows.submit()
            yield from _take(rows, request.opened)
            yield from _hand_over(begun, whole)
        return [Translated(translation_text="".join(each)) for each in whole]


def find_translator(served: Sequence[Translator], text: str, parameters: TranslationParameters) -> Translator | None:
    """The one of these models that a text needs; None where it is to stay as it is. Raises `InvalidInput`."""
    known = languages_of(served)
    if parameters.src_lang:
        source = languages.code(parameters.src_lang)
    elif parameters.model:
        source = served[0].source_language
    else:
        detected = languages.detect(_checked(text), known, html=parameters.format == "html").language
        if detected is None:
            raise InvalidInput.of("src_lang", f"a text seems to be in none of the languages here; {_pairs(served)}")
        source = detected
    target = languages.code(parameters.tgt_lang) if parameters.tgt_lang else None
    if source == target and source in known:
        return None
    for each in served:
        if each.source_language == source and target in (None, each.target_language):
            return each
    field = "tgt_lang" if any(each.source_language == source for each in served) else "src_lang"
    raise InvalidInput.of(field, f"no model here translates from {source} to {target or 'anything'}; {_pairs(served)}")


def languages_of(served: Sequence[Translator]) -> list[str]:
    """Every language that these models read or write."""
    return list(dict.fromkeys(code for each in served for code in (each.source_language, each.target_language)))


def _pairs(served: Sequence[Translator]) -> str:
    pairs = (f"{each.source_language} to {each.target_language}" for each in served)
    return f"there is: {', '.join(dict.fromkeys(pairs))}"


def _checked(text: str) -> str:
    """The text, where it is one: half of a surrogate pair is none. Raises `InvalidInput`."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidInput.of("inputs", "holds half of a surrogate pair") from None
    return text


def _translators(
    texts: Sequence[str], served: Sequence[Translator], parameters: TranslationParameters
) -> Conversation[list[Translator | None]]:
    """Each text's model, found out for all of them first: a request fails early or not at all."""
    found = []
    for number, text in enumerate(texts, 1):
        found.append(find_translator(served, _checked(text), parameters))
        if number % AT_ONCE == 0:
            yield PAUSE
    return found


def _take(rows: Lookahead[Part], opened: Mapping[str, Vocabulary]) -> Conversation[None]:
    """Wait for a row's output; what was asked may have to be asked again."""
    row, tokens = yield from rows.take()
    rows.add_first(row.asker.answer(row.place, tokens, opened))


def _hand_over(begun: deque[Part], whole: list[list[str]]) -> Conversation[None]:
    """Put what is done into the answer, in order."""
    pieces = 0
    while begun and begun[0].done:
        part = begun.popleft()
        whole[part.input].append(part.text)
        if part.text:
            yield Partial(Piece(part.input, part.text))
        pieces += 1
        if pieces % AT_ONCE == 0:
            yield PAUSE
