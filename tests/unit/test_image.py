"""From untrusted bytes to upright RGB. What is expected is computed by hand, from samples that Pillow never saw."""

from __future__ import annotations

import re
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from models.errors import BudgetExceeded, InvalidInput
from models.image_classification import ImageClassification
from models.limits import Limits
from models.pictures.image import Pixels, decode
from models.pictures.views import CentreCrop
from tests.photographs import encoded
from tests.serving import ROOT

# A damaged picture makes Pillow warn before it does what it can; that is not what these tests are about.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")

LIMITS = Limits(picture_pixels=1_000_000)
GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6  # PNG's colour types
CHANNELS = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGBA: 4}
ORIENTATION = 0x0112

Samples = NDArray[np.uint16]


def decoded(data: bytes, limits: Limits = LIMITS) -> Pixels:
    image = decode(data, field="image", limits=limits).image
    assert image.mode == "RGB"
    return np.asarray(image)


def noise(height: int, width: int, channels: int, bits: int = 8, seed: int = 0) -> Samples:
    return np.random.default_rng(seed).integers(0, 2**bits, (height, width, channels), dtype=np.uint16)


def smooth(width: int = 48, height: int = 32) -> Image.Image:
    coarse = Image.fromarray(noise(3, 4, 3).astype(np.uint8))
    return coarse.resize((width, height), Image.Resampling.BICUBIC)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_of(width: int, height: int, bits: int, colour: int, rows: bytes, *extra: tuple[bytes, bytes]) -> bytes:
    """A PNG file of these rows, as they are before compression."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))
    chunks = b"".join(chunk(kind, data) for kind, data in extra)
    return b"\x89PNG\r\n\x1a\n" + header + chunks + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def png(samples: Samples, colour: int, bits: int = 8, *extra: tuple[bytes, bytes]) -> bytes:
    height, width = samples.shape[:2]
    places = np.arange(bits - 1, -1, -1)
    ones = (samples.reshape(height, -1, 1) >> places & 1).astype(np.uint8).reshape(height, -1)
    rows = b"".join(b"\0" + np.packbits(row).tobytes() for row in ones)
    return png_of(width, height, bits, colour, rows, *extra)


def on_white(samples: Samples, bits: int) -> NDArray[np.float64]:
    """RGB in 0..255 of `[height, width, 4]` samples with alpha."""
    full = 2**bits - 1
    alpha = samples[..., 3:] / full
    shown: NDArray[np.float64] = (samples[..., :3] / full * alpha + (1 - alpha)) * 255
    return shown


def assert_close(found: Pixels, expected: NDArray[Any], tolerance: float = 1) -> None:
    assert found.shape == expected.shape
    assert np.abs(found - expected.astype(np.float64)).max() <= tolerance


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_greyscale_of_every_depth_spans_black_to_white(bits: int) -> None:
    samples = noise(9, 11, 1, bits)
    expected = np.repeat(samples / (2**bits - 1) * 255, 3, axis=2)
    assert_close(decoded(png(samples, GREY, bits)), expected, 0.5)


def test_sixteen_bit_greyscale_is_a_ramp_and_not_white() -> None:
    ramp = np.arange(65536, dtype=np.uint16).reshape(256, 256, 1)
    np.testing.assert_array_equal(decoded(png(ramp, GREY, 16))[..., 0], np.rint(ramp[..., 0] / 257))


@pytest.mark.parametrize("bits", [8, 16])
def test_true_colour_of_both_depths(bits: int) -> None:
    samples = noise(9, 11, 3, bits)
    assert_close(decoded(png(samples, RGB, bits)), samples / (2**bits - 1) * 255, 0 if bits == 8 else 1)


@pytest.mark.parametrize("bits", [8, 16])
def test_what_is_transparent_is_shown_on_white(bits: int) -> None:
    samples = noise(9, 11, 4, bits)
    assert_close(decoded(png(samples, RGBA, bits)), on_white(samples, bits), 1 if bits == 8 else 2)
    grey = samples[..., 2:]
    assert_close(decoded(png(grey, GREY_ALPHA, bits)), on_white(grey[..., [0, 0, 0, 1]], bits), 1 if bits == 8 else 2)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@pytest.mark.parametrize("alphas", [None, [0], [255, 0, 128]])
def test_palettes_of_every_depth_with_and_without_transparency(bits: int, alphas: list[int] | None) -> None:
    indices, colours = noise(9, 11, 1, bits), noise(2**bits, 1, 3, seed=1)[:, 0]
    known = (alphas or [])[: 2**bits]
    alpha = np.array(known + [255] * (2**bits - len(known)), dtype=np.uint16)
    extra = [(b"PLTE", colours.astype(np.uint8).tobytes())] + [(b"tRNS", bytes(known))] * bool(known)
    expected = on_white(np.column_stack([colours, alpha])[indices[..., 0]], 8)
    assert_close(decoded(png(indices, PALETTE, bits, *extra)), expected)


@pytest.mark.parametrize(("colour", "bits"), [(GREY, 1), (GREY, 8), (GREY, 16), (RGB, 8)])
def test_a_transparent_colour_is_white(colour: int, bits: int) -> None:
    samples = noise(9, 11, CHANNELS[colour], bits)
    samples[:4] = samples[0, 0]
    shown = np.broadcast_to(samples / (2**bits - 1) * 255, (9, 11, 3)).copy()
    shown[(samples == samples[0, 0]).all(axis=2)] = 255
    key = samples[0, 0].astype(">u2").tobytes()
    assert_close(decoded(png(samples, colour, bits, (b"tRNS", key))), shown)


def test_a_jpeg_is_its_pixels() -> None:
    image = smooth()
    assert_close(decoded(encoded(image, "JPEG", quality=95)), np.asarray(image), 12)
    assert_close(decoded(encoded(image.convert("L"), "JPEG")), np.asarray(image.convert("L").convert("RGB")), 12)


def test_a_printers_jpeg_is_converted() -> None:
    data = encoded(smooth().convert("CMYK"), "JPEG")
    with Image.open(BytesIO(data)) as image:
        assert image.mode == "CMYK"
        inks = np.asarray(image).astype(float)
    assert_close(decoded(data), (255 - inks[..., :3]) * (255 - inks[..., 3:]) / 255)
    assert_close(decoded(data), np.asarray(smooth()), 12)


def test_a_lossless_webp_is_its_pixels_on_white() -> None:
    samples = noise(9, 11, 4)
    data = encoded(Image.fromarray(samples.astype(np.uint8)), "WEBP", lossless=True, exact=True)
    assert_close(decoded(data), on_white(samples, 8))


@pytest.mark.parametrize("format", ["PNG", "WEBP"])
def test_of_an_animation_the_first_frame_is_taken(format: str) -> None:
    frames = [Image.new("RGB", (12, 10), colour) for colour in ("red", "green", "blue")]
    data = encoded(frames[0], format, save_all=True, append_images=frames[1:], duration=50, lossless=True)
    with Image.open(BytesIO(data)) as image:
        assert getattr(image, "n_frames") == 3  # noqa: B009 (an animation, so not every image has it)
    np.testing.assert_array_equal(decoded(data), np.asarray(frames[0]))


def exif(orientation: int) -> bytes:
    entries = Image.Exif()
    entries[ORIENTATION] = orientation
    return entries.tobytes()


UPRIGHT: dict[int, Callable[[Pixels], Pixels]] = {
    1: lambda stored: stored,
    2: lambda stored: stored[:, ::-1],
    3: lambda stored: stored[::-1, ::-1],
    4: lambda stored: stored[::-1],
    5: lambda stored: stored.swapaxes(0, 1),
    6: lambda stored: stored[::-1].swapaxes(0, 1),
    7: lambda stored: stored[::-1, ::-1].swapaxes(0, 1),
    8: lambda stored: stored[:, ::-1].swapaxes(0, 1),
}


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize(
    ("format", "mode"), [("JPEG", "RGB"), ("PNG", "RGB"), ("PNG", "P"), ("PNG", "LA"), ("WEBP", "RGBA")]
)
def test_every_orientation_is_turned_upright(format: str, mode: str, orientation: int) -> None:
    image = smooth().convert(mode)
    stored = decoded(encoded(image, format))
    np.testing.assert_array_equal(decoded(encoded(image, format, exif=exif(orientation))), UPRIGHT[orientation](stored))


@pytest.mark.parametrize(
    "damaged",
    [
        b"Exif\0\0",
        b"Exif\0\0II*\0\xff\xff\xff\xff",
        b"Exif\0\0not a header at all",
        exif(6)[:-9],
        exif(9),
        exif(6).replace(struct.pack(">HHI", ORIENTATION, 3, 1), struct.pack(">HHI", ORIENTATION, 2, 900_000)),
    ],
)
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_damaged_exif_says_nothing(format: str, damaged: bytes) -> None:
    plain = decoded(encoded(smooth(), format))
    np.testing.assert_array_equal(decoded(encoded(smooth(), format, exif=damaged)), plain)


# A header that promises `side` x `side`, and hardly any data after it.
def huge_png(side: int) -> bytes:
    return png_of(side, side, 8, RGB, bytes(1000))


def huge_jpeg(side: int) -> bytes:
    data = bytearray(encoded(smooth(), "JPEG"))
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = struct.pack(">HH", side, side)
    return bytes(data)


def huge_webp(side: int) -> bytes:
    data = bytearray(encoded(smooth(), "WEBP"))
    start = data.index(b"\x9d\x01\x2a") + 3
    data[start : start + 4] = struct.pack("<HH", side, side)
    return bytes(data)


def huge_lossless_webp(side: int) -> bytes:
    data = bytearray(encoded(smooth(), "WEBP", lossless=True))
    data[21:25] = struct.pack("<I", (side - 1) | (side - 1) << 14)
    return bytes(data)


MEASURE = """
import resource, sys
from models.errors import BudgetExceeded
from models.pictures.image import decode
from models.limits import Limits

