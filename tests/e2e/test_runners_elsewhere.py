"""Runners in processes of their own, shared by two gateways: the same answers, and one that dies is back by itself."""

from __future__ import annotations

import json
import pickle
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import psutil
import pytest

from tests.e2e.checks import ROUTE, photograph, problem, same_answer
from tests.recordings import path as recording
from tests.serving import Server, serving

CHELSEA = photograph()
MODELS = "efficientnet-lite0,whisper-tiny-en,bergamot-tiny-en-pt"
VICTIM = "efficientnet-lite0"


@pytest.fixture(scope="module")
def scattered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    log = tmp_path_factory.mktemp("scattered") / "log"
    settings = {"EKIBEN_RUNNERS": "services", "EKIBEN_GATEWAY_WORKERS": "2", "EKIBEN_MODELS": MODELS}
    with serving(log, settings) as running:
        yield running


def processes(server: Server, part: str) -> list[psutil.Process]:
    below = psutil.Process(server.process.pid).children(recursive=True)
    return [process for process in below if part in process.cmdline()]


def runner_process(server: Server) -> psutil.Process:
    [process] = processes(server, f"runner-{VICTIM}")
    return process


def test_the_answer_is_the_same(server: Server, scattered: Server) -> None:
    embedded, remote = (httpx.post(each.url + ROUTE, content=CHELSEA, timeout=60) for each in (server, scattered))
    same_answer(remote, embedded)
    assert remote.headers["X-Ekiben-Provider"] == "CPUExecutionProvider"
    first = httpx.get(f"{scattered.url}/v1/models").json()["data"][0]
    assert (first["provider"], first["ready"]) == ("CPUExecutionProvider", True)


def test_a_text_is_the_same(translation_server: Server, scattered: Server) -> None:
    body: dict[str, Any] = {
        "inputs": ["The weather is good today. Nobody knows why.", "A second text."],
        "parameters": {"src_lang": "en", "tgt_lang": "pt"},
    }
    answers = [
        httpx.post(f"{each.url}/v1/translation", json=body, timeout=60) for each in (translation_server, scattered)
    ]
    assert answers[1].status_code == 200, answers[1].text
    assert answers[1].json() == answers[0].json()


def test_a_recording_is_the_same(speech_server: Server, scattered: Server) -> None:
    route, sound = (
        "/v1/speech-recognition?model=whisper-tiny-en&return_timestamps=true",
        recording("cards-001").read_bytes(),
    )
    embedded, remote = (httpx.post(each.url + route, content=sound, timeout=120) for each in (speech_server, scattered))
    assert remote.status_code == 200, remote.text
    assert remote.json() == embedded.json()


def test_a_bad_request_hurts_only_itself(scattered: Server) -> None:
    problem(httpx.post(scattered.url + ROUTE, content=b"no picture", timeout=60), 422)
    response = httpx.post(scattered.url + ROUTE, content=CHELSEA, headers={"X-Request-Timeout-Ms": "1"}, timeout=60)
    assert response.status_code in (200, 504)
    assert httpx.post(scattered.url + ROUTE, content=CHELSEA, timeout=60).status_code == 200


def test_both_gateways_answer_and_are_counted_together(scattered: Server) -> None:
    def counted() -> float:
        lines = httpx.get(f"{scattered.url}/metrics", timeout=60).text.splitlines()
        [line] = [each for each in lines if each.startswith(f'ekiben_requests_total{{route="{ROUTE}",status="200"}}')]
        return float(line.split()[-1])

    workers = [each for each in processes(scattered, "ekiben") if "_bentoml_impl.worker.service" in each.cmdline()]
    assert len(workers) == 2
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: httpx.post(scattered.url + ROUTE, content=CHELSEA, timeout=60), range(8)))
        before, times = counted(), [sum(each.cpu_times()[:2]) for each in workers]
        list(pool.map(lambda _: httpx.post(scattered.url + ROUTE, content=CHELSEA, timeout=60), range(40)))
    assert counted() == before + 40
    assert all(sum(each.cpu_times()[:2]) > old for each, old in zip(workers, times, strict=True))


def test_no_runner_of_this_machine_has_a_port(scattered: Server) -> None:
    runner = runner_process(scattered)
    listening = [each for each in runner.net_connections("inet") if each.status == psutil.CONN_LISTEN]
    gateway_port = int(scattered.url.rpartition(":")[2])
    assert {each.laddr.port for each in listening} <= {gateway_port}  # the supervisor's, which all processes inherit


def test_a_runner_reads_no_pickles(scattered: Server) -> None:
    runner = runner_process(scattered)
    address = json.loads(runner.environ()["BENTOML_RUNNER_MAP"])[f"runner-{VICTIM}"]
    path = address.removeprefix("file://")
    with httpx.Client(transport=httpx.HTTPTransport(uds=path), base_url="http://runner") as client:
        for media_type in ("application/vnd.bentoml+pickle", "application/octet-stream"):
            headers = {"x-ekiben-flow": "1", "x-ekiben-seconds": "1", "content-type": media_type}
            answer = client.post("/run", content=pickle.dumps(Trap()), headers=headers)
            assert answer.status_code == 400
        assert client.post("/describe", content=b"{}").status_code == 404
    assert not Trap.sprung


def resident_bytes(server: Server) -> float:
    """What the metrics say of the victim."""
    lines = httpx.get(f"{server.url}/metrics", timeout=60).text.splitlines()
    [line] = [each for each in lines if each.startswith(f'ekiben_resident_bytes{{process="{VICTIM}"}}')]
    return float(line.split()[-1])


class Trap:
    """Says so when it is unpickled, if that happens in this process; in another it would end that."""

    sprung = False

    def __reduce__(self) -> tuple[Any, ...]:
        return exit, (3,)


def test_a_runner_that_is_killed_comes_back_by_itself(scattered: Server) -> None:
    victim = runner_process(scattered)

    def ask(number: int) -> httpx.Response:
        return httpx.post(scattered.url + ROUTE, content=CHELSEA, timeout=60)

    def ready() -> bool:
        return httpx.get(f"{scattered.url}/v2/models/{VICTIM}/ready", timeout=60).status_code == 200

    with ThreadPoolExecutor(4) as pool:
        under_way = [pool.submit(ask, number) for number in range(20)]
        under_way[0].result()
        victim.kill()
        since = time.monotonic()
        while ready():
            assert time.monotonic() - since < 10
        assert httpx.get(f"{scattered.url}/readyz", timeout=60).status_code == 200
        while not ready():
            assert time.monotonic() - since < 60
        responses = [each.result() for each in under_way]
    for response in responses:
        if response.status_code != 200:
            assert int(response.headers["Retry-After"]) >= 1
            problem(response, 503)
    assert runner_process(scattered).pid != victim.pid
    assert ask(0).status_code == 200
    # Its memory is that of the new process, and no more with that of the old one.
    while resident_bytes(scattered) != pytest.approx(runner_process(scattered).memory_info().rss, rel=0.15):
        assert time.monotonic() - since < 60
