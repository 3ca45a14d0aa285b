"""Keys as LibreTranslate's clients send them, in the body; of nobody else, and nowhere else."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.e2e.checks import ROUTE, connection, head, photograph, read_response
from tests.e2e.doors import (
    ANN,
    WRONG,
    bearer,
)
from tests.golden.test_translation import EN_PT
from tests.serving import Server

CHELSEA = photograph()

CAT, GATO = next(iter(EN_PT.items()))
FIELDS = {"q": CAT, "source": "en", "target": "pt"}
FORMS: dict[str, Callable[[dict[str, str]], dict[str, Any]]] = {
    "JSON": lambda fields: {"json": fields},
    "form": lambda fields: {"data": fields},
    "multipart": lambda fields: {"files": {name: (None, value) for name, value in fields.items()}},
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("key", "status"), [(ANN, 200), (WRONG, 401), ("", 401), (None, 401)])
def test_libretranslate_s_key_may_be_in_the_body(
    stranger: httpx.Client, form: str, key: str | None, status: int
) -> None:
    fields = FIELDS if key is None else {**FIELDS, "api_key": key}
    response = stranger.post("/translate", **FORMS[form](fields))
    assert response.status_code == status, response.text
    assert (response.json() == {"translatedText": GATO}) == (status == 200)


def test_a_key_in_the_header_counts_alone(stranger: httpx.Client) -> None:
    assert stranger.post("/translate", json={**FIELDS, "api_key": ANN}, headers=bearer(WRONG)).status_code == 401
    assert stranger.post("/translate", json={**FIELDS, "api_key": WRONG}, headers=bearer(ANN)).status_code == 200


@pytest.mark.parametrize("value", [1, None, [ANN], {"key": ANN}])
def test_a_key_is_a_text(stranger: httpx.Client, value: object) -> None:
    assert stranger.post("/translate", json={**FIELDS, "api_key": value}).status_code == 401


def test_keys_in_addresses_are_not_read(stranger: httpx.Client) -> None:
    """They would be in the logs of everything in between."""
    for path in ("/translate", "/detect", "/v1/translation"):
        assert stranger.post(path, params={"api_key": ANN}, json=FIELDS).status_code == 401


def test_a_key_in_the_body_opens_no_other_route(stranger: httpx.Client) -> None:
    assert stranger.post("/v1/translation", json={"inputs": CAT, "api_key": ANN}).status_code == 401
    assert stranger.post(ROUTE, files={"image": CHELSEA}, data={"api_key": ANN}).status_code == 401


def test_a_stranger_s_body_has_its_budgets(closed_server: Server, stranger: httpx.Client) -> None:
    body = {**FIELDS, "q": "a " * 10_000_000, "api_key": WRONG}
    assert stranger.post("/translate", json=body).status_code == 413
    with connection(closed_server) as opened:
        opened.sendall(head("Content-Length: 1000", "X-Request-Timeout-Ms: 200", path="/translate") + b"q=")
        response, content = read_response(opened)
    assert (response.status, set(json.loads(content))) == (504, {"error"})
