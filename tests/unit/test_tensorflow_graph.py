"""Weights out of a frozen TensorFlow graph. The graphs are written here byte by byte, as protocol buffers say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from exporters.tensorflow_graph import constants

FLOAT32, INT32 = 1, 3


def varint(number: int) -> bytes:
    more = b""
    while number > 0x7F:
        more += bytes([number & 0x7F | 0x80])
        number >>= 7
    return more + bytes([number])


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def message(field: int, content: bytes) -> bytes:
    return varint(field << 3 | 2) + varint(len(content)) + content


def tensor(array: np.ndarray, kind: int = FLOAT32) -> bytes:
    """TensorProto: dtype 1, tensor_shape 2 (dim 2 (size 1)), tensor_content 4."""
    shape = b"".join(message(2, number(1, size)) for size in array.shape)
    return number(1, kind) + message(2, shape) + message(4, array.tobytes())


def attribute(name: str, value: bytes) -> bytes:
    """NodeDef.attr is a map: an entry of key 1 and value 2."""
    return message(5, message(1, name.encode()) + message(2, value))


def node(name: str, operator: str, *parts: bytes) -> bytes:
    """NodeDef: name 1, op 2, input 3, device 4, attr 5."""
    inputs = message(3, b"elsewhere") + message(4, b"/device:CPU:0")
    return message(1, message(1, name.encode()) + message(2, operator.encode()) + inputs + b"".join(parts))


def constant(name: str, array: np.ndarray, kind: int = FLOAT32) -> bytes:
    return node(name, "Const", attribute("dtype", number(6, kind)), attribute("value", message(8, tensor(array, kind))))


def written(folder: Path, *nodes: bytes) -> Path:
    path = folder / "graph.pb"
    path.write_bytes(b"".join(nodes) + message(4, number(1, 27)))  # versions, which nobody asks for
    return path


shapes = st.lists(st.integers(1, 5), max_size=4).map(tuple)


@given(named=st.dictionaries(st.from_regex(r"[A-Za-z0-9_/]{1,30}", fullmatch=True), shapes, max_size=5))
def test_every_constant_of_floats_is_there_by_its_name(
    tmp_path_factory: pytest.TempPathFactory, named: dict[str, tuple[int, ...]]
) -> None:
    random = np.random.default_rng(0)
    arrays = {name: random.normal(size=shape).astype(np.float32) for name, shape in named.items()}
    found = constants(written(tmp_path_factory.getbasetemp(), *(constant(*each) for each in arrays.items())))
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        assert found[name].dtype == np.float32
        np.testing.assert_array_equal(found[name], array)


def test_other_nodes_and_other_types_are_passed_over(tmp_path: Path) -> None:
    weights = np.arange(6, dtype=np.float32).reshape(2, 3)
    path = written(
        tmp_path,
        node("image", "Placeholder", attribute("dtype", number(6, 1))),
        constant("sizes", np.array([300, 300], np.int32), INT32),
        node("copy", "Identity", attribute("value", message(8, tensor(weights)))),
        constant("weights", weights),
        node("empty", "Const"),
    )
    found = constants(path)
    assert list(found) == ["weights"]
    np.testing.assert_array_equal(found["weights"], weights)


def test_what_is_no_graph_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "graph.pb"
    path.write_bytes(constant("weights", np.ones(3, np.float32))[:-5])
    with pytest.raises(DecodeError):
        constants(path)
