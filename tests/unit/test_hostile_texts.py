"""Texts made to be slow take a time that grows with their length, not with its square."""

from __future__ import annotations

import gc
import io
from collections.abc import Callable, Iterator
from time import thread_time

import pytest
from sentencepiece import SentencePieceProcessor, SentencePieceTrainer

from models.limits import Limits
from models.text.markup import runs
from models.text.protection import mask, number_spans, numbers_kept, protected_spans, united, whole_spans
from models.text.sentence_translation import row, translate
from models.text.sentences import cut, parts
from models.text.translators import CATALOGUE
from models.text.vocabulary import SentencePieceVocabulary
from services.http.forms import form_parts
from services.http.negotiation import prefers

FOUR_TIMES = 8
"""A linear function takes 4 times as long for 4 times as much, a quadratic one 16 times."""
SECONDS_OF_NO_MATTER = 0.05


@pytest.fixture(autouse=True)
def _no_collections() -> Iterator[None]:
    """A collection of garbage goes through all that other tests have left."""
    gc.disable()
    yield
    gc.enable()


def _seconds(function: Callable[[str], object], text: str) -> float:
    started = thread_time()
    function(text)
    return thread_time() - started


def check_growth(function: Callable[[str], object], shape: tuple[str, str, str], repeats: int) -> None:
    """`shape` is what the text begins with, what it repeats, and what it ends with."""
    begin, unit, end = shape
    short, long = (f"{begin}{unit * many}{end}" for many in (repeats, 4 * repeats))
    function(short)  # what is made once is made
    usual = min(_seconds(function, short) for _ in range(3))
    assert _seconds(function, long) < FOUR_TIMES * usual + SECONDS_OF_NO_MATTER


MARKUP = [
    "<",
    "<a",
    "a",
    '"',
    "'",
    "<a '' ",
    "'' ",
    "<!--",
    "<!-- -",
    "<b>",
    "<pre>",
    "</code ",
    "&",
    "&#",
    "1",
    "a=b ",
]


@pytest.mark.parametrize("begin", ["", "<", "<a ", '<a "', "<a x='", "<!--", "</", "<code>", "&#"])
@pytest.mark.parametrize("unit", MARKUP)
def test_markup(begin: str, unit: str) -> None:
    check_growth(lambda text: [run.text for run in runs(text)], (begin, unit, ""), 2_000)


WORDS = [
    "a",
    "@",
    "a@",
    "a.",
    "+-.",
    "%",
    "%(",
    "`",
    "`a ",
    "{",
    "{{",
    "{a} b ",
    "[",
    "[a](",
    "](a",
    "*a ",
    ":a",
    "<a",
    "www.",
    "http://",
    "#a",
    "1.",
    " ",
]


@pytest.mark.parametrize("begin", ["", "www.", "a@", "http://", "{", "`", "%(", "<a"])
@pytest.mark.parametrize("unit", WORDS)
def test_what_is_protected(begin: str, unit: str) -> None:
    check_growth(lambda text: [*protected_spans(text), *number_spans(text)], (begin, unit, ""), 8_000)


@pytest.mark.parametrize("unit", ["`", "“", "“a ", "«a ", "‘a ", "'a ", '" a. ', "(a. ", "a", " ", "Mr. ", "a. ", "?!"])
@pytest.mark.parametrize("breaks", [False, True])
def test_sentences(unit: str, breaks: bool) -> None:
    check_growth(lambda text: list(parts(text, "en", breaks=breaks)), ("", unit, ""), 24_000)


@pytest.mark.parametrize("unit", ["a", "a ", "a, ", " ", ","])
def test_cutting(unit: str) -> None:
    check_growth(lambda text: cut(text, lambda piece: len(piece) <= 100), ("", unit, ""), 8_000)


@pytest.mark.parametrize("unit", ["1a", "1 ", "1\u0301", "€5"])
def test_taking_words_whole(unit: str) -> None:
    check_growth(lambda text: whole_spans(text, number_spans(text)), ("", unit, ""), 500)


@pytest.mark.parametrize("begin", ["", "a/b;q="])
@pytest.mark.parametrize("unit", [",", ";", "*/*,", "a/b;q=.", ";q=0.", "0", " "])
def test_what_a_client_accepts(begin: str, unit: str) -> None:
    check_growth(lambda text: prefers(text, "text/event-stream", "*/*"), (begin, unit, ",text/event-stream"), 4_000)


@pytest.mark.parametrize("unit", [";", '"', '; a="', "\\", "; name=", "*0="])
def test_the_header_of_a_form(unit: str) -> None:
    def parse(text: str) -> object:
        return form_parts(text, b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n--b--\r\n', Limits())

    check_growth(parse, ("multipart/form-data; boundary=b", f"; a{unit}", ""), 1_000)


def test_names_for_many_spans() -> None:
    check_growth(lambda text: mask(text, united(protected_spans(text))), ("", "{a} b ", ""), 10_000)


def test_a_name_that_the_text_does_not_hold() -> None:
    def of_numbers(text: str) -> str:
        return " ".join(f"X{number}Z" for number in range(len(text)))

    taken = " ".join(["Z", *(a + b for a in "XZQ" for b in "ABCDEFGHIJKLMNOPQRSTUVWXYZ")])
    check_growth(lambda text: mask(f"{taken} {of_numbers(text)}", []), ("", "a", ""), 3_000)


def test_numbers_are_compared() -> None:
    def counted(text: str) -> bool:
        numbers = " ".join(map(str, range(len(text))))
        return numbers_kept(numbers, " ".join(reversed(numbers.split())))

    check_growth(counted, ("", "a", ""), 2_000)


@pytest.fixture(scope="module")
def vocabulary() -> SentencePieceVocabulary:
    data = io.BytesIO()
    lines = iter(["The cat is sleeping on the sofa.", "How are you today, my friend?"] * 5)
    SentencePieceTrainer.train(
        sentence_iterator=lines, model_writer=data, vocab_size=60, hard_vocab_limit=False, minloglevel=2
    )
    return SentencePieceVocabulary(SentencePieceProcessor(model_proto=data.getvalue()))


def test_characters_that_the_vocabulary_does_not_know(vocabulary: SentencePieceVocabulary) -> None:
    check_growth(vocabulary.unknown, ("", "日 ", ""), 4_000)


@pytest.mark.parametrize("unit", ["日 ", "日a ", "{a} b ", "1 b ", "word ", "a, ", "1a", "X1Z "])
def test_a_translation(vocabulary: SentencePieceVocabulary, unit: str) -> None:
    def drive(text: str) -> None:
        for part in parts(text, "en"):
            conversation = translate(part.text, CATALOGUE[0], vocabulary)
            try:
                texts = next(conversation)
                while True:
                    for each in texts:
                        row(CATALOGUE[0], vocabulary, each)
                    texts = conversation.send(["x"] * len(texts))
            except StopIteration:
                pass

    check_growth(drive, ("word ", unit, " word"), 1_000)
