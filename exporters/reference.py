"""What an architecture's module hands to the export: a reference for each graph with inputs to compare on, and
the files that are kept beside the graphs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from PIL import Image

from models.model import Graph, Model

Inputs = tuple[NDArray[Any], ...]


@dataclass(frozen=True)
class Reference:
    """A graph, what it is made from and has to equal, and cases: inputs in the order of the graph's.

    It is traced from a torch module, with the first case, so no size in that may be 0 or 1; or it is an ONNX
    model already. `original` computes the outputs that it has to equal; left out, the module does. Together the
    cases show two batch sizes, and two lengths of every other axis that varies.
    """

    graph: Graph
    module: torch.nn.Module | onnx.ModelProto
    cases: Sequence[Inputs]
    original: torch.nn.Module | Callable[..., Sequence[NDArray[Any]]] | None = None

    @property
    def computed_by(self) -> str:
        """What gives the outputs that the graph has to equal."""
        if isinstance(self.original or self.module, torch.nn.Module):
            return f"torch {torch.__version__}"
        return f"the published file by onnxruntime {onnxruntime.__version__}"

    def outputs(self, case: Inputs) -> Sequence[NDArray[Any]]:
        """What the graph has to give for a case."""
        truth = self.original or self.module
        if not isinstance(truth, torch.nn.Module):
            assert callable(truth)
            return truth(*case)
        with torch.inference_mode():
            outputs = truth(*(torch.from_numpy(array) for array in case))
        return [output.numpy() for output in ((outputs,) if isinstance(outputs, torch.Tensor) else outputs)]

    def __post_init__(self) -> None:
        if isinstance(self.module, onnx.ModelProto) and self.original is None:
            raise ValueError(f"nothing says what {self.graph.name} has to equal")
        if isinstance(self.module, torch.nn.Module) and self.module.training:
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


def smooth_pictures(batch: int, height: int, width: int) -> NDArray[np.uint8]:
    """Smooth random pictures, uint8 `[batch, height, width, 3]`: like photographs, unlike white noise,
    they move the activations through their range."""
    random = np.random.default_rng(batch * height * width)

    def picture() -> NDArray[np.uint8]:
        coarse = Image.fromarray(random.integers(0, 256, (7, 7, 3), dtype=np.uint8))
        return np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC))

    return np.stack([picture() for _ in range(batch)])


def picture_batches(shape: tuple[int, int, int], batches: Sequence[int] = (5, 1)) -> list[Inputs]:
    """Cases for a graph that takes pictures of one shape, and nothing else."""
    height, width, _ = shape
    return [(smooth_pictures(batch, height, width),) for batch in batches]


def find_architecture(model: Model) -> Architecture:
    """The module of this package that builds `model`."""
    import importlib

    module: Any = importlib.import_module(f"exporters.{model.architecture}")
    return module  # type: ignore[no-any-return]
