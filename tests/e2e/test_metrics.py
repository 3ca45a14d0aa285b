"""The metrics: what they count, and that no caller can make new series."""

from __future__ import annotations

import time
from uuid import uuid4

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.checks import ROUTE, photograph
from tests.serving import PICTURE_MODELS, Server

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]
CHELSEA = photograph()


def read(http: httpx.Client) -> Series:
    """Every series and its value; without those of the metrics' own requests."""
    families = text_string_to_metric_families(http.get("/metrics").text)
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
        if sample.labels.get("route") != "/metrics"
    }


def value(series: Series, name: str, **labels: str) -> float:
    """The sum of what has this name and these labels."""
    return sum(
        number for (each, have), number in series.items() if each == name and labels.items() <= dict(have).items()
    )


def test_every_stage_of_an_answer_is_counted(http: httpx.Client) -> None:
    before = read(http)
    for _ in range(3):
        assert http.post(ROUTE, content=CHELSEA).status_code == 200
    after = read(http)
    for stage in ("decode", "queue", "infer", "post"):
        labels = {"model": "efficientnet-lite0", "stage": stage}
        name = "ekiben_stage_seconds"
        assert value(after, f"{name}_count", **labels) - value(before, f"{name}_count", **labels) == 3
        assert value(after, f"{name}_bucket", **labels, le="+Inf") == value(after, f"{name}_count", **labels)
        if stage != "queue":
            assert value(after, f"{name}_sum", **labels) > value(before, f"{name}_sum", **labels)


def test_requests_are_counted_by_route_and_status(http: httpx.Client) -> None:
    before = read(http)
    http.post(ROUTE, content=CHELSEA)
    http.post(ROUTE, content=b"")
    http.get("/v1/models/efficientnet-lite0")
    http.get("/nothing")
    after = read(http)
    for route, status in (
        (ROUTE, "200"),
        (ROUTE, "422"),
        ("/v1/models/{id}", "200"),
        ("unmatched", "404"),
    ):
        labels = {"route": route, "status": status}
        assert value(after, "ekiben_requests_total", **labels) - value(before, "ekiben_requests_total", **labels) == 1
    timed = [value(series, "ekiben_request_seconds_count", route=ROUTE) for series in (before, after)]
    assert timed[1] - timed[0] == 2


REJECTIONS = {
    "malformed": {"content": b"{", "headers": {"Content-Type": "application/json"}},
    "not_found": {"params": {"model": "nope"}},
    "budget": {"content": b"[" * 100, "headers": {"Content-Type": "application/json"}},
    "media_type": {"content": b"x", "headers": {"Content-Type": "text/plain"}},
    "invalid": {"content": b"x"},
}


@pytest.mark.parametrize("reason", REJECTIONS)
def test_rejections_are_counted_by_reason_and_take_no_time_of_any_stage(http: httpx.Client, reason: str) -> None:
    before = read(http)
    assert http.post(ROUTE, **REJECTIONS[reason]).status_code >= 400  # type: ignore[arg-type]
    after = read(http)
    assert after[key(reason)] - before.get(key(reason), 0) == 1
    stages = [value(series, "ekiben_stage_seconds_count") for series in (before, after)]
    assert stages[0] == stages[1]


def key(reason: str) -> tuple[str, frozenset[tuple[str, str]]]:
    return "ekiben_rejections_total", frozenset({("reason", reason)})


def test_the_provider_in_use_and_the_queue_are_gauges(http: httpx.Client) -> None:
    assert http.post(ROUTE, content=CHELSEA).status_code == 200
    series = read(http)
    for model in PICTURE_MODELS:
        precision = "int8" if model == "magenta-arbitrary" else "float32"
        labels = {"model": model, "provider": "CPUExecutionProvider", "precision": precision}
        assert value(series, "ekiben_provider", **labels) == 1
    assert value(series, "ekiben_provider") == len(PICTURE_MODELS)
    # Also of those that nobody has asked for yet.
    queues = {dict(labels)["model"] for name, labels in series if name == "ekiben_queue_cost"}
    assert queues == set(PICTURE_MODELS)
    assert value(series, "ekiben_queue_cost", model="efficientnet-lite0") == 0
    assert value(series, "ekiben_batch_size_count", model="efficientnet-lite0") >= 1


def test_no_caller_can_make_new_series(http: httpx.Client) -> None:
    def ask(name: str) -> None:
        assert http.get(f"/{name}").status_code == 404
        assert http.get(f"/v1/models/{name}").status_code == 404
        assert http.get(f"/livez/{name}").status_code == 404
        assert http.get(f"/docs/assets/{name}").status_code == 404
        assert http.post(ROUTE, params={"model": name}).status_code == 404
        assert http.post(ROUTE, params={name: "1"}).status_code == 422
        assert http.request(name[:6].upper(), "/").status_code in (400, 405)
        assert http.get("/v1/models", headers={"X-Request-Id": name, "User-Agent": name}).status_code == 200

    ask(uuid4().hex)
    before = set(read(http))
    for _ in range(60):
        ask(uuid4().hex)
    assert set(read(http)) == before


def test_memory_and_cpu_time_are_those_of_the_process_that_answers(http: httpx.Client, server: Server) -> None:
    worker = server.worker()
    assert value(read(http), "ekiben_resident_bytes") == pytest.approx(worker.memory_info().rss, rel=0.2)
    # It counts every two seconds: work until it has counted what was there before.
    times = worker.cpu_times()
    until = time.monotonic() + 20
    while value(read(http), "ekiben_cpu_seconds_total") < times.user + times.system:
        assert time.monotonic() < until
        assert http.post(ROUTE, content=CHELSEA).status_code == 200
    times = worker.cpu_times()
    assert value(read(http), "ekiben_cpu_seconds_total") <= times.user + times.system
