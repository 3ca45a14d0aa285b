"""Boxes, names and points drawn into pictures."""

from __future__ import annotations

import zlib
from collections.abc import Iterable

from PIL import Image, ImageDraw, ImageFont

from ekiben_demos.pictures.tracking import Corners

COLOURS = ("#e8590c", "#1971c2", "#2f9e44", "#9c36b5", "#c2255c", "#0b7285", "#a3341f", "#5f3dc4")


def colour_of(name: str) -> str:
    """The same one for the same name, in every run."""
    return COLOURS[zlib.crc32(name.encode()) % len(COLOURS)]


def draw_box(picture: Image.Image, box: Corners, name: str, *, note: str = "") -> None:
    """Draw a box with its name above it, or inside where there is no room, in the name's colour."""
    width = max(2, round(max(picture.size) / 320))
    size = max(12, round(max(picture.size) / 50))
    font = ImageFont.load_default(size)
    pen = ImageDraw.Draw(picture)
    colour = colour_of(name)
    pen.rectangle(box, outline=colour, width=width)
    text = f"{name} {note}".strip()
    long = pen.textlength(text, font=font) + size / 2
    high = size * 1.3
    left = max(0.0, min(box[0], picture.width - long))
    top = box[1] - high if box[1] >= high else box[1]
    pen.rectangle((left, top, left + long, top + high), fill=colour)
    pen.text((left + size / 4, top + high / 2), text, fill="white", font=font, anchor="lm")


def draw_points(picture: Image.Image, points: Iterable[tuple[float, float]]) -> None:
    pen = ImageDraw.Draw(picture)
    radius = max(2.0, max(picture.size) / 260)
    for x, y in points:
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill="#ffd43b", outline="#1d1d1f")
