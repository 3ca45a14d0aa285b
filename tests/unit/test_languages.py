"""Telling languages apart, among those that are served."""

from __future__ import annotations

import pytest

from models.text.languages import code, detect, name


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The cat is sleeping on the sofa.", "en"),
        ("O gato está dormindo no sofá.", "pt"),
        ("Good morning", "en"),
        ("Bom dia", "pt"),
        ("HELLO WORLD, HOW ARE YOU?", "en"),
        ("Onde\nfica\ta estação?", "pt"),
        ("¿Dónde está la estación de tren?", None),
        ("Wo ist der Bahnhof?", None),
        ("東京に行きます", None),
        ("مرحبا بالعالم", None),
    ],
)
def test_a_text_is_in_one_of_the_languages_or_in_none(text: str, language: str | None) -> None:
    found = detect(text, ["en", "pt"])
    assert found.language == language
    assert (found.confidence > 0.5) is (language is not None)


@pytest.mark.parametrize("text", ["", "  ", "123", "😀", "???", "\x00", "3.5 %"])
def test_where_nothing_tells_it_is_the_first_without_confidence(text: str) -> None:
    assert detect(text, ["pt", "en"]).language == "pt"
    assert detect(text, ["pt", "en"]).confidence == 0.0


MARKUP = (
    '<html lang="en"><head><script>function show(element) { return element.style.display; }</script></head>'
    '<p class="the page" title="Click here to go to the page">O gato está <b class="bold">dormindo</b> no sofá.</p>'
)


@pytest.mark.parametrize(
    ("text", "html"),
    [
        (MARKUP, True),
        ("<style>p { color: red; }</style>" * 1_000 + "O gato está dormindo.", True),
        ("https://example.com/the/house/is/big veja isto", False),
    ],
)
def test_markup_and_addresses_are_in_no_language(text: str, html: bool) -> None:
    assert detect(text, ["en", "pt"], html=html).language == "pt"


@pytest.mark.parametrize("text", ["<p>", "<script>let here = the</script>", "{name}", "<!-- Hello you -->"])
def test_what_has_no_prose_tells_nothing(text: str) -> None:
    assert detect(text, ["en", "pt"], html=True).confidence == 0.0


def test_only_the_languages_asked_for_are_answered() -> None:
    assert detect("O gato está dormindo no sofá.", ["en", "es"]).language in ("es", None)
    assert detect("Ele fala português", ["pt"]).confidence == 1.0


def test_the_share_is_among_the_languages_asked_for() -> None:
    assert 0.9 < detect("The cat is sleeping on the sofa.", ["en", "pt"]).confidence <= 1.0


@pytest.mark.parametrize(
    ("given", "expected"), [("en", "en"), ("EN", "en"), ("pt-BR", "pt"), ("pt_br", "pt"), (" de ", "de")]
)
def test_codes(given: str, expected: str) -> None:
    assert code(given) == expected


def test_names() -> None:
    assert name("pt") == "Portuguese" and name("xx") == "xx"
