"""The Open Inference Protocol over plain HTTP: what is refused, what it costs, and what no client library sends."""

from __future__ import annotations

import gzip
import io
import json
import random
import subprocess
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from models.errors import Overloaded
from services.app import Application
from services.edge import Edge
from services.engine import Engine
from services.settings import Settings
from tests import photographs
from tests.e2e.checks import LEAKS, wait_for_line
from tests.e2e.test_budgets import MEGABYTE, memory_grows_less_than
from tests.serving import Server, serving

MODEL = "efficientnet-lite0"
INFER = f"/v2/models/{MODEL}/infer"
PIXELS = np.asarray(photographs.rgb("chelsea").resize((224, 224)), np.uint8)[None]
IMAGE = {"name": "image", "shape": [1, 224, 224, 3], "datatype": "UINT8"}
LENGTH = "Inference-Header-Content-Length"


def binary_request(pixels: Any = PIXELS, **changes: Any) -> tuple[bytes, dict[str, str]]:
    image = {**IMAGE, "shape": list(pixels.shape), "parameters": {"binary_data_size": pixels.nbytes}, **changes}
    text = json.dumps({"inputs": [image]}).encode()
    return text + pixels.tobytes(), {LENGTH: str(len(text))}


BODY, HEADERS = binary_request()


def json_request(**changes: Any) -> bytes:
    return json.dumps({"inputs": [{**IMAGE, **changes}]}).encode()


