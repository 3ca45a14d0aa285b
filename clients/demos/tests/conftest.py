"""One server, one gallery and one browser for all tests."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from playwright.sync_api import Browser, BrowserType, Page, sync_playwright

from .processes import ekiben_server, gallery

settings.register_profile("demos", deadline=None)  # how long an example takes says nothing here
settings.load_profile("demos")

# No request of the browser's own, and no sandbox, which root in a container cannot have.
CHROMIUM = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an ekiben server."""
    with ekiben_server(tmp_path_factory.mktemp("server")) as url:
        yield url


@pytest.fixture(scope="session")
def demos(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the gallery."""
    with gallery(server, tmp_path_factory.mktemp("gallery")) as (url, _):
        yield url


@pytest.fixture(scope="session")
def playwright_chromium() -> Iterator[BrowserType]:
    with sync_playwright() as playwright:
        yield playwright.chromium


@pytest.fixture(scope="session")
def browser(playwright_chromium: BrowserType) -> Iterator[Browser]:
    browser = launch(playwright_chromium)
    yield browser
    browser.close()


def launch(chromium: BrowserType, *arguments: str) -> Browser:
    """Chromium: the system's, or the one that Playwright has fetched."""
    installed = shutil.which("chromium") or shutil.which("google-chrome")
    return chromium.launch(executable_path=installed, args=[*CHROMIUM, *arguments])


@pytest.fixture
def page(browser: Browser, demos: str) -> Iterator[Page]:
    """A page on a wide screen; afterwards nothing may have gone wrong in it, and no request have left the machine."""
    yield from watched_page(browser, demos, width=1280, height=900)


@pytest.fixture
def phone(browser: Browser, demos: str) -> Iterator[Page]:
    """The same on a phone's screen."""
    yield from watched_page(browser, demos, width=390, height=844)


@pytest.fixture
def unwatched_page(browser: Browser, demos: str) -> Iterator[Page]:
    """The same as `page` where Gradio's own components complain on the console, as they do about broken recordings."""
    page = browser.new_page(base_url=demos)
    yield page
    page.close()


def watched_page(browser: Browser, demos: str, *, width: int, height: int) -> Iterator[Page]:
    context = browser.new_context(base_url=demos, viewport={"width": width, "height": height}, accept_downloads=True)
    page = context.new_page()
    faults: list[str] = []
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on(
        "request",
        lambda request: (
            None if request.url.startswith((demos, "data:", "blob:")) else faults.append(f"left: {request.url}")
        ),
    )
    yield page
    context.close()
    assert not faults


EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="session")
def examples() -> Path:
    return EXAMPLES
