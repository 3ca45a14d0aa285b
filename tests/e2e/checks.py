"""What the tests over HTTP have in common: requests, what every problem must look like, and the server's log."""

from __future__ import annotations

import base64
import io
import json
import re
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPResponse
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from PIL import Image

from tests import photographs
from tests.serving import Server

ROUTE = "/v1/image-classification"
LEAKS = re.compile(r'Traceback|File "|site-packages|/services/|\.py\b|0x[0-9a-f]{6}|<.* object at|_Envelope')


def photograph(name: str = "chelsea") -> bytes:
    return photographs.path(name).read_bytes()


def png(image: Image.Image) -> bytes:
    return photographs.encoded(image, "PNG")


def base64_text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def problem(response: httpx.Response, status: int, *, field: str | None = None, says: str = "") -> dict[str, Any]:
    """Check that a response is a problem of this status, with everything that the contract gives a problem."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    return problem_document(response.content, status, response.headers, field=field, says=says)


def problem_document(
    content: bytes, status: int, headers: Mapping[str, str], *, field: str | None = None, says: str = ""
) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(content)
    assert set(document) - {"errors"} == {"type", "title", "status", "detail", "instance"}
    assert document["type"] == "about:blank"
    assert document["title"] and document["detail"]
    assert document["status"] == status
    assert document["instance"] == httpx.Headers(headers)["X-Request-Id"]
    assert says in document["detail"], document
    assert not LEAKS.search(content.decode()), content
    assert len(content) < 10_000
    if field is not None:
        assert [each["field"] for each in document["errors"]] == [field]
        assert document["errors"][0]["message"]
    return document


def same_answer(actual: httpx.Response, expected: httpx.Response) -> None:
    assert actual.status_code == expected.status_code == 200, (actual.text, expected.text)
    assert [each["label"] for each in actual.json()] == [each["label"] for each in expected.json()]
    scores = [each["score"] for each in expected.json()]
    assert [each["score"] for each in actual.json()] == pytest.approx(scores, abs=1e-6)


@contextmanager
def connection(server: Server) -> Iterator[socket.socket]:
    """A bare connection, for what no client library would send."""
    address = urlsplit(server.url)
    assert address.hostname is not None and address.port is not None
    with socket.create_connection((address.hostname, address.port), timeout=30) as opened:
        yield opened


def head(*lines: str, method: str = "POST", path: str = ROUTE) -> bytes:
    """A request's head with these header lines."""
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: localhost", *lines, "", ""]).encode("latin-1")


def read_response(opened: socket.socket, method: str = "POST") -> tuple[HTTPResponse, bytes]:
    response = HTTPResponse(opened, method=method)
    response.begin()
    return response, response.read()


def log_lines(server: Server, request_id: str) -> list[dict[str, Any]]:
    """The log's lines about one request."""
    lines = []
    for line in io.StringIO(server.log.read_text("utf-8"), newline="\n"):
        if line.startswith("{"):
            document = json.loads(line)
            if document.get("id") == request_id:
                lines.append(document)
    return lines


def wait_for_line(server: Server, http: httpx.Client, request_id: str) -> dict[str, Any]:
    """The one line of a request, which is written only after its answer was sent or its client went away."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        assert http.get("/livez").status_code == 200
        if lines := log_lines(server, request_id):
            assert len(lines) == 1, lines
            return lines[0]
    raise AssertionError(f"no line about {request_id} in the log")
