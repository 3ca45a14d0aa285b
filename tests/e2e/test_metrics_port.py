"""The metrics on a port of their own, in place of the public one."""

from __future__ import annotations

import httpx

from tests.e2e.checks import ROUTE, photograph, problem
from tests.e2e.doors import (
    SECRETS,
)
from tests.e2e.test_starting import start_and_fail
from tests.serving import Server

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
