"""Requests that run together do not touch each other."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
from PIL import Image

from tests import photographs
from tests.e2e.checks import ROUTE, photograph, png, problem, same_answer
from tests.e2e.test_bad_input import ALL

MODELS = ("efficientnet-lite0", "efficientnet-lite2")
BAD = [
    "media: text",
    "media: text as JPEG",
    "media: GIF as octet-stream",
    "media: empty",
    "media: JPEG cut in half",
    "media: PNG with a flipped bit",
    "media: gzip",
    "media: application/x-pickle",
    "parameter: top_k 0",
    "parameter: unknown",
    "parameter: model unknown",
    "parameter: model not enabled",
    "parameter: timeout soon",
    "JSON: broken",
    "JSON: inputs no base64",
    "JSON: nested 100 deep",
    "JSON: too many values",
    "form: no boundary",
    "form: cut off in its data",
    "form: 65 parts",
]


def test_twenty_bad_requests_among_a_hundred_good_ones_hurt_only_themselves(http: httpx.Client) -> None:
    kinds: list[dict[str, Any]] = [
        {"content": photograph(name), "params": {"model": model, "top_k": 10}}
        for name in photographs.FILES
        for model in MODELS
    ]
    alone = [http.post(ROUTE, **kind) for kind in kinds]
    work: list[int | str] = [number % len(kinds) for number in range(100)]
    work += BAD
    assert len(work) == 120
    random.Random(7).shuffle(work)

    def send(each: int | str) -> httpx.Response:
        return http.post(ROUTE, **(ALL[each].request if isinstance(each, str) else kinds[each]))

    with ThreadPoolExecutor(16) as threads:
        responses = list(threads.map(send, work))
    for each, response in zip(work, responses, strict=True):
        if isinstance(each, str):
            problem(response, ALL[each].status, field=ALL[each].field, says=ALL[each].says)
        else:
            same_answer(response, alone[each])


def test_every_request_keeps_its_own_id_under_load(http: httpx.Client) -> None:
    picture = png(Image.new("RGB", (300, 300), "navy"))
    ids = [f"mine-{number}" for number in range(48)]

    def send(request_id: str) -> str:
        return http.post(ROUTE, content=picture, headers={"X-Request-Id": request_id}).headers["X-Request-Id"]

    with ThreadPoolExecutor(16) as threads:
        assert list(threads.map(send, ids)) == ids


def test_under_load_a_deadline_of_a_millisecond_is_kept_or_missed_and_nothing_else(http: httpx.Client) -> None:
    def send(number: int) -> httpx.Response:
        headers = {"X-Request-Timeout-Ms": "1"} if number % 2 else {}
        return http.post(ROUTE, content=photograph(), headers=headers)

    with ThreadPoolExecutor(16) as threads:
        responses = list(threads.map(send, range(64)))
    assert {response.status_code for response in responses[::2]} == {200}
    assert {response.status_code for response in responses[1::2]} <= {200, 504}
    for response in responses:
        if response.status_code == 504:
            problem(response, 504, says="deadline")


def test_work_that_cannot_start_in_time_is_answered_504(http: httpx.Client) -> None:
    picture = photographs.encoded(photographs.rgb("rocket").resize((4000, 3000)), "PNG")  # decoding alone takes longer
    problem(http.post(ROUTE, content=picture, headers={"X-Request-Timeout-Ms": "5"}), 504, says="deadline")
    assert http.post(ROUTE, content=picture, headers={"X-Request-Timeout-Ms": "60000"}).status_code == 200


def test_over_capacity_is_refused_with_the_time_to_come_back(http: httpx.Client) -> None:
    picture = png(Image.new("RGB", (1, 1)))

    def send(_: int) -> httpx.Response:
        return http.post(ROUTE, content=picture, params={"model": "efficientnet-lite2"})

    limits = httpx.Limits(max_connections=200)
    with httpx.Client(base_url=http.base_url, timeout=60, limits=limits) as client, ThreadPoolExecutor(200) as threads:
        http = client
        responses = list(threads.map(send, range(600)))
    refused = [response for response in responses if response.status_code != 200]
    assert refused and len(responses) - len(refused) >= 64
    for response in refused:
        problem(response, 429, says="full")
        assert int(response.headers["Retry-After"]) >= 1
