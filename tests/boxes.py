"""How well two boxes agree."""

from __future__ import annotations

from collections.abc import Mapping

Corners = tuple[float, float, float, float]
"""Left, top, right, bottom."""


def corners(box: Mapping[str, float]) -> Corners:
    """A box of an answer."""
    return box["xmin"], box["ymin"], box["xmax"], box["ymax"]


def area(box: Corners) -> float:
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def agreement(one: Corners, other: Corners) -> float:
    """Intersection over union."""
    left, top, right, bottom = (pick(a, b) for pick, a, b in zip((max, max, min, min), one, other, strict=True))
    shared = area((left, top, right, bottom))
    return shared / (area(one) + area(other) - shared)
