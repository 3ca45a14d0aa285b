"""Properties of tensors on the wire: for all types and shapes, and for whatever bytes come instead of them."""

from __future__ import annotations

import asyncio
import gzip
import json
import math
import zlib
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from hypothesis.strategies import SearchStrategy

from models.errors import BudgetExceeded, EkibenError, InvalidInput, MalformedBody, UnsupportedMedia
from models.limits import Limits
from models.model import Graph, Tensor
from models.task import Array
from services.http.bodies import BodyMemory
from services.http.compression import accepted, compressed, decompressed
from services.routes.open_inference.graphs import DATATYPES, GRAPHS
from services.routes.open_inference.shapes import body_budget, check_shapes
from services.routes.open_inference.tensors import InferRequest, Wanted, decode, encode, parsing_memory

LIMITS = Limits()
NOTHING = memoryview(b"")


def graph_of(dtype: str, rank: int) -> Graph:
    axes = ("batch", *(f"axis{number}" for number in range(1, rank)))
    return Graph("model", (Tensor("x", dtype, axes),), (Tensor("y", dtype, axes), Tensor("z", dtype, axes)))


def array_of(dtype: str) -> SearchStrategy[Array]:
    return arrays.arrays(dtype, arrays.array_shapes(min_dims=1, max_dims=5, min_side=0, max_side=4))


ARRAYS = st.sampled_from(sorted(DATATYPES)).flatmap(array_of)


def document(array: Array, **tensor: Any) -> dict[str, Any]:
    described = {"name": "x", "shape": list(array.shape), "datatype": DATATYPES[array.dtype.name], **tensor}
    return {"inputs": [described]}


def as_json(document: Any) -> bytes:
    text = json.dumps(document).encode()
    parsing_memory(text, LIMITS)
    return text


def same(actual: Array, expected: Array) -> None:
    assert actual.dtype == expected.dtype
    assert actual.flags.aligned
    np.testing.assert_array_equal(actual, expected, strict=True)


@given(ARRAYS, st.booleans())
def test_json_comes_back_as_it_was_flat_or_nested(array: Array, nested: bool) -> None:
    assume(np.isfinite(array).all() or array.dtype.kind == "f")
    data = array.tolist() if nested else array.ravel().tolist()
    request = decode(graph_of(array.dtype.name, array.ndim), as_json(document(array, data=data)), NOTHING)
    same(request.inputs["x"], array)


@given(ARRAYS, st.integers(0, 9))
def test_binary_data_comes_back_as_it_was_wherever_it_lies(array: Array, spaces: int) -> None:
    text = as_json(document(array, parameters={"binary_data_size": array.nbytes})) + b" " * spaces
    body = text + array.astype(array.dtype.newbyteorder("<")).tobytes()
    request = decode(graph_of(array.dtype.name, array.ndim), text, memoryview(body)[len(text) :])
    same(request.inputs["x"], array)


@given(st.data(), st.sampled_from(sorted(DATATYPES)), st.booleans(), st.booleans(), st.none() | st.text())
def test_outputs_are_read_back_as_they_were(
    data: st.DataObject, dtype: str, y_binary: bool, z_binary: bool, id: str | None
) -> None:
    y, z = data.draw(array_of(dtype)), data.draw(array_of(dtype))
    graph = graph_of(dtype, y.ndim)
    wanted = [Wanted(graph.outputs[0], y_binary), Wanted(graph.outputs[1], z_binary)]
    text, binary = encode("m", InferRequest(id, {}, wanted), {"y": y, "z": z}, LIMITS)
    answer = json.loads(text)
    assert answer.get("id") == id and answer["model_name"] == "m"
    for described, expected in zip(answer["outputs"], (y, z), strict=True):
        assert described["datatype"] == DATATYPES[dtype]
        if "data" in described:
            values = [math.nan if value is None else value for value in described["data"]]
            actual = np.array(values, dtype)
            if expected.dtype.kind == "f":  # JSON has neither NaN nor infinity
                expected = np.where(np.isfinite(expected), expected, np.array(np.nan, dtype))
        else:
            size = described["parameters"]["binary_data_size"]
            actual, binary = np.frombuffer(binary[:size], dtype), binary[size:]
        np.testing.assert_array_equal(actual.reshape(described["shape"]), expected)
    assert not binary


PICTURE = graph_of("uint8", 2)
ONE = {"name": "x", "shape": [1, 2], "datatype": "UINT8", "data": [1, 2]}


