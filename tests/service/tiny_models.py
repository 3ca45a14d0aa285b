"""Tiny models that implement the runner contracts with arithmetic that can be done by hand.

Two families, as speech and translation are: one whose rows keep a growing cache, one whose rows keep a
recurrent state and a source of any length. What a row says next depends on all that it has seen, on its
position and on its masks, so that a mistake in batching shows as a wrong token.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx.parser

from models.manifest import ExportedFile, Manifest, declaration_digest
from models.model import Graph, Model, OneShot, PackageMember, Stepwise, Tensor
from models.task import Array, Item
from services.exports import Export

VOCABULARY = 11
END = 0

HEADER = '<ir_version: 10, opset_import: ["" : 18]>'

CACHE_ENCODER = f"""{HEADER}
encoder (float[batch, 3] features) => (float[batch, 3] memory) {{
    memory = Identity(features)
}}"""

# total = Σ (past + 1) over real places + (this step's values + 1) so far + Σ memory; the next token is total mod 11
CACHE_DECODER = f"""{HEADER}
decoder (int64[batch, step] ids, int64[batch] positions, float[batch, past] cache, float[batch, past] real,
         float[batch, 3] memory) => (float[batch, step, 11] logits, float[batch, present] new_cache)
<int64[1] last = {{1}}, int64[1] two = {{2}}, float one = {{1}}, float three = {{3}}, float modulus = {{11}},
 int64 axis = {{1}}, int64 zero = {{0}}, int64 unit = {{1}},
 float[1, 1, 11] classes = {{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}}> {{
    shape = Shape(ids)
    steps = Gather(shape, axis)
    offsets = Range(zero, steps, unit)
    starts = Unsqueeze(positions, last)
    places = Add(starts, offsets)
    placed = Cast<to = 1>(places)
    scaled = Mul(placed, three)
    words = Cast<to = 1>(ids)
    values = Add(words, scaled)
    new_cache = Concat<axis = 1>(cache, values)
    shifted = Add(cache, one)
    masked = Mul(shifted, real)
    history = ReduceSum<keepdims = 1>(masked, last)
    own = Add(values, one)
    so_far = CumSum(own, axis)
    context = ReduceSum<keepdims = 1>(memory, last)
    base = Add(history, context)
    total = Add(so_far, base)
    answer = Mod<fmod = 1>(total, modulus)
    column = Unsqueeze(answer, two)
    distance = Sub(classes, column)
    far = Abs(distance)
    logits = Neg(far)
}}"""

STATE_ENCODER = f"""{HEADER}
encoder (int64[batch, source] ids, float[batch, source] real) => (float[batch, source] memory)
<float one = {{1}}> {{
    words = Cast<to = 1>(ids)
    memory = Add(words, one)
}}"""

# total = state + 2 · previous + position + Σ memory over real places; the next token is total mod 11
STATE_DECODER = f"""{HEADER}
decoder (int64[batch, step] previous, int64[batch] positions, float[batch, 1] state, float[batch, source] memory,
         float[batch, source] real) => (float[batch, step, 11] logits, float[batch, 1] new_state)
