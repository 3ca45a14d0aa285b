"""A gateway and two runners with the settings of the Kubernetes manifests; one runner is killed under load."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from tests import manifests
from tests.e2e.checks import photograph, problem
from tests.serving import ROOT, Server, clean_environment, free_port, serving

MODELS = {"efficientnet-lite0": "/v1/image-classification", "centerface": "/v1/face-detection"}
VICTIM, OTHER = MODELS
PICTURE = photograph()


class RunnerProcess:
    """A runner's container, played by a process of this machine; the test is its kubelet."""

    def __init__(self, model: str, port: int, log: Path) -> None:
        self.model = model
        self.url = f"http://127.0.0.1:{port}"
        self._port = port
        self._log = log
        self._declared = manifests.container(manifests.overlay("cpu"), f"runner-{model}")
        self.start()

    def start(self) -> None:
        """Its own command, but for the interpreter, the address and the port."""
        [_, *arguments] = self._declared.command
        place = arguments.index("--host")
        arguments[place : place + 4] = ["--port", str(self._port)]  # without a host: what is usual
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=ROOT,
                env=clean_environment(**self._declared.environment),
                stdout=log,
                stderr=log,
            )

    def tree(self) -> list[psutil.Process]:
        first = psutil.Process(self.process.pid)
        return [first, *first.children(recursive=True)]

    def kill(self) -> None:
        """As the end of a container's memory does: all at once."""
        for process in self.tree():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.wait()


@pytest.fixture(scope="module")
def runners(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, RunnerProcess]]:
    folder = tmp_path_factory.mktemp("runners")
    processes = {model: RunnerProcess(model, free_port(), folder / model) for model in MODELS}
    yield processes
    for each in processes.values():
        each.process.send_signal(signal.SIGTERM)
    for each in processes.values():
        assert each.process.wait(40) == 0


@pytest.fixture(scope="module")
def gateway(runners: dict[str, RunnerProcess], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    environment = dict(manifests.container(manifests.overlay("cpu"), "gateway").environment)
    urls = json.loads(environment["EKIBEN_RUNNER_URLS"])
    environment["EKIBEN_MODELS"] = ",".join(MODELS)
    environment |= {"EKIBEN_METRICS_PORT": str(free_port()), "EKIBEN_METRICS_HOST": "127.0.0.1"}
    environment["EKIBEN_RUNNER_URLS"] = json.dumps({model: runners[model].url for model in urls if model in MODELS})
    with serving(tmp_path_factory.mktemp("gateway") / "log", environment) as running:
        yield running


class Load:
    """Clients that ask for both models again and again, until they are told to stop."""

    def __init__(self, url: str, clients: int = 3) -> None:
        self.answers: dict[str, list[httpx.Response]] = {model: [] for model in MODELS}
        self._url = url
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(model,)) for model in MODELS for _ in range(clients)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, model: str) -> None:
        with httpx.Client(base_url=self._url, timeout=60) as client:
            while not self._over.is_set():
                response = client.post(MODELS[model], content=PICTURE)
                self.answers[model].append(response)
                if response.status_code == 503:  # comes back sooner than it was told to, but not at once
                    self._over.wait(0.2)


def until(condition: bool | None, since: float) -> bool:
    """Whether to look again; fails where it has been too long."""
    assert time.monotonic() - since < 60
    return not condition


def test_a_runner_that_is_killed_under_load(gateway: Server, runners: dict[str, RunnerProcess]) -> None:
    with httpx.Client(base_url=gateway.url, timeout=60) as client, Load(gateway.url) as load:

        def ready(model: str) -> bool:
            return client.get(f"/v2/models/{model}/ready").status_code == 200

        began = time.monotonic()
        while until(all(len(answers) >= 10 for answers in load.answers.values()), began):
            assert all(map(ready, MODELS))
        runners[VICTIM].kill()
        killed = time.monotonic()
        while until(not ready(VICTIM), killed):
            pass
        told = time.monotonic() - killed
        # Its readiness is false, and nobody else's.
        assert ready(OTHER)
        assert client.get("/readyz").status_code == 200
        assert {each["id"]: each["ready"] for each in client.get("/v1/models").json()["data"]} == {
            VICTIM: False,
            OTHER: True,
        }
        refused = client.post(MODELS[VICTIM], content=PICTURE)
        assert int(refused.headers["retry-after"]) >= 1
        problem(refused, 503)
        asked = len(load.answers[OTHER])
        runners[VICTIM].start()
        while until(ready(VICTIM), killed):
            pass
        assert len(load.answers[OTHER]) > asked
        served = Counter(each.status_code for each in load.answers[VICTIM])[200]
        while until(Counter(each.status_code for each in load.answers[VICTIM])[200] >= served + 10, killed):
            time.sleep(0.01)  # between two looks
    seen = {model: Counter(each.status_code for each in answers) for model, answers in load.answers.items()}
    assert set(seen[OTHER]) == {200}, seen
    # What was with the runner when it ended waits for its return; only who asks meanwhile is refused. How many of these
    # clients do is a matter of moments: `refused` is the one that surely does.
    assert {200} <= set(seen[VICTIM]) <= {200, 503}, seen
    assert all(int(each.headers["retry-after"]) >= 1 for each in load.answers[VICTIM] if each.status_code == 503)
    assert told < 5  # by the broken connection; ten seconds of silence would tell too


def test_a_runner_listens_to_this_machine_only(runners: dict[str, RunnerProcess], gateway: Server) -> None:
    for runner in runners.values():
        sockets = [each for process in runner.tree() for each in process.net_connections("inet")]
        listening = {each.laddr.ip for each in sockets if each.status == psutil.CONN_LISTEN}
        assert listening == {"127.0.0.1"}


def test_a_runner_tells_how_it_is(runners: dict[str, RunnerProcess], gateway: Server) -> None:
    httpx.post(gateway.url + MODELS[OTHER], content=PICTURE, timeout=60).raise_for_status()
    for path in ("/livez", "/readyz"):
        assert httpx.get(runners[OTHER].url + path).status_code == 200
    metrics = httpx.get(runners[OTHER].url + "/metrics").text
    assert f'ekiben_batch_size_count{{model="{OTHER}"}}' in metrics
    assert f'model="{VICTIM}"' not in metrics
