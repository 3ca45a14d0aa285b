"""Every test over HTTP also looks into the server's log: whatever callers do is no fault of the server's."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.serving import Server

SERVERS = ("server", "speech_server", "translation_server")
FAULTS = ("unhandled error", "Traceback", "Exception in ASGI", "never retrieved", "never awaited", "critical")


@pytest.fixture(autouse=True)
def no_fault_in_the_log(request: pytest.FixtureRequest) -> Iterator[None]:
    names = [name for name in SERVERS if name in request.fixturenames]
    servers: list[Server] = [request.getfixturevalue(name) for name in names]
    before = [server.log.stat().st_size for server in servers]
    yield
    for server, size in zip(servers, before, strict=True):
        with server.log.open("rb") as log:
            log.seek(size)
            news = log.read().decode()
        assert not any(fault in news for fault in FAULTS), news
        assert server.process.poll() is None
