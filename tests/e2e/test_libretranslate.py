"""LibreTranslate's dialect: its own client unmodified, lists and JSON with plain HTTP, its errors."""

from __future__ import annotations

from typing import Any
from urllib.error import HTTPError

import httpx
import pytest
from libretranslatepy import LibreTranslateAPI

from tests.golden.test_translation import EN_PT, PT_EN
from tests.serving import Server

CAT, GATO = next(iter(EN_PT.items()))
REUNIAO, MEETING = list(PT_EN.items())[3]


@pytest.fixture(scope="module")
def server(translation_server: Server) -> Server:
    return translation_server


@pytest.fixture
def client(server: Server) -> LibreTranslateAPI:
    return LibreTranslateAPI(server.url)


def test_its_client_translates_both_ways_and_finds_out(client: LibreTranslateAPI) -> None:
    assert client.translate(CAT, "en", "pt") == GATO
    assert client.translate(REUNIAO, "pt", "en") == MEETING
    assert client.translate(REUNIAO, "auto", "en") == MEETING
    assert client.translate("", "en", "pt") == ""
    assert client.translate(GATO, "pt", "pt") == GATO


def test_its_client_lists_languages_and_detects_them(client: LibreTranslateAPI) -> None:
    assert client.languages() == [
        {"code": "en", "name": "English", "targets": ["pt"]},
        {"code": "pt", "name": "Portuguese", "targets": ["en"]},
    ]
    [found] = client.detect(REUNIAO)
    assert found["language"] == "pt" and 90 < found["confidence"] <= 100
    assert client.detect("12345") == [{"confidence": 0.0, "language": "en"}]


def test_its_client_sees_its_errors(client: LibreTranslateAPI) -> None:
    with pytest.raises(HTTPError) as refused:
        client.translate(CAT, "en", "de")
    with refused.value as response:
        assert response.code == 400
        assert (
            b'"error":"target: no model here translates from en to de; there is: en to pt, pt to en"' in response.read()
        )


FIELDS = {"q": CAT, "source": "en", "target": "pt"}
FORMS: dict[str, dict[str, Any]] = {
    "JSON": {"json": FIELDS},
    "JSON, with what others know": {"json": {**FIELDS, "format": "text", "api_key": "", "alternatives": 0}},
    "form": {"data": FIELDS},
    "multipart": {"files": {name: (None, value) for name, value in FIELDS.items()}},
    "query": {"params": FIELDS},
}


@pytest.mark.parametrize("form", FORMS)
def test_fields_come_in_every_form(http: httpx.Client, form: str) -> None:
    response = http.post("/translate", **FORMS[form])
    assert response.status_code == 200, response.text
    assert response.json() == {"translatedText": GATO}
    assert response.headers["X-Ekiben-Model"] == "bergamot-tiny-en-pt"
    assert "infer" in response.headers["Server-Timing"]


@pytest.mark.parametrize("form", [{"json": {"q": [CAT, "Good night."]}}, {"data": {"q": [CAT, "Good night."]}}])
def test_a_list_is_answered_with_a_list(http: httpx.Client, form: dict[str, Any]) -> None:
    response = http.post("/translate", params={"source": "en", "target": "pt"}, **form)
    assert response.json() == {"translatedText": [GATO, "Boa noite."]}


def test_what_was_found_out_is_said(http: httpx.Client) -> None:
    answer = http.post("/translate", json={"q": REUNIAO, "source": "auto", "target": "en"}).json()
    assert answer["translatedText"] == MEETING and answer["detectedLanguage"]["language"] == "pt"
    answer = http.post("/translate", json={"q": [CAT, REUNIAO], "source": "auto", "target": "en"}).json()
    assert answer["translatedText"] == [CAT, MEETING]
    assert [each["language"] for each in answer["detectedLanguage"]] == ["en", "pt"]


@pytest.mark.parametrize("form", ["json", "data"])
def test_who_asks_for_alternatives_is_told_that_there_are_none(http: httpx.Client, form: str) -> None:
    sent: Any = {form: {**FIELDS, "alternatives": 3}}
    assert http.post("/translate", **sent).json() == {"translatedText": GATO, "alternatives": []}
    sent = {form: {**FIELDS, "q": [CAT, CAT], "alternatives": 3}}
    assert http.post("/translate", **sent).json() == {"translatedText": [GATO, GATO], "alternatives": [[], []]}


