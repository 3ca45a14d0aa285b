"""Values on their way between processes: a JSON document and the arrays that it refers to, as raw bytes.

Reading them makes numbers, texts, lists, arrays, and objects of the types that said `@travels`, and runs no code but
these types' constructors: whoever reaches a runner's port can ask it to compute, and no more (a pickle could have it
run anything).

    EKIB | length of the document: u32 | the document, UTF-8 | array | array …     each array begins at a multiple of 64

Numbers are little-endian.
"""

from __future__ import annotations

import dataclasses
import json
import struct
from collections.abc import Mapping
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

T = TypeVar("T", bound=type)
Array = NDArray[Any]

MAGIC: Final = b"EKIB"
HEAD: Final = struct.Struct("<4sI")
ALIGNMENT: Final = 64
NUMBERS: Final = "biuf"
"""The kinds of arrays that travel: truth values, whole numbers, floating point; no objects, no texts."""

_TYPES: dict[str, type] = {}


class MalformedValue(ValueError):
    """Bytes that are no value of ours."""


def travels(cls: T) -> T:
    """Let objects of a dataclass or pydantic model travel: as the values that its constructor takes, by name."""
    _TYPES[cls.__name__] = cls
    return cls


def encode(value: Any) -> bytes:
    """`value` as bytes. Raises `TypeError` for what does not travel."""
    arrays: list[Array] = []
    document = json.dumps(_pack(value, arrays), separators=(",", ":")).encode()
    parts: list[bytes | memoryview] = [HEAD.pack(MAGIC, len(document)), document]
    length = HEAD.size + len(document)
    for array in arrays:
        parts += [bytes(-length % ALIGNMENT), array.data.cast("B") if array.size else b""]
        length += -length % ALIGNMENT + array.nbytes
    return b"".join(parts)


def decode(data: bytes) -> Any:
    """The value of `encode`; its arrays are views of `data`, which cannot be written to. Raises `MalformedValue`."""
    try:
        magic, length = HEAD.unpack_from(data)
        if magic != MAGIC:
            raise ValueError("begins with other bytes")
        document = json.loads(memoryview(data)[HEAD.size : HEAD.size + length].tobytes())
        return _Reader(data, HEAD.size + length).unpack(document)
    except (ValueError, TypeError, LookupError, AttributeError, struct.error, RecursionError, OverflowError) as error:
        raise MalformedValue(f"{type(error).__name__}: {error}") from error


# In a document a JSON object is always one of these, by its only key.
_ARRAY, _TUPLE, _MAPPING, _OBJECT = "array", "tuple", "mapping", "object"


def _pack(value: Any, arrays: list[Array]) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value.item() if isinstance(value, np.generic) else value
    if isinstance(value, np.ndarray):
        if value.dtype.kind not in NUMBERS:
            raise TypeError(f"an array of {value.dtype} does not travel")
        shape = value.shape  # of no dimensions, too
        arrays.append(np.ascontiguousarray(value, value.dtype.newbyteorder("<")))
        return {_ARRAY: [arrays[-1].dtype.str, shape]}
    if isinstance(value, np.generic):
        return _pack(value.item(), arrays)
    if isinstance(value, list):
        return [_pack(each, arrays) for each in value]
    if isinstance(value, tuple):
        return {_TUPLE: [_pack(each, arrays) for each in value]}
    if isinstance(value, Mapping):
        return {_MAPPING: [[_pack(key, arrays), _pack(each, arrays)] for key, each in value.items()]}
    if _TYPES.get(name := type(value).__name__) is type(value):
        return {_OBJECT: [name, {field: _pack(getattr(value, field), arrays) for field in _fields(type(value))}]}
    raise TypeError(f"{type(value).__name__} does not travel between processes: it needs `@travels`")


def _fields(cls: type) -> list[str]:
    if issubclass(cls, BaseModel):
        return list(cls.model_fields)
    assert dataclasses.is_dataclass(cls)
    return [field.name for field in dataclasses.fields(cls) if field.init]


class _Reader:
    """Reads a document's values, and its arrays in the order in which they come."""

    def __init__(self, data: bytes, offset: int) -> None:
        self._data = data
        self._offset = offset

    def unpack(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self.unpack(each) for each in value]
        if not isinstance(value, dict):
            return value
        [(kind, content)] = value.items()
        if kind == _ARRAY:
            return self._array(*content)
        if kind == _TUPLE:
            return tuple(self.unpack(each) for each in content)
        if kind == _MAPPING:
            return {self.unpack(key): self.unpack(each) for key, each in content}
        if kind == _OBJECT:
            name, fields = content
            return _TYPES[name](**{field: self.unpack(each) for field, each in fields.items()})
        raise ValueError(f"{kind!r} is no kind of value")

    def _array(self, dtype_name: str, shape: list[int]) -> Array:
        dtype = np.dtype(dtype_name)
        if dtype.kind not in NUMBERS or dtype.subdtype:
            raise ValueError(f"an array of {dtype} does not travel")
        if any(size < 0 for size in shape):
            raise ValueError("a negative size")
        self._offset += -self._offset % ALIGNMENT
        count = 1
        for size in shape:
            count *= size
        array: Array = np.frombuffer(self._data, dtype, count, self._offset) if count else np.empty(0, dtype)
        self._offset += array.nbytes
        return array.reshape(shape)
