"""Under the hood: what happened between two looks at a server's metrics."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from ekiben_demos import server
from ekiben_demos.apps.under_the_hood import look
from ekiben_demos.monitor.history import CURVE_POINTS, History
from ekiben_demos.monitor.measurements import Snapshot, between
from ekiben_demos.monitor.picture import draw

PROVIDERS = """# TYPE ekiben_provider gauge
ekiben_provider{model="lite",precision="float32",provider="CPUExecutionProvider"} 1.0
ekiben_provider{model="talk",precision="int8",provider="CUDAExecutionProvider"} 1.0
"""
BEFORE = (
    PROVIDERS
    + """# TYPE ekiben_requests_total counter
ekiben_requests_total{route="/v1/image-classification",status="200"} 10.0
ekiben_requests_total{route="/metrics",status="200"} 100.0
"""
)
AFTER = (
    PROVIDERS
    + """# TYPE ekiben_requests_total counter
ekiben_requests_total{route="/v1/image-classification",status="200"} 16.0
ekiben_requests_total{route="/v1/image-classification",status="429"} 2.0
ekiben_requests_total{route="/metrics",status="200"} 130.0
# TYPE ekiben_rejections_total counter
ekiben_rejections_total{reason="capacity"} 2.0
# TYPE ekiben_stage_seconds histogram
ekiben_stage_seconds_bucket{le="+Inf",model="lite",stage="infer"} 6.0
ekiben_stage_seconds_count{model="lite",stage="infer"} 6.0
ekiben_stage_seconds_sum{model="lite",stage="infer"} 0.12
ekiben_stage_seconds_count{model="lite",stage="queue"} 6.0
ekiben_stage_seconds_sum{model="lite",stage="queue"} 0.03
# TYPE ekiben_batch_size histogram
ekiben_batch_size_count{model="lite"} 3.0
ekiben_batch_size_sum{model="lite"} 6.0
# TYPE ekiben_queue_cost gauge
ekiben_queue_cost{model="lite"} 12.0
"""
)


def test_rates_stages_and_batches_are_of_the_time_between() -> None:
    activity = between(Snapshot.read(BEFORE, 5.0), Snapshot.read(AFTER, 7.0))
    assert (activity.requests, activity.requests_per_second, activity.refused) == (8.0, 4.0, 2.0)
    lite, talk = activity.models
    assert (lite.model, lite.provider, lite.precision) == ("lite", "CPU", "float32")
    assert lite.stage_ms == {"infer": pytest.approx(20.0), "queue": pytest.approx(5.0)}
    assert (lite.requests, lite.items_per_run, lite.waiting) == (6.0, 2.0, 12.0)
    assert (talk.provider, talk.requests, talk.items_per_run, talk.total_ms) == ("CUDA", 0.0, None, 0)


def test_a_server_that_was_started_anew_has_no_negative_rate() -> None:
    activity = between(Snapshot.read(AFTER, 1.0), Snapshot.read(BEFORE, 2.0))
    assert activity.requests == 10.0
    assert all(each.requests >= 0 for each in activity.models)


def test_history_keeps_ten_seconds_of_details_and_a_minute_of_the_curve() -> None:
    history = History()
    for second in range(100):
        history = history.add(Snapshot.read(BEFORE if second < 95 else AFTER, float(second)))
    assert len(history.snapshots) == 11
    assert history.recent().seconds == 10.0
    assert history.recent().requests == 8.0
    assert len(history.curve) == CURVE_POINTS
    assert history.curve[-5:] == (8.0, 0.0, 0.0, 0.0, 0.0)


def test_the_picture_says_in_words_what_the_bars_show() -> None:
    page = draw(History().add(Snapshot.read(BEFORE, 0.0)).add(Snapshot.read(AFTER, 2.0)))
    assert "6 requests, 2.0 items per run, 12 of cost waiting" in page
    assert "waiting 5.0 ms, the model 20.0 ms" in page
    assert "CUDA, int8" in page


def test_one_look_is_enough_for_a_picture() -> None:
    assert "Nothing to do." in draw(History().add(Snapshot.read(AFTER, 0.0)))


def test_the_page_shows_the_load_that_it_makes(page: Page) -> None:
    page.goto("/under-the-hood")
    classifier = page.locator("[data-model=efficientnet-lite0]")
    expect(classifier).to_contain_text("CPU, float32", timeout=30_000)
    expect(page.locator("[data-model]")).to_have_count(8)
    page.get_by_role("button", name="Make some load").click()
    expect(page.get_by_text("40 photos classified in")).to_be_visible(timeout=60_000)
    expect(classifier).to_contain_text("for a request: reading the input")
    expect(classifier.get_by_role("img")).to_have_attribute("aria-label", re.compile(r"the model \d"))


def test_a_server_that_is_away_is_told_in_a_sentence() -> None:
    server.connect("http://127.0.0.1:9")
    try:
        _, page = look(History())
    finally:
        server.disconnect()
    assert page == "<p>The ekiben server does not answer. Is it running? `make serve` starts it.</p>"
