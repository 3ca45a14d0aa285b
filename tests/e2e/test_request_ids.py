"""Every response has a request id: the caller's, where it is one that can be repeated without harm."""

from __future__ import annotations

import re
import string

import httpx
import pytest

from tests.e2e.checks import ROUTE, connection, head, photograph, read_response
from tests.serving import Server

MADE = re.compile(r"[0-9a-f]{32}")
VISIBLE = string.ascii_letters + string.digits + string.punctuation

REQUESTS = [
    ("GET", "/", 200),
    ("GET", "/docs", 200),
    ("GET", "/docs/assets/swagger-ui.css", 200),
    ("GET", "/openapi.json", 200),
    ("GET", "/livez", 200),
    ("GET", "/readyz", 200),
    ("GET", "/healthz", 200),
    ("GET", "/metrics", 200),
    ("GET", "/v1/models", 200),
    ("GET", "/v1/models/efficientnet-lite0", 200),
    ("GET", "/v1/models/nope", 404),
    ("GET", "/nothing", 404),
    ("GET", ROUTE, 405),
    ("POST", "/livez", 405),
    ("POST", ROUTE, 422),
    ("HEAD", "/", 200),
]


@pytest.mark.parametrize(("method", "path", "status"), REQUESTS)
def test_every_response_has_the_callers_id_or_one_that_was_made(
    http: httpx.Client, method: str, path: str, status: int
) -> None:
    response = http.request(method, path, headers={"X-Request-Id": "the-callers"})
    assert (response.status_code, response.headers["X-Request-Id"]) == (status, "the-callers")
    made = {http.request(method, path).headers["X-Request-Id"] for _ in range(3)}
    assert len(made) == 3
    assert all(MADE.fullmatch(request_id) for request_id in made)


@pytest.mark.parametrize("length", [26_000_000, 100_000_000])
def test_a_body_that_is_too_long_is_refused_under_the_callers_id(http: httpx.Client, length: int) -> None:
    response = http.post(ROUTE, content=bytes(length), headers={"X-Request-Id": "long"})
    assert (response.status_code, response.headers["X-Request-Id"]) == (413, "long")


@pytest.mark.parametrize("request_id", ["a", "x" * 128, VISIBLE[:64], VISIBLE[64:], "</script>", "%0d%0aX:y"])
def test_an_id_of_visible_characters_is_repeated(http: httpx.Client, request_id: str) -> None:
    response = http.post(ROUTE, content=photograph(), headers={"X-Request-Id": request_id})
    assert response.headers.get_list("X-Request-Id") == [request_id]


@pytest.mark.parametrize("value", [b"", b"x" * 129, b"two words", b"tab\there", b"caf\xc3\xa9", b"\xff", b"x" * 50_000])
def test_any_other_id_is_replaced(server: Server, value: bytes) -> None:
    with connection(server) as opened:
        opened.sendall(head(method="GET", path="/v1/models")[:-2] + b"X-Request-Id: " + value + b"\r\n\r\n")
        response, _ = read_response(opened, "GET")
    assert response.status == 200
    assert MADE.fullmatch(response.headers["X-Request-Id"])


@pytest.mark.parametrize("ending", [b"\r", b"\n", b"\0", b"\r\n "])
def test_no_header_can_be_smuggled_through_an_id(server: Server, ending: bytes) -> None:
    with connection(server) as opened:
        smuggled = b"X-Request-Id: a" + ending + b"Set-Cookie: a=b\r\nConnection: close\r\n\r\n"
        opened.sendall(head(method="GET", path="/livez")[:-2] + smuggled)
        with opened.makefile("rb") as answer:
            assert b"set-cookie" not in answer.read().lower()


def test_only_answers_of_a_model_name_a_model(http: httpx.Client) -> None:
    for path in ("/v1/models", "/nothing", "/livez"):
        assert not {"X-Ekiben-Model", "X-Ekiben-Provider", "Server-Timing"} & set(http.get(path).headers)
    unknown = {"inputs": "", "parameters": {"model": "nope"}}
    for response in (http.post(ROUTE, json=unknown), http.post(ROUTE, params={"model": "nope"})):
        assert response.status_code in (404, 422)
    response = http.post(ROUTE, files={"image": photograph()}, data={"model": "nope"})
    assert response.status_code == 404
    assert "X-Ekiben-Model" not in response.headers
