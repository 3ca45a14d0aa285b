"""ONNX graphs as torch modules: they compute what ONNX Runtime does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from exporters.onnx_network import OnnxFile, OnnxNetwork, free_sizes

FREE = {"x": {0: "batch", 2: "height", 3: "width"}, "y": {0: "batch", 2: "rows", 3: "columns"}}


@dataclass
class Layers:
    """Nodes in a row, and their weights."""

    nodes: list[onnx.NodeProto]
    weights: list[onnx.TensorProto]
    channels: int


def weight(layers: Layers, random: np.random.Generator, *shape: int, positive: bool = False) -> str:
    values = random.normal(0, 0.4, shape).astype(np.float32)
    name = f"weight_{len(layers.weights)}"
    layers.weights.append(numpy_helper.from_array(np.abs(values) + 0.5 if positive else values, name))
    return name


def model(kinds: list[str], seed: int, channels: int = 4) -> onnx.ModelProto:
    """A network of these layers, with weights listed as inputs as old exporters do, for pictures of 8 x 8 alone."""
    random = np.random.default_rng(seed)
    layers = Layers([], [], channels)
    last = "x"
    for place, kind in enumerate(kinds):
        output = "y" if place == len(kinds) - 1 else f"value_{place}"
        attributes: dict[str, Any] = {}
        inputs = [last]
        operator = kind
        match kind:
            case "Conv" | "Conv without bias":
                operator, kernel = "Conv", int(random.choice([1, 3]))
                inputs.append(weight(layers, random, channels, channels, kernel, kernel))
                if kind == "Conv":
                    inputs.append(weight(layers, random, channels))
                attributes = {"strides": [1, 1], "pads": [kernel // 2] * 4, "kernel_shape": [kernel, kernel]}
            case "Conv by channel":
                operator = "Conv"
                inputs.append(weight(layers, random, channels, 1, 3, 3))
                attributes = {"strides": [2, 2], "pads": [1, 1, 1, 1], "group": channels, "dilations": [1, 1]}
            case "ConvTranspose":
                inputs += [weight(layers, random, channels, channels, 2, 2), weight(layers, random, channels)]
                attributes = {"strides": [2, 2]}
            case "BatchNormalization":
                inputs += [weight(layers, random, channels, positive=part in (0, 3)) for part in range(4)]
                attributes = {"epsilon": 1e-3}
            case "Add":
                inputs.append(last)
        layers.nodes.append(helper.make_node(operator, inputs, [output], name=output, **attributes))
        last = output
    values = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, channels, 8, 8])]
    values += [helper.make_tensor_value_info(each.name, TensorProto.FLOAT, each.dims) for each in layers.weights]
    answer = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, channels, None, None])
    graph = helper.make_graph(layers.nodes, "network", values, [answer], layers.weights)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 9)], ir_version=4)
    onnx.checker.check_model(made)
    return made


KINDS = [
    "Conv",
    "Conv without bias",
    "Conv by channel",
    "ConvTranspose",
    "BatchNormalization",
    "Relu",
    "Sigmoid",
    "Add",
]


@settings(deadline=None, max_examples=25)
@given(
    kinds=st.lists(st.sampled_from(KINDS), min_size=1, max_size=6),
    seed=st.integers(0, 1000),
    batch=st.integers(1, 3),
    height=st.integers(8, 19),
    width=st.integers(8, 19),
)
def test_it_computes_what_onnx_runtime_does_at_any_size(
    kinds: list[str], seed: int, batch: int, height: int, width: int
) -> None:
    published = model(kinds, seed)
    pictures = np.random.default_rng(seed).normal(size=(batch, 4, height, width)).astype(np.float32)
    [expected] = OnnxFile(free_sizes(published, FREE))(x=pictures)
    with torch.inference_mode():
        [found] = OnnxNetwork(published).eval()(torch.from_numpy(pictures))
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-4, atol=1e-4)


def test_several_inputs_and_outputs_keep_their_order() -> None:
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in ("a", "b", "p", "q")]
    nodes = [
        helper.make_node("Relu", ["b"], ["q"]),
        helper.make_node("Add", ["a", "q"], ["p"]),
    ]
    made = helper.make_model(helper.make_graph(nodes, "two", values[:2], values[2:]))
    p, q = OnnxNetwork(made)(torch.tensor([1.0, 2.0]), torch.tensor([-1.0, 3.0]))
    assert p.tolist() == [1.0, 5.0] and q.tolist() == [0.0, 3.0]


@pytest.mark.parametrize(
    ("operator", "attributes", "says"),
    [
        ("Softplus", {}, "Softplus"),
        ("Conv", {"strides": [1, 1], "pads": [0, 0, 1, 1]}, "pads"),
        ("Conv", {"strides": [1, 1], "dilations": [2, 2]}, "dilations"),
        ("Conv", {"strides": [1, 1], "auto_pad": "SAME_UPPER"}, "auto_pad"),
        ("ConvTranspose", {"strides": [2, 2], "output_padding": [1, 1]}, "output_padding"),
    ],
)
def test_what_it_does_not_know_is_refused_and_not_guessed(operator: str, attributes: dict[str, Any], says: str) -> None:
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, 4, 4])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    inputs = ["x"] if operator == "Softplus" else ["x", "w"]
    constant = numpy_helper.from_array(np.ones((1, 1, 2, 2), np.float32), "w")
    graph = helper.make_graph([helper.make_node(operator, inputs, ["y"], name="node", **attributes)], "g", [x], [y])
    graph.initializer.append(constant)
    with pytest.raises(NotImplementedError, match=rf"node: [\s\S]*{says}"):
        OnnxNetwork(helper.make_model(graph))


def test_freed_sizes_are_named_and_the_published_model_is_as_it_was() -> None:
    published = model(["Relu"], 0)
    before = published.SerializeToString()
    freed = free_sizes(published, FREE)
    axes = [each.dim_param or each.dim_value for each in freed.graph.input[0].type.tensor_type.shape.dim]
    assert axes == ["batch", 4, "height", "width"]
    assert published.SerializeToString() == before
