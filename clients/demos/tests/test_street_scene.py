"""Street scene, in the browser."""

from __future__ import annotations

from pathlib import Path

import av
from playwright.sync_api import FilePayload, Page, expect


def test_counts_what_is_in_a_photo(page: Page, examples: Path) -> None:
    page.goto("/street-scene")
    page.locator("input[type=file]").first.set_input_files(examples / "street.jpg")
    counts = page.get_by_role("table", name="How many")
    expect(counts.get_by_role("row", name="person 6")).to_be_visible()
    expect(counts.get_by_role("row", name="car 2")).to_be_visible()
    expect(page.get_by_role("button", name="Download")).to_be_visible()


def test_follows_people_through_a_video(page: Page, examples: Path, tmp_path: Path) -> None:
    page.goto("/street-scene")
    page.get_by_role("tab", name="Video").click()
    page.get_by_role("button", name="A street").last.click()
    expect(page.locator("video")).to_be_visible()
    page.get_by_role("button", name="Find things in the video").click()
    expect(page.get_by_text("/70 pictures").first).to_be_visible(timeout=20_000)  # the progress bar
    counts = page.get_by_role("table", name="How many")
    expect(counts.get_by_role("row", name="car 2 2")).to_be_visible(timeout=90_000)
    expect(counts.get_by_role("row").filter(has_text="person")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").last.click()
    annotated = tmp_path / "annotated.mp4"
    download.value.save_as(annotated)
    with av.open(str(annotated)) as film, av.open(str(examples / "street.mp4")) as original:
        assert film.streams.video[0].codec_context.name == "h264"
        assert film.streams.video[0].frames == original.streams.video[0].frames
        assert film.duration == original.duration


def test_bad_video_gives_a_sentence(page: Page) -> None:
    page.goto("/street-scene")
    page.get_by_role("tab", name="Video").click()
    page.get_by_role("button", name="Find things in the video").click()
    expect(page.get_by_test_id("toast-text").filter(has_text="There is no video yet")).to_be_visible()
    bad: FilePayload = {"name": "a.mp4", "mimeType": "video/mp4", "buffer": b"no video" * 100}
    page.locator("input[type=file][accept*=video]").set_input_files(bad)
    page.get_by_role("button", name="Find things in the video").click()
    told = page.get_by_test_id("toast-text").filter(
        has_text="This file is not a video or a recording that can be read."
    )
    expect(told).to_be_visible()
