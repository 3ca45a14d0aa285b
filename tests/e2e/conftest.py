"""Every test over HTTP also looks into the server's log: whatever callers do is no fault of the server's."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.serving import Server, serving

FAULTS = ("unhandled error", "Traceback", "Exception in ASGI", "never retrieved", "never awaited", "critical")


@pytest.fixture(autouse=True)
def no_fault_in_the_log(request: pytest.FixtureRequest) -> Iterator[None]:
    if "server" not in request.fixturenames:
        yield
        return
    server: Server = request.getfixturevalue("server")
    before = server.log.stat().st_size
    yield
    with server.log.open("rb") as log:
        log.seek(before)
        news = log.read().decode()
    assert not any(fault in news for fault in FAULTS), news
    assert server.process.poll() is None


@pytest.fixture(scope="session")
def speech_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with the models of speech, and a budget of seconds that tests can reach."""
    log = tmp_path_factory.mktemp("speech") / "log"
    with serving(
        log, {"EKIBEN_MODELS": "whisper-tiny-en,moonshine-tiny-en", "EKIBEN_LIMITS__AUDIO_SECONDS": "300"}
    ) as running:
        yield running
    text = log.read_text("utf-8")
    assert not any(fault in text for fault in FAULTS), text


@pytest.fixture
def speech(speech_server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=speech_server.url, timeout=120) as client:
        yield client