def test_the_language_of_html_is_its_text_s(http: httpx.Client) -> None:
    page = '<p class="lead text-center" title="Click here to go on">{}</p>'
    sent = {"q": page.format("Bom dia"), "source": "auto", "target": "en", "format": "html"}
    answer = http.post("/translate", json=sent).json()
    assert answer["translatedText"] == page.format("Good morning")
    assert answer["detectedLanguage"]["language"] == "pt"


def test_html_keeps_its_tags(http: httpx.Client) -> None:
    answer = http.post("/translate", json={**FIELDS, "q": f"<p>{CAT}</p><br>", "format": "html"})
    assert answer.json() == {"translatedText": f"<p>{GATO}</p><br>"}


AS_JSON = {"headers": {"Content-Type": "application/json"}}
BAD: dict[str, tuple[str, dict[str, Any], int, str]] = {
    "q missing": ("/translate", {"json": {"source": "en", "target": "pt"}}, 400, "q: is missing"),
    "q missing, form": ("/translate", {"data": {"source": "en", "target": "pt"}}, 400, "q: is missing"),
    "q missing, detect": ("/detect", {"data": {"x": "1"}}, 400, "q: is missing"),
    "nothing at all": ("/detect", {}, 400, "q: is missing"),
    "q a number": ("/translate", {"json": {**FIELDS, "q": 5}}, 400, "q: is neither"),
    "q an empty list": ("/translate", {"json": {**FIELDS, "q": []}}, 400, "q: is an empty list"),
    "source missing": ("/translate", {"json": {"q": CAT, "target": "pt"}}, 400, "source: is missing"),
    "target missing": ("/translate", {"json": {"q": CAT, "source": "en"}}, 400, "target: is missing"),
    "unknown target": ("/translate", {"json": {**FIELDS, "target": "xx"}}, 400, "target: no model here"),
    "unknown source": ("/translate", {"json": {**FIELDS, "source": "xx"}}, 400, "source: no model here"),
    "a long target": ("/translate", {"json": {**FIELDS, "target": "x" * 21}}, 400, "target: "),
    "half a pair": ("/translate", {"content": b'{"q": "\\ud800", "source": "en", "target": "pt"}', **AS_JSON}, 400, ""),
    "another language": (
        "/translate",
        {"json": {**FIELDS, "q": "Где находится вокзал?", "source": "auto"}},
        400,
        "none of",
    ),
    "unknown format": ("/translate", {"json": {**FIELDS, "format": "pdf"}}, 400, "format"),
    "broken JSON": ("/translate", {"content": b"{", "headers": {"Content-Type": "application/json"}}, 400, "JSON"),
    "broken form": (
        "/translate",
        {"content": b"q=%ff", "headers": {"Content-Type": "application/x-www-form-urlencoded"}},
        400,
        "form",
    ),
    "a picture": ("/translate", {"content": b"x", "headers": {"Content-Type": "image/png"}}, 415, "image/png"),
    "a megabyte": ("/translate", {"json": {**FIELDS, "q": "a " * 500_000}}, 413, "500,000"),
    "a megabyte in a form": ("/translate", {"data": {**FIELDS, "q": "é" * 1_000_000}}, 413, "500,000"),
    "ten megabytes": ("/detect", {"content": b"q=" + b"a" * 10_000_000}, 413, "bytes"),
}


@pytest.mark.parametrize("name", BAD)
def test_errors_are_in_its_words(http: httpx.Client, name: str) -> None:
    path, sent, status, says = BAD[name]
    response = http.post(path, **sent)
    assert response.status_code == status, response.text
    assert set(response.json()) == {"error"}
    assert says in response.json()["error"]
    assert response.headers["X-Request-Id"]


def test_a_deadline_that_passes_is_a_504(http: httpx.Client) -> None:
    response = http.post("/translate", json={**FIELDS, "q": f"{CAT}\n" * 300}, headers={"X-Request-Timeout-Ms": "1"})
    assert response.status_code == 504 and set(response.json()) == {"error"}
