"""Making faces unrecognisable."""

from __future__ import annotations

from typing import Literal

from PIL import Image, ImageDraw

from ekiben_demos.pictures.tracking import Corners

Way = Literal["blur", "pixelate"]

CELLS = 6
"""So many cells of colour are left across a face, however large it is."""

MARGIN = 0.25
"""Of the box, on each side: detectors draw boxes around eyes and mouth, not around hair and chin."""


def hide(picture: Image.Image, box: Corners, way: Way) -> None:
    """Hide an ellipse around the box: what is inside is reduced to a few cells, so that nothing can be restored."""
    area = widened(box, picture.size)
    if area[2] <= area[0] or area[3] <= area[1]:
        return
    face = picture.crop(area)
    cells = face.resize((CELLS, CELLS), Image.Resampling.BOX)
    hidden = cells.resize(face.size, Image.Resampling.NEAREST if way == "pixelate" else Image.Resampling.BICUBIC)
    mask = Image.new("L", face.size)
    ImageDraw.Draw(mask).ellipse((0, 0, face.width - 1, face.height - 1), fill=255)
    picture.paste(hidden, area, mask)


def widened(box: Corners, size: tuple[int, int], margin: float = MARGIN) -> tuple[int, int, int, int]:
    """The box and a margin around it, in whole pixels, within a picture of `size`."""
    across, down = margin * (box[2] - box[0]), margin * (box[3] - box[1])
    return (
        max(0, int(box[0] - across)),
        max(0, int(box[1] - down)),
        min(size[0], round(box[2] + across)),
        min(size[1], round(box[3] + down)),
    )