<int64[1] last = {{1}}, int64[1] two = {{2}}, float double = {{2}}, float modulus = {{97}}, float words = {{11}},
 float[1, 1, 11] classes = {{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}}> {{
    masked = Mul(memory, real)
    context = ReduceSum<keepdims = 1>(masked, last)
    word = Cast<to = 1>(previous)
    doubled = Mul(word, double)
    starts = Unsqueeze(positions, last)
    placed = Cast<to = 1>(starts)
    first = Add(doubled, placed)
    second = Add(first, context)
    total = Add(second, state)
    new_state = Mod<fmod = 1>(total, modulus)
    answer = Mod<fmod = 1>(new_state, words)
    column = Unsqueeze(answer, two)
    distance = Sub(classes, column)
    far = Abs(distance)
    logits = Neg(far)
}}"""

DOUBLER = f"""{HEADER}
model (float[batch, length] numbers) => (float[batch, length] doubled) <float two = {{2}}> {{
    doubled = Mul(numbers, two)
}}"""

# Its second graph finds the factor that the first one multiplies by.
SCALER = f"""{HEADER}
model (float[batch, length] numbers, float[batch, 1] factor) => (float[batch, length] scaled) {{
    scaled = Mul(numbers, factor)
}}"""
FACTOR = f"""{HEADER}
factor (float[batch, 3] numbers) => (float[batch, 1] factor) <int64[1] last = {{1}}> {{
    factor = ReduceSum<keepdims = 1>(numbers, last)
}}"""

CACHE = Stepwise(
    encoder=Graph(
        "encoder", (Tensor("features", "float32", ("batch", 3)),), (Tensor("memory", "float32", ("batch", 3)),)
    ),
    decoder=Graph(
        "decoder",
        (
            Tensor("ids", "int64", ("batch", "step")),
            Tensor("positions", "int64", ("batch",)),
            Tensor("cache", "float32", ("batch", "past")),
            Tensor("real", "float32", ("batch", "past")),
            Tensor("memory", "float32", ("batch", 3)),
        ),
        (
            Tensor("logits", "float32", ("batch", "step", VOCABULARY)),
            Tensor("new_cache", "float32", ("batch", "present")),
        ),
    ),
    tokens="ids",
    positions="positions",
    logits="logits",
    state={"new_cache": "cache"},
    masks={"past": "real"},
)
STATE = Stepwise(
    encoder=Graph(
        "encoder",
        (Tensor("ids", "int64", ("batch", "source")), Tensor("real", "float32", ("batch", "source"))),
        (Tensor("memory", "float32", ("batch", "source")),),
    ),
    decoder=Graph(
        "decoder",
        (
            Tensor("previous", "int64", ("batch", "step")),
            Tensor("positions", "int64", ("batch",)),
            Tensor("state", "float32", ("batch", 1)),
            Tensor("memory", "float32", ("batch", "source")),
            Tensor("real", "float32", ("batch", "source")),
        ),
        (Tensor("logits", "float32", ("batch", "step", VOCABULARY)), Tensor("new_state", "float32", ("batch", 1))),
    ),
    tokens="previous",
    positions="positions",
    logits="logits",
    state={"new_state": "state"},
    masks={"source": "real"},
)
ONE_SHOT = OneShot(
    Graph(
        "model",
        (Tensor("numbers", "float32", ("batch", "length")),),
        (Tensor("doubled", "float32", ("batch", "length")),),
    )
)

TWO_GRAPHS = OneShot(
    Graph(
        "model",
        (Tensor("numbers", "float32", ("batch", "length")), Tensor("factor", "float32", ("batch", 1))),
        (Tensor("scaled", "float32", ("batch", "length")),),
    ),
    others=(
        Graph("factor", (Tensor("numbers", "float32", ("batch", 3)),), (Tensor("factor", "float32", ("batch", 1)),)),
    ),
)

TEXTS = {
    id(CACHE): {"encoder": CACHE_ENCODER, "decoder": CACHE_DECODER},
    id(STATE): {"encoder": STATE_ENCODER, "decoder": STATE_DECODER},
    id(ONE_SHOT): {"model": DOUBLER},
    id(TWO_GRAPHS): {"model": SCALER, "factor": FACTOR},
}


def tiny_model(protocol: OneShot | Stepwise, *, max_batch: int = 8) -> Model:
    return Model(
        id="tiny",
        title="Tiny",
        architecture="none",
        source=PackageMember("tiny-1.0-py3-none-any.whl", "tiny/weights", "0" * 64),
        licence="Apache-2.0",
        provenance="Written by hand for the tests.",
        paper="",
        protocol=protocol,
        tolerance=1e-6,
        item_cost=10,
        max_batch=max_batch,
    )


def tiny_export(model: Model, folder: Path) -> Export:
    """The model's graphs, written and described as a real export's."""
    files = {}
    for name, text in TEXTS[id(model.protocol)].items():
        graph = onnx.parser.parse_model(text)
        onnx.checker.check_model(graph, full_check=True)
        data = graph.SerializeToString()
        (folder / f"{name}.onnx").write_bytes(data)
        files[f"{name}.onnx"] = ExportedFile(sha256=hashlib.sha256(data).hexdigest(), bytes=len(data))
    manifest = Manifest(
        model=model.id,
        declaration=declaration_digest(model),
        created=0,
        source=str(model.source),
        source_sha256=None,
        licence=model.licence,
        provenance=model.provenance,
        precision="float32",
        opset=18,
        files=files,
        reference="arithmetic",
        tolerance=model.tolerance,
        comparisons=(),
        versions={},
    )
    return Export(folder, manifest)


@dataclass
class Greedy:
    """The likeliest token until the end token or `most` tokens; `fail_at` makes it raise at that token, or at -1
    in its result."""

    prompt: Sequence[int] = (1,)
    most: int = 6
    fail_at: int | None = None
    tokens: list[int] = field(default_factory=list)
    fault: type[BaseException] = ArithmeticError

    def choose(self, logits: Array) -> int | None:
        if len(self.tokens) == self.fail_at:
            raise self.fault("this row is at fault")
        token = int(np.argmax(logits[-1]))
        if token == END or len(self.tokens) == self.most:
            return None
        self.tokens.append(token)
        return token

    def result(self) -> list[int]:
        if self.fail_at == -1:
            raise self.fault("this row is at fault")
        return self.tokens


def cache_item(features: Sequence[float], search: Greedy) -> Item:
    return Item({"features": np.array(features, np.float32)}, cost=10, search=search)


def state_item(ids: Sequence[int], search: Greedy) -> Item:
    return Item({"ids": np.array(ids, np.int64)}, cost=10, search=search)


def cache_tokens(features: Sequence[float], search: Greedy) -> list[int]:
    """What `CACHE` says, by hand."""
    pending, history, position = list(search.prompt), 0.0, 0
    tokens: list[int] = []
    while True:
        for token in pending:
            history += token + 3 * position + 1
            position += 1
        token = int((history + sum(features)) % VOCABULARY)
        if token == END or len(tokens) == search.most:
            return tokens
        tokens.append(token)
        pending = [token]


def state_tokens(ids: Sequence[int], search: Greedy) -> list[int]:
    """What `STATE` says, by hand; its prompt is one token."""
    [previous], state = search.prompt, 0
    tokens: list[int] = []
    while True:
        state = (state + 2 * previous + len(tokens) + sum(each + 1 for each in ids)) % 97
        previous = state % VOCABULARY
        if previous == END or len(tokens) == search.most:
            return tokens
        tokens.append(previous)
