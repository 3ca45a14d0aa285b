"""The log: one line of JSON for each request, whatever is in the request."""

from __future__ import annotations

import json
from datetime import datetime
from uuid import uuid4

import httpx
import pytest

from tests.e2e.checks import ROUTE, connection, head, log_lines, photograph, read_response, wait_for_line
from tests.serving import Server


def test_an_answer_has_one_line_with_all_that_is_known_of_it(server: Server, http: httpx.Client) -> None:
    request_id = uuid4().hex
    response = http.post(ROUTE, content=photograph(), headers={"X-Request-Id": request_id})
    line = wait_for_line(server, http, request_id)
    assert datetime.fromisoformat(line.pop("time")).tzinfo is not None
    stages = {name: line.pop(name) for name in ("ms", "decode_ms", "queue_ms", "infer_ms", "post_ms")}
    assert line == {
        "level": "info",
        "event": "request",
        "id": request_id,
        "method": "POST",
        "path": ROUTE,
        "status": 200,
        "model": "efficientnet-lite0",
        "provider": response.headers["X-Ekiben-Provider"],
    }
    assert stages["ms"] + 1 >= sum(stages.values()) - stages["ms"] > 0


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nothing", 404), ("GET", ROUTE, 405), ("POST", ROUTE, 422), ("HEAD", "/", 200), ("GET", "/docs", 200)],
)
def test_every_request_has_one_line(server: Server, http: httpx.Client, method: str, path: str, status: int) -> None:
    request_id = uuid4().hex
    http.request(method, path, headers={"X-Request-Id": request_id})
    line = wait_for_line(server, http, request_id)
    assert (line["method"], line["path"], line["status"]) == (method, path, status)
    assert line["ms"] >= 0


def test_a_broken_form_has_one_line_and_its_parser_none(server: Server, http: httpx.Client) -> None:
    before = server.log.read_text()
    headers = {"X-Request-Id": uuid4().hex, "Content-Type": "multipart/form-data; boundary=b"}
    assert http.post(ROUTE, content=b"no form", headers=headers).status_code == 400
    wait_for_line(server, http, headers["X-Request-Id"])
    assert len(server.log.read_text().removeprefix(before).splitlines()) == 1


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/healthz", "/metrics"])
def test_polls_are_not_logged(server: Server, http: httpx.Client, path: str) -> None:
    polled, other = uuid4().hex, uuid4().hex
    assert http.get(path, headers={"X-Request-Id": polled}).status_code == 200
    assert http.get("/v1/models", headers={"X-Request-Id": other}).status_code == 200
    wait_for_line(server, http, other)
    assert polled not in server.log.read_text()


@pytest.mark.parametrize(
    "path",
    [
        "/a%0ab",
        "/a%0d%0a%7b%22event%22:%22forged%22%7d",
        "/a%00b",
        "/%1b[31mred",
        "/%e2%80%a8line",
        "/%ff%fe",
        "/%22%7d%0a",
        "/" + "x" * 5_000,
    ],
)
def test_no_path_can_break_a_line(server: Server, path: str) -> None:
    request_id = uuid4().hex
    with connection(server) as opened:
        opened.sendall(head(f"X-Request-Id: {request_id}", method="GET", path=path))
        assert read_response(opened, "GET")[0].status == 404
        # A second answer on the same connection: by then the first one's line is written.
        opened.sendall(head(method="GET", path="/livez"))
        assert read_response(opened, "GET")[0].status == 200
    [line] = log_lines(server, request_id)
    assert line["status"] == 404
    assert len(line["path"]) <= 200
    [text] = [text for text in server.log.read_bytes().split(b"\n") if request_id.encode() in text]
    assert json.loads(text) == line
    assert all(0x20 <= character < 0x7F for character in text)


def test_what_is_not_json_in_the_log_is_none_of_ours(server: Server) -> None:
    own = [line for line in server.log.read_text().splitlines() if line.startswith("{")]
    assert own
    assert all({"time", "level", "event"} <= set(json.loads(line)) for line in own)
