"""What an architecture's module hands to the export: a reference for each graph with inputs to compare on, and
the files that are kept beside the graphs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from models.model import Graph, Model

Inputs = tuple[NDArray[Any], ...]


@dataclass(frozen=True)
class Reference:
    """A graph, the torch module that it has to equal, and cases: inputs in the order of the graph's.

    The first case is traced, so no size in it may be 0 or 1. Together the cases show two batch sizes, and
    two lengths of every other axis that varies.
    """

    graph: Graph
    module: torch.nn.Module
    cases: Sequence[Inputs]

    def __post_init__(self) -> None:
        if self.module.training:
            raise ValueError(f"the reference of {self.graph.name} is in training mode")
        sizes: dict[str, set[int]] = {}
        for case in self.cases:
            for tensor, array in zip(self.graph.inputs, case, strict=True):
                for axis, size in zip(tensor.axes, array.shape, strict=True):
                    if isinstance(axis, str):
                        sizes.setdefault(axis, set()).add(size)
        if once := sorted(axis for axis, seen in sizes.items() if len(seen) < 2):
            raise ValueError(f"{self.graph.name} is compared at one size only along {once}")


@dataclass(frozen=True)
class Asset:
    """A file that the task needs beside the graphs, as a tokenizer: written into the export under `name`."""

    name: str
    data: bytes


class Architecture(Protocol):
    """What each module named by a `Model.architecture` offers."""

    def build(self, model: Any) -> Sequence[Reference | Asset]:
        """Fetch the model's weights and build a reference for each of its graphs; and its assets, if it has any."""


def picture_batches(shape: tuple[int, int, int], batches: Sequence[int] = (5, 1)) -> list[Inputs]:
    """Smooth random pictures, uint8 `[batch, height, width, 3]`: like photographs, unlike white noise,
    they move the activations through their range."""
    random = np.random.default_rng(0)
    height, width, _ = shape

    def picture() -> NDArray[np.uint8]:
        coarse = Image.fromarray(random.integers(0, 256, (7, 7, 3), dtype=np.uint8))
        return np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC))

    return [(np.stack([picture() for _ in range(batch)]),) for batch in batches]


def find_architecture(model: Model) -> Architecture:
    """The module of this package that builds `model`."""
    import importlib

    module: Any = importlib.import_module(f"exporters.{model.architecture}")
    return module  # type: ignore[no-any-return]
