"""The catalogue of served models, and the page for people."""

from __future__ import annotations

import re
import time

import httpx
import pytest

from models import MODELS
from tests.e2e.checks import ROUTE, photograph, problem
from tests.serving import PICTURE_MODELS

TASKS = {
    "efficientnet-lite0": "image-classification",
    "efficientnet-lite2": "image-classification",
    "ssd-mobilenet-v2": "object-detection",
    "centerface": "face-detection",
    "multistyle26": "style-transfer",
    "magenta-arbitrary": "style-transfer",
}
# what the detail says of a kind of model, beside what it says of every model
FACTS = {
    "efficientnet-lite0": {"labels": 1000},
    "efficientnet-lite2": {"labels": 1000},
    "ssd-mobilenet-v2": {"labels": 80, "input_size": 300},
    "centerface": {"longest_side": 640, "smallest_face": 18},
    "multistyle26": {"styles": 26},
    "magenta-arbitrary": {"style_input_size": 256},
}


def test_the_list_has_every_served_model_in_the_form_of_the_openai_api(http: httpx.Client) -> None:
    document = http.get("/v1/models").json()
    assert document["object"] == "list"
    assert {model["id"]: model["task"] for model in document["data"]} == TASKS
    assert tuple(TASKS) == PICTURE_MODELS
    for model in document["data"]:
        assert model["object"] == "model"
        assert model["owned_by"] == "ekiben"
        assert model["title"]
        assert 1_600_000_000 < model["created"] <= time.time()


def test_the_default_is_the_model_that_answers_where_none_is_named(http: httpx.Client) -> None:
    defaults = {model["task"]: model["id"] for model in http.get("/v1/models").json()["data"] if model["default"]}
    assert set(defaults) == set(TASKS.values())
    for task, id in defaults.items():
        assert http.post(f"/v1/{task}", content=photograph()).headers["X-Ekiben-Model"] == id


@pytest.mark.parametrize("id", TASKS)
def test_the_detail_says_what_a_model_was_made_of_and_where_it_runs(http: httpx.Client, id: str) -> None:
    detail = http.get(f"/v1/models/{id}").json()
    summary = next(model for model in http.get("/v1/models").json()["data"] if model["id"] == id)
    assert summary.items() <= detail.items()
    assert detail["licence"] and detail["provenance"]
    assert re.match(r"[a-z0-9-]+==[0-9.]+: ", detail["source"])
    assert re.fullmatch(r"[0-9a-f]{64}", detail["source_sha256"])
    assert detail["provider"] == "CPUExecutionProvider"
    assert detail["precision"] == ("int8" if id == "magenta-arbitrary" else "float32")
    assert detail["max_batch"] >= 1
    assert detail["workers"] >= 1
    assert FACTS[id].items() <= detail.items()
    assert detail["paper"].startswith("https://")
    files = {"image": photograph()} | ({"style_image": photograph()} if id == "magenta-arbitrary" else {})
    answer = http.post(f"/v1/{TASKS[id]}", files=files, params={"model": id})
    assert answer.status_code == 200
    assert answer.headers["X-Ekiben-Provider"] == detail["provider"] and answer.headers["X-Ekiben-Model"] == id


@pytest.mark.parametrize("id", TASKS)
def test_the_detail_has_the_proof_of_the_export(http: httpx.Client, id: str) -> None:
    detail = http.get(f"/v1/models/{id}").json()
    proof = detail["proof"]
    assert 0 <= proof["max_difference"] <= proof["tolerance"] == MODELS[id].tolerance
    assert len({tuple(each["inputs"]["image"]) for each in proof["comparisons"]}) >= 2
    assert {each["graph"] for each in proof["comparisons"]} == {graph.name for graph in MODELS[id].protocol.graphs}
    assert set(detail["files"]) == {graph.file for graph in MODELS[id].protocol.graphs}
    assert {"torch", "onnx"} <= set(proof["versions"])
    assert proof["reference"]
    assert detail["files"]
    for file in detail["files"].values():
        assert file["bytes"] > 100_000
        assert re.fullmatch(r"[0-9a-f]{64}", file["sha256"])


@pytest.mark.parametrize(("id", "says"), [("nope", "no model"), ("resnet50", "not enabled"), ("RESNET50", "no model")])
def test_a_model_that_is_not_served_is_not_found(http: httpx.Client, id: str, says: str) -> None:
    problem(http.get(f"/v1/models/{id}"), 404, says=says)


def test_a_model_that_is_not_served_is_not_found_whatever_its_name(http: httpx.Client) -> None:
    problem(http.get("/v1/models/" + "x" * 20_000), 404)


def test_the_landing_page_names_every_model(http: httpx.Client) -> None:
    response = http.get("/")
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    for id in TASKS:
        assert f'href="/v1/models/{id}"' in response.text
    assert f"curl -T photo.jpg -X POST {str(http.base_url).rstrip('/')}{ROUTE}" in response.text
    assert "loaded and warm" in response.text


def test_the_landing_page_is_not_written_by_its_readers(http: httpx.Client) -> None:
    response = http.get("/", headers={"Host": "<script>alert(1)</script>"})
    assert response.status_code == 200
    assert "<script>" not in response.text


def test_the_landing_page_shows_how_each_task_is_asked(http: httpx.Client) -> None:
    text = http.get("/").text
    for task in set(TASKS.values()):
        assert f"/v1/{task}" in text
    assert "/v1/style-transfer -o painted.png" in text  # and not into a terminal
    assert re.search("curl -T talk.mp3 -X POST .*/v1/speech-recognition", text)
    assert re.search("curl --json .* .*/v1/translation", text)
    assert "make demo" in text


def test_the_styles_are_listed_with_titles(http: httpx.Client) -> None:
    styles = http.get("/v1/styles").json()
    assert [each["name"] for each in styles] == [f"style-{number:02}" for number in range(26)]
    assert len({each["title"] for each in styles}) == 26 and all(len(each["title"]) > 5 for each in styles)
