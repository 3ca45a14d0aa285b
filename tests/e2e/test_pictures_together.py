"""Requests of all picture tasks at once get what each gets alone."""

from __future__ import annotations

import io
import random
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from typing import Any

import httpx
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests import photographs
from tests.e2e.checks import png, problem

CLASSES, STYLE = "/v1/image-classification", "/v1/style-transfer"
SIZES = {"chelsea": (160, 120), "coffee": (161, 119), "rocket": (96, 128), "grace_hopper": (90, 130)}


def small(name: str, size: tuple[int, int]) -> bytes:
    return png(photographs.rgb(name).resize(size, Image.Resampling.BICUBIC))


def requests() -> list[tuple[str, dict[str, Any]]]:
    """Thirty-two of them: every task, both classifiers, pictures of many sizes, styles by name, mixed and seen."""
    photos = {name: photographs.path(name).read_bytes() for name in photographs.FILES}
    pictures = {name: small(name, size) for name, size in SIZES.items()}
    detectors = product(("/v1/object-detection", "/v1/face-detection"), photos.values())
    classifiers = product(("efficientnet-lite0", "efficientnet-lite2"), ("astronaut", "chelsea"))
    styles = product(("style-00", "style-19", "style-03:0.7,style-11:0.3"), ("chelsea", "coffee", "rocket"))
    likes = (("chelsea", "coffee"), ("chelsea", "rocket"), ("rocket", "chelsea"), ("coffee", "coffee"))
    types = (("grace_hopper", "image/webp"), ("grace_hopper", "image/jpeg"), ("coffee", "image/webp"))
    made: list[tuple[str, dict[str, Any]]] = [
        *((path, {"content": data, "params": {"threshold": 0.2}}) for path, data in detectors),
        *((CLASSES, {"content": photos[name], "params": {"model": model}}) for model, name in classifiers),
        *((STYLE, {"content": pictures[name], "params": {"style": style}}) for style, name in styles),
        *((STYLE, {"files": {"image": pictures[name], "style_image": pictures[like]}}) for name, like in likes),
        *((STYLE, {"content": pictures[name], "headers": {"Accept": media_type}}) for name, media_type in types),
    ]
    assert len(made) == 32
    return made


def test_thirty_two_requests_of_every_kind_at_once_get_what_each_gets_alone(http: httpx.Client) -> None:
    work = requests()
    alone = [http.post(path, **request) for path, request in work]
    assert {response.status_code for response in alone} == {200}
    assert len({response.content for response in alone if response.request.url.path == STYLE}) == 16
    order = [place for place in range(len(work)) for _ in range(2)]
    random.Random(4).shuffle(order)
    with ThreadPoolExecutor(32) as threads:
        together = list(threads.map(lambda place: http.post(work[place][0], **work[place][1]), order))
    for place, response in zip(order, together, strict=True):
        assert response.status_code == 200
        assert response.headers["Content-Type"] == alone[place].headers["Content-Type"]
        assert response.headers["X-Ekiben-Model"] == alone[place].headers["X-Ekiben-Model"]
        same(response, alone[place])


def same(one: httpx.Response, other: httpx.Response) -> None:
    """The very bytes, or JSON whose scores are those of another order of the same sums.

    A request that is alone runs on all cores; then sums are split, and scores move in their seventh digit. So may a
    landmark by the last of its digits, which are tenths of a pixel, and a box by a pixel where it is between two. The
    model of arbitrary styles quantises what it computes: there, single pixels may jump.
    """
    if one.content == other.content:
        return
    if one.headers["X-Ekiben-Model"] == "magenta-arbitrary":
        assert np.abs(pixels(one) - pixels(other)).mean() <= 1
        return
    assert "json" in one.headers["Content-Type"], "a painting changed with its company"
    assert len(one.json()) == len(other.json())
    for mine, theirs in zip(one.json(), other.json(), strict=True):
        assert near(mine, theirs), (mine, theirs)


def pixels(painting: httpx.Response) -> NDArray[np.int16]:
    with Image.open(io.BytesIO(painting.content)) as image:
        return np.asarray(image, np.int16)


def near(one: Any, other: Any) -> bool:
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(near(one[name], other[name]) for name in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(near, one, other))
    if isinstance(one, str):
        return bool(one == other)
    if isinstance(one, int):
        return bool(abs(one - other) <= 1)
    return bool(abs(one - other) <= (0.11 if one > 1 else 1e-5))


def test_bad_requests_among_paintings_hurt_only_themselves(http: httpx.Client) -> None:
    good, other = small("chelsea", (64, 48)), small("coffee", (64, 48))
    kinds: list[tuple[int, dict[str, Any]]] = [
        (200, {"files": {"image": good}, "data": {"style": "style-05"}}),
        (200, {"files": {"image": good, "style_image": other}}),
        (200, {"files": {"image": other}, "data": {"style": "style-05"}}),
        (422, {"files": {"image": good}, "data": {"style": "style-99"}}),
        (422, {"files": {"image": good[:500]}}),
        (422, {"files": {"image": good[:500], "style_image": other}}),
        (422, {"files": {"image": good, "style_image": other[:500]}}),
    ]
    alone = [http.post(STYLE, **request) for _, request in kinds]
    order = list(range(len(kinds))) * 6
    random.Random(5).shuffle(order)
    with ThreadPoolExecutor(16) as threads:
        responses = list(threads.map(lambda place: http.post(STYLE, **kinds[place][1]), order))
    for place, response in zip(order, responses, strict=True):
        if kinds[place][0] == 200:
            same(response, alone[place])
        else:
            problem(response, kinds[place][0])
