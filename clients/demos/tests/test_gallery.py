"""The first page, and what every page has."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from ekiben_demos.apps import DEMOS
from ekiben_demos.demo import Demo

from .processes import gallery

QUIET = """
new Promise(done => {
  let timer = setTimeout(done, 500);
  const again = () => { clearTimeout(timer); timer = setTimeout(done, 500); };
  new MutationObserver(again).observe(document.body, {childList: true, subtree: true});
})
"""
"""Until nothing has joined or left the page for half a second."""

each_demo = pytest.mark.parametrize("demo", DEMOS, ids=lambda demo: demo.slug)


def test_first_page_links_to_every_demo(page: Page) -> None:
    started = time.perf_counter()
    page.goto("/")
    expect(page.get_by_role("link", name=DEMOS[-1].sentence)).to_be_visible()
    print(f"first page usable after {time.perf_counter() - started:.1f} s")
    for demo in DEMOS:
        link = page.get_by_role("link", name=demo.sentence)
        assert link.get_attribute("href") == demo.slug


@each_demo
def test_page_has_title_sentence_and_its_own_source(page: Page, demo: Demo) -> None:
    page.goto(f"/{demo.slug}")
    expect(page.get_by_role("heading", level=1)).to_have_text(demo.title)
    expect(page.get_by_text(demo.sentence, exact=True)).to_be_visible()
    page.get_by_text("The source of this page").click()
    expect(page.locator(".source pre")).to_have_text(demo.source.read_text("utf-8"), use_inner_text=True)


@each_demo
def test_page_fits_a_phone(phone: Page, demo: Demo) -> None:
    phone.goto(f"/{demo.slug}")
    expect(phone.get_by_role("heading", level=1)).to_be_visible()
    assert phone.evaluate("document.documentElement.scrollWidth") == 390


@pytest.mark.parametrize("slug", ["", *(demo.slug for demo in DEMOS)])
@pytest.mark.parametrize("colours", ["light", "dark"])
def test_no_serious_fault_for_assistive_technology(page: Page, slug: str, colours: Any) -> None:
    page.emulate_media(color_scheme=colours)
    page.goto(f"/{slug}")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.evaluate(QUIET)  # the network never is: Gradio keeps a connection open
    # Gradio's own: a place that is still empty is a div with a name.
    found = Axe().run(page, {"exclude": [[".empty"]]}).response["violations"]
    serious = [fault for fault in found if fault["impact"] in ("serious", "critical")]
    assert not serious, json.dumps(serious, indent=1)


def test_without_a_server_a_page_says_so(browser: Browser, tmp_path: Path, examples: Path) -> None:
    with gallery("http://127.0.0.1:9", tmp_path) as (url, _):
        page = browser.new_page()
        page.goto(f"{url}/what-is-this")
        page.locator("input[type=file]").first.set_input_files(examples / "cat.jpg")
        expect(page.get_by_text("The ekiben server does not answer.")).to_be_visible(timeout=30_000)
        page.close()


def test_ends_and_leaves_nothing_behind(server: str, browser: Browser, tmp_path: Path) -> None:
    with gallery(server, tmp_path) as (url, process):
        page = browser.new_page()
        page.goto(f"{url}/paint-it")
        page.get_by_role("button", name="A cat").click()
        expect(page.get_by_role("button", name="Download the painting")).to_be_enabled(timeout=60_000)
        page.close()
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    assert [file.name for file in tmp_path.iterdir()] == ["gallery.log"]
