"""Making faces unrecognisable."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from PIL import Image

from ekiben_demos.pictures.hiding import CELLS, Way, hide, widened

corner = some.floats(-200, 400)


@pytest.mark.parametrize("way", get_args(Way))
def test_nothing_of_the_face_is_left_and_the_rest_is_untouched(examples: Path, way: Way) -> None:
    with Image.open(examples / "astronaut.jpg") as file:
        before = file.convert("RGB")
    after = before.copy()
    face = (182, 58, 270, 178)
    hide(after, face, way)
    left, top, right, bottom = widened(face, before.size)
    outside = np.ones((before.height, before.width), bool)
    outside[top:bottom, left:right] = False
    assert np.array_equal(np.asarray(before)[outside], np.asarray(after)[outside])
    inside = np.asarray(after.crop(face).convert("L"), float)
    assert detail(inside) < 0.25 * detail(np.asarray(before.crop(face).convert("L"), float))


def test_pixelating_leaves_a_few_colours(examples: Path) -> None:
    with Image.open(examples / "astronaut.jpg") as file:
        picture = file.convert("RGB")
    hide(picture, (182, 58, 270, 178), "pixelate")
    assert len(picture.crop((182, 58, 270, 178)).getcolors(10_000) or []) <= CELLS * CELLS


@given(corner, corner, corner, corner, some.sampled_from(get_args(Way)))
def test_any_box_can_be_hidden(xmin: float, ymin: float, xmax: float, ymax: float, way: Way) -> None:
    picture = Image.new("RGB", (64, 48), "white")
    hide(picture, (min(xmin, xmax), min(ymin, ymax), max(xmin, xmax), max(ymin, ymax)), way)
    assert picture.getcolors() == [(64 * 48, (255, 255, 255))]


def detail(grey: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
    """How much neighbouring pixels differ."""
    return float(np.abs(np.diff(grey, axis=0)).mean() + np.abs(np.diff(grey, axis=1)).mean())
