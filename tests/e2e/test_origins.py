"""Pages of other origins (CORS): preflights, and headers on every answer, refusals included."""

from __future__ import annotations

import httpx
import pytest

from tests.e2e.checks import ROUTE, photograph
from tests.e2e.doors import (
    ANN,
    APP,
    AT_ONCE,
    BOB,
    INFER,
    bearer,
    unfinished,
)
from tests.e2e.speech import OPENAI
from tests.serving import Server

CHELSEA = photograph()

ASKED = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,x-stainless-os"}


def test_a_preflight_needs_no_key(stranger: httpx.Client) -> None:
    for path in (ROUTE, OPENAI, INFER, "/translate", "/v1/models", "/livez"):
        response = stranger.options(path, headers={"Origin": APP, **ASKED})
        assert (response.status_code, response.content) == (204, b"")
        assert response.headers["Access-Control-Allow-Origin"] == APP
        assert "POST" in response.headers["Access-Control-Allow-Methods"]
        assert response.headers["Access-Control-Allow-Headers"] == "authorization,x-stainless-os"
        assert int(response.headers["Access-Control-Max-Age"]) > 0
        assert response.headers["X-Request-Id"]


def test_answers_and_refusals_can_be_read_by_an_allowed_page(closed_server: Server, ann: httpx.Client) -> None:
    origin = {"Origin": APP}
    with unfinished(closed_server, AT_ONCE, BOB), httpx.Client(base_url=closed_server.url, headers=origin) as stranger:
        responses = {
            200: ann.post(ROUTE, content=CHELSEA, headers=origin),
            401: stranger.post(ROUTE, content=CHELSEA),
            404: ann.get("/nothing", headers=origin),
            405: stranger.post("/livez"),
            413: ann.post(ROUTE, content=bytes(26_000_000), headers=origin),
            429: until_refused(stranger),
        }
    for status, response in responses.items():
        assert response.status_code == status
        assert response.headers.get_list("Access-Control-Allow-Origin") == [APP]
        assert "Origin" in response.headers["Vary"]
        exposed = response.headers["Access-Control-Expose-Headers"].split(", ")
        assert {"X-Request-Id", "Server-Timing", "X-Ekiben-Model", "X-Ekiben-Provider", "Retry-After"} <= set(exposed)
        assert "Access-Control-Allow-Credentials" not in response.headers


def until_refused(client: httpx.Client) -> httpx.Response:
    """Bob's other requests may only just be arriving."""
    while (response := client.get("/v1/models", headers=bearer(BOB))).status_code == 200:
        pass
    return response


@pytest.mark.parametrize("origin", ["https://evil.example", "null", f"{APP}.evil.example", f"{APP}:8443", ""])
def test_other_pages_are_allowed_nothing(stranger: httpx.Client, origin: str) -> None:
    for response in (
        stranger.options(ROUTE, headers={"Origin": origin, **ASKED}),
        stranger.post(ROUTE, headers={"Origin": origin, **bearer(ANN)}, content=CHELSEA),
    ):
        assert not [name for name in response.headers if name.startswith("access-control-")]
        assert response.headers["Vary"] == "Origin"


def test_any_origin_is_allowed_where_it_says_so(nameless: httpx.Client) -> None:
    response = nameless.options(ROUTE, headers={"Origin": "https://anywhere.example", **ASKED})
    assert (response.status_code, response.headers["Access-Control-Allow-Origin"]) == (204, "*")
    response = nameless.post(ROUTE, content=CHELSEA, headers={"Origin": "null", **bearer(ANN)})
    assert (response.status_code, response.headers["Access-Control-Allow-Origin"]) == (200, "*")


def test_without_the_setting_there_is_no_word_of_origins(http: httpx.Client) -> None:
    for response in (
        http.options(ROUTE, headers={"Origin": APP, **ASKED}),
        http.post(ROUTE, content=CHELSEA, headers={"Origin": APP}),
    ):
        assert not [name for name in response.headers if name.startswith("access-control-") or name == "vary"]
