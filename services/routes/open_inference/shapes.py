"""Which shapes the tensors of a request may have, so that neither body nor run nor answer takes too much memory."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

import numpy as np

from models.errors import BudgetExceeded, InvalidInput
from models.limits import Limits
from models.model import BATCH, OneShot, Stepwise, Tensor
from services.routes.open_inference.graphs import NamedGraph

LARGEST: Final = 6
"""How many times a one-shot model's usual item one item may be; memory for a run grows with it. What a stepwise model
attends to takes memory with the square of its length: there all rows together may take what a full batch of usual
items does."""

BYTE_CHARACTERS: Final = 8
NUMBER_CHARACTERS: Final = 28
"""What a value takes as JSON at most, with what stands before the next: `false, ` and `-1.7976931348623157e+308, `."""


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
        if sizes and varying_cost(sizes) > (most := LARGEST * model.item_cost):
            raise BudgetExceeded(f"{' × '.join(sizes)} is more than the {most:,} that {named.name} takes")
        return
    most = math.isqrt(model.max_batch * model.item_cost**2 // batch)
    for axis, size in sizes.items():
        if size > most:
            raise BudgetExceeded(f"{axis} is {size:,}; in a batch of {batch} {named.name} takes {most:,} at most")


def varying_cost(sizes: Mapping[str, int]) -> int:
    """Pixels of a picture."""
    return math.prod(max(1, size) for size in sizes.values())


def _known_bytes(tensor: Tensor, sizes: Mapping[str, int]) -> int:
    """Axes that only outputs have (places of faces, a cache after a step) are not counted: inputs bound them."""
    elements = math.prod(sizes.get(axis, 1) if isinstance(axis, str) else axis for axis in tensor.axes)
    return elements * np.dtype(tensor.dtype).itemsize