def inputs(**changes: Any) -> dict[str, Any]:
    return {"inputs": [{**ONE, **changes}]}


BAD: dict[str, tuple[Any, bytes]] = {
    "no object": ([], b""),
    "nothing": ({}, b""),
    "inputs no list": ({"inputs": {}}, b""),
    "an input that is no object": ({"inputs": [1]}, b""),
    "no input": ({"inputs": []}, b""),
    "another input": (inputs(name="y"), b""),
    "an input too many": ({"inputs": [ONE, {**ONE, "name": "y"}]}, b""),
    "an input twice": ({"inputs": [ONE, ONE]}, b""),
    "1,000 inputs": ({"inputs": [ONE] * 1_000}, b""),
    "no name": ({"inputs": [{"shape": [1]}]}, b""),
    "no data": (inputs(data=None), b""),
    "a negative dimension": (inputs(shape=[-1, 2]), b""),
    "two negative dimensions": (inputs(shape=[-1, -2]), b""),
    "a fractional dimension": (inputs(shape=[1.5, 2]), b""),
    "a dimension that is text": (inputs(shape=["1", 2]), b""),
    "true as a dimension": (inputs(shape=[True, 2]), b""),
    "100 dimensions": (inputs(shape=[1] * 100), b""),
    "2³¹ elements": (inputs(shape=[2**31, 1]), b""),
    "10⁴⁰ elements": (inputs(shape=[10**20, 10**20]), b""),
    "an element too few": (inputs(data=[1]), b""),
    "an element too many": (inputs(data=[1, 2, 3]), b""),
    "lists of another shape": (inputs(data=[[1], [2]]), b""),
    "lists of different lengths": (inputs(shape=[2, 2], data=[[1, 2], [3]]), b""),
    "lists and numbers": (inputs(shape=[2, 2], data=[[1, 2], 3]), b""),
    "lists too deep": (inputs(data=[[[1], [2]]]), b""),
    "lists for a scalar": (inputs(shape=[], data=[[1]]), b""),
    "an object as data": (inputs(data={"0": 1}), b""),
    "text as data": (inputs(data="\x01\x02"), b""),
    "texts in data": (inputs(data=["1", "2"]), b""),
    "null in data": (inputs(data=[1, None]), b""),
    "true in integers": (inputs(data=[1, True]), b""),
    "a fraction in integers": (inputs(data=[1, 2.0]), b""),
    "NaN in integers": (inputs(data=[1, math.nan]), b""),
    "infinity in integers": (inputs(data=[1, math.inf]), b""),
    "256 in bytes": (inputs(data=[1, 256]), b""),
    "-1 in bytes": (inputs(data=[1, -1]), b""),
    "10³⁰ in bytes": (inputs(data=[1, 10**30]), b""),
    "another type": (inputs(datatype="INT8"), b""),
    "no such type": (inputs(datatype="uint8"), b""),
    "texts": (inputs(datatype="BYTES", data=["a", "b"]), b""),
    "shared memory": (inputs(parameters={"shared_memory_region": "r"}), b""),
    "binary data, none": (inputs(data=None, parameters={"binary_data_size": 2}), b""),
    "binary data too short": (inputs(data=None, parameters={"binary_data_size": 1}), b"\x01"),
    "binary data too long": (inputs(data=None, parameters={"binary_data_size": 2}), b"\x01\x02\x03"),
    "binary data of no size": (inputs(), b"\x01\x02"),
    "binary data of negative size": (inputs(data=None, parameters={"binary_data_size": -2}), b"\x01\x02"),
    "binary data of true bytes": (inputs(data=None, parameters={"binary_data_size": True}), b"\x01"),
    "binary data and JSON": (inputs(parameters={"binary_data_size": 2}), b"\x01\x02"),
    "an output that there is not": ({**inputs(), "outputs": [{"name": "x"}]}, b""),
    "an output twice": ({**inputs(), "outputs": [{"name": "y"}, {"name": "y"}]}, b""),
    "classification": ({**inputs(), "outputs": [{"name": "y", "parameters": {"classification": 3}}]}, b""),
    "a flag that is none": ({**inputs(), "parameters": {"binary_data_output": "yes"}}, b""),
    "a long id": ({**inputs(), "id": "x" * 2_000}, b""),
    "an id that is a number": ({**inputs(), "id": 1}, b""),
}


@pytest.mark.parametrize("case", BAD)
def test_a_request_that_is_wrong_is_refused(case: str) -> None:
    document, binary = BAD[case]
    with pytest.raises(InvalidInput):
        decode(PICTURE, as_json(document), memoryview(binary))


