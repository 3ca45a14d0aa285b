"""What is this?, in the browser."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page, expect


def test_names_a_photo_and_says_dog(page: Page, examples: Path) -> None:
    page.goto("/what-is-this")
    page.locator("input[type=file]").first.set_input_files(examples / "dog.jpg")
    names = page.get_by_role("table", name="What it looks like")
    expect(names.get_by_role("row").first).to_contain_text("German shepherd")
    expect(names.get_by_role("row")).to_have_count(5)
    expect(page.get_by_role("status").get_by_text("A dog.")).to_be_visible()


def test_an_example_is_one_click_away(phone: Page) -> None:
    phone.goto("/what-is-this")
    phone.get_by_role("button", name="A cat").click()
    expect(phone.get_by_role("status").get_by_text("A cat.")).to_be_visible()
    expect(phone.get_by_role("table", name="What it looks like").get_by_role("row").first).to_contain_text("cat")


def test_a_coffee_is_neither(page: Page) -> None:
    page.goto("/what-is-this")
    page.get_by_role("button", name="A coffee").click()
    expect(page.get_by_role("status").get_by_text("Probably neither")).to_be_visible()


def test_bad_file_gives_a_sentence(page: Page, examples: Path) -> None:
    page.goto("/what-is-this")
    upload = page.locator("input[type=file]").first
    upload.set_input_files({"name": "a.jpg", "mimeType": "image/jpeg", "buffer": b"no picture"})
    expect(page.get_by_test_id("toast-text")).to_have_text("The picture is not a JPEG, PNG or WebP picture.")
    truncated = (examples / "cat.jpg").read_bytes()[:9000]
    page.goto("/what-is-this")
    upload.set_input_files({"name": "b.jpg", "mimeType": "image/jpeg", "buffer": truncated})
    expect(page.get_by_test_id("toast-text")).to_have_text("The picture is truncated or damaged.")
