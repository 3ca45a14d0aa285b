"""CTranslate2's file comes back as it was written, and what is none is refused."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from exporters.ctranslate2 import read
from exporters.errors import SourceError
from exporters.whisper_weights import state

Arrays = dict[str, NDArray[Any]]


def model_bin(arrays: Arrays, *, aliases: dict[str, str] | None = None, specification: str = "WhisperSpec") -> bytes:
    """What CTranslate2 writes."""

    def text(value: str) -> bytes:
        return struct.pack("<H", len(value) + 1) + value.encode() + b"\0"

    numbers = {np.dtype(np.float32): 0, np.dtype(np.int8): 1, np.dtype(np.float16): 4}
    data = struct.pack("<I", 6) + text(specification) + struct.pack("<II", 3, len(arrays))
    for name, array in arrays.items():
        data += text(name) + struct.pack("<B", array.ndim) + struct.pack(f"<{array.ndim}I", *array.shape)
        data += struct.pack("<BI", numbers[array.dtype], array.nbytes) + array.tobytes()
    data += struct.pack("<I", len(aliases or {}))
    return data + b"".join(text(alias) + text(target) for alias, target in (aliases or {}).items())


ARRAYS: Arrays = {
    "a/weight": np.arange(6, dtype=np.float32).reshape(2, 3),
    "a/half": np.array([1.5, -2], np.float16),
    "heads": np.array(6, np.int8),
}


def test_the_file_s_arrays_come_back_with_their_aliases(tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(model_bin(ARRAYS, aliases={"b/weight": "a/weight"}))
    arrays = read(path, "WhisperSpec")
    assert set(arrays) == {*ARRAYS, "b/weight"}
    assert all(
        np.array_equal(arrays[name], array) and arrays[name].dtype == array.dtype for name, array in ARRAYS.items()
    )
    assert np.array_equal(arrays["b/weight"], ARRAYS["a/weight"])


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (model_bin(ARRAYS)[:-30], "no model of CTranslate2"),
        (model_bin(ARRAYS) + b"x", "1 bytes behind"),
        (model_bin(ARRAYS, specification="TransformerSpec"), "TransformerSpec"),
        (struct.pack("<I", 99) + model_bin(ARRAYS)[4:], "version 99"),
        (b"", "no model"),
    ],
)
def test_another_file_is_refused(tmp_path: Path, data: bytes, says: str) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(data)
    with pytest.raises(SourceError, match=says):
        read(path, "WhisperSpec")


def test_a_bias_of_keys_is_refused() -> None:
    names = {"encoder/layer_0/self_attention/linear_0": (6, 2), "encoder/layer_0/ffn/linear_0": (2, 2)}
    arrays: Arrays = {f"{name}/weight": np.ones(shape, np.float32) for name, shape in names.items()}
    arrays |= {f"{name}/bias": np.ones(shape[0], np.float32) for name, shape in names.items()}
    for part in ("conv1", "conv2"):
        arrays |= {f"encoder/{part}/weight": np.ones((2, 2, 3)), f"encoder/{part}/bias": np.ones(2)}
    norms = ("encoder/layer_norm", "encoder/layer_0/self_attention/layer_norm")
    arrays |= {f"{name}/{part}": np.ones(2) for name in norms for part in ("gamma", "beta")}
    arrays["encoder/position_encodings/encodings"] = np.ones((4, 2))
    with pytest.raises(SourceError, match="bias for its keys"):
        state(arrays)
