"""Bodies for LibreTranslate's routes are as bounded as others: by the queue, by a deadline, and sooner of strangers."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from starlette.types import Message

from models import find_model
from models.errors import Overloaded
from services.app import Application
from services.doors import doors
from services.edge import Edge
from services.engine import Engine
from services.settings import Settings
from tests.service.simulation import SimulatedLoop

KEY = "a-key-0123456789"
PATHS = ["/translate", "/detect"]


class Runner:
    provider = "CPUExecutionProvider"

    def __init__(self, *, full: bool) -> None:
        self._full = full

    def check_capacity(self) -> None:
        if self._full:
            raise Overloaded("the model's queue is full", retry_after_seconds=2.5)


async def status_and_seconds(
    path: str, *headers: tuple[bytes, bytes], keys: str = "", full: bool = False
) -> tuple[int, float]:
    """What a request is answered whose body never comes, and after how long."""
    model = find_model("bergamot-tiny-en-pt")
    settings = Settings(models=(model,), api_keys=keys) if keys else Settings(models=(model,))
    engine = Engine(settings)
    engine.runners = {model.id: Runner(full=full)}  # type: ignore[dict-item]
    application = Application(engine)
    edge = Edge(application, application, draining=lambda: False, doors=doors(settings))
    sent: list[Message] = []

    async def receive() -> Message:
        await asyncio.Future()
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    scope: dict[str, Any] = {
        **{"type": "http", "http_version": "1.1", "method": "POST", "path": path, "root_path": ""},
        **{"query_string": b"", "headers": [(b"host", b"test"), *headers], "scheme": "http", "server": ("test", 80)},
    }
    await edge(scope, receive, send)
    engine.pool.close()
    return sent[0]["status"], asyncio.get_running_loop().time()


def run(*arguments: Any, **options: Any) -> tuple[int, float]:
    with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
        return runner.run(status_and_seconds(*arguments, **options))


@pytest.mark.parametrize("path", PATHS)
def test_a_body_that_does_not_come_is_waited_for_until_the_deadline(path: str) -> None:
    assert run(path) == (504, 600.0)
    assert run(path, (b"x-request-timeout-ms", b"250")) == (504, 0.25)


@pytest.mark.parametrize("path", PATHS)
def test_a_stranger_s_body_cannot_take_a_day_to_come(path: str) -> None:
    day = (b"x-request-timeout-ms", b"86400000")
    assert run(path, day, keys=KEY) == (504, 10.0)
    assert run(path, day, (b"authorization", b"Bearer " + KEY.encode()), keys=KEY) == (504, 86_400.0)


def test_where_no_model_has_room_the_body_is_not_read() -> None:
    assert run("/translate", full=True) == (429, 0.0)


@pytest.mark.parametrize("path", PATHS)
def test_a_body_that_is_packed_is_not_read(path: str) -> None:
    assert run(path, (b"content-encoding", b"gzip")) == (415, 0.0)


async def served_languages() -> Any:
    """What `/languages` says where only English to Portuguese is served."""
    engine = Engine(Settings(models=(find_model("bergamot-tiny-en-pt"),)))
    transport = httpx.ASGITransport(Application(engine))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        response = await client.get("/languages")
    engine.pool.close()
    return response.json()


def test_a_language_that_is_only_a_target_is_listed() -> None:
    assert asyncio.run(served_languages()) == [
        {"code": "en", "name": "English", "targets": ["pt"]},
        {"code": "pt", "name": "Portuguese", "targets": []},
    ]
