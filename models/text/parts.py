"""Texts in parts: the sentences, which are translated, and what is between them, which stays."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from models.text import markup, sentences
from models.text.lookahead import Row
from models.text.sentence_translation import Rows, row, translate
from models.text.translators import Translator
from models.text.vocabulary import Vocabulary


@dataclass(eq=False)
class Part:
    """A sentence on its way, or what comes through as it is."""

    input: int
    """Which of the texts it is of."""
    text: str
    translator: Translator | None = None
    in_order: bool = False
    finish: Callable[[str], str] = str
    """What becomes of the translation: HTML again, say."""
    _rows: Rows | None = None
    _outputs: list[str] = field(default_factory=list)
    _missing: int = 0

    @property
    def done(self) -> bool:
        """`text` is what it shall be."""
        return self._missing == 0

    def begin(self, opened: Mapping[str, Vocabulary]) -> list[Row[Part]]:
        """What it asks; nothing where it is done at once."""
        if self.translator is None:
            return []
        vocabulary = opened[self.translator.id]
        self._rows = translate(self.text, self.translator, vocabulary, in_order=self.in_order)
        return self._advance(vocabulary, None)

    def answer(self, place: int, tokens: Sequence[int], opened: Mapping[str, Vocabulary]) -> list[Row[Part]]:
        """Note one of its rows' outputs; what it asks after the last of them, where it is not done then."""
        assert self.translator is not None
        vocabulary = opened[self.translator.id]
        self._outputs[place] = vocabulary.decode(tokens)
        self._missing -= 1
        return self._advance(vocabulary, self._outputs) if self.done else []

    def _advance(self, vocabulary: Vocabulary, outputs: list[str] | None) -> list[Row[Part]]:
        assert self._rows is not None and self.translator is not None
        try:
            texts = next(self._rows) if outputs is None else self._rows.send(outputs)
        except StopIteration as end:
            self.text = self.finish(end.value)
            return []
        self._outputs, self._missing = [""] * len(texts), len(texts)
        return [
            Row(self, place, row(self.translator, vocabulary, text), self.translator)
            for place, text in enumerate(texts)
        ]


def parts(texts: Sequence[str], translators: Sequence[Translator | None], *, html: bool) -> Iterator[Part]:
    """The texts in parts, each text's by its own translator; by None it stays as it is."""
    for place, (text, translator) in enumerate(zip(texts, translators, strict=True)):
        if translator is None:
            yield Part(place, text)
        elif html:
            for run in markup.runs(text):
                yield from _of_run(place, run, translator)
        else:
            for piece in sentences.parts(text, translator.source_language):
                yield Part(place, piece.text, translator if piece.is_sentence else None)


def _of_run(place: int, run: markup.Run, translator: Translator) -> Iterator[Part]:
    if not run.is_prose:
        yield Part(place, run.text)
        return
    for piece in sentences.parts(run.text, translator.source_language, breaks=False):
        before, middle, after = markup.without_edges(piece.text)
        yield Part(place, run.restore(before))
        if middle:
            yield Part(place, middle, translator, in_order=True, finish=run.restore)
        yield Part(place, run.restore(after))
