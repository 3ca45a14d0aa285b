"""Runners in processes of their own: the same answers, and a runner that dies takes nobody with it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import psutil
import pytest

from tests.e2e.checks import ROUTE, photograph, problem, same_answer
from tests.serving import Server, serving

CHELSEA = photograph()


@pytest.fixture(scope="module")
def scattered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    log = tmp_path_factory.mktemp("scattered") / "log"
    with serving(log, {"EKIBEN_RUNNERS": "services"}) as running:
        yield running


def runner_process(server: Server) -> psutil.Process:
    [process] = (
        process
        for process in psutil.Process(server.process.pid).children(recursive=True)
        if "runner-efficientnet-lite0" in process.cmdline()
    )
    return process


def test_the_answer_is_the_same(server: Server, scattered: Server) -> None:
    embedded, remote = (httpx.post(each.url + ROUTE, content=CHELSEA, timeout=60) for each in (server, scattered))
    same_answer(remote, embedded)
    assert remote.headers["X-Ekiben-Provider"] == "CPUExecutionProvider"
    assert httpx.get(f"{scattered.url}/v1/models").json()["data"][0]["provider"] == "CPUExecutionProvider"


def test_a_bad_request_hurts_only_itself(scattered: Server) -> None:
    problem(httpx.post(scattered.url + ROUTE, content=b"no picture", timeout=60), 422)
    response = httpx.post(scattered.url + ROUTE, content=CHELSEA, headers={"X-Request-Timeout-Ms": "1"}, timeout=60)
    assert response.status_code in (200, 504)
    assert httpx.post(scattered.url + ROUTE, content=CHELSEA, timeout=60).status_code == 200


def test_a_runner_that_is_killed_comes_back_by_itself(scattered: Server) -> None:
    def ask(client: httpx.Client) -> httpx.Response:
        return client.post(scattered.url + ROUTE, content=CHELSEA)

    seen: Counter[int] = Counter()
    with httpx.Client(timeout=60) as client, ThreadPoolExecutor(4) as pool:
        victim = runner_process(scattered)
        under_way = [pool.submit(ask, client) for _ in range(20)]
        under_way[0].result()
        victim.kill()
        responses = [each.result() for each in under_way]
        until = time.monotonic() + 60
        while (response := ask(client)).status_code != 200 or not responses:
            responses.append(response)
            assert time.monotonic() < until
    for response in responses:
        seen[response.status_code] += 1
        if response.status_code == 503:
            assert int(response.headers["Retry-After"]) >= 1
            problem(response, 503)
    assert set(seen) <= {200, 503}, seen
    assert seen[503], "nobody noticed"
    assert httpx.get(f"{scattered.url}/readyz", timeout=60).status_code == 200
    assert runner_process(scattered).pid != victim.pid
