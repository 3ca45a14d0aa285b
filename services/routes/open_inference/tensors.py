"""Tensors on the wire of the Open Inference Protocol: as JSON, or behind it as the binary tensor extension has them.

Nothing is made of what a caller says before it is known how large it is: the JSON's shape is looked at before it is
parsed, and a tensor's shape is compared with the data that came.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

import numpy as np
import pydantic_core
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from models.errors import BudgetExceeded, InvalidInput, MalformedBody
from models.limits import Limits
from models.model import Graph, Tensor
from models.task import Array
from services.http.problems import invalid_fields
from services.routes.open_inference.arrays import from_binary, from_json
from services.routes.open_inference.graphs import DATATYPES, VERSION

DEEPEST: Final = 16
"""No request is nested deeper: an object, a list, an object, and a tensor's axes."""

MOST_TENSORS: Final = 100

NUMBER_BYTES: Final = 32
LIST_BYTES: Final = 96
"""What a number, and a list or an object, of parsed JSON take at most, with their places in what holds them."""

_BRACKETS = b'{}[]"'
_NOT_BRACKETS = bytes(set(range(256)) - set(_BRACKETS))


@dataclass(frozen=True)
class Wanted:
    """An output that is asked for, and whether as binary data."""

    tensor: Tensor
    binary: bool


@dataclass(frozen=True)
class InferRequest:
    id: str | None
    inputs: Mapping[str, Array]
    outputs: Sequence[Wanted]


class _Part(BaseModel):
    model_config = ConfigDict(strict=True)

    name: str
    parameters: dict[str, Any] | None = None


class _Input(_Part):
    shape: list[Annotated[int, Field(ge=0)]] = Field(max_length=DEEPEST)
    datatype: str
    data: Any = None


class _Document(BaseModel):
    model_config = ConfigDict(strict=True)

    id: str | None = Field(default=None, max_length=1_000)
    parameters: dict[str, Any] | None = None
    inputs: list[_Input] = Field(max_length=MOST_TENSORS)
    outputs: list[_Part] | None = Field(default=None, max_length=MOST_TENSORS)


def parsing_memory(text: bytes, limits: Limits) -> int:
    """How many bytes the values of a JSON text may take when it is parsed.

    Raises `BudgetExceeded` where they are too many, `MalformedBody` where they lie deeper than any request's do.
    """
    lists, commas = text.count(b"[") + text.count(b"{"), text.count(b",")
    if lists + commas > limits.tensor_values:
        raise BudgetExceeded(
            f"the JSON has more than {limits.tensor_values:,} values; send tensors as binary data (the header "
            "Inference-Header-Content-Length)"
        )
    if text.count(b'"') > limits.json_values:
        raise BudgetExceeded(f"the JSON has more than {limits.json_values:,} quotes")
    # Without escaped backslashes and escaped quotes, every quote that is left begins or ends a string.
    skeleton = text.replace(b"\\\\", b"").replace(b'\\"', b"").translate(None, _NOT_BRACKETS)
    skeleton = b"".join(skeleton.split(b'"')[::2])
    for _ in range(DEEPEST):
        skeleton = skeleton.replace(b"[]", b"").replace(b"{}", b"")
    if skeleton:
        raise MalformedBody("the JSON is nested deeper than any request, or its brackets do not match")
    return NUMBER_BYTES * commas + LIST_BYTES * lists


