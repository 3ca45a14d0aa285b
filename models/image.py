"""Pictures: from untrusted bytes to upright RGB, and the crops that classifiers are fed."""

from __future__ import annotations

import contextlib
import io
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from models.errors import BudgetExceeded, InvalidInput
from models.limits import Limits

Pixels = NDArray[np.uint8]

FORMATS = ("JPEG", "PNG", "WEBP")

# Pillow imports a format's decoder with the first picture of it: that request would wait for it.
Image.init()

DRAFT_MARGIN = 2.5
"""How much larger than needed a JPEG decoded at a fraction stays. Of EfficientNet-Lite0's five best scores, on six
photographs with a camera's noise, the worst moved by 0.02 at a margin of 2.9, 0.13 at 2.0 and 0.08 at 1.8."""

LARGEST_RESIZED_PIXELS = 2_000_000
"""Up to here a picture is resized whole before the centre is cut out of it; beyond, only the centre is."""

# The budget below is checked on every picture, from its header. Pillow's own would only warn, and later.
Image.MAX_IMAGE_PIXELS = None


def decode(data: bytes, *, field: str, limits: Limits, short_side: int | None = None) -> Image.Image:
    """Decode a JPEG, PNG or WebP into an upright 8-bit RGB picture.

    EXIF orientation is applied, the first frame of an animation is taken, 16-bit samples are scaled to
    8 bits, and what is transparent is shown on white, as a browser would.

    `short_side` is the length that the short side will be resampled to. A JPEG that is much larger is then
    decoded at 1/2, 1/4 or 1/8, which costs a fraction; `DRAFT_MARGIN` times that length always remains.

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
        if short_side is not None:
            smallest = math.ceil(DRAFT_MARGIN * short_side)
            image.draft(None, (smallest, smallest))
        image.load()
        turn_upright(image)
        return to_rgb(image)
    except Exception as error:
        raise InvalidInput.of(field, "the picture is truncated or damaged") from error


def turn_upright(image: Image.Image) -> None:
    """Turn the picture in place as its EXIF orientation says; damaged EXIF says nothing, as in any viewer."""
    with contextlib.suppress(Exception):  # the metadata's own parsers raise as freely as the decoders
        ImageOps.exif_transpose(image, in_place=True)


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


@dataclass(frozen=True)
class CentreCrop:
    """How a classifier's published accuracy looked at a picture: its centre, `size` pixels square.

    `resize` is the length of the short side that the crop is taken from. With `crop_first` the square of
    the original that would end up in the crop is cut out and then resampled (EfficientNet); without, the
    whole picture is resampled first (torchvision), so that pixels beyond the cut still count at its edge.
    """

    size: int
    resize: int
    resample: Image.Resampling
    crop_first: bool

    def __call__(self, image: Image.Image) -> Pixels:
        """RGB picture → uint8 `[size, size, 3]`."""
        if self.crop_first:
            box = self._box_in_original(image.width, image.height)
            return np.asarray(image.crop(box).resize((self.size, self.size), self.resample))
        short = min(image.size)
        width, height = self.resize * image.width // short, self.resize * image.height // short
        left, top = round((width - self.size) / 2), round((height - self.size) / 2)
        if width * height <= LARGEST_RESIZED_PIXELS:
            box = (left, top, left + self.size, top + self.size)
            return np.asarray(image.resize((width, height), self.resample).crop(box))
        # A picture of 1 x 1,000,000 would become 232 x 232,000,000: resample the crop alone. Pillow keeps the
        # box in 32 bits, so here and there a sample is off by one, which is why not every picture goes this way.
        across, down = image.width / width, image.height / height
        part = (left * across, top * down, (left + self.size) * across, (top + self.size) * down)
        return np.asarray(image.resize((self.size, self.size), self.resample, box=part))

    def _box_in_original(self, width: int, height: int) -> tuple[int, int, int, int]:
        side = max(1, math.floor(self.size / self.resize * min(width, height)))
        left, top = (width - side) // 2, (height - side) // 2
        return left, top, left + side, top + side
