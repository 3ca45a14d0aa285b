"""Marian's binary model files (https://marian-nmt.github.io), version 1, with the 8-bit weights of Bergamot."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exporters.errors import SourceError

FLOAT32 = 0x404
INTGEMM8 = 0x4101
EMBEDDING = "Wemb"


@dataclass(frozen=True)
class Weight:
    """An array, and the step that its whole numbers are multiples of; None where it is float32 already."""

    values: NDArray[Any]
    step: float | None = None


@dataclass(frozen=True)
class _Entry:
    name: str
    kind: int
    shape: tuple[int, ...]
    data: bytes


def read(path: Path) -> dict[str, Weight]:
    """The weights by name; int8 ones as they are stored. Raises `SourceError` for another format.

    What is no weight is left out: the configuration as text, and the steps of activations, which stay float32
    here.
    """
    weights = {}
    for entry in _entries(path.read_bytes(), path.name):
        count = math.prod(entry.shape)
        if entry.kind == FLOAT32 and not entry.name.endswith("_QuantMultA"):
            weights[entry.name] = Weight(np.frombuffer(entry.data, "<f4", count).reshape(entry.shape))
        elif entry.kind == INTGEMM8 and not entry.name.endswith("_QuantMultA"):
            values = np.frombuffer(entry.data, np.int8, count)
            # All but the embedding lie transposed in the file; the multiplier comes after the values.
            turned = entry.name != EMBEDDING
            values = values.reshape(entry.shape[::-1]).T if turned else values.reshape(entry.shape)
            (multiplier,) = struct.unpack_from("<f", entry.data, count)
            weights[entry.name] = Weight(values, float(np.float32(1) / np.float32(multiplier)))
    return weights


def _entries(data: bytes, file: str) -> Iterator[_Entry]:
    """Version, count, headers (name length, type, rank, bytes), names, shapes, padding, then the data in order."""
    try:
        version, count = struct.unpack_from("<QQ", data)
        if version != 1:
            raise SourceError(f"{file} is no Marian file of version 1")
        headers = [struct.unpack_from("<QQQQ", data, 16 + 32 * place) for place in range(count)]
        at = 16 + 32 * count
        names = []
        for length, *_ in headers:
            names.append(data[at : at + length - 1].decode())
            at += length
        shapes = []
        for _, _, rank, _ in headers:
            shapes.append(struct.unpack_from(f"<{rank}i", data, at))
            at += 4 * rank
        at += 8 + struct.unpack_from("<Q", data, at)[0]
    except (struct.error, UnicodeDecodeError, MemoryError, OverflowError) as error:
        raise SourceError(f"{file} is no Marian file: {error}") from error
    if at + sum(size for *_, size in headers) != len(data):
        raise SourceError(f"{file} is {len(data):,} bytes long, its headers say otherwise")
    for (_, kind, _, size), name, shape in zip(headers, names, shapes, strict=True):
        yield _Entry(name, kind, shape, data[at : at + size])
        at += size