def decode(graph: Graph, text: bytes, binary: memoryview) -> InferRequest:
    """A request, from its JSON and what follows it. Raises `MalformedBody` or `InvalidInput`."""
    document = _parse(text)
    known = {tensor.name: tensor for tensor in graph.inputs}
    inputs: dict[str, Array] = {}
    taken = 0
    for each in document.inputs:
        if each.name not in known:
            raise InvalidInput.of(each.name, f"is no input; there is: {', '.join(known)}")
        if each.name in inputs:
            raise InvalidInput.of(each.name, "is given twice")
        parameters = each.parameters or {}
        _refuse_shared_memory(each.name, parameters)
        size = parameters.get("binary_data_size")
        if size is None:
            inputs[each.name] = from_json(known[each.name], each.shape, each.datatype, each.data)
        elif type(size) is not int or not 0 <= size <= len(binary) - taken:
            raise InvalidInput.of(each.name, "binary_data_size is not a number of bytes that follow the JSON")
        else:
            if each.data is not None:
                raise InvalidInput.of(each.name, "comes twice: as JSON and as binary data")
            inputs[each.name] = from_binary(known[each.name], each.shape, each.datatype, binary[taken : taken + size])
            taken += size
    if missing := [name for name in known if name not in inputs]:
        raise InvalidInput.of(missing[0], "is missing")
    if taken != len(binary):
        raise InvalidInput.of("body", f"has {len(binary) - taken:,} bytes that belong to no input")
    return InferRequest(document.id, inputs, _wanted(graph, document))


def _parse(text: bytes) -> _Document:
    try:
        document = pydantic_core.from_json(text)
    except ValueError as error:
        raise MalformedBody(f"the body is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise InvalidInput.of("body", "is not a JSON object")
    try:
        return _Document.model_validate(document)
    except ValidationError as error:
        raise invalid_fields(error) from None


def _wanted(graph: Graph, document: _Document) -> list[Wanted]:
    """All outputs where none is named."""
    by_default = _flag((document.parameters or {}).get("binary_data_output", False), "binary_data_output")
    known = {tensor.name: tensor for tensor in graph.outputs}
    if not document.outputs:
        return [Wanted(tensor, by_default) for tensor in graph.outputs]
    wanted: dict[str, Wanted] = {}
    for each in document.outputs:
        if each.name not in known:
            raise InvalidInput.of(each.name, f"is no output; there is: {', '.join(known)}")
        if each.name in wanted:
            raise InvalidInput.of(each.name, "is asked for twice")
        parameters = each.parameters or {}
        _refuse_shared_memory(each.name, parameters)
        if "classification" in parameters:
            raise InvalidInput.of(each.name, "classification is not known here: the values are answered as they are")
        wanted[each.name] = Wanted(known[each.name], _flag(parameters.get("binary_data", by_default), "binary_data"))
    return list(wanted.values())


def _flag(value: Any, name: str) -> bool:
    if not isinstance(value, bool):
        raise InvalidInput.of(name, "is neither true nor false")
    return value


def _refuse_shared_memory(name: str, parameters: Mapping[str, Any]) -> None:
    if "shared_memory_region" in parameters:
        raise InvalidInput.of(name, "shared memory is not known here; send the data")


def encode(name: str, request: InferRequest, outputs: Mapping[str, Array], limits: Limits) -> tuple[bytes, bytes]:
    """An answer: its JSON, and what follows that. Raises `BudgetExceeded` for too many values as JSON."""
    if (values := sum(outputs[each.tensor.name].size for each in request.outputs if not each.binary)) > (
        limits.tensor_values
    ):
        raise BudgetExceeded(
            f"the outputs have {values:,} values, more than the {limits.tensor_values:,} that are given as JSON; ask "
            "for binary data"
        )
    described: list[dict[str, Any]] = []
    binary: list[bytes] = []
    for each in request.outputs:
        tensor, array = each.tensor, outputs[each.tensor.name]
        facts = {"name": tensor.name, "datatype": DATATYPES[tensor.dtype], "shape": array.shape}
        if each.binary:
            binary.append(array.astype(np.dtype(tensor.dtype).newbyteorder("<"), copy=False).tobytes())
            described.append({**facts, "parameters": {"binary_data_size": len(binary[-1])}})
        else:
            described.append({**facts, "data": array.ravel().tolist()})
    document: dict[str, Any] = {} if request.id is None else {"id": request.id}
    document |= {"model_name": name, "model_version": VERSION, "outputs": described}
    # JSON has no NaN: null stands for it, as it does for infinity.
    text = pydantic_core.to_json(document, inf_nan_mode="null")
    return text, b"".join(binary)
