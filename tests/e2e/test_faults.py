"""A bug of ours is a problem with the request's id and nothing else; the log has the rest."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from services.app import Application
from services.edge import Edge
from services.engine import Engine
from services.settings import Settings
from tests.e2e.checks import ROUTE, photograph, problem
from tests.e2e.speech import OPENAI

SECRET = "/home/someone/secret.py"


class BrokenEngine(Engine):
    """An engine with a bug."""

    def choose(self, task: Any, id: str | None) -> Any:
        raise RuntimeError(SECRET)

    def runner(self, model: Any) -> Any:
        raise RuntimeError(SECRET)


async def broken(scope: Scope, receive: Receive, send: Send) -> None:
    raise RuntimeError(SECRET)


def client(edge: Edge) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(edge), base_url="http://test")


class Collector(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture
def log() -> Iterator[Collector]:
    logger, collector = logging.getLogger("ekiben.access"), Collector()
    logger.addHandler(collector)
    yield collector
    logger.removeHandler(collector)


@pytest.mark.parametrize(("method", "path"), [("POST", ROUTE), ("GET", "/v1/models"), ("GET", "/livez"), ("GET", "/x")])
async def test_a_fault_is_a_problem_that_says_nothing_of_the_inside(log: Collector, method: str, path: str) -> None:
    application = broken if path == "/x" else Application(BrokenEngine(Settings()))
    async with client(Edge(system=broken, application=application, draining=lambda: False)) as http:
        response = await http.request(method, path, content=photograph(), headers={"X-Request-Id": "mine"})
    assert problem(response, 500)["instance"] == "mine"
    assert SECRET not in response.text
    faults = [record for record in log.records if record.exc_info and getattr(record, "id", None) == "mine"]
    assert len(faults) == 1
    assert SECRET in str(faults[0].exc_info)


async def test_openai_s_clients_are_told_in_their_words(log: Collector) -> None:
    application = Application(BrokenEngine(Settings()))
    async with client(Edge(system=broken, application=application, draining=lambda: False)) as http:
        response = await http.post(OPENAI, content=b"", headers={"X-Request-Id": "mine"})
    assert response.status_code == 500
    assert (response.headers["content-type"], response.headers["x-request-id"]) == ("application/json", "mine")
    error = response.json()["error"]
    assert (set(error), error["type"]) == ({"message", "type", "param", "code"}, "server_error")
    assert SECRET not in response.text
    assert any(SECRET in str(record.exc_info) for record in log.records if record.exc_info)
