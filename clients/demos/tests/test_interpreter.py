"""Interpreter: English becomes Portuguese and Portuguese English, sentence by sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect


def test_spoken_english_is_read_in_portuguese(page: Page, examples: Path) -> None:
    page.goto("/interpreter")
    page.locator("#interpreter-audio").get_by_label("Upload file").click()
    page.locator("#interpreter-audio input[type=file]").set_input_files(examples / "sense-and-sensibility.mp3")
    sentences = page.locator(".interpreted li")
    expect(sentences).to_have_count(5, timeout=60_000)
    expect(page.locator("#interpreted")).to_contain_text("Heard: English. Translated into Portuguese")
    expect(sentences.nth(3).locator("[lang=en]")).to_contain_text("Had he married a more amiable woman")
    expect(sentences.nth(3).locator("[lang=pt]")).to_contain_text("mulher mais amável")


@pytest.mark.parametrize(
    ("text", "detected", "translated"),
    [
        ("How are you today? The cat is sleeping on the sofa.", "English", ["Como você está hoje?", "O gato está"]),
        (
            "Bom dia! O gato está dormindo no sofá.",
            "Portuguese",
            ["Good morning!", "The cat is sleeping on the couch."],
        ),
    ],
)
def test_what_is_typed_is_read_in_the_other_language(
    page: Page, text: str, detected: str, translated: list[str]
) -> None:
    page.goto("/interpreter")
    page.get_by_label("Or type English or Portuguese").fill(text)
    page.get_by_role("button", name="Translate").click()
    expect(page.locator("#interpreted")).to_contain_text(f"Detected: {detected}", timeout=30_000)
    for sentence, expected in zip(page.locator(".interpreted .into").all(), translated, strict=False):
        expect(sentence).to_contain_text(expected)
    expect(page.locator(".interpreted li")).to_have_count(len(translated))


def test_a_language_can_be_given(page: Page) -> None:
    page.goto("/interpreter")
    page.get_by_label("Or type English or Portuguese").fill("Sofá")
    page.get_by_label("Portuguese", exact=True).check()
    page.get_by_role("button", name="Translate").click()
    expect(page.locator("#interpreted")).to_contain_text("Given: Portuguese", timeout=30_000)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Guten Morgen, wie geht es Ihnen heute?", "This looks neither English nor Portuguese."),
        ("  ", "There is nothing to translate yet."),
    ],
)
def test_what_cannot_be_translated_is_told_in_a_sentence(page: Page, text: str, told: str) -> None:
    page.goto("/interpreter")
    page.get_by_label("Or type English or Portuguese").fill(text)
    page.get_by_role("button", name="Translate").click()
    expect(page.get_by_test_id("toast-text")).to_contain_text(told, timeout=30_000)