def test_a_request_that_is_right_is_not() -> None:
    request = decode(PICTURE, as_json({**inputs(), "id": "7", "outputs": [{"name": "z"}], "parameters": {}}), NOTHING)
    same(request.inputs["x"], np.array([[1, 2]], np.uint8))
    assert request.id == "7" and [(each.tensor.name, each.binary) for each in request.outputs] == [("z", False)]


@pytest.mark.parametrize(("dtype", "value"), [("float16", 1e5), ("float32", 1e39), ("float64", 10**400), ("bool", 1)])
def test_values_that_a_type_cannot_hold_are_refused(dtype: str, value: Any) -> None:
    described = {"name": "x", "shape": [1], "datatype": DATATYPES[dtype], "data": [value]}
    with pytest.raises(InvalidInput):
        decode(graph_of(dtype, 1), as_json({"inputs": [described]}), NOTHING)


def test_bytes_that_are_no_booleans_are_refused() -> None:
    text = as_json(document(np.zeros(2, bool), parameters={"binary_data_size": 2}))
    with pytest.raises(InvalidInput):
        decode(graph_of("bool", 1), text, memoryview(b"\x01\x02"))


@pytest.mark.parametrize("tower", [b"[" * 1_000 + b"]" * 1_000, b'{"a":' * 1_000 + b"1" + b"}" * 1_000, b"[" * 1_000])
def test_towers_of_brackets_are_refused_unparsed(tower: bytes) -> None:
    with pytest.raises(MalformedBody):
        parsing_memory(tower, LIMITS)


@given(st.integers(0, 16), st.text('[]{}"\\'))
def test_brackets_in_texts_are_no_depth(height: int, text: str) -> None:
    parsing_memory(json.dumps({"a": [text, text]}).encode(), LIMITS)
    parsing_memory(b"[" * height + b"]" * height, LIMITS)


@pytest.mark.parametrize("text", [b"[1" + b",1" * 2_000_000 + b"]", b"[" + b"[]" * 2_000_000 + b"]"])
def test_too_many_values_are_refused_unparsed(text: bytes) -> None:
    with pytest.raises(BudgetExceeded, match=r"binary data|values"):
        parsing_memory(text, LIMITS)


def test_too_many_values_are_not_written() -> None:
    graph = graph_of("uint8", 1)
    request = InferRequest(None, {}, [Wanted(graph.outputs[0], False)])
    with pytest.raises(BudgetExceeded):
        encode("m", request, {"y": np.zeros(LIMITS.tensor_values + 1, np.uint8)}, LIMITS)


PIECES = st.sampled_from(
    [
        b'{"inputs":[',
        b'{"name":"x","shape":[',
        b'],"datatype":"UINT8","data":[',
        b'"parameters":{"binary_data_size":',
        b'"outputs":[{"name":"y"}]',
        b"1",
        b"-1",
        b"1e999",
        b"NaN",
        b",",
        b"]",
        b"}",
        b'"',
        b"\\",
        b"\xff",
    ]
)
TEXTS = st.binary() | st.lists(PIECES | st.binary(max_size=3), max_size=25).map(b"".join)
VALUES: SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda below: st.lists(below, max_size=4) | st.dictionaries(st.text(), below, max_size=4),
    max_leaves=10,
)
FIELDS = st.fixed_dictionaries(
    {},
    optional={"name": st.just("x") | VALUES, "shape": VALUES, "datatype": st.just("UINT8") | VALUES, "data": VALUES},
)


def outcome(text: bytes, binary: bytes) -> InferRequest | EkibenError:
    try:
        parsing_memory(text, LIMITS)
        return decode(PICTURE, text, memoryview(binary))
    except EkibenError as refusal:
        return refusal


@given(TEXTS | FIELDS.map(lambda each: json.dumps({"inputs": [each]}).encode()), st.binary(max_size=9))
@example(b'{"inputs":[{"name":"x","shape":[1,0],"datatype":"UINT8","data":[[]]}]}', b"")
@example(b'{"inputs":[{"name":"\\ud800","shape":[1,0],"datatype":"UINT8","data":[[]]}]}', b"")
def test_any_bytes_are_understood_or_refused(text: bytes, binary: bytes) -> None:
    result = outcome(text, binary)
    if isinstance(result, EkibenError):
        assert result.status in (400, 413, 422) and result.detail
    else:
        assert result.inputs["x"].dtype == np.uint8


