"""Classifiers of torchvision, with the weights of its own hub: reachable networks only, never asked by default."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from http.client import HTTPException
from typing import cast

import torch
from torch import Tensor, nn

from exporters.errors import HashMismatch, SourceError
from exporters.reference import Reference, picture_batches
from exporters.torchvision_import import torchvision
from models.image_classification import ImageClassifier
from models.model import OneShot, TorchvisionWeights

# What every torchvision classifier was trained with, of samples in 0..1.
MEAN = (0.485, 0.456, 0.406)
STANDARD_DEVIATION = (0.229, 0.224, 0.225)

HUB_TIMEOUT_SECONDS = 20.0


class Classifier(nn.Module):
    """uint8 `[batch, height, width, 3]` RGB → probabilities `[batch, 1000]`, around any torchvision classifier."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1))
        self.register_buffer("deviation", torch.tensor(STANDARD_DEVIATION).view(1, 3, 1, 1))

    def forward(self, image: Tensor) -> Tensor:
        pixels = image.permute(0, 3, 1, 2).float() / 255
        return cast(Tensor, self.network((pixels - self.mean) / self.deviation).softmax(-1))


def architecture_name(source: TorchvisionWeights) -> str:
    """`ResNet50_Weights.IMAGENET1K_V2` → `resnet50`, the name that torchvision builds it by."""
    return source.name.split("_Weights.")[0].lower()


def reference(model: ImageClassifier, network: nn.Module) -> list[Reference]:
    """The reference around a torchvision network, whatever its weights are."""
    assert isinstance(model.protocol, OneShot)
    shape = (model.crop.size, model.crop.size, 3)
    return [Reference(model.protocol.graph, Classifier(network).eval(), picture_batches(shape))]


@contextlib.contextmanager
def hub(source: TorchvisionWeights, *, timeout_seconds: float = HUB_TIMEOUT_SECONDS) -> Iterator[None]:
    """Give a download, which has no time limit of its own, one; and its many errors the names of ours."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(timeout_seconds)
    try:
        yield
    except (OSError, HTTPException) as error:
        reason = str(error) or repr(error)
        raise SourceError(f"{source}: cannot be fetched from torchvision's hub: {reason}") from error
    except RuntimeError as error:
        if "invalid hash value" not in str(error):
            raise
        raise HashMismatch(f"{source}: {error}") from error
    finally:
        socket.setdefaulttimeout(before)


def build(model: ImageClassifier) -> list[Reference]:
    assert isinstance(model.source, TorchvisionWeights)
    weights = torchvision.models.get_weight(model.source.name)
    with hub(model.source):
        network = torchvision.models.get_model(architecture_name(model.source), weights=weights)
    return reference(model, network)
