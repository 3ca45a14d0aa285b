"""Boxes and landmarks drawn into pictures."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps

from ekiben_client.errors import UnreadableInput
from ekiben_client.face_detection import Face
from ekiben_client.object_detection import DetectedObject

COLOURS = ("#e6194b", "#3cb44b", "#4363d8", "#f58231", "#911eb4", "#008080", "#9a6324", "#800000")


def draw(picture: str | bytes, found: Sequence[DetectedObject | Face], path: Path) -> None:
    """Write the picture to `path`, upright as the boxes' coordinates are, with what was found in it.

    Raises `UnreadableInput` where `path` cannot be written.
    """
    with Image.open(io.BytesIO(picture) if isinstance(picture, bytes) else picture) as opened:
        image = ImageOps.exif_transpose(opened).convert("RGB")
    canvas = ImageDraw.Draw(image)
    width = max(2, min(image.size) // 250)
    font = ImageFont.load_default(max(10, min(image.size) // 40))
    labels = sorted({each.label for each in found})
    for each in reversed(found):  # the best comes last, on top
        colour = COLOURS[labels.index(each.label) % len(COLOURS)]
        box = each.box
        canvas.rectangle((box.xmin, box.ymin, box.xmax, box.ymax), outline=colour, width=width)
        text = f"{each.label} {each.score:.2f}"
        _, _, text_width, text_height = canvas.textbbox((0, 0), text, font=font)
        top = max(0, box.ymin - text_height - 2 * width)
        canvas.rectangle((box.xmin, top, box.xmin + text_width + 2 * width, top + text_height + 2 * width), fill=colour)
        canvas.text((box.xmin + width, top + width), text, fill="white", font=font)
        if isinstance(each, Face):
            for x, y in vars(each.landmarks).values():
                canvas.ellipse((x - width, y - width, x + width, y + width), fill=colour)
    try:
        image.save(path)
    except (OSError, ValueError) as error:
        raise UnreadableInput(f"{path} cannot be written: {error}") from error