@given(st.sampled_from(sorted(GRAPHS)), st.data())
def test_any_shapes_of_any_graph_fit_or_are_refused(name: str, data: st.DataObject) -> None:
    named = GRAPHS[name]
    sizes = st.integers(0, 40) | st.integers(0, 2**40)
    shapes = {
        tensor.name: tuple(data.draw(st.just(axis) if isinstance(axis, int) else sizes) for axis in tensor.axes)
        for tensor in named.graph.inputs
    }
    try:
        taken = check_shapes(named, shapes, LIMITS)
    except (InvalidInput, BudgetExceeded):
        return
    assert 0 <= taken <= LIMITS.tensor_bytes
    for tensor in named.graph.inputs:
        assert 1 <= shapes[tensor.name][tensor.batch_axis] <= named.model.max_batch


def decoder_shapes(name: str, **sizes: int) -> dict[str, tuple[int, ...]]:
    """A step's inputs, with these sizes along axes: 1 where nothing else is said, and nothing is remembered yet."""
    sizes = {"past": 0, **sizes}
    return {
        tensor.name: tuple(sizes.get(axis, 1) if isinstance(axis, str) else axis for axis in tensor.axes)
        for tensor in GRAPHS[name].graph.inputs
    }


REFUSED_SHAPES: dict[str, tuple[str, dict[str, tuple[int, ...]], type[EkibenError]]] = {
    "an axis too few": ("efficientnet-lite0", {"image": (224, 224, 3)}, InvalidInput),
    "another fixed size": ("efficientnet-lite0", {"image": (1, 224, 225, 3)}, InvalidInput),
    "no batch": ("efficientnet-lite0", {"image": (0, 224, 224, 3)}, InvalidInput),
    "a batch too large": ("efficientnet-lite0", {"image": (65, 224, 224, 3)}, InvalidInput),
    "no multiple": ("centerface", {"image": (1, 320, 321, 3)}, InvalidInput),
    "nothing": ("centerface", {"image": (1, 0, 320, 3)}, InvalidInput),
    "too large": ("centerface", {"image": (1, 32, 1_000_000, 3)}, BudgetExceeded),
    "two batches": ("multistyle26", {"image": (2, 8, 8, 3), "style": (3, 26)}, InvalidInput),
    "too many tokens": ("bergamot-tiny-en-pt.encoder", {"ids": (1, 10_000), "mask": (1, 10_000)}, BudgetExceeded),
    "too many rows of many tokens": (
        "bergamot-tiny-en-pt.encoder",
        {"ids": (96, 51), "mask": (96, 51)},
        BudgetExceeded,
    ),
    "four minutes": (
        "moonshine-tiny-en.encoder",
        {"input_values": (3, 2_400_000), "attention_mask": (3, 2_400_000)},
        BudgetExceeded,
    ),
    "no token": ("whisper-tiny-en.decoder", decoder_shapes("whisper-tiny-en.decoder", step=0), InvalidInput),
    "no step": ("moonshine-tiny-en.decoder", decoder_shapes("moonshine-tiny-en.decoder", step=0), InvalidInput),
    "no frames": ("moonshine-tiny-en.decoder", decoder_shapes("moonshine-tiny-en.decoder", frames=0), InvalidInput),
    "nothing to translate": ("opus-mt-en-de.decoder", decoder_shapes("opus-mt-en-de.decoder", source=0), InvalidInput),
    "outputs too large": ("whisper-tiny-en.encoder", {"features": (8, 80, 3_000)}, BudgetExceeded),
}


@pytest.mark.parametrize("case", REFUSED_SHAPES)
def test_shapes_that_do_not_fit_are_refused(case: str) -> None:
    name, shapes, error = REFUSED_SHAPES[case]
    with pytest.raises(error):
        check_shapes(GRAPHS[name], shapes, LIMITS)


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("bergamot-tiny-en-pt.encoder", {"batch": 48, "source": 50}),
        ("bergamot-tiny-en-pt.decoder", {"source": 128}),
        ("opus-mt-en-de.encoder", {"batch": 2, "source": 128}),
        ("opus-mt-en-de.decoder", {"source": 100, "past": 199}),
        ("whisper-tiny-en.decoder", {"batch": 5, "past": 447}),
        ("moonshine-tiny-en.encoder", {"samples": 30 * 16_000}),
        ("moonshine-tiny-en.decoder", {"samples": 400_000, "frames": 1_041, "past": 150}),
        ("moonshine-tiny-en.decoder", {"samples": 16_000, "frames": 40}),
    ],
)
def test_shapes_that_a_model_s_own_use_has_fit(name: str, sizes: dict[str, int]) -> None:
    check_shapes(GRAPHS[name], decoder_shapes(name, **sizes), LIMITS)


