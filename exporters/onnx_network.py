"""A network that is only published as an ONNX file, as a torch module: to trace it anew with free sizes."""

from __future__ import annotations

from typing import Any

import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from onnx.helper import get_attribute_value
from torch import Tensor, nn
from torch.nn import functional


class OnnxNetwork(nn.Module):
    """Does what the nodes of an ONNX graph say, one after the other, for the operators of convolutional networks.

    Takes the graph's inputs and gives its outputs, as tensors of any sizes that the operators take. Raises
    `NotImplementedError` for an operator, or a use of one, that it does not know.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        super().__init__()
        graph = model.graph
        self._constants = {tensor.name: f"constant_{place}" for place, tensor in enumerate(graph.initializer)}
        for tensor in graph.initializer:
            self.register_buffer(self._constants[tensor.name], torch.from_numpy(numpy_helper.to_array(tensor).copy()))
        # Old exporters list weights as inputs too.
        self._inputs = [each.name for each in graph.input if each.name not in self._constants]
        self._outputs = [each.name for each in graph.output]
        self._nodes = [(_operator(node), list(node.input), node.output[0]) for node in graph.node]

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        values = {name: getattr(self, buffer) for name, buffer in self._constants.items()}
        values |= dict(zip(self._inputs, inputs, strict=True))
        for operator, names, output in self._nodes:
            values[output] = operator(*(values[name] for name in names))
        return tuple(values[name] for name in self._outputs)


def _operator(node: onnx.NodeProto) -> Any:
    attributes = {each.name: get_attribute_value(each) for each in node.attribute}
    match node.op_type:
        case "Add":
            return torch.add
        case "Relu":
            return functional.relu
        case "Sigmoid":
            return torch.sigmoid
        case "Conv" | "ConvTranspose":
            convolve = functional.conv2d if node.op_type == "Conv" else functional.conv_transpose2d
            top, left, bottom, right = attributes.pop("pads", (0, 0, 0, 0))
            settings = {
                "stride": attributes.pop("strides", [1, 1]),
                "padding": (top, left),
                "groups": attributes.pop("group", 1),
            }
            attributes.pop("kernel_shape", None)  # the weight shows it
            even = (top, left) == (bottom, right) and attributes.pop("dilations", [1, 1]) == [1, 1]
            if not even or attributes:
                raise NotImplementedError(f"{node.name}: {node.attribute}")
            return lambda x, weight, bias=None: convolve(x, weight, bias, **settings)
        case "BatchNormalization":
            epsilon = attributes.get("epsilon", 1e-5)
            return lambda x, weight, bias, mean, variance: functional.batch_norm(
                x, mean, variance, weight, bias, eps=epsilon
            )
    raise NotImplementedError(f"{node.name}: {node.op_type}")


def free_sizes(model: onnx.ModelProto, axes: dict[str, dict[int, str]]) -> onnx.ModelProto:
    """A copy whose inputs and outputs have names for these axes (tensor → place → name), not fixed sizes."""
    freed = onnx.ModelProto()
    freed.CopyFrom(model)
    for tensor in (*freed.graph.input, *freed.graph.output):
        for place, name in axes.get(tensor.name, {}).items():
            tensor.type.tensor_type.shape.dim[place].dim_param = name
    del freed.graph.value_info[:]  # the sizes that were true for the fixed ones
    return freed


class OnnxFile:
    """An ONNX model as ONNX Runtime computes it, on the CPU."""

    def __init__(self, model: onnx.ModelProto) -> None:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )

    def __call__(self, **inputs: NDArray[Any]) -> list[NDArray[Any]]:
        outputs: list[NDArray[Any]] = self._session.run(None, inputs)
        return outputs
