"""The metrics on a port of their own, in place of the public one."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from pathlib import Path

import httpx

from tests.e2e.checks import ROUTE, photograph, problem
from tests.e2e.doors import (
    SECRETS,
)
from tests.e2e.test_starting import start_and_fail
from tests.serving import ROOT, Server, clean_environment, free_port, serving

CHELSEA = photograph()


def test_the_metrics_port_tells_of_every_process_and_the_public_one_nothing(
    ann: httpx.Client, metrics_port: int, closed_server: Server
) -> None:
    assert ann.post(ROUTE, content=CHELSEA).status_code == 200
    response = httpx.get(f"http://127.0.0.1:{metrics_port}/metrics")
    assert response.status_code == 200 and response.headers["content-type"].startswith("text/plain")
    assert "ekiben_stage_seconds_bucket" in response.text and 'key="ann",status="200"' in response.text
    assert not any(secret in response.text for secret in SECRETS)
    problem(ann.get("/metrics"), 404)


def test_it_is_open_on_loopback_alone(closed_server: Server, metrics_port: int) -> None:
    listening = [
        each.laddr.ip
        for each in closed_server.worker().net_connections("tcp")
        if each.status == "LISTEN" and each.laddr.port == metrics_port
    ]
    assert listening == ["127.0.0.1"]


def test_a_metrics_port_that_is_taken_stops_the_start(closed_server: Server, metrics_port: int) -> None:
    settings = {"EKIBEN_METRICS_PORT": str(metrics_port), "EKIBEN_MODELS": "efficientnet-lite0"}
    output = start_and_fail("bentoml serve", settings)
    assert f"EKIBEN_METRICS_PORT: 127.0.0.1 port {metrics_port} cannot be opened" in output


def test_it_is_not_the_server_s_own(metrics_port: int) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "services", "--port", str(metrics_port)],
        cwd=ROOT,
        env=clean_environment(EKIBEN_METRICS_PORT=str(metrics_port)),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"ekiben cannot start: EKIBEN_METRICS_PORT: {metrics_port} is the server's own port")


def test_where_it_was_taken_meanwhile_the_server_says_that_it_is_not_alive(tmp_path: Path) -> None:
    """`bentoml serve` opens its own port only after the start was allowed, and so takes this one."""
    port = free_port()
    command = [str(Path(sys.executable).with_name("bentoml")), "serve", "services.gateway:Gateway"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", str(port)],
            cwd=ROOT,
            env=clean_environment(EKIBEN_METRICS_PORT=str(port), EKIBEN_MODELS="efficientnet-lite0"),
            stdout=log,
            stderr=log,
        )
    try:
        until = time.monotonic() + 60
        while (status := answered(f"http://127.0.0.1:{port}/livez")) != 503:
            assert status is None and time.monotonic() < until, (status, (tmp_path / "log").read_text())
            time.sleep(0.05)  # between two looks; what is waited for is the answer
    finally:
        process.terminate()
        process.wait(30)
    assert "the metrics cannot be served" in (tmp_path / "log").read_text()


def answered(url: str) -> int | None:
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(url).status_code
    return None


def test_it_comes_back_with_a_worker_that_was_killed(tmp_path: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}/metrics"
    settings = {"EKIBEN_METRICS_PORT": str(port), "EKIBEN_MODELS": "efficientnet-lite0"}
    with serving(tmp_path / "log", settings) as server:
        assert answered(url) == 200
        worker = server.worker()
        worker.kill()
        worker.wait(30)
        until = time.monotonic() + 60
        while answered(f"{server.url}/readyz") != 200 or answered(url) != 200:
            assert time.monotonic() < until, server.log.read_text()
            time.sleep(0.05)  # between two looks; what is waited for is the answer
