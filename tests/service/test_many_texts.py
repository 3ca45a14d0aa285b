"""A request of many texts is looked through beside the event loop, which serves others meanwhile, or is refused."""

from __future__ import annotations

import asyncio
import json
import threading
from time import thread_time
from typing import Any

import pytest
from starlette.types import Message

from models import find_model
from models.limits import Limits
from models.text.languages import detect
from services.app import Application
from services.doors import doors
from services.edge import Edge
from services.engine import Engine
from services.http.bodies import DETECTION_BYTES, in_thread
from services.settings import Settings

TEXTS = ["O gato está dormindo no sofá."] * 2_000 + ["東京に行きます"]
"""All but the last stay as they are in Portuguese, so all are looked at; the last one is refused."""


class Runner:
    provider = "CPUExecutionProvider"

    def check_capacity(self) -> None:
        pass


async def asked(path: str, document: dict[str, Any]) -> tuple[int, bytes, float]:
    """The status and the body of an answer, and the longest that the event loop worked without looking up, in
    seconds of CPU time."""
    model = find_model("bergamot-tiny-en-pt")
    settings = Settings(models=(model,))
    engine = Engine(settings)
    engine.runners = {model.id: Runner()}  # type: ignore[dict-item]
    application = Application(engine)
    edge = Edge(application, application, draining=lambda: False, doors=doors(settings))
    messages: list[Message] = [{"type": "http.request", "body": json.dumps(document).encode()}]
    sent: list[Message] = []
    longest = 0.0

    async def receive() -> Message:
        if not messages:
            await asyncio.Future()
        return messages.pop()

    async def send(message: Message) -> None:
        sent.append(message)

    async def watch() -> None:
        nonlocal longest
        last = thread_time()
        while True:
            await asyncio.sleep(0)
            now = thread_time()
            last, longest = now, max(longest, now - last)

    headers = [(b"host", b"test"), (b"content-type", b"application/json")]
    scope: dict[str, Any] = {
        **{"type": "http", "http_version": "1.1", "method": "POST", "path": path, "root_path": ""},
        **{"query_string": b"", "headers": headers, "scheme": "http", "server": ("test", 80)},
    }
    watching = asyncio.create_task(watch())
    await asyncio.sleep(0)
    await edge(scope, receive, send)
    await asyncio.sleep(0)
    watching.cancel()
    await asyncio.to_thread(engine.pool.close)
    return sent[0]["status"], sent[1]["body"], longest


def request_of(path: str, texts: list[str]) -> dict[str, Any]:
    if path == "/translate":
        return {"q": texts, "source": "auto", "target": "pt"}
    return {"inputs": texts, "parameters": {"tgt_lang": "pt"}}


@pytest.mark.parametrize(("path", "refused"), [("/translate", 400), ("/v1/translation", 422)])
def test_the_event_loop_does_not_find_out_the_languages_of_many_texts(path: str, refused: int) -> None:
    detect("loaded", ["en", "pt"])
    asyncio.run(asked(path, request_of(path, ["東京に行きます"])))
    started = thread_time()
    for text in TEXTS:
        detect(text, ["en", "pt"])
    alone = thread_time() - started
    status, body, longest = asyncio.run(asked(path, request_of(path, TEXTS)))
    assert (status, b"none of the languages" in body) == (refused, True)
    assert longest < alone / 4


@pytest.mark.parametrize("path", ["/translate", "/v1/translation"])
def test_there_are_only_so_many_texts_in_a_request(path: str) -> None:
    texts = ["a"] * (Limits().texts + 1)
    status, body, _ = asyncio.run(asked(path, request_of(path, texts)))
    assert status == 413
    assert b"10,001 texts are more than the 10,000" in body


@pytest.mark.parametrize(("count", "beside"), [(1, False), (10, False), (11, True)])
def test_few_texts_are_not_worth_a_thread(count: int, beside: bool) -> None:
    thread = asyncio.run(in_thread(DETECTION_BYTES * count, threading.get_ident))
    assert (thread != threading.get_ident()) is beside
