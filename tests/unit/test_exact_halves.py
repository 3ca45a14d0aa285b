"""Float16 where that loses nothing, and nowhere else."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
from hypothesis import given
from hypothesis import strategies as st

from exporters import exact_halves

SHAPE = (32, 32)
HALVES = st.floats(width=16, allow_nan=False, allow_infinity=False)


def model(weights: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> onnx.ModelProto:
    found = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 18]> m (float[n, 32] x) => (float[n, 32] y) { y = MatMul(x, weights) }'
    )
    found.graph.initializer.append(onnx.numpy_helper.from_array(weights, "weights"))
    return found


def product(graph: onnx.ModelProto) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    answer: np.ndarray[tuple[int, ...], np.dtype[np.float32]]
    [answer] = session.run(None, {"x": np.eye(32, dtype=np.float32)})
    return answer


@given(st.lists(HALVES, min_size=1, max_size=32))
def test_what_was_published_as_float16_is_stored_so_and_computes_the_same(values: list[float]) -> None:
    weights = np.resize(np.array(values, np.float32), SHAPE)
    graph = model(weights)
    exact_halves.store(graph)
    onnx.checker.check_model(graph, full_check=True)
    assert [each.data_type for each in graph.graph.initializer] == [onnx.TensorProto.FLOAT16]
    np.testing.assert_array_equal(product(graph), weights)


def test_of_a_table_only_the_rows_that_are_looked_up_are_cast() -> None:
    graph = onnx.parser.parse_model(
        """<ir_version: 8, opset_import: ["" : 18]> m (int64[n] ids) => (float[n, 32] logits)
        { rows = Gather(table, ids) logits = MatMul(rows, table) }"""
    )
    table = np.random.default_rng(0).standard_normal(SHAPE).astype(np.float16).astype(np.float32)
    graph.graph.initializer.append(onnx.numpy_helper.from_array(table, "table"))
    exact_halves.store(graph)
    onnx.checker.check_model(graph, full_check=True)
    assert [node.input[0] for node in graph.graph.node if node.op_type == "Gather"] == ["table.float16"]
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    [logits] = session.run(None, {"ids": np.array([3, 1])})
    np.testing.assert_allclose(logits, table[[3, 1]] @ table, rtol=1e-5, atol=1e-5)


@given(st.sampled_from([1e-9, 0.1, 70_000.0, 1 + 2**-11]))
def test_one_value_that_is_none_keeps_all_of_them(value: float) -> None:
    weights = np.ones(SHAPE, np.float32)
    weights[3, 4] = value
    graph = model(weights)
    exact_halves.store(graph)
    assert [each.data_type for each in graph.graph.initializer] == [onnx.TensorProto.FLOAT]
    assert len(graph.graph.node) == 1
