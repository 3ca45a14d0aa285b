"""SSD-MobileNetV2 (https://arxiv.org/abs/1512.02325, https://arxiv.org/abs/1801.04381), as TensorFlow trained it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from exporters.coco import USED_IDS
from exporters.mobilenet import ConvUnit, InvertedResidual
from exporters.reference import Reference, picture_batches
from exporters.sources import fetch_member
from exporters.tensorflow_graph import constants
from models.model import OneShot, PackageMember
from models.object_detection import ObjectDetector

# expansion, channels, stride of expanded_conv, expanded_conv_1 … expanded_conv_16
BLOCKS = (
    (1, 16, 1),
    *((6, 24, 2), (6, 24, 1)),
    *((6, 32, 2), (6, 32, 1), (6, 32, 1)),
    *((6, 64, 2), (6, 64, 1), (6, 64, 1), (6, 64, 1)),
    *((6, 96, 1), (6, 96, 1), (6, 96, 1)),
    *((6, 160, 2), (6, 160, 1), (6, 160, 1)),
    (6, 320, 1),
)
TAPPED_BLOCK = 13
"""The first feature map is what this block widens its input to, before its stride."""

EXTRAS = ((256, 512), (128, 256), (128, 256), (64, 128))
"""Squeezed channels, and those after the separable 3x3 of stride 2 that follows."""

# side of the feature map, channels, anchors in each of its cells
FEATURE_MAPS = ((19, 576, 3), (10, 1280, 6), (5, 512, 6), (3, 256, 6), (2, 256, 6), (1, 128, 6))
SCALES = (0.2, 0.35, 0.5, 0.65, 0.8, 0.95, 1.0)


def anchors() -> NDArray[np.float32]:
    """`[1917, 4]`: centre y, centre x, height and width of each anchor, as fractions of the picture."""
    found = []
    for level, (side, _, _) in enumerate(FEATURE_MAPS):
        scale, following = SCALES[level], SCALES[level + 1]
        if level == 0:
            shapes = [(0.1, 1.0), (scale, 2.0), (scale, 0.5)]
        else:
            shapes = [(scale, ratio) for ratio in (1.0, 2.0, 0.5, 3.0, 0.3333)] + [((scale * following) ** 0.5, 1.0)]
        centres = (np.arange(side) + 0.5) / side
        found += [
            (y, x, size / ratio**0.5, size * ratio**0.5) for y in centres for x in centres for size, ratio in shapes
        ]
    return np.array(found, np.float32)


class SSDMobileNet(nn.Module):
    """uint8 `[batch, 300, 300, 3]` RGB → boxes `[batch, 1917, 4]` (left, top, right, bottom in 0..1), and scores
    `[batch, 1917, 80]`."""

    anchors: Tensor
    columns: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.stem, channels = ConvUnit(3, 32, 3, 2), 32
        self.blocks = nn.ModuleList()
        for expansion, channels_out, stride in BLOCKS:
            self.blocks.append(InvertedResidual(channels, expansion, channels_out, stride))
            channels = channels_out
        self.last, channels = ConvUnit(channels, 1280), 1280
        self.extras = nn.ModuleList()
        for squeezed, channels_out in EXTRAS:
            units = (
                ConvUnit(channels, squeezed),
                ConvUnit(squeezed, squeezed, 3, 2, groups=squeezed),
                ConvUnit(squeezed, channels_out),
            )
            self.extras.append(nn.Sequential(*units))
            channels = channels_out
        self.boxes = nn.ModuleList(nn.Conv2d(width, 4 * each, 3, padding=1) for _, width, each in FEATURE_MAPS)
        self.classes = nn.ModuleList(nn.Conv2d(width, 91 * each, 3, padding=1) for _, width, each in FEATURE_MAPS)
        self.register_buffer("anchors", torch.from_numpy(anchors()), persistent=False)
        self.register_buffer("columns", torch.tensor(USED_IDS), persistent=False)  # column 0 is the background

    def features(self, x: Tensor) -> Iterator[Tensor]:
        x = self.stem(x)
        for number, block in enumerate(self.blocks):
            assert isinstance(block, InvertedResidual)
            wide = block.expand(x)
            if number == TAPPED_BLOCK:
                yield wide
            x = block.narrow(x, wide)
        for layer in (self.last, *self.extras):
            x = layer(x)
            yield x

    def raw(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Box encodings `[batch, 1917, 4]` (y, x, height, width) and logits `[batch, 1917, 91]`."""
        features = list(self.features(image.permute(0, 3, 1, 2).float() * (2 / 255) - 1))
        encodings, logits = (
            torch.cat([head(x).permute(0, 2, 3, 1).flatten(1) for head, x in zip(heads, features, strict=True)], 1)
            for heads in (self.boxes, self.classes)
        )
        batch = image.shape[0]  # not len(), which would make it a constant of the graph
        return encodings.reshape(batch, -1, 4), logits.reshape(batch, -1, 91)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        encodings, logits = self.raw(image)
        centres = encodings[..., :2] / 10 * self.anchors[:, 2:] + self.anchors[:, :2]
        halves = torch.exp(encodings[..., 2:] / 5) * self.anchors[:, 2:] / 2
        top, left = (centres - halves).unbind(-1)
        bottom, right = (centres + halves).unbind(-1)
        boxes = torch.stack([left, top, right, bottom], -1).clamp(0, 1)
        return boxes, logits.index_select(-1, self.columns).sigmoid()


