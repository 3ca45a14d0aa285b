"""One request in every form that the contract knows gives one answer."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests import photographs
from tests.e2e.checks import ROUTE, base64_text, photograph, png, problem, same_answer
from tests.serving import Server

CHELSEA = photograph()
PARAMETERS: dict[str, Any] = {"top_k": 7, "function_to_apply": "softmax", "model": "efficientnet-lite2"}
QUERY: dict[str, Any] = {"params": PARAMETERS}
TEXT = base64_text(CHELSEA)


def typed(media_type: str) -> dict[str, Any]:
    return {**QUERY, "content": CHELSEA, "headers": {"Content-Type": media_type}}


def form(*file: Any) -> dict[str, Any]:
    return {"data": PARAMETERS, "files": {"image": file}}


FORMS: dict[str, dict[str, Any]] = {
    "no media type": {**QUERY, "content": CHELSEA},
    "its media type": typed("image/png"),
    "its media type, in capitals with a parameter": typed("IMAGE/PNG; q=1"),
    "another picture's media type": typed("image/jpeg"),
    "octet-stream": typed("application/octet-stream"),
    "binary octet-stream": typed("binary/octet-stream"),
    "as curl --data-binary declares it": typed("application/x-www-form-urlencoded"),
    "form": form("chelsea.png", CHELSEA, "image/png"),
    "form, part without a type": form("chelsea", CHELSEA),
    "form, part without a file name": form(None, CHELSEA),
    "form, parameters in the query": {**QUERY, "files": {"image": CHELSEA}},
    "form, those in the body count": {
        "params": {"top_k": 3, "model": "efficientnet-lite2"},
        "data": {"top_k": 7},
        "files": {"image": CHELSEA},
    },
    "JSON": {"json": {"inputs": TEXT, "parameters": PARAMETERS}},
    "JSON, numbers as text": {"json": {"inputs": TEXT, "parameters": {**PARAMETERS, "top_k": "7"}}},
    "JSON, data URL": {"json": {"inputs": f"data:image/png;base64,{TEXT}", "parameters": PARAMETERS}},
    "JSON, data URL without a type": {"json": {"inputs": f"data:;base64,{TEXT}", "parameters": PARAMETERS}},
    "JSON, data URL with a parameter": {
        "json": {"inputs": f"data:image/png;name=a.png;base64,{TEXT}", "parameters": PARAMETERS}
    },
    "JSON, parameters in the query": {**QUERY, "json": {"inputs": TEXT}},
    "JSON, no parameters of its own": {**QUERY, "json": {"inputs": TEXT, "parameters": None}},
    "JSON, those in the body count": {
        "params": {"top_k": 3, "model": "efficientnet-lite0"},
        "json": {"inputs": TEXT, "parameters": PARAMETERS},
    },
    "identity coding": {**QUERY, "content": CHELSEA, "headers": {"Content-Encoding": "identity"}},
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_answer(http: httpx.Client, form: str) -> None:
    expected = http.post(ROUTE, params=PARAMETERS, content=CHELSEA, headers={"Content-Type": "image/png"})
    actual = http.post(ROUTE, **FORMS[form])
    same_answer(actual, expected)
    assert len(actual.json()) == 7
    assert actual.headers["X-Ekiben-Model"] == "efficientnet-lite2"


@pytest.mark.parametrize("name", photographs.FILES)
def test_a_photograph_encoded_anew_without_loss_gets_the_same_labels(http: httpx.Client, name: str) -> None:
    original = http.post(ROUTE, content=photograph(name))
    same_answer(http.post(ROUTE, content=png(photographs.rgb(name))), original)


CURL = {
    "-T file -X POST": ["-T", "{file}", "-X", "POST"],
    "-T - -X POST (chunked)": ["-T", "-", "-X", "POST"],
    "--data-binary": ["--data-binary", "@{file}"],
    "--data-binary, with a type": ["--data-binary", "@{file}", "-H", "Content-Type: image/png"],
    "--data-binary, no type": ["--data-binary", "@{file}", "-H", "Content-Type:"],
    "-F": ["-F", "image=@{file}"],
    "-F, own type": ["-F", "image=@{file};type=image/png"],
    "-F, after a 100 Continue": ["-F", "image=@{file}", "-H", "Expect: 100-continue"],
    "--json": ["--json", "@{json}"],
}


@pytest.mark.parametrize("form", CURL)
def test_curl_can_send_a_picture(server: Server, http: httpx.Client, tmp_path: Path, form: str) -> None:
    picture, document = tmp_path / "chelsea.png", tmp_path / "request.json"
    picture.write_bytes(CHELSEA)
    document.write_text(f'{{"inputs": "{TEXT}"}}')
    options = [option.format(file=picture, json=document) for option in CURL[form]]
    command = ["curl", "-sS", *options, f"{server.url}{ROUTE}?top_k=3"]
    with picture.open("rb") as standard_input:
        done = subprocess.run(command, stdin=standard_input, capture_output=True, check=True, timeout=60)
    same_answer(httpx.Response(200, content=done.stdout), http.post(ROUTE, params={"top_k": 3}, content=CHELSEA))


@pytest.mark.parametrize(("top_k", "count"), [(1, 1), (2, 2), (1000, 1000)])
def test_top_k_is_the_number_of_labels_best_first(http: httpx.Client, top_k: int, count: int) -> None:
    answer = http.post(ROUTE, params={"top_k": top_k}, content=CHELSEA).json()
    scores = [each["score"] for each in answer]
    assert len({each["label"] for each in answer}) == count
    assert scores == sorted(scores, reverse=True)


def test_the_default_is_five_labels_of_the_default_model(http: httpx.Client) -> None:
    response = http.post(ROUTE, content=CHELSEA)
    assert len(response.json()) == 5
    assert response.headers["X-Ekiben-Model"] == "efficientnet-lite0"
    assert response.headers["Content-Type"] == "application/json"


def test_a_whole_answer_is_a_distribution(http: httpx.Client) -> None:
    answer = http.post(ROUTE, params={"top_k": 1000}, content=CHELSEA).json()
    assert sum(each["score"] for each in answer) == pytest.approx(1, abs=1e-4)


def test_the_answer_says_which_model_and_provider_gave_it_and_where_the_time_went(http: httpx.Client) -> None:
    headers = http.post(ROUTE, content=CHELSEA).headers
    assert headers["X-Ekiben-Provider"] == "CPUExecutionProvider"
    stages = dict(stage.split(";dur=") for stage in headers["Server-Timing"].split(", "))
    assert list(stages) == ["decode", "queue", "infer", "post"]
    assert all(float(milliseconds) >= 0 for milliseconds in stages.values())
    assert float(stages["infer"]) > 0 and float(stages["decode"]) > 0


def test_the_same_picture_gives_the_same_answer_over_one_connection_after_a_refusal(http: httpx.Client) -> None:
    first = http.post(ROUTE, content=CHELSEA)
    problem(http.post(ROUTE, content=CHELSEA, params={"top_k": "many"}), 422, field="top_k")
    same_answer(http.post(ROUTE, content=CHELSEA), first)
