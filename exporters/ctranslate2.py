"""Reads CTranslate2's `model.bin` (binary versions 3 to 6), which is a table of named arrays."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exporters.errors import SourceError

DTYPES = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}
"""By the file's number for them; 5 would be bfloat16, which numpy has not."""

VERSIONS = range(3, 7)


class _Reader:
    """Little-endian numbers and strings, one after the other."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.place = 0

    def number(self, format: str) -> int:
        [value] = struct.unpack_from(f"<{format}", self.data, self.place)
        self.place += struct.calcsize(f"<{format}")
        return int(value)

    def text(self) -> str:
        """Its length counts a NUL at its end."""
        length = self.number("H")
        text = self.data[self.place : self.place + length - 1].decode()
        self.place += length
        return text

    def array(self) -> NDArray[Any]:
        shape = [self.number("I") for _ in range(self.number("B"))]
        dtype = np.dtype(DTYPES[self.number("B")])
        size = self.number("I")
        array = np.frombuffer(self.data, dtype, size // dtype.itemsize, self.place).reshape(shape)
        self.place += size
        return array


def read(path: Path, specification: str) -> dict[str, NDArray[Any]]:
    """The arrays by name, aliases included. Raises `SourceError` for a file that is not of `specification`."""
    reader = _Reader(path.read_bytes())
    try:
        version = reader.number("I")
        found = reader.text()
        if version not in VERSIONS or found != specification:
            raise SourceError(f"{path.name} is {found} in version {version}, not {specification} in 3 to 6")
        reader.number("I")  # the specification's revision
        arrays = {}
        for _ in range(reader.number("I")):
            name = reader.text()
            arrays[name] = reader.array()
        for _ in range(reader.number("I")):
            alias = reader.text()
            arrays[alias] = arrays[reader.text()]
    except (struct.error, KeyError, ValueError) as error:
        raise SourceError(f"{path.name} is no model of CTranslate2: {error}") from error
    if reader.place != len(reader.data):
        raise SourceError(f"{path.name} has {len(reader.data) - reader.place} bytes behind its last array")
    return arrays
