"""Non-maximum suppression by its definition, and torchvision's, also where its compiled operator cannot be loaded."""

from __future__ import annotations

import torch
from torch import Tensor

from exporters.torchvision_import import torchvision


def share(one: list[float], other: list[float]) -> float:
    """Intersection over union of two boxes; of two empty ones, 0."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    intersection = max(width, 0.0) * max(height, 0.0)
    union = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)) - intersection
    return intersection / union if union > 0 else 0.0


def by_definition(boxes: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    """Again and again take the best box that is left, the first of equals, and drop what overlaps it too much."""
    places, strengths = boxes.tolist(), scores.tolist()
    left, kept = list(range(len(places))), []
    while left:
        chosen = max(left, key=lambda each: (strengths[each], -each))
        kept.append(chosen)
        left = [e for e in left if e != chosen and share(places[chosen], places[e]) <= iou_threshold]
    return torch.tensor(kept, dtype=torch.int64)


if not torchvision.extension._has_ops():
    library = torch.library.Library("torchvision", "IMPL")  # type: ignore[no-untyped-call]
    library.impl("nms", by_definition, "CPU")  # type: ignore[no-untyped-call]
    torchvision.ops.boxes._assert_has_ops = lambda: None  # it is there now

batched_nms = torchvision.ops.batched_nms

__all__ = ["batched_nms", "by_definition"]
