"""The blocks of networks that come from TensorFlow's MobileNetV2 (https://arxiv.org/abs/1801.04381)."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn
from torch.nn import functional


class ConvUnit(nn.Module):
    """Convolution with TensorFlow's SAME padding (the odd pixel right and below), batch norm, perhaps ReLU6."""

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        kernel: int = 1,
        stride: int = 1,
        groups: int = 1,
        activate: bool = True,
    ) -> None:
        super().__init__()
        self.kernel, self.stride, self.activate = kernel, stride, activate
        self.conv = nn.Conv2d(channels_in, channels_out, kernel, stride, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(channels_out, eps=1e-3)

    def forward(self, x: Tensor) -> Tensor:
        padding: list[int] = []
        for size in (x.shape[-1], x.shape[-2]):
            total = max((-(-size // self.stride) - 1) * self.stride + self.kernel - size, 0)
            padding += [total // 2, total - total // 2]
        x = self.norm(self.conv(functional.pad(x, padding) if any(padding) else x))
        return functional.relu6(x) if self.activate else x


class InvertedResidual(nn.Module):
    """Widen, filter each channel, narrow; with a short cut where nothing changes size (MobileNetV2)."""

    def __init__(self, channels_in: int, expansion: int, channels: int, stride: int, kernel: int = 3) -> None:
        super().__init__()
        wide = channels_in * expansion
        self.expand = ConvUnit(channels_in, wide) if expansion > 1 else nn.Identity()
        self.depthwise = ConvUnit(wide, wide, kernel, stride, groups=wide)
        self.project = ConvUnit(wide, channels, activate=False)
        self.residual = stride == 1 and channels_in == channels

    def forward(self, x: Tensor) -> Tensor:
        return self.narrow(x, self.expand(x))

    def narrow(self, x: Tensor, wide: Tensor) -> Tensor:
        """The block's output, from its input and what `expand` made of it."""
        y = cast(Tensor, self.project(self.depthwise(wide)))
        return x + y if self.residual else y
