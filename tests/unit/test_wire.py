"""What travels between processes arrives as it was, and what does not is refused; reading runs nobody's code."""

from __future__ import annotations

import contextlib
import json
import math
import pickle
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from models.speech.moonshine import MoonshineSearch
from models.speech.whisper import Generation
from models.speech.whisper_search import WhisperSearch, Written
from models.speech.whisper_transcription import LanguageSearch
from models.task import Item
from models.text.sentence_translation import GreedySearch
from models.wire import HEAD, MAGIC, MalformedValue, decode, encode

DTYPES = st.sampled_from(["uint8", "bool", "int64", "int32", "float32", "float16", "float64", ">i4", ">f8"])
ARRAYS = DTYPES.flatmap(lambda dtype: arrays.arrays(dtype, arrays.array_shapes(min_dims=0, min_side=0, max_side=4)))
PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
VALUES = st.recursive(
    PLAIN | ARRAYS,
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(st.text() | st.integers(), inner)
        | st.builds(Item, st.dictionaries(st.text(), ARRAYS), st.integers(), st.none(), st.none() | st.text())
    ),
    max_leaves=8,
)
GENERATION = Generation(
    end=3,
    start=4,
    previous=5,
    no_speech=6,
    no_timestamps=7,
    suppressed=(1,),
    suppressed_first=(2, 3),
    languages={"en": 8},
)


def same(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray):
        return bool(
            isinstance(other, np.ndarray)
            and one.shape == other.shape
            and one.dtype == other.dtype.newbyteorder(one.dtype.byteorder)
            and np.array_equal(one, other, equal_nan=one.dtype.kind == "f")
        )
    if type(one) is not type(other):
        return False
    if isinstance(one, float):
        return one == other or (math.isnan(one) and math.isnan(other))
    if isinstance(one, Item):
        return same(vars(one), vars(other))
    if isinstance(one, dict):
        return same(list(one), list(other)) and same(list(one.values()), list(other.values()))
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


@given(VALUES)
def test_a_value_arrives_as_it_was(value: Any) -> None:
    assert same(value, decode(encode(value)))


@pytest.mark.parametrize(
    "value",
    [
        Item({"ids": np.arange(5)}, 5, GreedySearch((1,), end=0, most=9, banned=(4,), may_loop=True)),
        Item({"x": np.zeros((2, 3), np.float32)}, 1, MoonshineSearch(2.5)),
        Item({"x": np.zeros(3, np.float16)}, 1, LanguageSearch(GENERATION)),
        WhisperSearch(GENERATION, prompt=(4, 7), timestamps=True, seconds=30.0, temperature=0.4, seed=3),
        Written((1, 2), 0.5, -0.25, False),
    ],
    ids=lambda value: type(getattr(value, "search", value)).__name__,
)
def test_what_the_tasks_send_travels(value: Any) -> None:
    arrived = decode(encode(value))
    assert type(arrived) is type(value)
    assert encode(arrived) == encode(value)
    if isinstance(value, Item) and value.search:
        assert type(arrived.search) is type(value.search)
        assert arrived.search.prompt == value.search.prompt


@dataclass
class Stranger:
    """A type that never said it travels."""

    value: int = 0


@pytest.mark.parametrize("value", [Stranger(), object(), b"bytes", {1, 2}, np.array([object()]), np.array(["text"])])
def test_what_does_not_travel_is_refused_by_the_sender(value: Any) -> None:
    with pytest.raises(TypeError, match="does not travel"):
        encode([value])


def framed(document: Any, rest: bytes = b"") -> bytes:
    text = json.dumps(document).encode()
    return HEAD.pack(MAGIC, len(text)) + text + rest


@pytest.mark.parametrize(
    "data",
    [
        b"",
        pickle.dumps(Stranger()),
        framed(1)[:-1],
        framed({"array": ["<f4", [3]]}),
        framed({"array": ["|O", [1]]}, bytes(64)),
        framed({"array": ["V8", [1]]}, bytes(128)),
        framed({"array": ["<f4", [-1]]}, bytes(128)),
        framed({"array": ["<f4", [10**30]]}, bytes(128)),
        framed({"array": ["<f4", [0, 10**30]]}),
        framed({"object": ["Stranger", {}]}),
        framed({"object": ["Item", {"cost": 1}]}),
        framed({"object": ["Item", []]}),
        framed({"object": ["Generation", {"end": "x"}]}),
        framed({"mapping": [[[], 1]]}),
        framed({"unknown": 1}),
        framed({}),
        framed({"tuple": [], "array": []}),
        HEAD.pack(MAGIC, 40_000) + b"[" * 40_000,
    ],
)
def test_bytes_that_are_no_value_are_refused(data: bytes) -> None:
    with pytest.raises(MalformedValue):
        decode(data)


@given(st.binary(max_size=300), VALUES, st.integers(0, 200), st.binary(min_size=1, max_size=8))
def test_no_bytes_do_anything_but_arrive_or_be_refused(noise: bytes, value: Any, place: int, damage: bytes) -> None:
    data = encode(value)
    damaged = data[:place] + damage + data[place + len(damage) :]
    for each in (noise, MAGIC + noise, damaged):
        with contextlib.suppress(MalformedValue):
            decode(each)
