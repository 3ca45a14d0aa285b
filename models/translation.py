"""Translation between languages, sentence by sentence."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from models.errors import InvalidInput
from models.media import TEXT
from models.task import NEXT, PAUSE, Conversation, Input, Parameters, Partial, Request, Submit, Task
from models.text import languages, markup, sentences
from models.text.sentence_translation import Rows, row, translate
from models.text.translators import CATALOGUE, Translator
from models.text.vocabulary import Vocabulary

WINDOW = 128
"""Sentences of one request that are under way at a time: enough to fill batches, few enough to hold in memory."""

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


@dataclass(eq=False)
class _Part:
    """A sentence on its way, or what comes through as it is."""

    input: int
    text: str
    translator: Translator | None = None
    in_order: bool = False
    finish: Callable[[str], str] = str
    """What becomes of the translation: HTML again, say."""
    rows: Rows | None = None
    awaited: int = 0
    outputs: list[str] = field(default_factory=list)


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
        whole: list[list[str]] = [[] for _ in texts]
        ahead: deque[_Part] = deque()  # in the order of the texts
        waiting: deque[_Part] = deque()  # for each item that was submitted, in that order
        translators = yield from _translators(texts, served, request.parameters)
        pieces = 0  # since something was waited for
        for part in _parts(texts, translators, request.parameters):
            ahead.append(part)
            if part.translator:
                part.rows = translate(
                    part.text, part.translator, request.opened[part.translator.id], in_order=part.in_order
                )
                yield from _advance(part, waiting, request.opened)
            while len(waiting) >= WINDOW:
                yield from _take(waiting, request.opened)
                pieces = 0
            yield from _hand_over(ahead, whole)
            pieces += 1
            if pieces % AT_ONCE == 0:
                yield PAUSE
        while waiting:
            yield from _take(waiting, request.opened)
            yield from _hand_over(ahead, whole)
        return [Translated(translation_text="".join(pieces)) for pieces in whole]


def find_translator(served: Sequence[Translator], text: str, parameters: TranslationParameters) -> Translator | None:
    """The one of these models that a text needs; None where it is to stay as it is. Raises `InvalidInput`."""
    known = languages_of(served)
    if parameters.src_lang:
        source = languages.code(parameters.src_lang)
    elif parameters.model:
        source = served[0].source_language
    else:
        detected = languages.detect(_checked(text), known).language
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


def _parts(
    texts: Sequence[str], translators: Sequence[Translator | None], parameters: TranslationParameters
) -> Iterator[_Part]:
    """The texts in pieces."""
    for place, (text, translator) in enumerate(zip(texts, translators, strict=True)):
        if translator is None:
            yield _Part(place, text)
        elif parameters.format == "html":
            for run in markup.runs(text):
                yield from _run_parts(place, run, translator)
        else:
            for piece in sentences.parts(text, translator.source_language):
                yield _Part(place, piece.text, translator if piece.is_sentence else None)


def _run_parts(place: int, run: markup.Run, translator: Translator) -> Iterator[_Part]:
    if not run.is_prose:
        yield _Part(place, run.text)
        return
    for piece in sentences.parts(run.text, translator.source_language, breaks=False):
        before, middle, after = markup.without_edges(piece.text)
        yield _Part(place, run.restore(before))
        if middle:
            yield _Part(place, middle, translator, in_order=True, finish=run.restore)
        yield _Part(place, run.restore(after))


def _advance(part: _Part, waiting: deque[_Part], opened: Mapping[str, Vocabulary]) -> Conversation[None]:
    """Let a sentence go on with what it waited for: it submits more or is done."""
    assert part.rows is not None and part.translator is not None
    try:
        texts = part.rows.send(part.outputs) if part.awaited else next(part.rows)
    except StopIteration as end:
        part.text, part.rows = part.finish(end.value), None
        return
    part.awaited, part.outputs = len(texts), []
    waiting.extend([part] * len(texts))
    vocabulary = opened[part.translator.id]
    yield Submit([row(part.translator, vocabulary, text) for text in texts], part.translator)


def _take(waiting: deque[_Part], opened: Mapping[str, Vocabulary]) -> Conversation[None]:
    """Wait for the oldest item's output."""
    tokens = yield NEXT
    part = waiting.popleft()
    assert part.translator is not None
    part.outputs.append(opened[part.translator.id].decode(tokens))
    if len(part.outputs) == part.awaited:
        yield from _advance(part, waiting, opened)


def _hand_over(ahead: deque[_Part], whole: list[list[str]]) -> Conversation[None]:
    """Put what is done into the answer, in order."""
    pieces = 0
    while ahead and ahead[0].rows is None:
        part = ahead.popleft()
        whole[part.input].append(part.text)
        yield Partial(Piece(part.input, part.text))
        pieces += 1
        if pieces % AT_ONCE == 0:
            yield PAUSE
