"""How pictures come into a graph: stretched to a square, or in their own shape inside one of a few sizes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.Image import Resampling

from models.face_detection import LONGEST, SIDES
from models.pictures.image import Picture, Size
from models.pictures.views import FitInside, Stretch, shrunk

FIT = FitInside(LONGEST, SIDES, Resampling.BILINEAR)
sides = st.integers(1, 5000)
sizes = st.tuples(sides, sides)
small_sizes = st.tuples(st.integers(1, 900), st.integers(1, 900))


def picture(size: Size, colour: tuple[int, int, int] = (9, 99, 199)) -> Picture:
    return Picture(Image.new("RGB", size, colour), size)


@given(size=sizes, longest=st.integers(1, 3000))
@example(size=(1, 1_000_000), longest=640)
def test_a_shrunk_size_has_its_shape_and_no_side_that_is_too_long(size: Size, longest: int) -> None:
    width, height = shrunk(size, longest)
    assert 1 <= width <= size[0] and 1 <= height <= size[1]
    assert max(width, height) == min(longest, max(size))
    scale = min(1, longest / max(size))
    assert abs(width - scale * size[0]) <= 1 and abs(height - scale * size[1]) <= 1
    if max(size) <= longest:
        assert (width, height) == size


@given(size=sizes)
def test_every_size_has_a_bucket_that_holds_it_and_no_smaller_one_does(size: Size) -> None:
    inside = FIT.resampled(size)
    width, height = FIT.bucket(inside)
    assert (width, height) in SIDES and width % 32 == height % 32 == 0
    assert width >= inside[0] and height >= inside[1]
    for other in SIDES:
        assert other[0] < inside[0] or other[1] < inside[1] or other[0] * other[1] >= width * height


@settings(deadline=None, max_examples=60)
@given(size=small_sizes)
@example(size=(1, 1))
@example(size=(640, 640))
@example(size=(641, 3))
def test_a_fitted_picture_lies_in_the_upper_left_corner_of_black(size: Size) -> None:
    pixels, (width, height) = FIT(picture(size))
    assert pixels.dtype == np.uint8 and pixels.shape[1::-1] in SIDES
    assert (width, height) == shrunk(size, LONGEST)
    assert (pixels[:height, :width] == (9, 99, 199)).all()
    assert not pixels[height:].any() and not pixels[:, width:].any()


def test_a_picture_that_fits_keeps_its_very_pixels() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (311, 287, 3), dtype=np.uint8)
    pixels, size = FIT(Picture(Image.fromarray(noise), (287, 311)))
    assert size == (287, 311)
    np.testing.assert_array_equal(pixels[:311, :287], noise)


def test_a_picture_that_was_decoded_at_a_fraction_is_fitted_as_the_whole_one() -> None:
    whole = Image.radial_gradient("L").convert("RGB").resize((4000, 3000))
    part = whole.resize((2000, 1500), Resampling.BOX)
    fitted, size = FIT(Picture(whole, (4000, 3000)))
    fitted_part, part_size = FIT(Picture(part, (4000, 3000)))
    assert size == part_size == (640, 480)
    assert np.abs(fitted.astype(int) - fitted_part).max() <= 2


@pytest.mark.parametrize("size", [(1, 1), (1, 999), (999, 1), (300, 300), (641, 427)])
def test_a_stretched_picture_is_the_whole_picture_as_a_square(size: Size) -> None:
    view = Stretch(300, Resampling.BILINEAR)
    left, right = Image.new("RGB", size, "navy"), Image.new("RGB", size, "navy")
    right.paste("gold", (size[0] // 2, 0, *size))
    assert (view(Picture(left, size)) == (0, 0, 128)).all()
    pixels = view(Picture(right, size))
    assert pixels.shape == (300, 300, 3) and pixels.dtype == np.uint8 and view.resampled(size) == (300, 300)
    if size[0] > 1:
        assert (pixels[:, 0] == (0, 0, 128)).all() and (pixels[:, -1] == (255, 215, 0)).all()
