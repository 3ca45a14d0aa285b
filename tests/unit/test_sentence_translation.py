"""One sentence: tried, checked, tried again. The translators here are functions, the vocabulary words."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.text.sentence_translation import GreedySearch, loop_length, repeats, row, translate
from models.text.translators import CATALOGUE

MODEL = CATALOGUE[0]


class Words:
    """A vocabulary of every word of ASCII letters and signs; what is not ASCII is unknown."""

    end = 0

    def plain(self, text: str) -> str:
        return text.replace("’", "'")

    def encode(self, text: str) -> list[int]:
        return [sum(map(ord, word)) + 2 for word in text.split()]

    def unknown(self, text: str) -> list[tuple[int, int]]:
        return [match.span() for match in re.finditer(r"[^\x00-\x7f]+", text)]

    def decode(self, ids: Sequence[int]) -> str:
        raise NotImplementedError


def translated(text: str, translator: Callable[[str], str], *, in_order: bool = False) -> tuple[str, list[list[str]]]:
    """The translation, and the rows that each round asked for."""
    rows = translate(text, MODEL, Words(), in_order=in_order)
    rounds: list[list[str]] = []
    outputs: list[str] | None = None
    while True:
        try:
            asked = rows.send(outputs) if outputs is not None else next(rows)
        except StopIteration as end:
            return end.value, rounds
        rounds.append(asked)
        outputs = [translator(each) for each in asked]


def test_a_plain_sentence_is_one_row() -> None:
    assert translated("Hello there.", str.upper) == ("HELLO THERE.", [["Hello there."]])


def test_protected_spans_travel_under_names() -> None:
    text, rounds = translated("see https://x.y/z and {name} 😀 now", str.upper)
    assert rounds == [["see X1 and X2 X3 now"]]
    assert text == "SEE https://x.y/z AND {name} 😀 NOW"


def test_numbers_are_left_to_the_model_and_taken_away_where_it_loses_them() -> None:
    assert translated("it is 3.5 now", lambda row: row.replace(".", ","))[0] == "it is 3,5 now"
    text, rounds = translated("it is 35 now", lambda row: row.replace("35", "53"))
    assert rounds == [["it is 35 now"], ["it is X1 now"]]
    assert text == "it is 35 now"


def test_a_model_that_loses_names_gets_what_is_between_them() -> None:
    text, rounds = translated("go to {a} with 2 {b}.", lambda row: "ok" if "X1" in row else row.upper())
    assert rounds[-1] == ["go to", "with"]
    assert text == "GO TO {a} WITH 2 {b}."


def test_what_a_model_makes_nothing_of_stays() -> None:
    assert translated("files", lambda row: "")[0] == "files"
    text, _ = translated("many **files** here", lambda row: "" if row == "files" else row.replace("X1", "").upper())
    assert text == "MANY **files** HERE"


def test_names_out_of_order_are_refused_where_they_are_tags() -> None:
    def swap(row: str) -> str:
        return row.replace("X1", "X0").replace("X2", "X1").replace("X0", "X2")

    assert translated("a {b} c {d}", swap)[0] == "a {d} c {b}"
    assert translated("a {b} c {d}", swap, in_order=True)[0] == "a {b} c {d}"


def test_tags_in_plain_text_keep_what_is_inside_them() -> None:
    assert translated("a <b>c</b>", lambda row: "c X1 X2" if "X1" in row else row)[0] == "a <b>c</b>"


@pytest.mark.parametrize("text", ["", "123", "😀", "...", "{name}", "https://x.y", "- 3.5 %", "مرحبا بالعالم"])
def test_what_has_no_words_is_not_translated(text: str) -> None:
    assert translated(text, str.upper) == (text, [])


def test_a_long_sentence_becomes_several_rows_and_one_sentence_again() -> None:
    sentence = "one two three, " * 100
    text, [rows] = translated(sentence.strip(), str.upper)
    assert len(rows) > 2 and all(len(Words().encode(each)) < MODEL.max_tokens for each in rows)
    assert text == sentence.strip().upper()


@given(
    st.lists(
        st.sampled_from(["word", "{a}", "😀", "é", "35", "1.2", "https://x.y", "%s", "a@b.c", "X1", "<b>", "€5", "-"]),
        max_size=12,
    )
)
def test_nothing_protected_is_ever_lost(words: list[str]) -> None:
    """Whatever the model does to names and numbers."""
    text = " ".join(words)
    for model in (str.lower, str.upper, lambda row: "", lambda row: "X1 X1", lambda row: row[::-1]):
        result, _ = translated(text, model)
        for each in ("{a}", "😀", "https://x.y", "%s", "a@b.c", "<b>", "€5", "35"):
            assert result.count(each) >= words.count(each), (text, result)


@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=6), st.integers(1, 40), st.lists(st.integers(10, 99), max_size=30)
)
def test_a_loop_is_what_repeats_itself_at_the_end(unit: list[int], times: int, before: list[int]) -> None:
    tokens = before + unit * times
    if length := loop_length(tokens):
        assert repeats(tokens, length) >= 4 and tokens[-length:] == tokens[-2 * length : -length]
    else:
        assert times < 4 or len(unit) * times < 24 + len(unit)


def test_the_search_ends_at_the_end_at_its_limit_and_in_a_loop() -> None:
    def search(tokens: Sequence[int], may_loop: bool = False) -> list[int]:
        found = GreedySearch(prompt=(-1,), end=0, most=60, banned=(9,), may_loop=may_loop)
        for token in tokens:
            logits = np.zeros((1, 10), np.float32)
            logits[0, token], logits[0, 9] = 1, 2
            if found.choose(logits) is None:
                break
        return found.result()

    assert search([3, 4, 0, 5]) == [3, 4]
    assert search([1, 2, 3, 4, 5, 6, 7, 8] * 20) != search([1, 2] * 40)
    assert search([5, 6] + [1, 2] * 40) == [5, 6, 1, 2]
    assert search([1] * 100, may_loop=True) == [1] * 60


def test_a_source_that_repeats_itself_may_be_translated_so() -> None:
    def may_loop(text: str) -> bool:
        search = row(MODEL, Words(), text).search
        assert isinstance(search, GreedySearch)
        return search.may_loop

    assert may_loop("ha " * 40) and may_loop("well " + "la la li " * 12 + "end")
    assert not may_loop("every word here is another one than those before it")


def test_a_row_costs_its_tokens() -> None:
    item = row(MODEL, Words(), "three words here")
    assert item.cost == 4 and item.inputs["ids"].tolist()[-1] == Words.end
