"""How models look at a picture: what becomes of its size and shape on the way into a graph."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from PIL import Image

from models.pictures.image import Picture, Pixels, Size

LARGEST_RESIZED_PIXELS = 2_000_000
"""Up to here a picture is resized whole before the centre is cut out of it; beyond, only the centre is."""


def shrunk(size: Size, longest: int) -> Size:
    """The size in the same shape, made smaller where its longer side has more than `longest` pixels."""
    scale = min(1.0, longest / max(size))
    return max(1, round(scale * size[0])), max(1, round(scale * size[1]))


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

    def resampled(self, size: Size) -> Size:
        """The size that a whole picture of this size is resampled to."""
        short = min(size)
        return self.resize * size[0] // short, self.resize * size[1] // short

    def __call__(self, image: Image.Image) -> Pixels:
        """RGB picture → uint8 `[size, size, 3]`."""
        if self.crop_first:
            box = self._box_in_original(image.width, image.height)
            return np.asarray(image.crop(box).resize((self.size, self.size), self.resample))
        width, height = self.resampled(image.size)
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


@dataclass(frozen=True)
class Stretch:
    """The whole picture, made `size` pixels square whatever its shape (detectors of the SSD family)."""

    size: int
    resample: Image.Resampling

    def resampled(self, size: Size) -> Size:
        return self.size, self.size

    def __call__(self, picture: Picture) -> Pixels:
        """Picture → uint8 `[size, size, 3]`."""
        return np.asarray(picture.image.resize((self.size, self.size), self.resample))


class Padded(NamedTuple):
    pixels: Pixels
    size: Size
    """Of the picture inside; what is right of it and below is black."""


@dataclass(frozen=True)
class FitInside:
    """The whole picture in its own shape, in the upper left corner of one of a few sizes.

    It is made smaller, never larger, until its longer side has `longest` pixels at most. The rest of the
    smallest of `buckets` that holds it is black. So pictures of many shapes share a batch, and a GPU sees few.
    """

    longest: int
    buckets: tuple[Size, ...]
    resample: Image.Resampling

    def resampled(self, size: Size) -> Size:
        return shrunk(size, self.longest)

    def bucket(self, size: Size) -> Size:
        holding = [each for each in self.buckets if each[0] >= size[0] and each[1] >= size[1]]
        return min(holding, key=math.prod)

    def __call__(self, picture: Picture) -> Padded:
        """Picture → uint8 `[height, width, 3]` of a bucket."""
        size, image = self.resampled(picture.size), picture.image
        width, height = self.bucket(size)
        pixels = np.zeros((height, width, 3), np.uint8)
        resized = image if image.size == size else image.resize(size, self.resample)
        pixels[: size[1], : size[0]] = np.asarray(resized)
        return Padded(pixels, size)