def scopes(network: SSDMobileNet) -> dict[ConvUnit, str]:
    """Where TensorFlow's graph keeps the weights of each unit."""
    root = "FeatureExtractor/MobilenetV2"
    names = {network.stem: f"{root}/Conv", network.last: f"{root}/Conv_1"}
    for number, block in enumerate(network.blocks):
        scope = f"{root}/expanded_conv" + (f"_{number}" if number else "")
        names |= {getattr(block, part): f"{scope}/{part}" for part in ("expand", "depthwise", "project")}
    for number, (units, (squeezed, channels)) in enumerate(zip(network.extras, EXTRAS, strict=True), 2):
        wide = f"{root}/layer_19_2_Conv2d_{number}_3x3_s2_{channels}"
        places = (f"{root}/layer_19_1_Conv2d_{number}_1x1_{squeezed}", f"{wide}_depthwise", wide)
        names |= dict(zip(cast(Iterable[ConvUnit], units), places, strict=True))
    return {unit: name for unit, name in names.items() if isinstance(unit, ConvUnit)}


def state(network: SSDMobileNet, weights: Mapping[str, NDArray[np.float32]]) -> dict[str, Tensor]:
    """TensorFlow's weights under the names of the network's own. Raises `ValueError` where one has no place."""
    unused = {name: array for name, array in weights.items() if name.startswith(("FeatureExtractor", "BoxPredictor"))}
    found: dict[str, Tensor] = {}
    places = {module: name for name, module in network.named_modules()}

    def take(name: str) -> Tensor:
        return torch.from_numpy(unused.pop(name).copy())

    for unit, scope in scopes(network).items():
        place = places[unit]
        if unit.conv.groups > 1:
            found[f"{place}.conv.weight"] = take(f"{scope}/depthwise_weights").permute(2, 3, 0, 1)
        else:
            found[f"{place}.conv.weight"] = take(f"{scope}/weights").permute(3, 2, 0, 1)
        for ours, theirs in (
            ("weight", "gamma"),
            ("bias", "beta"),
            ("running_mean", "moving_mean"),
            ("running_var", "moving_variance"),
        ):
            found[f"{place}.norm.{ours}"] = take(f"{scope}/BatchNorm/{theirs}")
    for heads, kind in (("boxes", "BoxEncodingPredictor"), ("classes", "ClassPredictor")):
        for number in range(len(FEATURE_MAPS)):
            scope = f"BoxPredictor_{number}/{kind}"
            found[f"{heads}.{number}.weight"] = take(f"{scope}/weights").permute(3, 2, 0, 1)
            found[f"{heads}.{number}.bias"] = take(f"{scope}/biases")
    if unused:
        raise ValueError(f"the network has no place for {sorted(unused)}")
    return found


def load(weights: Mapping[str, NDArray[np.float32]]) -> SSDMobileNet:
    """The network with these weights; every weight has its place and every place its weight."""
    network = SSDMobileNet()
    # What batch norm counts while it trains is not in the graph, and not used here.
    counts = {name: value for name, value in network.state_dict().items() if name.endswith("num_batches_tracked")}
    network.load_state_dict(state(network, weights) | counts, strict=True)
    return network.eval()


def build(model: ObjectDetector) -> list[Reference]:
    assert isinstance(model.source, PackageMember) and isinstance(model.protocol, OneShot)
    network = load(constants(fetch_member(model.source)))
    return [Reference(model.protocol.graph, network, picture_batches((300, 300, 3)))]
