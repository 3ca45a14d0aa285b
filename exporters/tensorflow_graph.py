"""The weights in a frozen TensorFlow graph, read without TensorFlow: it needs a few fields of one protocol buffer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from numpy.typing import NDArray

FLOAT32 = 1
"""`DT_FLOAT` of tensorflow/core/framework/types.proto."""

Field = descriptor_pb2.FieldDescriptorProto

# message → (field, its number, its type, whether it repeats), of tensorflow/core/framework/*.proto
MESSAGES: dict[str, list[tuple[str, int, Any, bool]]] = {
    "GraphDef": [("node", 1, "NodeDef", True)],
    "NodeDef": [("name", 1, Field.TYPE_STRING, False), ("op", 2, Field.TYPE_STRING, False), ("attr", 5, "Attr", True)],
    "Attr": [("key", 1, Field.TYPE_STRING, False), ("value", 2, "AttrValue", False)],
    "AttrValue": [("tensor", 8, "TensorProto", False)],
    "TensorProto": [
        ("dtype", 1, Field.TYPE_INT32, False),
        ("tensor_shape", 2, "TensorShapeProto", False),
        ("tensor_content", 4, Field.TYPE_BYTES, False),
    ],
    "TensorShapeProto": [("dim", 2, "Dim", True)],
    "Dim": [("size", 1, Field.TYPE_INT64, False)],
}


def _graph_class() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="ekiben_tensorflow.proto", package="ekiben", syntax="proto3")
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, number, kind, repeats in fields:
            message.field.add(
                name=field,
                number=number,
                label=Field.LABEL_REPEATED if repeats else Field.LABEL_OPTIONAL,
                type=Field.TYPE_MESSAGE if isinstance(kind, str) else kind,
                type_name=f".ekiben.{kind}" if isinstance(kind, str) else None,
            )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("ekiben.GraphDef"))


def constants(path: Path) -> dict[str, NDArray[np.float32]]:
    """Every float32 constant of a frozen graph, by the name of its node."""
    graph = _graph_class()()
    graph.ParseFromString(path.read_bytes())
    found = {}
    for node in graph.node:
        for attribute in node.attr:
            tensor = attribute.value.tensor
            if node.op == "Const" and tensor.dtype == FLOAT32 and tensor.tensor_content:
                shape = [dim.size for dim in tensor.tensor_shape.dim]
                found[node.name] = np.frombuffer(tensor.tensor_content, "<f4").reshape(shape)
    return found
