"""`POST /v1/translation`: forms, what comes through unharmed, HTML, languages, and input that is no text."""

from __future__ import annotations

import json
import re
import threading
from time import perf_counter
from typing import Any

import httpx
import pytest

from tests.e2e.checks import problem
from tests.golden.test_translation import EN_PT
from tests.serving import Server

ROUTE = "/v1/translation"
CAT, GATO = next(iter(EN_PT.items()))
NIGHT, NOITE = "Good night.", "Boa noite."


@pytest.fixture(scope="module")
def server(translation_server: Server) -> Server:
    return translation_server


def translate(http: httpx.Client, text: str, **parameters: Any) -> str:
    response = http.post(ROUTE, json={"inputs": text, "parameters": parameters})
    assert response.status_code == 200, response.text
    [answer] = response.json()
    translation: str = answer["translation_text"]
    return translation


FORMS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "JSON": ({"json": {"inputs": CAT}}, [GATO]),
    "JSON, several": ({"json": {"inputs": [CAT, NIGHT]}}, [GATO, NOITE]),
    "JSON, none": ({"json": {"inputs": []}}, []),
    "JSON, parameters": ({"json": {"inputs": CAT, "parameters": {"src_lang": "en", "tgt_lang": "pt"}}}, [GATO]),
    "plain text": ({"content": CAT, "headers": {"Content-Type": "text/plain; charset=utf-8"}}, [GATO]),
    "plain text, parameters in the query": (
        {"content": CAT, "headers": {"Content-Type": "text/plain"}, "params": {"tgt_lang": "pt"}},
        [GATO],
    ),
    "no type": ({"content": CAT}, [GATO]),
    "octet-stream": ({"content": CAT, "headers": {"Content-Type": "application/octet-stream"}}, [GATO]),
    "form": ({"files": {"inputs": (None, CAT)}, "data": {"src_lang": "en"}}, [GATO]),
    "form, several": ({"files": [("inputs", (None, CAT)), ("inputs", (None, NIGHT))]}, [GATO, NOITE]),
    "form, a file": ({"files": {"inputs": ("text.txt", CAT, "text/plain")}}, [GATO]),
}


@pytest.mark.parametrize("form", FORMS)
def test_texts_come_in_every_form(http: httpx.Client, form: str) -> None:
    sent, expected = FORMS[form]
    response = http.post(ROUTE, **sent)
    assert response.status_code == 200, response.text
    assert response.json() == [{"translation_text": each} for each in expected]
    assert response.headers["X-Ekiben-Model"] == "bergamot-tiny-en-pt"


@pytest.mark.parametrize(
    "kept",
    [
        "https://example.com/a?b=c&d=e#f",
        "joe.doe+x@mail.example.org",
        "{name}",
        "%(count)d",
        "%s",
        "%02d:%02d:%02d",
        "%lu",
        ":count",
        "[[name]]",
        "{n, plural, one {# file} other {# files}}",
        "C:\\Users\\Ann",
        "5 m²",
        "<br/>",
        "😀",
        "👩\u200d👩\u200d👧",
        "1️⃣",
        "`pip install x`",
        "€5",
        "$1,234.56",
        "3.11.2",
        "2024-05-06",
        "8842731190023",
        "مرحبا",
        "日本語",
        "Zoë",
    ],
)
@pytest.mark.parametrize("sentence", ["Please look at {} before you go.", "{} is what I meant.", "I have seen {}"])
def test_what_must_not_change_comes_through(http: httpx.Client, sentence: str, kept: str) -> None:
    translation = translate(http, sentence.replace("{}", kept), src_lang="en")
    assert translation.count(kept) == 1
    assert translation != sentence.replace("{}", kept)


@pytest.mark.parametrize("text", ["", " ", "\n\n\t ", "123", "😀", "…", "https://example.com", "مرحبا بالعالم", "\x07"])
def test_where_there_is_nothing_to_translate_the_text_stays(http: httpx.Client, text: str) -> None:
    assert translate(http, text, src_lang="en") == text


def test_line_breaks_and_spaces_survive(http: httpx.Client) -> None:
    text = f"\n {CAT}\r\n\r\n\t{NIGHT}   {CAT}\n"
    assert translate(http, text) == f"\n {GATO}\r\n\r\n\t{NOITE}   {GATO}\n"


