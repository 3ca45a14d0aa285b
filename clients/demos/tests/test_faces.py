"""Faces, in the browser."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import FilePayload, Page, expect


@pytest.mark.parametrize("way", ["Show boxes and landmarks", "Blur", "Pixelate"])
def test_finds_the_faces_of_a_photo(page: Page, examples: Path, way: str) -> None:
    page.goto("/faces")
    page.get_by_role("radio", name=way).first.check()
    page.locator("input[type=file]").first.set_input_files(examples / "mariachi.jpg")
    expect(page.get_by_text("5 faces.")).to_be_visible()
    expect(page.get_by_role("button", name="Download")).to_be_visible()


def test_hides_the_faces_of_a_video(page: Page) -> None:
    page.goto("/faces")
    page.get_by_role("tab", name="Video").click()
    page.get_by_role("button", name="Musicians").last.click()
    expect(page.locator("video")).to_be_visible()
    page.get_by_role("button", name="Hide the faces in the video").click()
    expect(page.get_by_role("status").get_by_text("followed. Watch")).to_be_visible(timeout=90_000)
    expect(page.get_by_role("link", name="Download")).to_be_visible()


def test_album_sorts_faces_and_names_what_it_cannot_read(page: Page, examples: Path) -> None:
    page.goto("/faces")
    page.get_by_role("tab", name="Album").click()
    bad: FilePayload = {"name": "bad.png", "mimeType": "image/png", "buffer": b"no picture"}
    good: list[FilePayload] = [
        {"name": name, "mimeType": "image/jpeg", "buffer": (examples / name).read_bytes()}
        for name in ("mariachi.jpg", "astronaut.jpg")
    ]
    page.locator("input[type=file][multiple]").set_input_files([*good, bad])
    page.get_by_role("button", name="Cut out the faces").click()
    expect(page.get_by_text("6 faces in 2 photos.")).to_be_visible(timeout=20_000)
    expect(page.get_by_text("bad.png: The picture is not a JPEG, PNG or WebP picture.")).to_be_visible()
    captions = page.locator(".wall .caption-label")
    expect(captions.first).to_contain_text("astronaut.jpg, 93%")
    page.get_by_role("radio", name="By photo").check()
    expect(captions.first).to_contain_text("mariachi.jpg")
