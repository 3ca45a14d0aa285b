"""The real server of this folder's tests."""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest

from ..both import both_of
from .recordings import TALK, mp3
from .serving import Server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("server"))
    running.start()
    try:
        running.wait_until_ready()
        yield running
    finally:
        running.stop()


@pytest.fixture
def ask(server: Server) -> Callable[..., Any]:
    """A method of both clients, which answer the same."""
    return functools.partial(both_of, server.url)


def photograph(package: str, file: str) -> Path:
    """A photograph that ships inside a package of the repository's environment."""
    specification = importlib.util.find_spec(package)
    assert specification is not None, package
    assert specification.origin is not None, package
    return Path(specification.origin).parent / file


@pytest.fixture(scope="session")
def cat() -> Path:
    return photograph("skimage", "data/chelsea.png")


@pytest.fixture(scope="session")
def admiral() -> Path:
    return photograph("matplotlib", "mpl-data/sample_data/grace_hopper.jpg")


@pytest.fixture(scope="session")
def astronaut() -> Path:
    return photograph("skimage", "data/astronaut.png")


@pytest.fixture(scope="session")
def coffee() -> Path:
    return photograph("skimage", "data/coffee.png")


@pytest.fixture(scope="session")
def talk() -> bytes:
    return mp3(TALK)
