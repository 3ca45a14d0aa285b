"""Whisper's weights from CTranslate2's names and fused matrices to those of transformers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from exporters.errors import SourceError

Arrays = Mapping[str, NDArray[Any]]


def state(arrays: Arrays) -> dict[str, Tensor]:
    """The state dictionary of `WhisperForConditionalGeneration`, in float32."""
    weights: dict[str, Tensor] = {}
    for name in ("conv1", "conv2"):
        for part in ("weight", "bias"):
            weights[f"model.encoder.{name}.{part}"] = _tensor(arrays[f"encoder/{name}/{part}"])
    for side in ("encoder", "decoder"):
        weights[f"model.{side}.embed_positions.weight"] = _tensor(arrays[f"{side}/position_encodings/encodings"])
        weights |= _norm(arrays, f"{side}/layer_norm", f"model.{side}.layer_norm")
        for layer in range(layers(arrays)):
            weights |= _layer(arrays, f"{side}/layer_{layer}", f"model.{side}.layers.{layer}")
    weights["model.decoder.embed_tokens.weight"] = _tensor(arrays["decoder/embeddings/weight"])
    weights["proj_out.weight"] = weights["model.decoder.embed_tokens.weight"]
    return weights


def layers(arrays: Arrays) -> int:
    return sum(name.startswith("encoder/") and name.endswith("/ffn/linear_0/weight") for name in arrays)


def _layer(arrays: Arrays, source: str, target: str) -> dict[str, Tensor]:
    """One layer; attention's projections are rows of one matrix there and matrices of their own here."""
    weights = _norm(arrays, f"{source}/self_attention/layer_norm", f"{target}.self_attn_layer_norm")
    weights |= _split(arrays, f"{source}/self_attention/linear_0", f"{target}.self_attn", "qkv")
    weights |= _linear(arrays, f"{source}/self_attention/linear_1", f"{target}.self_attn.out_proj")
    if f"{source}/attention/linear_0/weight" in arrays:
        weights |= _norm(arrays, f"{source}/attention/layer_norm", f"{target}.encoder_attn_layer_norm")
        weights |= _split(arrays, f"{source}/attention/linear_0", f"{target}.encoder_attn", "q")
        weights |= _split(arrays, f"{source}/attention/linear_1", f"{target}.encoder_attn", "kv")
        weights |= _linear(arrays, f"{source}/attention/linear_2", f"{target}.encoder_attn.out_proj")
    weights |= _norm(arrays, f"{source}/ffn/layer_norm", f"{target}.final_layer_norm")
    weights |= _linear(arrays, f"{source}/ffn/linear_0", f"{target}.fc1")
    weights |= _linear(arrays, f"{source}/ffn/linear_1", f"{target}.fc2")
    return weights


def _split(arrays: Arrays, source: str, target: str, parts: str) -> dict[str, Tensor]:
    weights: dict[str, Tensor] = {}
    matrices = np.split(arrays[f"{source}/weight"], len(parts))
    biases = np.split(arrays[f"{source}/bias"], len(parts))
    for part, matrix, bias in zip(parts, matrices, biases, strict=True):
        weights[f"{target}.{part}_proj.weight"] = _tensor(matrix)
        if part != "k":
            weights[f"{target}.{part}_proj.bias"] = _tensor(bias)
        elif bias.any():  # Whisper's keys have no bias: the file has zeros in its place
            raise SourceError(f"{source} has a bias for its keys, which no Whisper has")
    return weights


def _linear(arrays: Arrays, source: str, target: str) -> dict[str, Tensor]:
    return {f"{target}.{part}": _tensor(arrays[f"{source}/{part}"]) for part in ("weight", "bias")}


def _norm(arrays: Arrays, source: str, target: str) -> dict[str, Tensor]:
    names = {"weight": "gamma", "bias": "beta"}
    return {f"{target}.{part}": _tensor(arrays[f"{source}/{name}"]) for part, name in names.items()}


def _tensor(array: NDArray[Any]) -> Tensor:
    return torch.from_numpy(array.astype(np.float32))
