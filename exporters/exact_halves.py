"""Weights that were published as float16 and are float32 in the graph are stored as what they were."""

from __future__ import annotations

from typing import Final

import numpy as np
import onnx

LEAST_VALUES: Final = 1024
"""What is smaller is not worth a node."""


def store(model: onnx.ModelProto) -> None:
    """Store initializers whose every value is a float16's as such, with a cast, which ONNX Runtime does once as it
    makes the session: the file has half the size, and the arithmetic is the same. Of a table whose rows are looked up
    only these are cast, at each run: whole it would be in memory once more."""
    stored = {}
    for tensor in model.graph.initializer:
        if tensor.data_type != onnx.TensorProto.FLOAT or np.prod(tensor.dims, dtype=np.int64) < LEAST_VALUES:
            continue
        values = onnx.numpy_helper.to_array(tensor)
        with np.errstate(over="ignore"):
            halves = values.astype(np.float16)
        if not np.array_equal(halves, values):
            continue
        stored[tensor.name] = f"{tensor.name}.float16"
        tensor.CopyFrom(onnx.numpy_helper.from_array(halves, stored[tensor.name]))
    nodes = [_cast(halves, name) for name, halves in stored.items()]
    for node in model.graph.node:
        nodes.append(node)
        if node.op_type == "Gather" and node.input[0] in stored:
            rows = node.output[0]
            node.input[0], node.output[0] = stored[node.input[0]], f"{rows}.float16"
            nodes.append(_cast(node.output[0], rows))
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _cast(halves: str, name: str) -> onnx.NodeProto:
    return onnx.helper.make_node("Cast", [halves], [name], to=onnx.TensorProto.FLOAT)
