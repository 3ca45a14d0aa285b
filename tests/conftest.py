"""What tests of several folders share."""

from __future__ import annotations

import os
from collections.abc import Iterator

import httpx
import pytest

from tests.serving import PICTURE_MODELS, Server, serving

os.environ |= {"BENTOML_DO_NOT_TRACK": "True", "ORT_DISABLE_TELEMETRY": "1"}


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One real server for the whole run, with every picture model that the package index has."""
    log = tmp_path_factory.mktemp("server") / "log"
    with serving(log, {"EKIBEN_MODELS": ",".join(PICTURE_MODELS)}) as running:
        yield running


@pytest.fixture
def http(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=60) as client:
        yield client


@pytest.fixture(scope="session")
def translation_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Another one, which translates both ways."""
    log = tmp_path_factory.mktemp("translation-server") / "log"
    with serving(log, {"EKIBEN_MODELS": "bergamot-tiny-en-pt,bergamot-tiny-pt-en"}) as running:
        yield running


@pytest.fixture(scope="session")
def speech_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with the models of speech, and a budget of seconds that tests can reach."""
    log = tmp_path_factory.mktemp("speech") / "log"
    with serving(
        log, {"EKIBEN_MODELS": "whisper-tiny-en,moonshine-tiny-en", "EKIBEN_LIMITS__AUDIO_SECONDS": "300"}
    ) as running:
        yield running


@pytest.fixture
def speech(speech_server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=speech_server.url, timeout=120) as client:
        yield client