@pytest.mark.parametrize("name", GRAPHS)
@given(as_text=st.booleans(), data=st.data())
def test_whatever_fits_a_graph_fits_its_budget(name: str, as_text: bool, data: st.DataObject) -> None:
    named = GRAPHS[name]
    sizes = {
        axis: data.draw(st.integers(1, 100) | st.integers(1, 2**21))
        for tensor in named.graph.inputs
        for axis in tensor.varying
    }
    sizes = {axis: size * named.graph.multiples.get(axis, 1) for axis, size in sizes.items()}
    sizes["batch"] = data.draw(st.integers(1, named.model.max_batch))
    shapes = {
        tensor.name: tuple(sizes[axis] if isinstance(axis, str) else axis for axis in tensor.axes)
        for tensor in named.graph.inputs
    }
    try:
        check_shapes(named, shapes, LIMITS)
    except BudgetExceeded:
        return
    longest = {"bool": "false, ", "uint8": "255, ", "int64": f"{-(2**63)}, ", "float32": "-3.4028234663852886e+38, "}
    length = sum(
        math.prod(shapes[tensor.name]) * (len(longest[tensor.dtype]) if as_text else np.dtype(tensor.dtype).itemsize)
        for tensor in named.graph.inputs
    )
    values = sum(map(math.prod, shapes.values()))
    if length <= LIMITS.tensor_bytes and (values <= LIMITS.tensor_values or not as_text):
        assert length <= body_budget(named, LIMITS) <= LIMITS.tensor_bytes


def test_every_graph_has_types_that_the_protocol_names() -> None:
    for named in GRAPHS.values():
        assert all(each.dtype in DATATYPES for each in (*named.graph.inputs, *named.graph.outputs))


def unpack(body: bytes, coding: str, budget: int = 10**6) -> tuple[bytes | EkibenError, int]:
    """What becomes of a body, and how much memory was taken for it."""
    memory = BodyMemory(10**9)
    with memory.share() as share:
        try:
            return asyncio.run(decompressed(body, coding, budget, share)), memory.taken
        except EkibenError as error:
            return error, memory.taken


@given(st.binary(), st.sampled_from(["gzip", "deflate"]))
def test_a_content_coding_is_undone(body: bytes, coding: str) -> None:
    by_python = gzip.compress(body) if coding == "gzip" else zlib.compress(body)
    for packed in (by_python, compressed(body, coding)):
        assert unpack(packed, coding.upper())[0] == body


@given(st.binary(min_size=1), st.integers(1, 10))
def test_a_body_that_is_cut_off_or_goes_on_is_malformed(body: bytes, cut: int) -> None:
    packed = gzip.compress(body)
    assert isinstance(unpack(packed[:-cut], "gzip")[0], MalformedBody)
    assert isinstance(unpack(packed + b"x", "gzip")[0], MalformedBody)


@given(st.binary())
def test_what_is_no_gzip_is_malformed(body: bytes) -> None:
    assert isinstance(unpack(body, "gzip")[0], MalformedBody)


def test_a_bomb_is_refused_as_soon_as_it_passes_its_budget() -> None:
    refusal, taken = unpack(compressed(bytes(100_000_000), "gzip"), "gzip", budget=5_000_000)
    assert isinstance(refusal, BudgetExceeded)
    assert taken <= 6_000_000


def test_no_other_coding_is_accepted() -> None:
    assert isinstance(unpack(b"", "br")[0], UnsupportedMedia)
    assert unpack(b"as it is", "identity") == (b"as it is", 0)


@pytest.mark.parametrize(
    ("header", "coding"),
    [
        ("gzip", "gzip"),
        ("deflate", "deflate"),
        ("br, GZIP;q=0.5", "gzip"),
        ("gzip;q=0", None),
        ("gzip; q=0.0, deflate", "deflate"),
        ("", None),
        ("identity", None),
        ("*", None),
    ],
)
def test_answers_are_coded_as_accepted(header: str, coding: str | None) -> None:
    assert accepted(header) == coding


def test_limits_are_settings() -> None:
    limits = replace(LIMITS, tensor_bytes=10**6)
    with pytest.raises(BudgetExceeded):
        check_shapes(GRAPHS["whisper-tiny-en.encoder"], {"features": (1, 80, 3_000)}, limits)
