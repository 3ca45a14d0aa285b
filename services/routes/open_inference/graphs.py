"""The graphs that the Open Inference Protocol serves: their names, what is said of them, and how one is run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from pydantic import BaseModel

from models import MODELS
from models.errors import BudgetExceeded, InvalidInput, UnknownModel
from models.limits import Limits
from models.model import BATCH, Graph, Model, OneShot, Stepwise, Tensor
from models.task import Array, Conversation, Item, run

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

LARGEST: Final = 6
"""How many times a one-shot model's usual item one item may be; memory for a run grows with it. What a stepwise model
attends to takes memory with the square of its length: there all rows together may take what a full batch of usual
items does."""

BYTE_CHARACTERS: Final = 8
NUMBER_CHARACTERS: Final = 28
"""What a value takes as JSON at most, with what stands before the next: `false, ` and `-1.7976931348623157e+308, `."""


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


def body_budget(named: NamedGraph, limits: Limits) -> int:
    """How many bytes the tensors of a request that fits the graph have at most, in whichever form is longer."""
    binary = text = 0
    for tensor in named.graph.inputs:
        row = math.prod(axis for axis in tensor.axes if isinstance(axis, int))
        usual = named.model.item_cost if isinstance(named.model.protocol, Stepwise) else LARGEST * named.model.item_cost
        elements = named.model.max_batch * row * (usual if tensor.varying else 1)
        itemsize = np.dtype(tensor.dtype).itemsize
        binary += elements * itemsize
        text += min(elements, limits.tensor_values) * (BYTE_CHARACTERS if itemsize == 1 else NUMBER_CHARACTERS)
    return min(limits.tensor_bytes, max(binary, text))


def check_shapes(named: NamedGraph, shapes: Mapping[str, tuple[int, ...]], limits: Limits) -> int:
    """How many bytes the outputs that these inputs give have, of what the inputs' shapes tell.

    Raises `InvalidInput` for inputs that do not go together and `BudgetExceeded` for what would take too much memory.
    """
    sizes: dict[str, int] = {}
    for tensor in named.graph.inputs:
        shape = shapes[tensor.name]
        if len(shape) != len(tensor.axes):
            raise InvalidInput.of(tensor.name, f"has {len(shape)} axes, not {len(tensor.axes)}")
        for axis, size in zip(tensor.axes, shape, strict=True):
            wanted = sizes.setdefault(axis, size) if isinstance(axis, str) else axis
            if size != wanted:
                raise InvalidInput.of(tensor.name, f"has {size} along an axis ({axis}) where {wanted} is meant")
    batch = sizes.pop(BATCH)
    if not 1 <= batch <= named.model.max_batch:
        raise InvalidInput.of(BATCH, f"is {batch}; {named.name} takes from 1 to {named.model.max_batch}")
    growing = _growing(named)
    for axis, size in sizes.items():
        multiple = named.graph.multiples.get(axis, 1)
        least = 0 if axis in growing else multiple
        if size % multiple or size < least:
            raise InvalidInput.of(axis, f"is {size}; a multiple of {multiple} is meant, {least} at least")
    _check_cost(named, batch, sizes)
    size_of_outputs = sum(_known_bytes(tensor, {**sizes, BATCH: batch}) for tensor in named.graph.outputs)
    if size_of_outputs > limits.tensor_bytes:
        raise BudgetExceeded(
            f"the outputs would have {size_of_outputs:,} bytes, more than the {limits.tensor_bytes:,} that are given"
        )
    return size_of_outputs


def _growing(named: NamedGraph) -> set[str]:
    """The axes along which what a stepwise model remembers grows: it begins with nothing."""
    protocol = named.model.protocol
    if not isinstance(protocol, Stepwise) or named.graph is not protocol.decoder:
        return set()
    remembered = set(protocol.state.values())
    return {axis for tensor in named.graph.inputs if tensor.name in remembered for axis in tensor.varying}


def _check_cost(named: NamedGraph, batch: int, sizes: Mapping[str, int]) -> None:
    """Raises `BudgetExceeded` for sizes along the axes that vary with which a run would take too much memory."""
    model = named.model
    if isinstance(model.protocol, OneShot):
        if sizes and _varying_cost(sizes) > (most := LARGEST * model.item_cost):
            raise BudgetExceeded(f"{' × '.join(sizes)} is more than the {most:,} that {named.name} takes")
        return
    most = math.isqrt(model.max_batch * model.item_cost**2 // batch)
    for axis, size in sizes.items():
        if size > most:
            raise BudgetExceeded(f"{axis} is {size:,}; in a batch of {batch} {named.name} takes {most:,} at most")


def _varying_cost(sizes: Mapping[str, int]) -> int:
    """Pixels of a picture."""
    return math.prod(max(1, size) for size in sizes.values())


def _known_bytes(tensor: Tensor, sizes: Mapping[str, int]) -> int:
    """Axes that only outputs have (places of faces, a cache after a step) are not counted: inputs bound them."""
    elements = math.prod(sizes.get(axis, 1) if isinstance(axis, str) else axis for axis in tensor.axes)
    return elements * np.dtype(tensor.dtype).itemsize


def infer(named: NamedGraph, inputs: Mapping[str, Array]) -> Conversation[dict[str, Array]]:
    """Run the graph with inputs that fit it: the outputs by name, batches as the caller put them together.

    Of a one-shot model every row is an item of its own, in batches with everybody's. A graph of a stepwise model is
    run once, as it is: only its protocol knows how rows share steps.
    """
    model, graph = named.model, named.graph
    if not isinstance(model.protocol, OneShot):
        batch = inputs[graph.inputs[0].name].shape[graph.inputs[0].batch_axis]
        [whole] = yield from run([Item(inputs, cost=batch * model.item_cost, graph=graph.name)])
        return dict(whole)
    rows = {tensor.name: np.moveaxis(inputs[tensor.name], tensor.batch_axis, 0) for tensor in graph.inputs}
    sizes = {
        axis: inputs[tensor.name].shape[place] for tensor in graph.inputs for axis, place in tensor.varying.items()
    }
    cost = _varying_cost(sizes) if sizes else model.item_cost
    # The first graph goes without a name in items of tasks too: only then do they share its batches.
    name = None if graph is model.protocol.graph else graph.name
    columns = zip(*rows.values(), strict=True)
    answers = yield from run(Item(dict(zip(rows, row, strict=True)), cost, graph=name) for row in columns)
    return {
        tensor.name: np.stack([answer[tensor.name] for answer in answers], axis=tensor.batch_axis)
        for tensor in graph.outputs
    }