data = sys.stdin.buffer.read()
decode(open(sys.argv[1], "rb").read(), field="image", limits=Limits())  # the decoders are loaded now
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    decode(data, field="image", limits=Limits())
except BudgetExceeded as error:
    print(error)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.parametrize(
    ("make", "side"), [(huge_png, 20_000), (huge_jpeg, 20_000), (huge_webp, 16_383), (huge_lossless_webp, 16_383)]
)
def test_a_huge_picture_is_refused_from_its_header(make: Callable[[int], bytes], side: int, tmp_path: Path) -> None:
    (tmp_path / "small").write_bytes(encoded(smooth(), "WEBP"))
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(tmp_path / "small")],
        input=make(side),
        capture_output=True,
        cwd=ROOT,
        check=True,
    )
    message, mebibytes = done.stdout.decode().splitlines()
    assert message == f"image: {side}x{side} is more than the 50,000,000 pixels that are accepted"
    assert int(mebibytes) < 50


def test_the_budget_is_the_largest_picture_that_is_accepted() -> None:
    data = encoded(smooth(48, 32), "PNG")
    assert decoded(data, Limits(picture_pixels=48 * 32)).shape == (32, 48, 3)
    with pytest.raises(BudgetExceeded, match=r"^image: 48x32 is more than the 1,535 pixels"):
        decoded(data, Limits(picture_pixels=48 * 32 - 1))


