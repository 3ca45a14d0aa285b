"""Marian's Transformers (https://aclanthology.org/P18-4020) as transformers' `MarianMTModel` has them.

The decoder is written anew around the layers of transformers, so that its cache is tensors of the graph; before
anything is exported it is compared with transformers' own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from exporters.errors import ProofFailed, SourceError
from exporters.hub import hub_folder
from exporters.reference import Asset, Inputs, Reference
from exporters.transformers_import import transformers
from models.model import HubRepository, Stepwise
from models.text.translators import HUB_VOCABULARY_FILES, Translator

MASKED = -1e9
PATTERNS = ("config.json", "generation_config.json", "model.safetensors", "pytorch_model.bin", *HUB_VOCABULARY_FILES)
SIZES = ((3, 7, 4), (1, 1, 1), (5, 40, 19))
"""Batches, lengths of the sources and of what was written before, that export and reference are compared at."""


def heads(x: Tensor, count: int) -> Tensor:
    """`[batch, length, width]` → `[batch, heads, length, width / heads]`."""
    return x.view(*x.shape[:2], count, x.shape[2] // count).transpose(1, 2)


class Encoder(nn.Module):
    """int64 ids and mask `[batch, source]` → the decoder's keys and values, `[layers, batch, heads, source, ·]`."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.encoder = network.model.encoder
        self.attentions = nn.ModuleList(layer.encoder_attn for layer in network.model.decoder.layers)

    def forward(self, ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        encoder = self.encoder
        x = encoder.embed_tokens(ids) * encoder.embed_scale + encoder.embed_positions.weight[: ids.shape[1]]
        hidden = hidden_places(mask)
        for layer in encoder.layers:
            attention = layer.self_attn
            keys, values = heads_of(attention, x)
            x = layer.self_attn_layer_norm(x + attend(attention, x, keys, values, hidden))
            x = layer.final_layer_norm(x + layer.fc2(layer.activation_fn(layer.fc1(x))))
        pairs = [heads_of(attention, x) for attention in self.attentions]
        return torch.stack([keys for keys, _ in pairs]), torch.stack([values for _, values in pairs])


class Decoder(nn.Module):
    """One step: previous ids `[batch, 1]`, positions `[batch]`, the cache so far `[layers, batch, heads, past, ·]`
    with its mask, and the encoder's keys and values → logits `[batch, 1, vocabulary]` and the cache after it."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.decoder = network.model.decoder
        self.output = network.lm_head
        self.bias: Tensor
        self.register_buffer("bias", network.final_logits_bias)

    def forward(
        self,
        previous: Tensor,
        positions: Tensor,
        past_keys: Tensor,
        past_values: Tensor,
        past_mask: Tensor,
        keys: Tensor,
        values: Tensor,
        mask: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        decoder = self.decoder
        x = decoder.embed_tokens(previous) * decoder.embed_scale + decoder.embed_positions.weight[positions][:, None]
        hidden, past_hidden = hidden_places(mask), hidden_places(torch.cat([past_mask, torch.ones_like(previous)], 1))
        all_keys, all_values = [], []
        for place, layer in enumerate(decoder.layers):
            attention = layer.self_attn
            own_keys, own_values = heads_of(attention, x)
            all_keys.append(torch.cat([past_keys[place], own_keys], 2))
            all_values.append(torch.cat([past_values[place], own_values], 2))
            x = layer.self_attn_layer_norm(x + attend(attention, x, all_keys[-1], all_values[-1], past_hidden))
            x = layer.encoder_attn_layer_norm(x + attend(layer.encoder_attn, x, keys[place], values[place], hidden))
            x = layer.final_layer_norm(x + layer.fc2(layer.activation_fn(layer.fc1(x))))
        return self.output(x) + self.bias, torch.stack(all_keys), torch.stack(all_values)


def heads_of(attention: Any, x: Tensor) -> tuple[Tensor, Tensor]:
    return heads(attention.k_proj(x), attention.num_heads), heads(attention.v_proj(x), attention.num_heads)


def attend(attention: Any, x: Tensor, keys: Tensor, values: Tensor, hidden: Tensor) -> Tensor:
    queries = heads(attention.q_proj(x), attention.num_heads) * attention.scaling
    seen = torch.softmax(queries @ keys.transpose(2, 3) + hidden, -1) @ values
    return cast(Tensor, attention.out_proj(seen.transpose(1, 2).flatten(2)))


def hidden_places(mask: Tensor) -> Tensor:
    return (1 - mask.float())[:, None, None, :] * MASKED


def load(folder: Path) -> Any:
    """The network of a folder as transformers saves it."""
    network: Any = transformers.MarianMTModel.from_pretrained(folder, local_files_only=True)
    return network.eval()


def check_declaration(model: Translator, network: Any) -> None:
    """Raises `SourceError` where the catalogue says otherwise than the network's own configuration."""
    config = network.config
    assert isinstance(model.protocol, Stepwise)
    axes = {tensor.name: tensor.axes for tensor in (*model.protocol.decoder.inputs, *model.protocol.decoder.outputs)}
    declared = (axes["past_keys"], axes["logits"][2], model.start, model.banned)
    width = config.d_model // config.decoder_attention_heads
    cache = (config.decoder_layers, "batch", config.decoder_attention_heads, "past", width)
    found = (cache, config.vocab_size, config.decoder_start_token_id, (config.pad_token_id,))
    if declared != found:
        raise SourceError(f"{model.id} is declared with {declared}, its configuration has {found}")


def check_rewriting(network: Any, tolerance: float) -> None:
    """Raises `ProofFailed` where the graphs to be do not compute what transformers does, over several steps."""
    random = np.random.default_rng(0)
    ids = torch.from_numpy(random.integers(1, network.config.vocab_size - 1, (2, 9)))
    mask = torch.ones_like(ids)
    mask[1, 5:] = 0
    written = torch.from_numpy(random.integers(1, network.config.vocab_size - 1, (2, 4)))
    with torch.inference_mode():
        wanted = network(input_ids=ids, attention_mask=mask, decoder_input_ids=written).logits
        keys, values = Encoder(network)(ids, mask)
        past_keys = past_values = keys[:, :, :, :0]
        for step in range(written.shape[1]):
            positions, past_mask = torch.full((2,), step), torch.ones(2, step, dtype=torch.int64)
            logits, past_keys, past_values = Decoder(network)(
                written[:, step : step + 1], positions, past_keys, past_values, past_mask, keys, values, mask
            )
            difference = float((logits[:, 0] - wanted[:, step]).abs().max())
            if not difference <= tolerance:
                raise ProofFailed(f"the decoder differs from transformers' by {difference} at step {step}")


def cases(network: Any) -> tuple[list[Inputs], list[Inputs]]:
    """Random inputs of encoder and decoder; the last row's source is padded, and the beginning of its past."""
    random = np.random.default_rng(0)
    layers, most = len(network.model.decoder.layers), network.config.vocab_size
    encoder_cases: list[Inputs] = []
    decoder_cases: list[Inputs] = []
    for batch, length, past in SIZES:
        ids = random.integers(1, most, (batch, length))
        mask = np.ones((batch, length), np.int64)
        mask[-1, length // 2 + 1 :] = 0
        encoder_cases.append((ids, mask))
        with torch.inference_mode():
            keys, values = (each.numpy() for each in Encoder(network)(torch.from_numpy(ids), torch.from_numpy(mask)))
        shape = (layers, batch, keys.shape[2], past, keys.shape[4])
        past_mask = np.ones((batch, past), np.int64)
        past_mask[-1, : past // 2] = 0
        caches = [random.standard_normal(shape, np.float32) for _ in range(2)]
        previous, positions = random.integers(0, most, (batch, 1)), random.integers(0, 60, batch)
        decoder_cases.append((previous, positions, *caches, past_mask, keys, values, mask))
    return encoder_cases, decoder_cases


def from_folder(model: Translator, folder: Path) -> list[Reference | Asset]:
    """The parts of an export, from a folder as the hub has it."""
    assert isinstance(model.protocol, Stepwise)
    network = load(folder)
    check_declaration(model, network)
    check_rewriting(network, model.tolerance)
    encoder_cases, decoder_cases = cases(network)
    return [
        Reference(model.protocol.encoder, Encoder(network).eval(), encoder_cases),
        Reference(model.protocol.decoder, Decoder(network).eval(), decoder_cases),
        *(Asset(name, (folder / name).read_bytes()) for name in HUB_VOCABULARY_FILES),
    ]


def build(model: Translator) -> list[Reference | Asset]:
    assert isinstance(model.source, HubRepository)
    return from_folder(model, hub_folder(model.source, PATTERNS))
