"""Marian's files: read as they are written, refused when they are anything else."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from exporters.errors import SourceError
from exporters.marian_file import FLOAT32, INTGEMM8, Weight, read

Entry = tuple[str, int, tuple[int, ...], bytes]


def written(entries: list[Entry], *, version: int = 1, padding: int = 136) -> bytes:
    data = struct.pack("<QQ", version, len(entries))
    for name, kind, shape, content in entries:
        data += struct.pack("<QQQQ", len(name) + 1, kind, len(shape), len(content))
    data += b"".join(name.encode() + b"\0" for name, *_ in entries)
    data += b"".join(struct.pack(f"<{len(shape)}i", *shape) for _, _, shape, _ in entries)
    return data + struct.pack("<Q", padding) + bytes(padding) + b"".join(content for *_, content in entries)


def quantized(values: NDArray[Any], multiplier: float) -> bytes:
    return values.astype(np.int8).tobytes() + struct.pack("<f", multiplier) + bytes(252)


ENTRIES: list[Entry] = [
    ("Wemb", INTGEMM8, (3, 2), quantized(np.arange(6), 4.0)),
    ("decoder_W", INTGEMM8, (3, 2), quantized(np.arange(6), 0.5)),
    ("decoder_W_QuantMultA", FLOAT32, (1, 1), struct.pack("<f", 9.0)),
    ("decoder_b", FLOAT32, (1, 2), struct.pack("<2f", 1.5, -2.0)),
    ("special:model.yml", 0x101, (9,), b"dim: 512\0"),
]


def read_bytes(folder: Path, data: bytes) -> dict[str, Weight]:
    path = folder / "model.bin"
    path.write_bytes(data)
    return read(path)


def test_weights_are_read_as_they_are_stored(tmp_path: Path) -> None:
    weights = read_bytes(tmp_path, written(ENTRIES))
    assert set(weights) == {"Wemb", "decoder_W", "decoder_b"}
    np.testing.assert_array_equal(weights["Wemb"].values, [[0, 1], [2, 3], [4, 5]])
    np.testing.assert_array_equal(weights["decoder_W"].values, [[0, 3], [1, 4], [2, 5]])  # lies transposed
    np.testing.assert_array_equal(weights["decoder_b"].values, [[1.5, -2.0]])
    assert [weights[name].step for name in ("Wemb", "decoder_W", "decoder_b")] == [0.25, 2.0, None]
    assert weights["Wemb"].values.dtype == np.int8


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0" * 7,
        b"PK\3\4" * 100,
        written(ENTRIES, version=2),
        written(ENTRIES)[:-1],
        written(ENTRIES) + b"\0",
        struct.pack("<QQ", 1, 2**62),
        struct.pack("<QQ", 1, 10_000),
    ],
)
def test_what_is_no_whole_marian_file_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(SourceError):
        read_bytes(tmp_path, data)
