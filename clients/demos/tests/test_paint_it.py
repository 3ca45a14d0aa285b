"""Paint it, in the browser."""

from __future__ import annotations

from pathlib import Path

from PIL import Image
from playwright.sync_api import FilePayload, Page, expect

PAINTING_SECONDS = 60_000


def test_paints_a_photo_in_every_style_and_in_a_chosen_one(page: Page, examples: Path, tmp_path: Path) -> None:
    page.goto("/paint-it")
    page.locator("input[type=file]").first.set_input_files(examples / "cat.jpg")
    saved = page.get_by_role("button", name="Download the painting")
    expect(saved).to_be_enabled(timeout=PAINTING_SECONDS)
    expect(page.locator(".wall .caption-label")).to_have_count(26, timeout=PAINTING_SECONDS)
    night = download(page, tmp_path / "night.jpg")
    assert night.size == (451, 300)

    with page.expect_response(lambda answer: "painting.jpg" in answer.url):
        page.get_by_role("button", name="Thumbnail 12 of 26").click()
    expect(page.get_by_role("combobox", name="Style")).to_have_value("Sepia etching on parchment")
    sepia = download(page, tmp_path / "sepia.jpg")
    assert blueness(night) > blueness(sepia) + 20


def test_paints_like_a_picture_of_ones_own(page: Page, examples: Path, tmp_path: Path) -> None:
    page.goto("/paint-it")
    page.get_by_role("button", name="The Starry Night").click()
    page.get_by_role("button", name="A cat").click()
    expect(page.get_by_role("button", name="Download the painting")).to_be_enabled(timeout=PAINTING_SECONDS)
    with Image.open(examples / "cat.jpg") as cat:
        assert blueness(download(page, tmp_path / "cat.jpg")) > blueness(cat) + 20


def test_bad_photo_gives_a_sentence(page: Page) -> None:
    page.goto("/paint-it")
    bad: FilePayload = {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": b"no picture"}
    page.locator("input[type=file]").first.set_input_files(bad)
    told = page.get_by_test_id("toast-text").first
    expect(told).to_have_text("The picture is not a JPEG, PNG or WebP picture.", timeout=20_000)


def download(page: Page, target: Path) -> Image.Image:
    with page.expect_download() as started:
        page.get_by_role("button", name="Download the painting").click()
    started.value.save_as(target)
    with Image.open(target) as file:
        return file.convert("RGB")


def blueness(picture: Image.Image) -> float:
    """How much more blue than red there is, on average, in steps of 255."""
    red, _, blue = picture.convert("RGB").resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))  # type: ignore[misc]
    return float(blue - red)
