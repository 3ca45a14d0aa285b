"""The start: what is wrong stops it at once and says so; until the models are loaded the server says that."""

from __future__ import annotations

import contextlib
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest
from PIL import Image

from services.__main__ import welcome
from tests import photographs
from tests.e2e.checks import ROUTE, base64_text, png, problem
from tests.serving import ROOT, Server, clean_environment, free_port, serving

SMALL = png(Image.new("RGB", (8, 8), "teal"))

WRONG = {
    "unknown variable": ({"EKIBEN_FOO": "1"}, "EKIBEN_FOO"),
    "misspelt limit": ({"EKIBEN_LIMITS__PICTURE_BITES": "1"}, "EKIBEN_LIMITS__PICTURE_BITES"),
    "part of a setting without parts": ({"EKIBEN_DEVICE__NAME": "cpu"}, "EKIBEN_DEVICE__NAME"),
    "unknown model": ({"EKIBEN_MODELS": "efficientnet-lite0,nope"}, "nope"),
    "no model": ({"EKIBEN_MODELS": ","}, "names no model"),
    "model without an export": ({"EKIBEN_MODELS": "resnet50"}, "make export MODELS=resnet50"),
    "unknown device": ({"EKIBEN_DEVICE": "tpu"}, "device"),
    "limit of zero": ({"EKIBEN_LIMITS__JSON_DEPTH": "0"}, "json_depth"),
    "limit below zero": ({"EKIBEN_LIMITS__PICTURE_BYTES": "-1"}, "picture_bytes"),
    "limit that is no number": ({"EKIBEN_LIMITS__PICTURE_BYTES": "lots"}, "picture_bytes"),
    "queue of nobody": ({"EKIBEN_QUEUE_REQUESTS": "0"}, "queue_requests"),
}
COMMANDS = {
    "python -m services": [sys.executable, "-m", "services"],
    "bentoml serve": [str(Path(sys.executable).with_name("bentoml")), "serve", "services.gateway:Gateway"],
}


def start_and_fail(command: str, settings: dict[str, str]) -> str:
    """What the server says when it does not start."""
    done = subprocess.run(
        [*COMMANDS[command], "--port", str(free_port())],
        cwd=ROOT,
        env=clean_environment(**settings),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode != 0
    return done.stdout + done.stderr


@contextmanager
def starting(log: Path, host: str = "127.0.0.1") -> Iterator[str]:
    """Start `python -m services` and do not wait for it; the address that it will have."""
    port = free_port()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*COMMANDS["python -m services"], "--host", host],
            cwd=ROOT,
            env=clean_environment(EKIBEN_MODELS="efficientnet-lite0,efficientnet-lite2", PORT=str(port)),
            stdout=output,
            stderr=output,
        )
    try:
        yield f"http://{host}:{port}"
    finally:
        process.terminate()
        process.wait(30)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_setting_stops_the_start_and_is_named(command: str, case: str) -> None:
    settings, says = WRONG[case]
    output = start_and_fail(command, settings)
    assert any(says in line for line in output.splitlines()[-4:]), output
    if command == "python -m services":
        assert output.startswith("ekiben cannot start: ")
        assert "Traceback" not in output