FILES = {
    "jpeg": encoded(smooth(), "JPEG", exif=exif(6)),
    "progressive jpeg": encoded(smooth(), "JPEG", progressive=True),
    "cmyk jpeg": encoded(smooth().convert("CMYK"), "JPEG"),
    "png": encoded(smooth(), "PNG", exif=exif(6)),
    "palette": encoded(smooth().quantize(16), "PNG", transparency=3),
    "animated png": encoded(smooth(), "PNG", save_all=True, append_images=[smooth().rotate(180)]),
    "webp": encoded(smooth(), "WEBP", exif=exif(6)),
    "lossless webp": encoded(smooth(), "WEBP", lossless=True),
    "animated webp": encoded(smooth(), "WEBP", save_all=True, append_images=[smooth().rotate(180)]),
}
files = st.sampled_from(sorted(FILES)).map(FILES.__getitem__)
many = settings(max_examples=300, deadline=None)


def decodes_or_is_refused(data: bytes) -> None:
    """Whatever the bytes are: an RGB picture within the budget, or an error of ours about this field."""
    refusal = ""
    try:
        image = decode(data, field="photo", limits=LIMITS).image
    except (InvalidInput, BudgetExceeded) as error:
        refusal = str(error)
    if refusal:
        assert re.fullmatch(
            r"photo: (is not a JPEG|the picture is (truncated|damaged)|\d+x\d+ is more than)[\w ,]+", refusal
        )
    else:
        assert image.mode == "RGB" and 0 < image.width * image.height <= LIMITS.picture_pixels
        assert np.asarray(image).shape == (image.height, image.width, 3)


