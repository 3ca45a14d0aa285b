"""HTML in pieces of prose and markup: put together again it is the document, and broken HTML does no harm."""

from __future__ import annotations

import html
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.text.markup import runs, without_edges


def prose(document: str) -> list[str]:
    return [run.text for run in runs(document) if run.is_prose and run.text.strip()]


def again(document: str) -> str:
    return "".join(run.restore(run.text) if run.is_prose else run.text for run in runs(document))


PIECES = st.sampled_from(
    [
        "<p>",
        "</p>",
        "<b>",
        "</b>",
        '<a href="x>y">',
        "<br/>",
        "<!-- a <b> c -->",
        "<script>",
        "</script>",
        "&lt;",
        "&amp;",
        "text",
        " ",
        "\n",
        "5 &gt; 4",
        "<",
        ">",
        "<!--",
        "-->",
        '"',
        "'",
        "<a ",
        "<pre>",
        "é",
        "<code>x</code>",
    ]
)


@given(st.lists(PIECES).map("".join))
def test_put_together_it_is_the_document(document: str) -> None:
    # But for characters that HTML would have written as entities.
    assert html.unescape(again(document)) == html.unescape(document)


def test_prose_is_between_block_tags_with_stand_ins_for_the_others() -> None:
    document = '<p>Hello <b>world</b> &amp; you.</p>\n<ul><li>One<br>Two</li></ul><img src="a>b">end'
    found = prose(document)
    assert [len(text) for text in found] == [len("Hello .world. & you."), 3, 3, 4]
    assert found[0].startswith("Hello \U000f0000world\U000f0001 & you.")
    assert again(document) == document


@pytest.mark.parametrize(
    "verbatim",
    [
        "<script>var a = 'Hello <b>';</script>",
        "<style>p {}</style>",
        "<pre>\n a  b\n</pre>",
        "<!-- Hello -->",
        "<!doctype html>",
        "<code>let x</code>",
        "<TEXTAREA>Hello</TEXTAREA>",
        "<script>never closed",
        "<span translate='no'>Hello <span>you</span> there</span>",
        '<div class="a notranslate">Hello</div>',
    ],
)
def test_what_is_no_prose_stays(verbatim: str) -> None:
    assert "".join(prose(verbatim)).strip("\U000f0000") == ""
    assert again(f"a{verbatim}") == f"a{verbatim}"


@pytest.mark.parametrize("tag", ['<img translate="no">', '<x translate="no"/>', '<p data-translate="no">', "<p>"])
def test_what_is_after_other_tags_is_prose(tag: str) -> None:
    assert "".join(prose(f"{tag}Hello")).endswith("Hello")


def test_comments_stand_inside_sentences() -> None:
    assert prose("Hello <!-- -->Ann<!-- -->!") == ["Hello \U000f0000Ann\U000f0001!"]


def test_what_the_translation_holds_of_html_is_escaped() -> None:
    [run] = (each for each in runs("a <b>c</b>") if each.text)
    assert run.restore("<x> & \U000f0000y\U000f0001") == "&lt;x&gt; &amp; <b>y</b>"


def test_stand_ins_of_the_document_itself_are_dropped() -> None:
    assert prose("a\U000f0000b") == ["ab"]


@pytest.mark.parametrize("digits", [8, 5_000, 500_000])
def test_references_of_many_digits_are_read(digits: int) -> None:
    # Python's own int() refuses more than 4,300.
    assert prose(f"a&#{'0' * digits}65;b&#{'1' * digits};c&#{'0' * digits};d") == ["aAb\ufffdc\ufffdd"]


def test_edges_are_tags_and_spaces() -> None:
    [text] = prose("<b><i>Hello there</i></b> ")
    before, middle, after = without_edges(text)
    assert before + middle + after == text
    assert (len(before), middle, len(after)) == (2, "Hello there", 3)


def test_where_tags_are_inside_only_spaces_are_edges() -> None:
    [text] = prose(" <b>Hello</b>, <b>you</b> ")
    assert without_edges(text) == (" ", text.strip(), " ")


@pytest.mark.parametrize(
    "unit",
    [
        "<",
        "<a",
        '<a "',
        "<a '",
        "<!--",
        "<!-- -",
        "<b>",
        "<p>",
        "<script>",
        "<pre",
        "&",
        "</",
        "<a b=c ",
        "<b translate=no>",
        "<b translate=no></b>",
    ],
)
def test_half_a_million_characters_of_broken_markup_are_read_at_once(unit: str) -> None:
    document = unit * (500_000 // len(unit))
    started = process_time()
    for run in runs(document):
        assert run.text is not None
    assert process_time() - started < 5
