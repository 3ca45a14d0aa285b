"""Mixtures of styles, edges, strength: what is done to a picture beside painting it."""

from __future__ import annotations

import contextlib
import io
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pydantic import ValidationError

from models.errors import InvalidInput
from models.model import OneShot
from models.pictures.styles import STYLES, mixture, style_name
from models.style_transfer import SMALLEST, PictureStyle, StyleParameters, StyleTransfer, encode, mirrored
from models.task import NEXT, Media, Request, Submit
from tests import photographs

NAMED, FROM_PICTURE = StyleTransfer.models
numbers = st.integers(0, len(STYLES) - 1)
weights = st.decimals(0, 1000, places=3)


@given(st.lists(st.tuples(numbers, weights), min_size=1, max_size=8))
def test_shares_are_in_proportion_to_the_weights_and_add_up_to_one(parts: list[tuple[int, object]]) -> None:
    text = ", ".join(f"{style_name(number)}:{weight}" for number, weight in parts)
    given_weights = np.zeros(len(STYLES))
    for number, weight in parts:
        given_weights[number] += float(str(weight))
    if not given_weights.any():
        with pytest.raises(ValueError, match="all 0"):
            mixture(text)
        return
    shares = mixture(text)
    assert shares.dtype == np.float32 and shares.shape == (len(STYLES),) and (shares >= 0).all()
    assert shares.sum() == pytest.approx(1, abs=1e-5)
    assert shares == pytest.approx(given_weights / given_weights.sum(), abs=1e-5)


