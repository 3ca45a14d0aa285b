"""Graphs in ONNX Runtime's own format (`.ort`): back to ONNX, and taken apart."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

import onnx
import onnxruntime
from onnx import helper


def read(path: Path) -> onnx.ModelProto:
    """The graph as ONNX; its operators stay those that the file was optimised to."""
    with tempfile.TemporaryDirectory() as scratch:
        written = Path(scratch) / "model.onnx"
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.optimized_model_filepath = str(written)
        options.add_session_config_entry("session.save_model_format", "ONNX")
        options.log_severity_level = 3
        onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        return onnx.load(written)


def branch(model: onnx.ModelProto, name: str, *, prefix: str = "") -> onnx.GraphProto:
    """A graph that does what `model` does where its one `If` takes the branch of this name.

    `prefix` goes before the names of all that is computed, so that two graphs can be put together.
    """
    [choice] = (node for node in model.graph.node if node.op_type == "If")
    [chosen] = (each.g for each in choice.attribute if each.name == name)
    graph = onnx.GraphProto()
    graph.CopyFrom(model.graph)
    del graph.node[:]
    graph.node.extend(node for node in model.graph.node if node.op_type != "If")
    graph.node.extend(chosen.node)
    graph.initializer.extend(chosen.initializer)
    # The branch has names of its own for the outputs, or the same ones.
    for inner, outer in zip(chosen.output, model.graph.output, strict=True):
        if inner.name != outer.name:
            graph.node.append(helper.make_node("Identity", [inner.name], [outer.name]))
    inputs = {each.name for each in graph.input}
    for node in graph.node:
        node.input[:] = [f"{prefix}{each}" if each and each not in inputs else each for each in node.input]
        node.output[:] = [f"{prefix}{each}" if each else each for each in node.output]
        node.name = f"{prefix}{node.name}"
    for constant in graph.initializer:
        constant.name = f"{prefix}{constant.name}"
    for output in graph.output:
        output.name = f"{prefix}{output.name}"
    return graph


def needed(nodes: Iterable[onnx.NodeProto], outputs: Iterable[str]) -> list[onnx.NodeProto]:
    """The nodes that these outputs are computed by, in their order."""
    wanted = set(outputs)
    kept = []
    for node in reversed(list(nodes)):
        if wanted & set(node.output):
            kept.append(node)
            wanted |= set(node.input)
    return kept[::-1]
