"""A picture in any mode gives the answer of the RGB picture that a viewer would show."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests import photographs
from tests.e2e.checks import ROUTE, png, same_answer

Pixels = NDArray[Any]
RGB: Pixels = np.asarray(photographs.rgb("chelsea"))
GREY: Pixels = RGB[..., 1]
HIDDEN: Pixels = np.indices(GREY.shape)[1] < GREY.shape[1] // 3
"""What the pictures with transparency do not show: their left third."""


def encoded(pixels: Pixels | Image.Image, format: str = "PNG", **options: object) -> bytes:
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    return photographs.encoded(image, format, **options)


def decoded(data: bytes, mode: str) -> Pixels:
    with Image.open(io.BytesIO(data)) as image:
        assert image.mode == mode
        return np.asarray(image)


def on_white(pixels: Pixels) -> Pixels:
    return np.where(HIDDEN[..., None], np.uint8(255), pixels)


def grey(samples: Pixels) -> Pixels:
    return np.repeat(samples[..., None], 3, axis=2)


def with_alpha(pixels: Pixels) -> Pixels:
    return np.dstack([pixels, np.where(HIDDEN, 0, 255).astype(np.uint8)])


Case = tuple[bytes, Pixels]


def jpeg() -> Case:
    data = encoded(RGB, "JPEG", quality=90)
    return data, decoded(data, "RGB")


def progressive_jpeg() -> Case:
    data = encoded(RGB, "JPEG", progressive=True)
    return data, decoded(data, "RGB")


def grey_jpeg() -> Case:
    data = encoded(GREY, "JPEG")
    return data, grey(decoded(data, "L"))


def cmyk_jpeg() -> Case:
    data = encoded(Image.fromarray(RGB).convert("CMYK"), "JPEG", quality=95)
    inks = decoded(data, "CMYK").astype(float)
    light = 255 - inks[..., 3:]
    return data, np.rint(light - inks[..., :3] * light / 255).clip(0, 255).astype(np.uint8)


def webp() -> Case:
    data = encoded(RGB, "WEBP", quality=80)
    return data, decoded(data, "RGB")


def palette() -> Case:
    image = Image.fromarray(RGB).quantize(64)
    colours = np.array(image.getpalette(), np.uint8).reshape(-1, 3)
    return encoded(image), colours[np.asarray(image)]


def palette_with_transparency() -> Case:
    image = Image.fromarray(RGB).quantize(64)
    colours = np.array(image.getpalette(), np.uint8).reshape(-1, 3)
    indices = np.asarray(image)
    hidden = int(indices[0, 0])
    shown = np.where((indices == hidden)[..., None], np.uint8(255), colours[indices])
    return encoded(image, transparency=hidden), shown


def transparent_colour() -> Case:
    red, green, blue = (int(sample) for sample in RGB[0, 0])
    hidden = (RGB[0, 0] == RGB).all(axis=2)
    return encoded(RGB, transparency=(red, green, blue)), np.where(hidden[..., None], np.uint8(255), RGB)


def grey_of_16_bits() -> Case:
    noise = np.random.default_rng(0).integers(0, 257, GREY.shape)
    samples = np.clip(GREY.astype(np.int64) * 257 + noise, 0, 65535).astype(np.uint16)
    return encoded(samples), grey(np.rint(samples / 257).astype(np.uint8))


def bilevel() -> Case:
    return encoded(Image.fromarray(GREY > 120)), grey(np.where(GREY > 120, 255, 0).astype(np.uint8))


def animated(format: str, **options: object) -> Callable[[], Case]:
    def make() -> Case:
        second = Image.fromarray(RGB[::-1])
        return encoded(RGB, format, save_all=True, append_images=[second], duration=100, **options), RGB

    return make


CASES: dict[str, Callable[[], Case]] = {
    "JPEG": jpeg,
    "progressive JPEG": progressive_jpeg,
    "grey JPEG": grey_jpeg,
    "CMYK JPEG": cmyk_jpeg,
    "WebP": webp,
    "WebP without loss": lambda: (encoded(RGB, "WEBP", lossless=True), RGB),
    "WebP with alpha": lambda: (encoded(with_alpha(RGB), "WEBP", lossless=True, exact=True), on_white(RGB)),
    "RGBA": lambda: (encoded(with_alpha(RGB)), on_white(RGB)),
    "grey": lambda: (encoded(GREY), grey(GREY)),
    "grey with alpha": lambda: (encoded(with_alpha(GREY)), on_white(grey(GREY))),
    "palette": palette,
    "palette with transparency": palette_with_transparency,
    "transparent colour": transparent_colour,
    "16 bits": grey_of_16_bits,
    "bilevel": bilevel,
    "animated PNG": animated("PNG"),
    "animated WebP": animated("WEBP", lossless=True),
}


@pytest.mark.parametrize("case", CASES)
def test_every_mode_gives_the_answer_of_the_picture_that_one_sees(http: httpx.Client, case: str) -> None:
    data, shown = CASES[case]()
    same_answer(http.post(ROUTE, content=data), http.post(ROUTE, content=encoded(shown)))


def test_the_pictures_above_do_not_all_give_one_answer(http: httpx.Client) -> None:
    answers = [http.post(ROUTE, content=encoded(shown)).json() for shown in (RGB, grey(GREY), on_white(RGB))]
    assert len({answer[0]["score"] for answer in answers}) == 3


UPRIGHT: dict[int, Callable[[Pixels], Pixels]] = {
    1: lambda pixels: pixels,
    2: np.fliplr,
    3: lambda pixels: np.rot90(pixels, 2),
    4: np.flipud,
    5: lambda pixels: pixels.transpose(1, 0, 2),
    6: lambda pixels: np.rot90(pixels, -1),
    7: lambda pixels: np.rot90(pixels, 2).transpose(1, 0, 2),
    8: np.rot90,
}
ORIENTED = [("JPEG", {"quality": 95}), ("PNG", {}), ("WEBP", {"lossless": True})]


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize(("format", "options"), ORIENTED, ids=[format for format, _ in ORIENTED])
def test_exif_orientation_is_applied(
    http: httpx.Client, format: str, options: dict[str, Any], orientation: int
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = decoded(encoded(RGB, format, **options), "RGB")
    shown = np.ascontiguousarray(UPRIGHT[orientation](stored))
    turned = http.post(ROUTE, content=encoded(RGB, format, exif=exif, **options))
    same_answer(turned, http.post(ROUTE, content=encoded(shown)))


@pytest.mark.parametrize("size", [(1, 1), (1, 4000), (4000, 1), (2, 3), (223, 225)], ids=str)
def test_a_picture_of_any_size_is_answered(http: httpx.Client, size: tuple[int, int]) -> None:
    response = http.post(ROUTE, content=png(Image.new("RGB", size, "orange")))
    assert response.status_code == 200
    assert len(response.json()) == 5


@pytest.mark.parametrize("exif", [b"Exif\x00\x00II*\x00\xff\xff\xff\xff", b"Exif\x00\x00garbage"], ids=repr)
def test_damaged_exif_says_nothing(http: httpx.Client, exif: bytes) -> None:
    same_answer(http.post(ROUTE, content=encoded(RGB, exif=exif)), http.post(ROUTE, content=encoded(RGB)))
