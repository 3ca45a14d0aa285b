"""Pictures: from untrusted bytes to upright 8-bit RGB."""

from __future__ import annotations

import contextlib
import io
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps

from models.errors import BudgetExceeded, InvalidInput
from models.limits import Limits

Pixels = NDArray[np.uint8]
"""`[height, width, 3]`, RGB."""

Size = tuple[int, int]
"""Width and height."""

FORMATS = ("JPEG", "PNG", "WEBP")

# Pillow imports a format's decoder with the first picture of it: that request would wait for it.
Image.init()

DRAFT_MARGIN = 2.5
"""How much larger than needed a JPEG decoded at a fraction stays. Of EfficientNet-Lite0's five best scores, on six
photographs with a camera's noise, the worst moved by 0.02 at a margin of 2.9, 0.13 at 2.0 and 0.08 at 1.8."""

# The budget below is checked on every picture, from its header. Pillow's own would only warn, and later.
Image.MAX_IMAGE_PIXELS = None


@dataclass(frozen=True)
class Picture:
    """A decoded picture, and the size that it was sent in: `image` may be a half, a quarter or an eighth of it."""

    image: Image.Image
    size: Size


def decode(data: bytes, *, field: str, limits: Limits, resampled: Callable[[Size], Size] | None = None) -> Picture:
    """Decode a JPEG, PNG or WebP into an upright 8-bit RGB picture.

    EXIF orientation is applied, the first frame of an animation is taken, 16-bit samples are scaled to
    8 bits, and what is transparent is shown on white, as a browser would.

    `resampled` tells the size that a picture of a given size will be resampled to. A JPEG that is much larger
    is then decoded at 1/2, 1/4 or 1/8, which costs a fraction; `DRAFT_MARGIN` times that size always remains.

    Raises `BudgetExceeded` from the header alone when the picture has more than `limits.picture_pixels`,
    and `InvalidInput` naming `field` when the bytes are no such picture or end too early.
    """
    # Pillow's decoders raise whatever they trip over (OSError, SyntaxError, struct.error, zlib.error, …):
    # on bytes from outside each of them means that the bytes are at fault.
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except Exception as error:
        raise InvalidInput.of(field, "is not a JPEG, PNG or WebP picture") from error
    width, height = image.size
    if width * height > limits.picture_pixels:
        raise BudgetExceeded(
            f"{field}: {width}x{height} is more than the {limits.picture_pixels:,} pixels that are accepted"
        )
    try:
        if resampled is not None:
            across, down = resampled((width, height))
            image.draft(None, (math.ceil(DRAFT_MARGIN * across), math.ceil(DRAFT_MARGIN * down)))
        image.load()
        lies = turn_upright(image)
        return Picture(to_rgb(image), (height, width) if lies else (width, height))
    except Exception as error:
        raise InvalidInput.of(field, "the picture is truncated or damaged") from error


def turn_upright(image: Image.Image) -> bool:
    """Turn the picture in place as its EXIF orientation says: whether that swapped its width and height.

    Damaged EXIF says nothing, as in any viewer.
    """
    with contextlib.suppress(Exception):  # the metadata's own parsers raise as freely as the decoders
        lies = image.getexif().get(ExifTags.Base.Orientation) in (5, 6, 7, 8)
        ImageOps.exif_transpose(image, in_place=True)
        return lies
    return False


def to_rgb(image: Image.Image) -> Image.Image:
    """Convert any mode to 8-bit RGB; Pillow's plain `convert` would clip 16 bits to white."""
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode.startswith("I"):  # 16-bit greyscale: 65535 is white
        samples = np.array(image, dtype=np.float32)
        samples[samples == image.info.get("transparency", -1)] = 65535
        return Image.fromarray(np.rint(samples / 257).clip(0, 255).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        layers = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), layers).convert("RGB")
    return image.convert("RGB")