def test_html_keeps_its_tags_and_translates_between_them(http: httpx.Client) -> None:
    document = f'<p class="Good night.">{CAT}</p>\n<ul><li>{NIGHT}</li></ul><script>var night = "{NIGHT}"</script>'
    expected = document.replace(CAT, GATO).replace(f">{NIGHT}<", f">{NOITE}<")
    assert translate(http, document, src_lang="en", format="html") == expected
    document = "<p>Hello <b>world</b>, read <a href='/x?a=1&b=2'>our news</a>.</p>"
    answer = translate(http, document, src_lang="en", format="html")
    assert re.findall("<[^>]*>", answer) == re.findall("<[^>]*>", document)
    assert "<b>mundo</b>" in answer and "our" not in answer


def test_markdown_keeps_its_form_and_its_code(http: httpx.Client) -> None:
    code = "```python\nfor item in items:\n    process(item)\n```"
    document = (
        f"## Installation\n\n- with **bold text** here\n\n| Apple | A red fruit |\n|---|---|\n\n{code}\n\n{NIGHT}\n"
    )
    form = r"## \w+\n\n- \w+ \*\*[\w ]+\*\* \w+\n\n\| \w+ \| [\w ]+ \|\n\|---\|---\|\n\n"
    answer = translate(http, document, src_lang="en")
    assert re.fullmatch(form + re.escape(f"{code}\n\n{NOITE}\n"), answer), answer
    assert not {"Installation", "Apple", "text"} & set(re.findall(r"\w+", answer))


def test_emphasis_stays_around_its_words(http: httpx.Client) -> None:
    # The model alone writes "o servidor ****".
    text = "Install the package with `pip install ekiben` and start the **server**. First, open a *terminal*."
    answer = translate(http, text, src_lang="en")
    assert "`pip install ekiben`" in answer and "**servidor**" in answer and "*terminal*" in answer
    link = translate(http, "Please read the [terms of service](https://example.org/terms) first.", src_lang="en")
    assert re.search(r" \[os termos de serviço\]\(https://example.org/terms\) ", link), link


@pytest.mark.parametrize("format", ["html", "text"])
def test_what_is_between_tags_stays_there(http: httpx.Client, format: str) -> None:
    # The model alone writes all words before the last tag.
    links = "<a href='x'>Terms of service</a> and <a href='y'>privacy policy</a> are new, the <b>bold</b> one too."
    answer = translate(http, links, src_lang="en", format=format)
    assert re.findall("<[^>]*>", answer) == re.findall("<[^>]*>", links)
    assert all(text.strip() for text in re.findall("<[ab][^>]*>([^<]*)<", answer))
    assert translate(http, "<b>Hello</b>, <b>world</b>", src_lang="en", format="html").endswith("<b>mundo</b>")


def test_the_language_of_html_is_its_text_s(http: httpx.Client) -> None:
    page = '<p class="lead text-center" title="Click here to go on">{}</p>'
    assert translate(http, page.format("Bom dia"), format="html") == page.format("Good morning")


def test_what_html_says_is_not_to_be_translated_stays(http: httpx.Client) -> None:
    stays = '<div translate="no">Good <div>night</div>.</div><p class="notranslate">Good night.</p>'
    assert translate(http, f"{stays}{NIGHT}", src_lang="en", format="html") == f"{stays}{NOITE}"


@pytest.mark.parametrize(
    ("parameters", "text", "field"),
    [
        ({"src_lang": "en", "tgt_lang": "de"}, CAT, "tgt_lang"),
        ({"src_lang": "xx"}, CAT, "src_lang"),
        ({}, "Где находится вокзал?", "src_lang"),
        ({"model": "bergamot-tiny-en-pt", "tgt_lang": "en", "src_lang": "pt"}, GATO, "src_lang"),
    ],
)
def test_a_pair_that_is_not_served_is_refused_with_those_that_are(
    http: httpx.Client, parameters: dict[str, str], text: str, field: str
) -> None:
    response = http.post(ROUTE, json={"inputs": text, "parameters": parameters})
    problem(response, 422, field=field, says="en to pt")


def test_into_its_own_language_a_text_stays(http: httpx.Client) -> None:
    assert translate(http, GATO, tgt_lang="pt") == GATO
    assert translate(http, GATO, src_lang="pt-BR", tgt_lang="PT") == GATO


