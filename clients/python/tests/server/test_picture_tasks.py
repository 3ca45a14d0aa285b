"""Detections and paintings by the real server, through both clients."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, Callable

import httpx
import numpy as np
import pytest
from PIL import Image

from ekiben_client.object_detection import Box

from .serving import Server

Ask = Callable[..., Any]


def agreement(one: Box, other: Box) -> float:
    """Intersection over union."""
    width = min(one.xmax, other.xmax) - max(one.xmin, other.xmin)
    height = min(one.ymax, other.ymax) - max(one.ymin, other.ymin)
    shared = max(0, width) * max(0, height)
    areas = [(box.xmax - box.xmin) * (box.ymax - box.ymin) for box in (one, other)]
    return shared / (sum(areas) - shared)


def test_objects_are_found_where_they_are(ask: Ask, coffee: Path) -> None:
    found = ask("detect_objects", coffee)
    assert found.meta.model == "ssd-mobilenet-v2"
    assert [each.label for each in found.objects] == ["cup", "bowl", "dining table"]
    assert found.objects[0].score == pytest.approx(0.954, abs=0.02)
    # what OpenCV's DNN module finds with TensorFlow's graph
    golden = [Box(173, 12, 411, 243), Box(168, 16, 408, 254), Box(2, 0, 598, 399)]
    for each, box in zip(found.objects, golden):
        assert agreement(each.box, box) > 0.95
    assert ask("detect_objects", coffee, threshold=0.9).objects == found.objects[:1]


def test_a_face_is_found_with_its_landmarks(ask: Ask, astronaut: Path, coffee: Path) -> None:
    found = ask("detect_faces", astronaut)
    assert found.meta.model == "centerface"
    [face] = found.faces
    assert face.label == "face"
    assert face.score == pytest.approx(0.929, abs=0.02)
    assert agreement(face.box, Box(182, 58, 270, 178)) > 0.95  # docs/tasks/face-detection.md
    assert face.landmarks.left_eye == pytest.approx((203, 102), abs=3)
    assert face.landmarks.right_mouth == pytest.approx((241, 144), abs=3)
    assert ask("detect_faces", coffee).faces == ()


def painted(picture: Any, format: str = "PNG") -> Image.Image:
    image = Image.open(io.BytesIO(picture.data))
    assert image.format == format
    assert picture.media_type == f"image/{format.lower()}"
    return image.convert("RGB")


def difference(one: Image.Image, other: Image.Image) -> float:
    """The mean of all pixels', of 255."""
    return float(np.abs(np.asarray(one, np.float32) - np.asarray(other, np.float32)).mean())


@pytest.mark.parametrize("style", ["style-03", "style-03:0.7,style-11:0.3"])
def test_a_picture_is_painted_in_styles_as_asked(ask: Ask, server: Server, coffee: Path, style: str) -> None:
    result = ask("transfer_style", coffee, style, strength=0.8, max_side=96)
    assert result.meta.model == "multistyle26"
    image = painted(result)
    assert image.size == (96, 64)
    with Image.open(coffee) as original:
        assert difference(image, original.convert("RGB").resize(image.size)) > 10
    wanted = {"style": style, "strength": "0.8", "max_side": "96"}
    plain = httpx.post(f"{server.url}/v1/style-transfer", params=wanted, content=coffee.read_bytes(), timeout=60)
    assert result.data == plain.content
    assert result.data != ask("transfer_style", coffee, "style-11", strength=0.8, max_side=96).data


def test_a_picture_is_painted_in_the_style_of_another(ask: Ask, coffee: Path, cat: Path, astronaut: Path) -> None:
    like = {name: ask("transfer_style", coffee, style_image=name, max_side=96) for name in (cat, astronaut)}
    assert {each.meta.model for each in like.values()} == {"magenta-arbitrary"}
    images = [painted(each) for each in like.values()]
    assert [image.size for image in images] == [(96, 64)] * 2
    assert difference(*images) > 10
    with Image.open(coffee) as original:
        assert difference(images[0], original.convert("RGB").resize((96, 64))) > 10


@pytest.mark.parametrize(("format", "tolerance"), [("png", 0), ("jpeg", 5), ("webp", 5)])
def test_the_painting_comes_in_the_format_asked_for(ask: Ask, coffee: Path, format: str, tolerance: float) -> None:
    result = ask("transfer_style", coffee, "style-03", strength=0, format=format)
    with Image.open(coffee) as original:  # no strength leaves a picture as it was
        assert difference(painted(result, format.upper()), original.convert("RGB")) <= tolerance


def test_every_style_that_is_listed_can_be_asked_for_by_its_name(ask: Ask, coffee: Path) -> None:
    styles = ask("styles")
    assert [each.name for each in styles] == [f"style-{number:02}" for number in range(26)]
    assert len({each.title for each in styles}) == 26
    assert ask("transfer_style", coffee, styles[-1].name, max_side=32).meta.model == "multistyle26"
