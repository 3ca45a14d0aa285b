"""`Accept: text/event-stream` on `POST /v1/translation`: the translation while it is made."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.e2e.checks import problem
from tests.golden.test_translation import EN_PT
from tests.serving import Server

ROUTE = "/v1/translation"
EVENTS = {"Accept": "text/event-stream"}
DOCUMENT = "\n".join(EN_PT)


@pytest.fixture(scope="module")
def server(translation_server: Server) -> Server:
    return translation_server


def events(response: httpx.Response) -> Iterator[dict[str, Any]]:
    for line in response.iter_lines():
        if line:
            yield json.loads(line.removeprefix("data: "))


def test_pieces_joined_are_the_answer_that_other_callers_get(http: httpx.Client) -> None:
    body = {"inputs": [DOCUMENT, "Bom dia!"]}
    with http.stream("POST", ROUTE, json=body, headers=EVENTS) as response:
        *partial, last = events(response)
    assert response.headers["Content-Type"].startswith("text/event-stream")
    joined = ["", ""]
    for event in partial:
        assert event["type"] == "partial"
        joined[event["partial"]["input"]] += event["partial"]["text"]
    assert len(partial) > len(EN_PT)
    assert last == {"type": "answer", "answer": [{"translation_text": text} for text in joined]}
    assert last["answer"] == http.post(ROUTE, json=body).json()


@pytest.mark.parametrize(
    "accept", ["*/*", "application/json", "text/event-stream;q=0.5, application/json", "text/html"]
)
def test_whoever_does_not_like_events_best_gets_the_whole(http: httpx.Client, accept: str) -> None:
    response = http.post(ROUTE, json={"inputs": "Bom dia!"}, headers={"Accept": accept})
    assert response.json() == [{"translation_text": "Good morning!"}]


def test_what_is_wrong_from_the_first_has_its_status(http: httpx.Client) -> None:
    body = {"inputs": "Hello!", "parameters": {"tgt_lang": "xx"}}
    problem(http.post(ROUTE, json=body, headers=EVENTS), 422, field="tgt_lang")


def test_the_first_piece_is_there_long_before_the_last_and_a_caller_may_go_after_it(
    server: Server, http: httpx.Client
) -> None:
    request = {"inputs": "\n".join([DOCUMENT] * 40), "parameters": {"src_lang": "en"}}
    with http.stream("POST", ROUTE, json=request, headers={**EVENTS, "X-Request-Id": "leaves-early"}) as response:
        first = next(events(response))
    assert first["partial"]["input"] == 0
    assert http.post(ROUTE, json={"inputs": "Bom dia!"}).status_code == 200
    [line] = (line for line in server.log.read_text().splitlines() if '"leaves-early"' in line)
    assert json.loads(line)["status"] == 499, "it was finished before its caller went"
