"""Keys over a real server: whom it lets in, how it refuses, and that no secret is ever told."""

from __future__ import annotations

import json

import httpx
import pytest

from tests.e2e.checks import ROUTE, connection, head, photograph, problem, read_response, wait_for_line
from tests.e2e.doors import (
    ANN,
    ANNS_NEXT,
    BOB,
    INFER,
    SECRETS,
    WRONG,
    bearer,
)
from tests.e2e.speech import OPENAI
from tests.e2e.test_starting import start_and_fail
from tests.serving import Server

CHELSEA = photograph()

OPEN = ["/", "/docs", "/docs/assets/swagger-ui.css", "/openapi.json", "/livez", "/readyz", "/healthz"]
OPEN += ["/v2/health/live", "/v2/health/ready", "/languages"]


@pytest.mark.parametrize("path", OPEN)
def test_health_and_documentation_are_open(stranger: httpx.Client, path: str) -> None:
    assert stranger.get(path).status_code == 200


REFUSED = [("GET", "/v1/models"), ("GET", "/v1/models/efficientnet-lite0"), ("POST", ROUTE), ("GET", ROUTE)]
REFUSED += [
    ("GET", "/v1/styles"),
    ("GET", "/metrics"),
    ("GET", "/nothing"),
    ("OPTIONS", ROUTE),
    ("POST", "/translate/"),
]
SENTENCES = [("GET", "/v2"), ("GET", "/v2/models/efficientnet-lite0"), ("POST", INFER), ("POST", "/translate")]
SENTENCES += [("POST", "/detect")]


@pytest.mark.parametrize("key", [None, WRONG], ids=["no key", "wrong key"])
@pytest.mark.parametrize(("method", "path"), [*REFUSED, *SENTENCES, ("POST", OPENAI)])
def test_without_a_key_that_is_known_the_answer_is_401(
    stranger: httpx.Client, method: str, path: str, key: str | None
) -> None:
    response = stranger.request(method, path, headers=bearer(key) if key else {})
    says = "not known" if key else "is needed"
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert response.headers["X-Request-Id"]
    assert WRONG not in response.text
    if (method, path) in REFUSED:
        problem(response, 401, says=says)
    elif path == OPENAI:
        error = response.json()["error"]
        assert (error["code"], error["type"], error["param"]) == ("invalid_api_key", "invalid_request_error", None)
        assert says in error["message"]
    else:
        assert set(response.json()) == {"error"} and says in response.json()["error"]


def test_a_key_opens_everything(ann: httpx.Client, stranger: httpx.Client) -> None:
    assert ann.get("/v1/models").status_code == 200
    problem(ann.get("/nothing"), 404)
    for key in (BOB, ANNS_NEXT):
        response = stranger.post(ROUTE, content=CHELSEA, headers=bearer(key))
        assert response.status_code == 200 and "tiger cat" in response.text


@pytest.mark.parametrize("path", [ROUTE, INFER, OPENAI])
def test_nobody_reads_a_stranger_s_body(closed_server: Server, path: str) -> None:
    """The answer is there before anything of the body was sent."""
    with connection(closed_server) as opened:
        opened.sendall(head("Content-Length: 90000000", path=path))
        assert read_response(opened)[0].status == 401


def test_an_ordinary_client_sees_the_refusal_of_a_long_body(stranger: httpx.Client) -> None:
    problem(stranger.post(ROUTE, content=bytes(100_000_000)), 401)


def test_the_log_names_the_holder(closed_server: Server, ann: httpx.Client, stranger: httpx.Client) -> None:
    ann.post(ROUTE, content=CHELSEA, headers={"X-Request-Id": "of-ann"})
    assert wait_for_line(closed_server, stranger, "of-ann")["key"] == "ann"
    stranger.post(ROUTE, headers={"X-Request-Id": "of-nobody", **bearer(WRONG)})
    line = wait_for_line(closed_server, stranger, "of-nobody")
    assert line["status"] == 401 and "key" not in line


def test_keys_without_holders_are_named_by_their_place(nameless_server: Server, nameless: httpx.Client) -> None:
    nameless.post(ROUTE, content=CHELSEA, headers={"X-Request-Id": "second", **bearer(BOB)})
    assert wait_for_line(nameless_server, nameless, "second")["key"] == "key-2"
    metrics = nameless.get("/metrics", headers=bearer(ANN)).text
    assert 'ekiben_key_requests_total{key="key-2",status="200"} 1.0' in metrics
    assert not any(secret in metrics for secret in SECRETS)


def test_metrics_need_a_key_where_they_have_no_port_of_their_own(nameless: httpx.Client) -> None:
    problem(nameless.get("/metrics"), 401)
    assert "ekiben_requests_total" in nameless.get("/metrics", headers=bearer(BOB)).text


def test_the_documentation_says_that_a_key_is_needed(stranger: httpx.Client) -> None:
    document = stranger.get("/openapi.json").json()
    assert document["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    assert document["security"] == [{"key": []}]
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert (operation.get("security") == []) == (path in OPEN), path
            assert ("401" in operation["responses"]) == (path not in OPEN), path
    assert "/metrics" not in document["paths"]
    assert "API key" in stranger.get("/").text and "/metrics" not in stranger.get("/").text


def test_without_keys_the_documentation_says_nothing_of_them(http: httpx.Client) -> None:
    document = http.get("/openapi.json").json()
    assert "security" not in document and "securitySchemes" not in document["components"]
    assert "401" not in json.dumps(document)
    assert "API key" not in http.get("/").text and "/metrics" in http.get("/").text


def test_a_start_that_fails_tells_no_key() -> None:
    output = start_and_fail(
        "bentoml serve", {"EKIBEN_API_KEYS": f"ann:{ANN},bob:short", "EKIBEN_FOO": "1", "EKIBEN_DEVICE": "x"}
    )
    assert "EKIBEN_FOO" in output and ANN not in output
    output = start_and_fail("bentoml serve", {"EKIBEN_API_KEYS": f"ann:{ANN},bob:sh!rt"})
    assert "entry 2" in output and ANN not in output and "sh!rt" not in output
