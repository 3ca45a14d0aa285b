"""Every test over HTTP also looks into the server's log: whatever callers do is no fault of the server's."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.e2e.doors import ANN, APP, AT_ONCE, BOB, KEYS, SECRETS, bearer
from tests.serving import Server, free_port, serving

SERVERS = ("server", "speech_server", "translation_server", "closed_server", "nameless_server")
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
        assert not any(secret in news for secret in SECRETS), news
        assert server.process.poll() is None


@pytest.fixture(scope="session")
def metrics_port() -> int:
    return free_port()


@pytest.fixture(scope="session")
def closed_server(tmp_path_factory: pytest.TempPathFactory, metrics_port: int) -> Iterator[Server]:
    """A server with every door: keys, bounded for each, origins, metrics on a port of their own."""
    folder = tmp_path_factory.mktemp("closed-server")
    keys = folder / "keys"
    keys.write_text(KEYS)
    settings = {
        "EKIBEN_MODELS": "efficientnet-lite0,bergamot-tiny-en-pt,whisper-tiny-en",
        "EKIBEN_API_KEYS_FILE": str(keys),
        "EKIBEN_KEY_CONCURRENCY": str(AT_ONCE),
        "EKIBEN_CORS_ORIGINS": f"{APP}, http://localhost:8080",
        "EKIBEN_METRICS_PORT": str(metrics_port),
    }
    with serving(folder / "log", settings) as running:
        yield running


@pytest.fixture(scope="session")
def nameless_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Another one, with keys of nobody in particular, for any origin, and metrics where they always are."""
    settings = {
        "EKIBEN_MODELS": "efficientnet-lite0",
        "EKIBEN_API_KEYS": f"{ANN},{BOB}",
        "EKIBEN_CORS_ORIGINS": "*",
    }
    with serving(tmp_path_factory.mktemp("nameless-server") / "log", settings) as running:
        yield running


@pytest.fixture
def stranger(closed_server: Server) -> Iterator[httpx.Client]:
    """A client without a key."""
    with httpx.Client(base_url=closed_server.url, timeout=60) as client:
        yield client


@pytest.fixture
def ann(closed_server: Server) -> Iterator[httpx.Client]:
    """A client with a key."""
    with httpx.Client(base_url=closed_server.url, timeout=60, headers=bearer(ANN)) as client:
        yield client


@pytest.fixture
def nameless(nameless_server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=nameless_server.url, timeout=60) as client:
        yield client
