"""Requests in flight for each key: bounded, and given back whatever becomes of them."""

from __future__ import annotations

from typing import Any

import httpx

from tests import recordings
from tests.e2e.checks import ROUTE, connection, head, photograph, problem, read_response
from tests.e2e.doors import (
    ANN,
    ANNS_NEXT,
    AT_ONCE,
    BOB,
    INFER,
    bearer,
    unfinished,
    wait_for,
)
from tests.e2e.speech import OPENAI
from tests.serving import Server

CHELSEA = photograph()


def test_a_key_s_holder_has_so_many_requests_at_once(
    closed_server: Server, metrics_port: int, ann: httpx.Client, stranger: httpx.Client
) -> None:
    wait_for(metrics_port, "ann", 0)
    with unfinished(closed_server, AT_ONCE - 1, ANN), unfinished(closed_server, 1, ANNS_NEXT, INFER):
        wait_for(metrics_port, "ann", AT_ONCE)
        response = ann.post(ROUTE, content=CHELSEA)
        problem(response, 429, says=str(AT_ONCE))
        assert int(response.headers["Retry-After"]) >= 1
        for response in (
            stranger.post("/translate", json={"q": "x", "api_key": ANN}),
            stranger.post("/translate", json={"q": "x"}, headers=bearer(ANNS_NEXT)),
        ):
            assert response.status_code == 429 and "this key" in response.json()["error"]
            assert int(response.headers["Retry-After"]) >= 1
        error = stranger.post(OPENAI, headers=bearer(ANN)).json()["error"]
        assert error["type"] == "rate_limit_error"
        with connection(closed_server) as opened:  # its body is not read either
            opened.sendall(head("Content-Length: 90000000", f"Authorization: Bearer {ANN}"))
            assert read_response(opened)[0].status == 429
        assert stranger.post(ROUTE, content=CHELSEA, headers=bearer(BOB)).status_code == 200
        assert ann.get("/livez").status_code == 200
        metrics = httpx.get(f"http://127.0.0.1:{metrics_port}/metrics").text
        assert 'ekiben_rejections_total{reason="key_concurrency"}' in metrics
    wait_for(metrics_port, "ann", 0)
    assert ann.post(ROUTE, content=CHELSEA).status_code == 200


def test_whatever_clients_do_their_key_has_room_again(
    closed_server: Server, metrics_port: int, ann: httpx.Client
) -> None:
    """Broken bodies, refusals, clients that go while they are answered or read, streams that nobody reads on."""
    speech = recordings.path("two_cities").read_bytes()
    form: Any = {"files": {"file": ("speech.wav", speech)}, "data": {"model": "whisper-1", "stream": "true"}}
    streamed = 0
    for _ in range(2):
        ann.post(ROUTE, content=b"nothing")
        ann.post(ROUTE, content=bytes(26_000_000))
        ann.post(OPENAI, content=b"nothing")
        with unfinished(closed_server, 2, ANN):
            pass
        with connection(closed_server) as opened:
            opened.sendall(head(f"Content-Length: {len(CHELSEA)}", f"Authorization: Bearer {ANN}") + CHELSEA)
        with ann.stream("POST", OPENAI, **form) as response:
            if response.status_code == 200:
                next(response.iter_lines())
                streamed += 1
        wait_for(metrics_port, "ann", 0)
    assert streamed
    assert ann.post(ROUTE, content=CHELSEA).status_code == 200
