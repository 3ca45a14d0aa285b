"""Every test over HTTP also looks into the server's log: whatever callers do is no fault of the server's."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.serving import Server

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
