"""SSDLite of torchvision (https://arxiv.org/abs/1801.04381), with the weights of its own hub."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn

from exporters.coco import USED_IDS
from exporters.reference import Reference, picture_batches
from exporters.torchvision_classifier import architecture_name, hub
from exporters.torchvision_import import torchvision
from models.model import OneShot, TorchvisionWeights
from models.object_detection import ObjectDetector


class Detector(nn.Module):
    """uint8 `[batch, size, size, 3]` RGB → boxes `[batch, anchors, 4]` (left, top, right, bottom in 0..1), and scores
    `[batch, anchors, 80]`, around any SSD of torchvision.

    All of the network but its resizing, which samples a large picture here and there where ours takes in every
    pixel, and its choice among the boxes.
    """

    mean: Tensor
    deviation: Tensor
    anchors: Tensor
    columns: Tensor

    def __init__(self, network: Any, size: int) -> None:
        super().__init__()
        self.network, self.size = network, size
        self.register_buffer("mean", torch.tensor(network.transform.image_mean).view(1, 3, 1, 1))
        self.register_buffer("deviation", torch.tensor(network.transform.image_std).view(1, 3, 1, 1))
        self.register_buffer("anchors", anchors(network, size), persistent=False)
        self.register_buffer("columns", torch.tensor(USED_IDS), persistent=False)  # column 0 is the background

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        pixels = (image.permute(0, 3, 1, 2).float() / 255 - self.mean) / self.deviation
        heads = self.network.head(list(self.network.backbone(pixels).values()))
        encodings = heads["bbox_regression"]
        batch = image.shape[0]  # not len(), which would make it a constant of the graph
        # The library decodes one picture at a time: here the batch is one picture with more anchors.
        everywhere = self.anchors.expand(batch, -1, -1).reshape(-1, 4)
        boxes = self.network.box_coder.decode_single(encodings.reshape(-1, 4), everywhere)
        boxes = (boxes.reshape(batch, -1, 4) / self.size).clamp(0, 1)
        return boxes, heads["cls_logits"].softmax(-1).index_select(-1, self.columns)


def anchors(network: Any, size: int) -> Tensor:
    """`[anchors, 4]`: left, top, right, bottom of each anchor, in pixels of the resized picture."""
    pictures = torch.zeros(1, 3, size, size)
    with torch.inference_mode():
        features = list(network.backbone(pictures).values())
    images = torchvision.models.detection.image_list.ImageList(pictures, [(size, size)])
    return cast(Tensor, network.anchor_generator(images, features)[0])


def reference(model: ObjectDetector, network: nn.Module) -> list[Reference]:
    """The reference around a torchvision network, whatever its weights are."""
    assert isinstance(model.protocol, OneShot)
    size = model.view.size
    return [Reference(model.protocol.graph, Detector(network.eval(), size).eval(), picture_batches((size, size, 3)))]


def build(model: ObjectDetector) -> list[Reference]:
    assert isinstance(model.source, TorchvisionWeights)
    weights = torchvision.models.get_weight(model.source.name)
    with hub(model.source):
        network = torchvision.models.get_model(architecture_name(model.source), weights=weights)
    return reference(model, network)