BAD: dict[str, tuple[dict[str, Any], int]] = {
    "inputs missing": ({"json": {"parameters": {}}}, 422),
    "inputs a number": ({"json": {"inputs": 5}}, 422),
    "inputs null": ({"json": {"inputs": None}}, 422),
    "a list of numbers": ({"json": {"inputs": ["a", 5]}}, 422),
    "unknown parameter": ({"json": {"inputs": "a", "parameters": {"top_k": 5}}}, 422),
    "wrong format": ({"json": {"inputs": "a", "parameters": {"format": "pdf"}}}, 422),
    "half a surrogate pair": (
        {"content": rb'{"inputs": "\ud800"}', "headers": {"Content-Type": "application/json"}},
        400,
    ),
    "not UTF-8": ({"content": b"caf\xe9", "headers": {"Content-Type": "text/plain"}}, 422),
    "a picture": ({"content": b"\x89PNG\r\n\x1a\n0000"}, 415),
    "another media type": ({"content": b"a", "headers": {"Content-Type": "application/pdf"}}, 415),
    "form without inputs": ({"files": {"src_lang": (None, "en")}}, 422),
    "a megabyte": ({"json": {"inputs": "a " * 500_000}}, 413),
    "a megabyte of plain text": ({"content": "a " * 500_000, "headers": {"Content-Type": "text/plain"}}, 413),
    "more than the budget in many texts": ({"json": {"inputs": ["a" * 60_000] * 10}}, 413),
    "a picture's model": ({"json": {"inputs": "a", "parameters": {"model": "efficientnet-lite0"}}}, 404),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_is_said(http: httpx.Client, name: str) -> None:
    sent, status = BAD[name]
    problem(http.post(ROUTE, **sent), status)


@pytest.mark.parametrize(
    "text",
    [
        "word " * 1000,
        "the man who saw the dog that chased the cat, " * 110,
        "a" * 5000,
        "1 " * 2500,
        "{} " * 1600,
        "a\x00b\x01c \x1b[0m d. " * 200,
        "\u202eGood \u202dmorning\u200b. " * 100,
        "ñ" * 5000,
        "é è ü " * 800,
    ],
    ids=lambda text: repr(text[:20]),
)
def test_strange_texts_of_5000_characters_are_answered_without_end(http: httpx.Client, text: str) -> None:
    started = perf_counter()
    translation = translate(http, text, src_lang="en")
    assert len(translation) < 3 * len(text) + 100
    assert perf_counter() - started < 60


def test_a_short_text_does_not_wait_for_a_long_document(http: httpx.Client, server: Server) -> None:
    document = json.dumps({"inputs": "\n".join([*EN_PT] * 40), "parameters": {"src_lang": "en"}})
    finished = threading.Event()
    answers: list[httpx.Response] = []

    def long_request() -> None:
        answers.append(
            httpx.post(
                f"{server.url}{ROUTE}", content=document, headers={"Content-Type": "application/json"}, timeout=300
            )
        )
        finished.set()

    thread = threading.Thread(target=long_request)
    thread.start()
    beside = 0
    while not finished.is_set():
        assert translate(http, CAT, src_lang="en") == GATO
        beside += not finished.is_set()
    thread.join()
    assert answers[0].json() == [{"translation_text": "\n".join([*EN_PT.values()] * 40)}]
    assert beside > 5


def test_models_say_their_languages_and_their_proof(http: httpx.Client) -> None:
    model = http.get("/v1/models/bergamot-tiny-pt-en").json()
    assert (model["source_language"], model["target_language"]) == ("pt", "en")
    assert set(model["files"]) == {"encoder.onnx", "decoder.onnx", "vocabulary.spm"}
    assert model["proof"]["max_difference"] <= model["proof"]["tolerance"]
    assert "not stated" in model["licence"]


def test_the_example_is_a_real_answer(http: httpx.Client) -> None:
    operation = http.get("/openapi.json").json()["paths"][ROUTE]["post"]
    content = operation["requestBody"]["content"]
    assert set(content) == {"text/plain", "multipart/form-data", "application/json"}
    assert operation["responses"]["200"]["content"]["application/json"]["example"] == [{"translation_text": GATO}]
