"""Arrays of a graph's inputs, made of what a caller sent and of nothing that does not fit it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import chain
from typing import Any, Final

import numpy as np

from models.errors import InvalidInput
from models.model import Tensor
from models.task import Array
from services.routes.open_inference.graphs import DATATYPES

_KINDS: Final[Mapping[str, frozenset[type]]] = {"b": frozenset({bool}), "f": frozenset({int, float})}
"""What JSON's values may be, by NumPy's kinds of types; integers where it says nothing."""


def from_binary(tensor: Tensor, shape: list[int], datatype: str, data: memoryview) -> Array:
    """The values one after the other, little-endian. Raises `InvalidInput`."""
    _check_datatype(tensor, datatype)
    dtype = np.dtype(tensor.dtype).newbyteorder("<")
    needed = math.prod(shape) * dtype.itemsize
    if needed != len(data):
        raise InvalidInput.of(tensor.name, f"has {len(data):,} bytes; its shape needs {needed:,}")
    if tensor.dtype == "bool" and np.frombuffer(data, np.uint8).max(initial=0) > 1:
        raise InvalidInput.of(tensor.name, "has bytes that are neither 0 nor 1")
    array = np.frombuffer(data, dtype).astype(tensor.dtype, copy=False).reshape(shape)
    return np.require(array, requirements="A")  # behind JSON of any length it may lie at any place


def from_json(tensor: Tensor, shape: list[int], datatype: str, data: Any) -> Array:
    """The values one after the other, or in lists of lists as the shape has them. Raises `InvalidInput`."""
    _check_datatype(tensor, datatype)
    values = _flat(tensor.name, data, shape)
    if len(values) != (needed := math.prod(shape)):
        raise InvalidInput.of(tensor.name, f"has {len(values):,} values; its shape needs {needed:,}")
    dtype = np.dtype(tensor.dtype)
    if not set(map(type, values)) <= _KINDS.get(dtype.kind, {int}):
        raise InvalidInput.of(tensor.name, f"has values that are no {datatype}")
    try:
        # Floats by way of the widest: what is too large for the type has to be told from infinity.
        wide = np.array(values, np.float64 if dtype.kind == "f" else dtype)
    except OverflowError:
        raise InvalidInput.of(tensor.name, f"has values out of the range of {datatype}") from None
    with np.errstate(over="ignore"):
        array = wide.astype(dtype, copy=False)
    if dtype.kind == "f" and (np.isinf(array) & np.isfinite(wide)).any():
        raise InvalidInput.of(tensor.name, f"has values out of the range of {datatype}")
    return array.reshape(shape)


def _check_datatype(tensor: Tensor, given: str) -> None:
    if given != DATATYPES[tensor.dtype]:
        raise InvalidInput.of(tensor.name, f"is {given}, not {DATATYPES[tensor.dtype]}")


def _flat(name: str, data: Any, shape: list[int]) -> list[Any]:
    if not isinstance(data, list):
        raise InvalidInput.of(name, "has no data" if data is None else "data is no list")
    values: list[Any] = data
    if not (values and isinstance(values[0], list)):
        return values
    if [len(values)] != shape[:1]:
        raise InvalidInput.of(name, "its lists do not have its shape")
    for size in shape[1:]:
        if not all(type(row) is list and len(row) == size for row in values):
            raise InvalidInput.of(name, "its lists do not have its shape")
        values = list(chain.from_iterable(values))
    return values
