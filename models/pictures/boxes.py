"""Boxes: how much they overlap, and which of many boxes around one thing stays (non-maximum suppression)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from models.pictures.image import Size

MAX_CANDIDATES = 1_000
"""So many boxes are compared with each other: a threshold near 0 lets in a hundred thousand."""

Boxes = NDArray[Any]
"""float `[boxes, 4]`: left, top, right, bottom."""


class Box(BaseModel):
    """Pixels of the upright picture, from its upper left corner."""

    xmin: int
    ymin: int
    xmax: int
    ymax: int

    @classmethod
    def in_picture(cls, box: NDArray[Any], size: Size) -> Box:
        """From fractions of a picture's width and height; what sticks out is cut off."""
        xmin, ymin, xmax, ymax = np.rint(box.clip(0, 1) * (*size, *size)).astype(int).tolist()
        return cls(xmin=xmin, ymin=ymin, xmax=xmax, ymax=ymax)


def overlaps(boxes: Boxes) -> NDArray[Any]:
    """Intersection over union of each box with each, `[boxes, boxes]`; of two empty boxes, 0."""
    low = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    intersection = (high - low).clip(0).prod(-1)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(-1)
    union = areas[:, None] + areas[None, :] - intersection
    shares: NDArray[Any] = np.divide(intersection, union, out=np.zeros_like(intersection), where=union > 0)
    return shares


def suppress(boxes: Boxes, scores: NDArray[Any], classes: NDArray[Any], overlap: float) -> NDArray[np.intp]:
    """Class-wise greedy non-maximum suppression: the places of the boxes that stay, best first.

    Of two boxes of one class whose intersection over union is above `overlap`, the one with the lower score
    goes; of equal scores, the later one. The same as `torchvision.ops.batched_nms`.
    """
    order = np.argsort(-scores, kind="stable")
    rivals = (overlaps(boxes[order]) > overlap) & (classes[order, None] == classes[None, order])
    alive = np.ones(len(order), bool)
    for place in range(len(order)):
        if alive[place]:
            alive[place + 1 :] &= ~rivals[place, place + 1 :]
    return order[alive]