@given(numbers)
def test_a_name_alone_is_that_style(number: int) -> None:
    assert mixture(style_name(number)).tolist() == [float(number == each) for each in range(len(STYLES))]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "there are style-00, .*, style-25"),
        ("mona-lisa", "there are style-00, .*, style-25"),
        ("style-26", "'style-26' is no style"),
        ("style-3", "'style-3' is no style"),
        ("STYLE-03", "'STYLE-03' is no style"),
        ("style-03,", "'' is no style"),
        ("style-03;style-04", "is no style"),
        ("style-03:-0.5", "'-0.5' is no weight"),
        ("style-03:", "'' is no weight"),
        ("style-03:x", "'x' is no weight"),
        ("style-03:nan", "'nan' is no weight"),
        ("style-03:inf", "'inf' is no weight"),
        ("style-03:1e400", "'1e400' is no weight"),
        ("style-03:٣", "is no weight"),
        ("style-03:1:2", "'1:2' is no weight"),
        ("style-03:" + "9" * 5000, "is no weight"),
        ("style-03:0", "all 0"),
        ("style-03:0,style-04:0.000", "all 0"),
    ],
)
def test_what_is_no_mixture_is_refused_in_words(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        mixture(text)
    with pytest.raises(ValidationError, match=says):
        StyleParameters(style=text)


@given(st.text() | st.from_regex(r"style-[0-9]{2}(:[0-9.e+-]*)?(,style-[0-9]{2}(:[0-9.]*)?)*", fullmatch=True))
def test_any_text_is_a_mixture_or_a_value_error(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert mixture(text).sum() == pytest.approx(1, abs=1e-5)


@settings(deadline=None, max_examples=60)
@given(width=st.integers(1, 70), height=st.integers(1, 70), seed=st.integers(0, 9))
def test_a_mirrored_picture_has_a_size_that_the_networks_take(width: int, height: int, seed: int) -> None:
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    pixels = mirrored(Image.fromarray(noise))
    for side, full in ((height, pixels.shape[0]), (width, pixels.shape[1])):
        assert full == max(SMALLEST, 4 * math.ceil(side / 4))
    np.testing.assert_array_equal(pixels[:height, :width], noise)
    for y, x in ((pixels.shape[0] - 1, 0), (0, pixels.shape[1] - 1)):
        np.testing.assert_array_equal(pixels[y, x], noise[reflected(y, height), reflected(x, width)])


def reflected(place: int, size: int) -> int:
    """The place that is seen where a mirror stands behind each edge."""
    if size == 1:
        return 0
    place %= 2 * (size - 1)
    return min(place, 2 * (size - 1) - place)


def paint(parameters: StyleParameters, sent: Image.Image, painted: tuple[int, int, int] = (200, 100, 0)) -> Image.Image:
    """The answer's picture, where the model paints everything in one colour."""
    data = photographs.encoded(sent, "PNG")
    conversation = StyleTransfer().converse(NAMED, Request({"image": data}, parameters, media_type="image/png"))
    submit = next(conversation)
    assert isinstance(submit, Submit)
    [item] = submit.items
    assert item.cost == item.inputs["image"].shape[0] * item.inputs["image"].shape[1]
    assert conversation.send(None) is NEXT
    with pytest.raises(StopIteration) as end:
        conversation.send({"stylized": np.full_like(item.inputs["image"], painted)})
    answer = end.value.value
    assert isinstance(answer, Media) and answer.media_type == "image/png"
    return Image.open(io.BytesIO(answer.data))


@pytest.mark.parametrize("size", [(1, 1), (37, 18), (1023, 3)])
def test_strength_goes_from_the_picture_itself_to_the_painting(size: tuple[int, int]) -> None:
    sent = Image.fromarray(np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))
    original = np.asarray(sent, np.float64)
    np.testing.assert_array_equal(paint(StyleParameters(strength=0), sent), sent)
    assert (np.asarray(paint(StyleParameters(strength=1), sent)) == (200, 100, 0)).all()
    half = np.asarray(paint(StyleParameters(strength=0.25), sent), np.float64)
    assert np.abs(half - (0.75 * original + 0.25 * np.array([200, 100, 0]))).max() <= 1


@pytest.mark.parametrize(
    ("sent", "max_side", "answered"),
    [
        ((300, 200), 1024, (300, 200)),
        ((300, 200), 300, (300, 200)),
        ((300, 200), 150, (150, 100)),
        ((200, 301), 16, (11, 16)),
        ((5000, 1), 1024, (1024, 1)),
        ((2000, 1000), 1024, (1024, 512)),
    ],
)
def test_a_painting_has_the_pictures_shape_and_no_side_beyond_max_side(
    sent: tuple[int, int], max_side: int, answered: tuple[int, int]
) -> None:
    assert paint(StyleParameters(max_side=max_side), Image.new("RGB", sent)).size == answered


@pytest.mark.parametrize(
    ("media_type", "format", "loss"), [("image/png", "PNG", 0), ("image/jpeg", "JPEG", 12), ("image/webp", "WEBP", 12)]
)
def test_a_painting_is_encoded_as_what_was_asked_for(media_type: str, format: str, loss: int) -> None:
    picture = photographs.rgb("chelsea")
    answer = encode(picture, media_type)
    with Image.open(io.BytesIO(answer.data)) as decoded:
        assert decoded.format == format and answer.media_type == media_type
        assert np.abs(np.asarray(decoded, np.int16) - np.asarray(picture, np.int16)).mean() <= loss / 4


def test_which_model_answers_follows_from_what_is_sent() -> None:
    task = StyleTransfer()
    plain = Request({"image": b""}, StyleParameters())
    like_a_picture = Request({"image": b"", "style_image": b""}, StyleParameters())
    assert task.default_models == task.models == (NAMED, FROM_PICTURE)
    for served in ((NAMED, FROM_PICTURE), (FROM_PICTURE, NAMED)):
        assert task.choose(served, plain) is NAMED and task.choose(served, like_a_picture) is FROM_PICTURE
    assert task.choose([NAMED], like_a_picture) is NAMED and task.choose([FROM_PICTURE], plain) is FROM_PICTURE


def test_a_second_graph_is_named_by_its_items() -> None:
    assert isinstance(FROM_PICTURE, PictureStyle) and isinstance(FROM_PICTURE.protocol, OneShot)
    png = photographs.encoded(Image.new("RGB", (20, 20)), "PNG")
    request = Request({"image": png, "style_image": png}, StyleParameters(), media_type="image/png")
    conversation = StyleTransfer().converse(FROM_PICTURE, request)
    first = next(conversation)
    assert isinstance(first, Submit) and [each.graph for each in first.items] == ["predict"]
    assert conversation.send(None) is NEXT
    second = conversation.send({"style": np.arange(100, dtype=np.float32)})
    assert isinstance(second, Submit)
    [item] = second.items
    assert item.graph is None and item.inputs["style"].tolist() == list(range(100))


@pytest.mark.parametrize("broken", ["image", "style_image"])
def test_nothing_runs_for_a_picture_that_cannot_be_read(broken: str) -> None:
    png = photographs.encoded(Image.new("RGB", (20, 20)), "PNG")
    media = {"image": png, "style_image": png, broken: b"nothing"}
    conversation = StyleTransfer().converse(FROM_PICTURE, Request(media, StyleParameters(), media_type="image/png"))
    with pytest.raises(InvalidInput) as refused:
        next(conversation)
    assert [each.field for each in refused.value.fields] == [broken]