def refusal(response: httpx.Response, status: int, says: str = "") -> str:
    """The sentence of an error, which is all that an error here is."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    assert response.headers["X-Request-Id"]
    document = response.json()
    assert list(document) == ["error"]
    assert says in document["error"] and document["error"]
    assert not LEAKS.search(document["error"]) and len(response.content) < 10_000
    sentence: str = document["error"]
    return sentence


def test_health_and_metadata_have_bodies_too(http: httpx.Client) -> None:
    assert http.get("/v2/health/live").json() == {"live": True}
    assert http.get("/v2/health/ready").json() == {"ready": True}
    assert http.get(f"/v2/models/{MODEL}/ready").json() == {"name": MODEL, "ready": True}
    assert http.get("/v2").json()["name"] == "ekiben"


def test_json_alone_is_enough(http: httpx.Client) -> None:
    flat = http.post(INFER, content=json_request(data=PIXELS.ravel().tolist()))
    nested = http.post(INFER, content=json_request(data=PIXELS.tolist()), headers={"Content-Type": "text/plain"})
    binary = http.post(INFER, content=BODY, headers=HEADERS)
    for response in (flat, nested, binary):
        assert response.status_code == 200
        assert response.headers["X-Ekiben-Model"] == MODEL
        assert "infer" in response.headers["Server-Timing"]
        document = response.json()
        assert list(document) == ["model_name", "model_version", "outputs"]
        [output] = document["outputs"]
        assert (output["name"], output["datatype"], output["shape"]) == ("probabilities", "FP32", [1, 1000])
        assert output["data"] == pytest.approx(flat.json()["outputs"][0]["data"], abs=1e-6)
        assert int(np.argmax(output["data"])) in (281, 282, 285)  # cats


CURL = {
    "JSON": ["-d", "@{json}"],
    "JSON, its type said": ["-d", "@{json}", "-H", "Content-Type: application/json"],
    "gzip": ["--data-binary", "@{gzip}", "-H", "Content-Encoding: gzip"],
    "gzip back": ["-d", "@{json}", "--compressed"],
    "binary": ["--data-binary", "@{binary}", "-H", f"{LENGTH}: {HEADERS[LENGTH]}"],
    "binary, chunked": [
        "-T",
        "{binary}",
        "-X",
        "POST",
        "-H",
        f"{LENGTH}: {HEADERS[LENGTH]}",
        "-H",
        "Transfer-Encoding: chunked",
    ],
}


@pytest.mark.parametrize("form", CURL)
def test_curl_is_a_client(server: Server, tmp_path: Path, form: str) -> None:
    text = json_request(data=PIXELS.ravel().tolist())
    files = {"json": text, "gzip": gzip.compress(text), "binary": BODY}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    options = [option.format(**{name: tmp_path / name for name in files}) for option in CURL[form]]
    command = ["curl", "-sS", "--fail-with-body", *options, f"{server.url}{INFER}"]
    done = subprocess.run(command, capture_output=True, check=True, timeout=60)
    assert int(np.argmax(json.loads(done.stdout)["outputs"][0]["data"])) in (281, 282, 285)


BAD: dict[str, tuple[int, dict[str, Any], str]] = {
    "empty": (400, {"content": b""}, "not JSON"),
    "broken": (400, {"content": b'{"inputs": ['}, "brackets do not match"),
    "not UTF-8": (400, {"content": b'{"inputs": "\xff"}'}, "not JSON"),
    "a list": (400, {"content": b"[]"}, "not a JSON object"),
    "an input that is no object": (400, {"content": b'{"inputs": [1]}'}, "inputs.0: is not a JSON object"),
    "nested 1,000 deep": (400, {"content": b"[" * 1_000 + b"]" * 1_000}, "nested deeper"),
    "nested 1,000,000 deep": (400, {"content": b"[" * MEGABYTE + b"]" * MEGABYTE}, "nested deeper"),
    "a negative dimension": (400, {"content": json_request(shape=[-1, 224, 224, 3], data=[])}, "shape"),
    "2³¹ elements": (400, {"content": json_request(shape=[2**31, 1, 1, 1], data=[1])}, "2,147,483,648"),
    "2³¹ pictures": (400, {"content": json_request(shape=[2**31, 224, 224, 3], data=[1])}, "its shape needs"),
    "sizes that do not add up": (400, {"content": json_request(data=[1, 2, 3])}, "has 3 values"),
    "another type": (400, {"content": json_request(datatype="INT32", data=[1])}, "INT32"),
    "texts": (400, {"content": json_request(datatype="BYTES", data=["a"])}, "BYTES"),
    "NaN": (400, {"content": json_request(data=[float("nan")] * PIXELS.size)}, "no UINT8"),
    "no input": (400, {"content": b'{"inputs": []}'}, "image: is missing"),
    "an unknown output": (400, {"content": b'{"inputs": [' + BODY[:0] + b'], "outputs": [{"name": "x"}]}'}, "image"),
    "a length beyond the body": (400, {"content": BODY, "headers": {LENGTH: "999999999"}}, LENGTH),
    "a length below zero": (400, {"content": BODY, "headers": {LENGTH: "-1"}}, LENGTH),
    "a length that is none": (400, {"content": BODY, "headers": {LENGTH: "all"}}, LENGTH),
    "a length of 5,000 digits": (400, {"content": BODY, "headers": {LENGTH: "9" * 5_000}}, LENGTH),
    "bytes that belong to nothing": (400, {"content": BODY + b"x", "headers": HEADERS}, "belong to no input"),
    "bytes that are missing": (400, {"content": BODY[:-1], "headers": HEADERS}, "binary_data_size"),
    "broken gzip": (400, {"content": b"no gzip", "headers": {"Content-Encoding": "gzip"}}, "not gzip"),
    "half of gzip": (
        400,
        {"content": gzip.compress(BODY)[:-9], "headers": {**HEADERS, "Content-Encoding": "gzip"}},
        "before its gzip",
    ),
    "another coding": (415, {"content": BODY, "headers": {**HEADERS, "Content-Encoding": "br"}}, "br"),
    "a timeout that is none": (
        400,
        {"content": BODY, "headers": {**HEADERS, "X-Request-Timeout-Ms": "soon"}},
        "Timeout",
    ),
    "too many values": (413, {"content": b"[" + b"1," * 2_100_000 + b"1]"}, "binary data"),
    "too many lists": (413, {"content": b"[" + b"[]," * 2_100_000 + b"[]]"}, "values"),
    "too many texts": (413, {"content": b'["' + b'","' * 100_000 + b'"]'}, "quotes"),
    "too long": (413, {"content": bytes(40 * MEGABYTE)}, "longer"),
    "a gzip bomb": (
        413,
        {"content": gzip.compress(bytes(300 * MEGABYTE)), "headers": {"Content-Encoding": "gzip"}},
        "longer",
    ),
    "a deflate bomb": (
        413,
        {"content": zlib.compress(bytes(300 * MEGABYTE)), "headers": {"Content-Encoding": "deflate"}},
        "longer",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_request_is_refused_and_costs_no_memory(server: Server, http: httpx.Client, case: str) -> None:
    status, request, says = BAD[case]
    with memory_grows_less_than(server, 50 * MEGABYTE):
        refusal(http.post(INFER, **request), status, says)
    assert http.post(INFER, content=BODY, headers=HEADERS).status_code == 200


def test_an_unknown_output_is_refused_by_name(http: httpx.Client) -> None:
    document = {"inputs": [{**IMAGE, "data": PIXELS.ravel().tolist()}], "outputs": [{"name": "labels"}]}
    refusal(http.post(INFER, json=document), 400, "labels: is no output; there is: probabilities")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v2/models/nope", 404),
        ("GET", "/v2/models/resnet50/ready", 404),
        ("GET", f"/v2/models/{MODEL}/versions/2/config", 404),
        ("POST", "/v2/models/nope/infer", 404),
        ("POST", "/v2/models/magenta-arbitrary/infer", 404),
        ("POST", "/v2/models/whisper-tiny-en.encoder/infer", 404),
        ("GET", "/v2/models/a%2fb/ready", 404),
        ("POST", "/v2/repository/index", 404),
        ("GET", INFER, 405),
        ("POST", "/v2/health/live", 405),
    ],
)
def test_every_refusal_is_in_the_protocol_s_words(http: httpx.Client, method: str, path: str, status: int) -> None:
    refusal(http.request(method, path), status)


def test_bad_requests_among_good_ones_hurt_only_themselves(http: httpx.Client) -> None:
    expected = http.post(INFER, content=BODY, headers=HEADERS).json()["outputs"][0]["data"]
    work = ["good"] * 60 + [case for case in BAD if "bomb" not in case and "long" not in case]
    random.Random(7).shuffle(work)

    def send(case: str) -> httpx.Response:
        request = {"content": BODY, "headers": HEADERS} if case == "good" else BAD[case][1]
        return http.post(INFER, **request)

    with ThreadPoolExecutor(16) as threads:
        responses = list(threads.map(send, work))
    for case, response in zip(work, responses, strict=True):
        if case == "good":
            assert response.status_code == 200
            assert response.json()["outputs"][0]["data"] == pytest.approx(expected, abs=1e-6)
        else:
            refusal(response, *BAD[case][::2])


def test_a_deadline_that_has_passed_is_504(http: httpx.Client) -> None:
    body, headers = binary_request(np.repeat(PIXELS, 64, axis=0))
    with ThreadPoolExecutor(8) as threads:
        hurried = {**headers, "X-Request-Timeout-Ms": "20"}
        responses = list(threads.map(lambda _: http.post(INFER, content=body, headers=hurried), range(8)))
    assert 504 in [response.status_code for response in responses]
    for response in responses:
        if response.status_code != 200:
            refusal(response, 504, "deadline")


def test_the_log_says_what_ran_by_its_route(server: Server, http: httpx.Client) -> None:
    http.post(INFER, content=BODY, headers={**HEADERS, "X-Request-Id": "open-inference"})
    line = wait_for_line(server, http, "open-inference")
    assert line["model"] == MODEL and line["infer_ms"] > 0
    assert 'route="/v2/models/{model}/infer"' in http.get("/metrics").text


class FullRunner:
    """A runner whose queue is full."""

    provider = "CPUExecutionProvider"

    def check_capacity(self) -> None:
        raise Overloaded("the model's queue is full", retry_after_seconds=2.5)


def client(engine: Engine, *, draining: bool = False) -> httpx.AsyncClient:
    application = Application(engine, draining=lambda: draining)
    edge = Edge(system=application, application=application, draining=lambda: draining)
    return httpx.AsyncClient(transport=httpx.ASGITransport(edge), base_url="http://test")


async def test_until_models_are_loaded_the_answer_is_503() -> None:
    async with client(Engine(Settings())) as http:
        assert (await http.get("/v2")).status_code == (await http.get("/v2/health/live")).status_code == 200
        for path in ("/v2/health/ready", f"/v2/models/{MODEL}", f"/v2/models/{MODEL}/ready"):
            response = await http.get(path)
            refusal(response, 503, "loading")
            assert response.headers["Retry-After"] == "2"
        refusal(await http.post(INFER, content=BODY, headers=HEADERS), 503, "loading")


async def test_while_draining_nothing_is_ready_and_requests_are_served_as_ever() -> None:
    engine = Engine(Settings())
    engine.runners = {model.id: FullRunner() for model in engine.settings.models}  # type: ignore[misc]
    async with client(engine, draining=True) as http:
        for path in ("/v2/health/ready", f"/v2/models/{MODEL}/ready"):
            refusal(await http.get(path), 503, "about to stop")
        assert (await http.get(f"/v2/models/{MODEL}")).status_code == 200


async def test_a_full_queue_is_429_before_the_body_is_read() -> None:
    engine = Engine(Settings())
    engine.runners = {model.id: FullRunner() for model in engine.settings.models}  # type: ignore[misc]

    async def never() -> Any:
        raise AssertionError("the body was read")
        yield b""

    async with client(engine) as http:
        response = await http.post(INFER, content=never())
    refusal(response, 429, "full")
    assert response.headers["Retry-After"] == "3"


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    log = tmp_path_factory.mktemp("elsewhere") / "log"
    settings = {"EKIBEN_RUNNERS": "services", "EKIBEN_MODELS": f"bergamot-tiny-en-pt,{MODEL}"}
    with serving(log, settings) as running, httpx.Client(base_url=running.url, timeout=60) as http:
        yield http


def test_graphs_run_in_processes_of_their_own_too(http: httpx.Client, elsewhere: httpx.Client) -> None:
    here, there = (each.post(INFER, content=BODY, headers=HEADERS).json() for each in (http, elsewhere))
    assert there["outputs"][0]["data"] == pytest.approx(here["outputs"][0]["data"], abs=1e-6)
    described = {"shape": [1, 2], "datatype": "INT64"}

    def encode(ids: list[int]) -> httpx.Response:
        inputs = [{"name": "ids", "data": ids, **described}, {"name": "mask", "data": [1, 1], **described}]
        return elsewhere.post("/v2/models/bergamot-tiny-en-pt.encoder/infer", json={"inputs": inputs})

    assert encode([5, 0]).json()["outputs"][0]["shape"] == [1, 8, 2, 32]
    refusal(encode([10**9, 0]), 400, "cannot be run")


def test_a_graph_s_tensors_are_what_onnx_runtime_computes(http: httpx.Client) -> None:
    """The picture of the native route, stylized by the graph itself, is the same picture."""
    picture = photographs.rgb("coffee").resize((256, 192))
    style = np.zeros((1, 26), np.float32)
    style[0, 3] = 1
    inputs = [
        {"name": "image", "shape": [1, 192, 256, 3], "datatype": "UINT8", "data": np.asarray(picture).ravel().tolist()},
        {"name": "style", "shape": [1, 26], "datatype": "FP32", "data": style.ravel().tolist()},
    ]
    [output] = http.post("/v2/models/multistyle26/infer", json={"inputs": inputs}).json()["outputs"]
    native = http.post(
        "/v1/style-transfer",
        params={"model": "multistyle26", "style": "style-03"},
        content=photographs.encoded(picture, "PNG"),
    )
    with Image.open(io.BytesIO(native.content)) as expected:
        difference = np.abs(np.asarray(expected, int).ravel() - output["data"])
    assert difference.max() <= 1
