"""What no route answers, and faults of ours, are told in the words of the dialect that the path belongs to."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from services.app import Application
from services.edge import Edge
from services.engine import Engine
from services.settings import Settings
from tests.e2e.checks import problem
from tests.e2e.speech import OPENAI

SENTENCES = ("/translate", "/detect", "/v2/models/efficientnet-lite0/infer", "/v2/models/a/versions/1/infer")


async def broken(scope: Scope, receive: Receive, send: Send) -> None:
    raise RuntimeError("a bug")


def client(application: Any) -> httpx.AsyncClient:
    edge = Edge(system=broken, application=application, draining=lambda: False)
    return httpx.AsyncClient(transport=httpx.ASGITransport(edge), base_url="http://test")


def openai_error(response: httpx.Response, status: int) -> dict[str, Any]:
    assert (response.status_code, response.headers["content-type"]) == (status, "application/json")
    error: dict[str, Any] = response.json()["error"]
    assert set(response.json()) == {"error"} and set(error) == {"message", "type", "param", "code"}
    return error


@pytest.mark.parametrize("path", ["/v1/image-classification", OPENAI, *SENTENCES])
async def test_a_get_is_told_to_post(path: str) -> None:
    async with client(Application(Engine(Settings()))) as http:
        response = await http.get(path)
    assert response.headers["allow"] == "POST"
    if path == OPENAI:
        assert openai_error(response, 405)["type"] == "invalid_request_error"
    elif path in SENTENCES:
        assert (response.status_code, response.json()) == (405, {"error": "Method Not Allowed"})
    else:
        problem(response, 405)


async def test_a_path_that_there_is_not() -> None:
    async with client(Application(Engine(Settings()))) as http:
        openai_error(await http.post("/v1/audio/speech"), 404)
        assert (await http.get("/v2/nothing")).json() == {"error": "Not Found"}
        for path in ("/v2x", "/translate_file", "/v1/nothing", "/v1/audio"):
            problem(await http.get(path), 404)


@pytest.mark.parametrize("path", ["/v1/nothing", OPENAI, *SENTENCES])
async def test_a_bug_of_ours(path: str) -> None:
    async with client(broken) as http:
        response = await http.post(path)
    if path == OPENAI:
        assert openai_error(response, 500)["type"] == "server_error"
    elif path in SENTENCES:
        assert response.status_code == 500 and "request id" in response.json()["error"]
    else:
        problem(response, 500)
    assert response.headers["x-request-id"]
