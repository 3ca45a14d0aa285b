"""The graphs that the Open Inference Protocol serves: their names, and what is said of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from pydantic import BaseModel

from models import MODELS
from models.errors import UnknownModel
from models.model import Graph, Model, Tensor

VERSION: Final = "1"
"""The one version that a model has here: another export is another id."""

PLATFORM: Final = "onnx_onnxv1"

DATATYPES: Final = {
    "bool": "BOOL",
    "uint8": "UINT8",
    "uint16": "UINT16",
    "uint32": "UINT32",
    "uint64": "UINT64",
    "int8": "INT8",
    "int16": "INT16",
    "int32": "INT32",
    "int64": "INT64",
    "float16": "FP16",
    "float32": "FP32",
    "float64": "FP64",
}
"""The protocol's names of NumPy's types."""


@dataclass(frozen=True)
class NamedGraph:
    """A graph and the name that it has in the protocol."""

    name: str
    model: Model
    graph: Graph


class TensorMetadata(BaseModel):
    """`shape` has -1 for axes that vary; `parameters` name the axes, and what sizes along them are multiples of."""

    name: str
    datatype: str
    shape: list[int]
    parameters: dict[str, str | int]


class GraphMetadata(BaseModel):
    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


def _named(model: Model) -> list[NamedGraph]:
    """A model with one graph is that graph; of several, each has its name behind a dot."""
    graphs = model.protocol.graphs
    return [NamedGraph(model.id if len(graphs) == 1 else f"{model.id}.{each.name}", model, each) for each in graphs]


GRAPHS: Final[Mapping[str, NamedGraph]] = MappingProxyType(
    {named.name: named for model in MODELS.values() for named in _named(model)}
)


def find_graph(name: str, version: str = VERSION) -> NamedGraph:
    """Raises `UnknownModel`."""
    if name not in GRAPHS:
        if name in MODELS:
            names = ", ".join(named.name for named in _named(MODELS[name]))
            raise UnknownModel(f"{name} has several graphs; ask for one of them: {names}")
        raise UnknownModel(f"there is no model {name!r}")
    if version != VERSION:
        raise UnknownModel(f"{name} has no version {version!r}; there is: {VERSION}")
    return GRAPHS[name]


def metadata(named: NamedGraph) -> GraphMetadata:
    def describe(tensor: Tensor) -> TensorMetadata:
        multiples = {f"multiple_of.{axis}": size for axis, size in named.graph.multiples.items() if axis in tensor.axes}
        return TensorMetadata(
            name=tensor.name,
            datatype=DATATYPES[tensor.dtype],
            shape=_sizes(tensor.axes),
            parameters={"axes": ", ".join(map(str, tensor.axes)), **multiples},
        )

    return GraphMetadata(
        name=named.name,
        versions=[VERSION],
        platform=PLATFORM,
        inputs=[describe(tensor) for tensor in named.graph.inputs],
        outputs=[describe(tensor) for tensor in named.graph.outputs],
    )


def configuration(named: NamedGraph) -> dict[str, Any]:
    """In Triton's words. There a `max_batch_size` means that the batch is every tensor's first axis, and is left out
    of `dims`; 0 means that `dims` has all axes."""
    graph = named.graph
    batched = all(tensor.batch_axis == 0 for tensor in (*graph.inputs, *graph.outputs))

    def describe(tensor: Tensor) -> dict[str, Any]:
        axes = tensor.item_axes if batched else tensor.axes
        name = DATATYPES[tensor.dtype]
        return {"name": tensor.name, "data_type": f"TYPE_{name}", "dims": _sizes(axes)}

    return {
        "name": named.name,
        "platform": PLATFORM,
        "backend": "onnxruntime",
        "max_batch_size": named.model.max_batch if batched else 0,
        "input": [describe(tensor) for tensor in graph.inputs],
        "output": [describe(tensor) for tensor in graph.outputs],
    }


def _sizes(axes: tuple[int | str, ...]) -> list[int]:
    return [-1 if isinstance(axis, str) else axis for axis in axes]
