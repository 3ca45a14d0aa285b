"""Texts in pieces: nothing is lost, and sentences are what goes to the model."""

from __future__ import annotations

from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.text.sentences import MOST_CHARACTERS, cut, parts

TROUBLE = st.sampled_from(
    [" ", "\n", "\r\n", "\t", ". ", "! ", "? ", "Mr. ", "e.g. ", '"', "…", "\u2028", "\0", "A", "é", "😀"]
)
TEXTS = st.one_of(st.text(), st.lists(TROUBLE).map("".join))


@given(TEXTS, st.sampled_from(["en", "pt", "xx"]), st.booleans())
def test_the_pieces_joined_are_the_text(text: str, language: str, breaks: bool) -> None:
    pieces = list(parts(text, language, breaks=breaks))
    assert "".join(piece.text for piece in pieces) == text
    for piece in pieces:
        assert piece.text
        if piece.is_sentence:
            assert piece.text == piece.text.strip()
            assert not breaks or not set(piece.text) & set("\t\n\r\u2028")
        elif breaks:  # marks of lines stay too
            assert not any(character.isalnum() for character in piece.text)
        else:
            assert not piece.text.strip()


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("en", "Mr. Smith paid $3.5 million. He left at 5 p.m. yesterday.", 2),
        ("en", "J. K. Rowling wrote it! Did she? Yes.", 3),
        ("pt", "A Dra. Ana chegou às 17h. O Sr. Silva não veio.", 2),
        ("en", "one line\nand another", 2),
        ("en", "a cell\tanother cell", 2),
        ("en", " \n\n ", 0),
    ],
)
def test_sentences_end_where_they_end(language: str, text: str, expected: int) -> None:
    assert sum(piece.is_sentence for piece in parts(text, language)) == expected


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("# Title\n## Part one", ["Title", "Part one"]),
        ("- one\n  * two\n> > three\n• four\n— five", ["one", "two", "three", "four", "five"]),
        ("-5 degrees, #tag, *so*", ["-5 degrees, #tag, *so*"]),
        ("| a b | c |\n|---|:-:|\n", ["a b", "c", "---", ":-:"]),
        ("before\n```python\nx = 1\n\ny = 2\n```\nafter", ["before", "after"]),
        ("A list:\n   ```\n   x\n   ```\n", ["A list:"]),
        ("```one```\ntwo\n```three```", ["```one```", "two", "```three```"]),
        ("one\n```\ntwo", ["one", "```", "two"]),
    ],
)
def test_of_markdown_only_the_prose_is_sentences(text: str, sentences: list[str]) -> None:
    pieces = list(parts(text, "en"))
    assert "".join(piece.text for piece in pieces) == text
    assert [piece.text for piece in pieces if piece.is_sentence] == sentences


def test_a_long_paragraph_is_taken_apart_as_a_short_one_is() -> None:
    sentences = ["Mr. Smith said “well. Well?” and left.", "He paid $3.5 million (e.g. in coins).", "No!"] * 400
    text = " ".join(sentences)
    assert len(text) > 5 * MOST_CHARACTERS
    assert [piece.text for piece in parts(text, "en") if piece.is_sentence] == sentences


@pytest.mark.parametrize("begin", ["", "A sentence. ", "word " * 700, "“"])
def test_a_word_stays_whole_however_long_it_is(begin: str) -> None:
    word = "x" * (MOST_CHARACTERS + 50)
    pieces = [piece.text for piece in parts(f"{begin}{word} and more", "en") if piece.is_sentence]
    assert any(word in piece for piece in pieces)


def test_a_sentence_without_an_end_is_cut_between_words() -> None:
    pieces = [piece.text for piece in parts("word " * 4_000, "en") if piece.is_sentence]
    assert max(map(len, pieces)) <= MOST_CHARACTERS
    assert {word for piece in pieces for word in piece.split()} == {"word"}


@given(st.text(st.sampled_from("ab ,.;"), max_size=200), st.integers(1, 30))
def test_cut_pieces_fit_and_keep_every_word(text: str, most: int) -> None:
    text = text.strip()
    pieces = cut(text, lambda piece: len(piece) <= most)
    assert all(len(piece) <= most for piece in pieces)
    assert "".join("".join(pieces).split()) == "".join(text.split())


def test_a_sentence_is_cut_at_clauses_before_words_and_at_words_before_letters() -> None:
    def fits(piece: str) -> bool:
        return len(piece) <= 25

    assert cut("the first clause, the second clause", fits) == ["the first clause,", "the second clause"]
    assert cut("one two three four five six seven", fits) == ["one two three four", "five six seven"]
    assert cut("x" * 30, fits) == ["x" * 15, "x" * 15]


@pytest.mark.parametrize(
    "unit", ["a", " ", ".", ". ", '"', "\n", "Mr. ", "a. ", ", ", "<", "{", "|", "```\n", "# ", ">", "- ", "`"]
)
def test_half_a_million_characters_take_no_time(unit: str) -> None:
    started = process_time()
    for _ in parts(unit * (500_000 // len(unit)), "en"):
        pass
    assert process_time() - started < 5