@many
@given(data=files, share=st.floats(0, 1))
def test_a_file_cut_anywhere_decodes_or_is_refused(data: bytes, share: float) -> None:
    decodes_or_is_refused(data[: int(len(data) * share)])


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_a_file_that_ends_too_early_is_refused(name: str, share: float) -> None:
    # the first frame of an animation ends by the middle, and is all that is asked for
    data = FILES[name][: int(len(FILES[name]) * share * (0.5 if name.startswith("animated") else 1))]
    with pytest.raises(InvalidInput) as raised:
        decoded(data)
    assert [each.field for each in raised.value.fields] == ["image"]


@many
@given(data=files, place=st.integers(0, 10**6), value=st.integers(0, 255))
def test_a_file_with_a_wrong_byte_decodes_or_is_refused(data: bytes, place: int, value: int) -> None:
    damaged = bytearray(data)
    damaged[place % len(data)] = value
    decodes_or_is_refused(bytes(damaged))


@many
@given(head=st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF\x64\0\0\0WEBPVP8 "]), rest=st.binary())
def test_bytes_that_are_no_file_are_refused(head: bytes, rest: bytes) -> None:
    with pytest.raises(InvalidInput):
        decoded(head + rest)


@many
@given(
    bits=st.sampled_from([1, 2, 4, 8, 16]),
    colour=st.sampled_from([GREY, RGB, PALETTE, GREY_ALPHA, RGBA, 7]),
    palette=st.none() | st.binary(max_size=12) | st.integers(0, 300).map(lambda count: bytes(3 * count)),
    transparency=st.none() | st.binary(max_size=8) | st.integers(0, 300).map(lambda count: b"\x80" * count),
    metadata=st.none() | st.binary(max_size=40) | st.binary(max_size=30).map(b"II*\0\x08\0\0\0".__add__),
    rows=st.integers(0, 60).map(bytes),
)
def test_a_png_whose_chunks_contradict_each_other_decodes_or_is_refused(
    bits: int, colour: int, palette: bytes | None, transparency: bytes | None, metadata: bytes | None, rows: bytes
) -> None:
    extra = [(b"PLTE", palette), (b"tRNS", transparency), (b"eXIf", metadata)]
    decodes_or_is_refused(png_of(3, 2, bits, colour, rows, *((kind, data) for kind, data in extra if data is not None)))


@pytest.mark.parametrize(
    "transparency", [None, b"\x80" * 300], ids=["a palette that is missing", "more alphas than a palette has"]
)
def test_a_palette_that_is_damaged_is_refused(transparency: bytes | None) -> None:
    extra = [(b"PLTE", bytes(768)), (b"tRNS", transparency)] if transparency else []
    with pytest.raises(InvalidInput, match=r"^image: the picture is truncated or damaged$"):
        decoded(png(noise(2, 3, 1), PALETTE, 8, *extra))


@pytest.mark.parametrize("format", ["GIF", "TIFF", "BMP", "PPM", "AVIF"])
def test_other_formats_are_refused_by_name_of_the_field(format: str) -> None:
    with pytest.raises(InvalidInput, match=r"^image: is not a JPEG, PNG or WebP picture$") as raised:
        decoded(encoded(smooth(), format))
    assert [each.field for each in raised.value.fields] == ["image"]


@pytest.mark.parametrize("data", [b"", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"%PDF-1.7", b"http://localhost/"])
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidInput, match=r"^image: is not a JPEG, PNG or WebP picture$"):
        decoded(data)


CROPS = sorted({model.crop for model in ImageClassification.models}, key=repr)


@pytest.mark.parametrize("crop", CROPS, ids=lambda crop: f"{crop.resize} to {crop.size}")
@pytest.mark.parametrize(("width", "height"), [(1, 1), (1, 10_000), (10_000, 1), (2, 3), (999, 1000)])
def test_a_crop_is_the_declared_square_whatever_the_picture(crop: CentreCrop, width: int, height: int) -> None:
    data = encoded(Image.new("RGB", (width, height), (9, 99, 199)), "PNG")
    pixels = crop(decode(data, field="image", limits=LIMITS).image)
    assert pixels.shape == (crop.size, crop.size, 3) and pixels.dtype == np.uint8
    np.testing.assert_array_equal(pixels, np.broadcast_to((9, 99, 199), pixels.shape))