def test_a_runner_has_one_model() -> None:
    command = [sys.executable, "-m", "services.runner", "efficientnet-lite0,centerface"]
    done = subprocess.run(
        command, cwd=ROOT, env=clean_environment(), capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith("a runner has one model; start one for each")


@pytest.mark.skipif(Path("/dev/nvidiactl").exists(), reason="this machine has a GPU")
@pytest.mark.parametrize("command", COMMANDS)
def test_cuda_without_a_gpu_refuses_to_start(command: str) -> None:
    output = start_and_fail(command, {"EKIBEN_DEVICE": "cuda", "EKIBEN_MODELS": "efficientnet-lite0"})
    assert "EKIBEN_DEVICE=cuda, but" in output
    assert "CUDA" in output


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with narrow limits, and its models in another order."""
    settings = {
        "EKIBEN_MODELS": "efficientnet-lite2, efficientnet-lite0",
        "EKIBEN_LIMITS__PICTURE_BYTES": "1000",
        "EKIBEN_LIMITS__PICTURE_PIXELS": "100",
        "EKIBEN_LIMITS__MULTIPART_PARTS": "2",
        "ekiben_limits__json_depth": "3",
        "EKIBEN_DEVICE": "cpu",
    }
    with serving(tmp_path_factory.mktemp("narrow") / "log", settings) as running:
        yield running


def test_limits_can_be_set(narrow: Server) -> None:
    with httpx.Client(base_url=narrow.url, timeout=60) as http:
        assert http.post(ROUTE, content=SMALL).status_code == 200
        assert http.post(ROUTE, files={"image": SMALL}, data={"top_k": "1"}).status_code == 200
        problem(http.post(ROUTE, content=bytes(1_001)), 413, says="1,000 bytes")
        problem(http.post(ROUTE, files={"image": bytes(1_001)}), 413, says="1,000")
        problem(http.post(ROUTE, json={"inputs": base64_text(bytes(1_001))}), 413, says="1,000")
        problem(http.post(ROUTE, content=png(Image.new("RGB", (11, 10)))), 413, says="11x10")
        problem(http.post(ROUTE, files={"image": SMALL}, data={"top_k": "1", "model": "x"}), 413, says="2 parts")
        problem(http.post(ROUTE, json={"inputs": [[[[]]]]}), 413, says="deeper than 3")


def test_the_first_model_that_is_enabled_is_the_default(narrow: Server) -> None:
    with httpx.Client(base_url=narrow.url, timeout=60) as http:
        assert http.post(ROUTE, content=SMALL).headers["X-Ekiben-Model"] == "efficientnet-lite2"
        models = http.get("/v1/models").json()["data"]
    assert [(model["id"], model["default"]) for model in models] == [
        ("efficientnet-lite2", True),
        ("efficientnet-lite0", False),
    ]


def test_while_models_load_the_server_says_so_at_once(tmp_path: Path) -> None:
    """Everything is asked without a pause from before the server listens until it is ready."""
    seen: dict[str, list[httpx.Response]] = {"/readyz": [], ROUTE: [], "/v1/models": [], "/": []}

    def poll(url: str) -> None:
        until = time.monotonic() + 60
        with httpx.Client(base_url=url, timeout=60) as http:
            while time.monotonic() < until:
                try:
                    for path, responses in seen.items():
                        if path == ROUTE:
                            responses.append(http.post(path, content=SMALL, params={"model": "efficientnet-lite2"}))
                        else:
                            responses.append(http.get(path))
                except httpx.TransportError:  # it does not listen yet
                    continue
                if seen["/readyz"][-1].status_code == 200:
                    return

    log = tmp_path / "log"
    with ThreadPoolExecutor(1) as threads, starting(log) as url:
        threads.submit(poll, url).result(timeout=90)
    statuses = {path: [response.status_code for response in responses] for path, responses in seen.items()}
    assert statuses["/readyz"][0] == 503 and statuses["/readyz"][-1] == 200
    assert statuses["/readyz"].count(200) == 1
    assert set(statuses["/"]) == {200}
    assert set(statuses[ROUTE]) <= {200, 503} and statuses[ROUTE][0] == 503
    assert set(statuses["/v1/models"]) <= {200, 503} and statuses["/v1/models"][0] == 503
    for response in (*seen[ROUTE], *seen["/v1/models"]):
        if response.status_code == 503:
            problem(response, 503, says="loading")
            assert int(response.headers["Retry-After"]) >= 1
    assert "Models are loading" in seen["/"][0].text
    # The very first one may have waited for the worker to be there at all.
    assert max(response.elapsed.total_seconds() for response in seen["/readyz"][1:]) < 1
    assert max(response.elapsed.total_seconds() for response in seen[ROUTE][1:]) < 1
    assert "Traceback" not in log.read_text()


def test_the_welcome_says_how_to_use_it_and_tells_the_truth(tmp_path: Path) -> None:
    picture = tmp_path / "photo.jpg"
    picture.write_bytes(photographs.encoded(photographs.rgb("chelsea"), "JPEG"))
    log = tmp_path / "log"
    with starting(log, "127.0.0.2") as url:  # where nobody answers on 127.0.0.1
        until = time.monotonic() + 60
        while not (found := re.search(r"curl .*", log.read_text())):
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.05)  # between two looks; what is waited for is the text
        assert f"ready on {url}." in log.read_text()
        command = found[0].replace("photo.jpg", str(picture)).split()
        done = subprocess.run([*command, "-sS"], capture_output=True, check=True, timeout=60)
        assert b"cat" in done.stdout


@pytest.mark.parametrize(
    ("host", "address"),
    [("0.0.0.0", "localhost:3000"), ("::", "localhost:3000"), ("10.0.0.7", "10.0.0.7:3000"), ("::1", "[::1]:3000")],
)
def test_the_welcome_names_an_address_that_can_be_reached(host: str, address: str) -> None:
    assert f"ready on http://{address}." in welcome(host, 3000)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux says which signals a process handles")
def test_a_stop_is_heard_before_there_is_a_server(number: signal.Signals) -> None:
    """The first process of a container ignores what it has no handler for; the others then wait for it in vain."""
    process = subprocess.Popen(
        [*COMMANDS["python -m services"], "--port", str(free_port())],
        cwd=ROOT,
        env=clean_environment(EKIBEN_MODELS="efficientnet-lite0"),
    )
    try:
        until = time.monotonic() + 20
        while not handles(process.pid, signal.SIGTERM):
            assert time.monotonic() < until and process.poll() is None
        assert not psutil.Process(process.pid).children()
        process.send_signal(number)
        assert process.wait(20) == 128 + number
    finally:
        with contextlib.suppress(psutil.NoSuchProcess):
            for each in (*(first := psutil.Process(process.pid)).children(recursive=True), first):
                each.kill()
        process.wait()


def handles(pid: int, number: signal.Signals) -> bool:
    """Whether a process has a handler of its own for a signal, as Linux tells it."""
    status = Path(f"/proc/{pid}/status").read_text()
    [caught] = re.findall(r"^SigCgt:\s*([0-9a-f]+)$", status, re.MULTILINE)
    return bool(int(caught, 16) >> (number - 1) & 1)
