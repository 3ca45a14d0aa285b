"""Whisper as two graphs, and the same two functions by transformers' own code to compare with."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from exporters.transformers_import import transformers

NEVER = -1e9


def heads(x: Tensor, count: int) -> Tensor:
    """`[batch, length, width]` → `[batch, heads, length, width / heads]`."""
    return x.reshape(x.shape[0], x.shape[1], count, -1).transpose(1, 2)


def attend(weights: Tensor, values: Tensor) -> Tensor:
    return (weights.softmax(-1) @ values).transpose(1, 2).flatten(2)


def attended(decoder: Any, x: Tensor) -> tuple[Tensor, ...]:
    """What the decoder's layers make of the encoder's output: all their keys, transposed, then all their values."""
    attentions = [layer.encoder_attn for layer in decoder.layers]
    keys = (heads(each.k_proj(x), each.num_heads).transpose(2, 3) for each in attentions)
    values = (heads(each.v_proj(x), each.num_heads) for each in attentions)
    return (*keys, *values)


class Encoder(nn.Module):
    """features `[batch, bands, 3000]` → what the decoder's layers attend to: keys (transposed), then values."""

    def __init__(self, network: transformers.WhisperForConditionalGeneration) -> None:
        super().__init__()
        self.encoder: Any = network.model.encoder
        self.decoder: Any = network.model.decoder
        self.count: int = network.config.encoder_attention_heads

    def forward(self, features: Tensor) -> tuple[Tensor, ...]:
        encoder = self.encoder
        x = functional.gelu(encoder.conv2(functional.gelu(encoder.conv1(features)))).transpose(1, 2)
        x = x + encoder.embed_positions.weight
        for layer in encoder.layers:
            x = x + self._attention(layer.self_attn, layer.self_attn_layer_norm(x))
            x = x + layer.fc2(functional.gelu(layer.fc1(layer.final_layer_norm(x))))
        return attended(self.decoder, encoder.layer_norm(x))

    def _attention(self, layer: Any, x: Tensor) -> Tensor:
        query = heads(layer.q_proj(x) * layer.scaling, self.count)
        scores = query @ heads(layer.k_proj(x), self.count).transpose(2, 3)
        return layer.out_proj(attend(scores, heads(layer.v_proj(x), self.count)))  # type: ignore[no-any-return]


class Decoder(nn.Module):
    """New tokens of rows that each are at a place of their own → logits, and the caches grown by them."""

    def __init__(self, network: transformers.WhisperForConditionalGeneration) -> None:
        super().__init__()
        self.decoder: Any = network.model.decoder
        self.output: Any = network.proj_out
        self.count = network.config.decoder_attention_heads

    def forward(self, input_ids: Tensor, positions: Tensor, past_mask: Tensor, *tensors: Tensor) -> tuple[Tensor, ...]:
        decoder, steps = self.decoder, input_ids.shape[1]
        layers = len(decoder.layers)
        past_k, past_v, cross_k, cross_v = (tensors[part * layers : (part + 1) * layers] for part in range(4))
        places = positions[:, None] + torch.arange(steps)
        x = decoder.embed_tokens(input_ids) + functional.embedding(places, decoder.embed_positions.weight)
        hidden = self._hidden(past_mask, steps)
        keys, values = [], []
        for index, layer in enumerate(decoder.layers):
            attention, y = layer.self_attn, layer.self_attn_layer_norm(x)
            key = torch.cat([past_k[index], heads(attention.k_proj(y), self.count)], 2)
            value = torch.cat([past_v[index], heads(attention.v_proj(y), self.count)], 2)
            query = heads(attention.q_proj(y) * attention.scaling, self.count)
            x = x + attention.out_proj(attend(query @ key.transpose(2, 3) + hidden, value))
            attention, y = layer.encoder_attn, layer.encoder_attn_layer_norm(x)
            query = heads(attention.q_proj(y) * attention.scaling, self.count)
            x = x + attention.out_proj(attend(query @ cross_k[index], cross_v[index]))
            x = x + layer.fc2(functional.gelu(layer.fc1(layer.final_layer_norm(x))))
            keys.append(key)
            values.append(value)
        return (self.output(decoder.layer_norm(x)), *keys, *values)

    def _hidden(self, past_mask: Tensor, steps: int) -> Tensor:
        """What is added to the scores `[batch, 1, steps, past + steps]`: padding and the future are out of sight."""
        future = torch.triu(torch.full((steps, steps), NEVER), 1)
        padding = torch.where(past_mask, 0.0, NEVER)[:, None, None].expand(-1, -1, steps, -1)
        return torch.cat([padding, future.expand(past_mask.shape[0], 1, steps, steps)], 3)


class OriginalEncoder(nn.Module):
    """What `Encoder` computes, by transformers' encoder."""

    def __init__(self, network: transformers.WhisperForConditionalGeneration) -> None:
        super().__init__()
        self.network: Any = network

    def forward(self, features: Tensor) -> tuple[Tensor, ...]:
        return attended(self.network.model.decoder, self.network.model.encoder(features).last_hidden_state)


class OriginalDecoder(nn.Module):
    """What `Decoder` computes, by transformers' decoder and caches, one row after the other without padding."""

    def __init__(self, network: transformers.WhisperForConditionalGeneration) -> None:
        super().__init__()
        self.network: Any = network

    def forward(self, input_ids: Tensor, positions: Tensor, past_mask: Tensor, *tensors: Tensor) -> tuple[Tensor, ...]:
        rows = [
            self._row(
                input_ids[row : row + 1], positions[row], past_mask[row], [each[row : row + 1] for each in tensors]
            )
            for row in range(len(input_ids))
        ]
        logits = torch.cat([logits for logits, _ in rows])
        # Padding stays where it is: what a row has new goes behind it.
        layers = len(tensors) // 4
        caches = [
            torch.cat([past, torch.cat([new[place] for _, new in rows])], 2)
            for place, past in enumerate(tensors[: 2 * layers])
        ]
        return (logits, *caches)

    def _row(self, ids: Tensor, position: Tensor, mask: Tensor, tensors: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Logits, and the new places of each cache."""
        layers = len(tensors) // 4
        past_k, past_v, cross_k, cross_v = (tensors[part * layers : (part + 1) * layers] for part in range(4))
        config = self.network.config
        caches = transformers.EncoderDecoderCache(
            transformers.DynamicCache(config=config), transformers.DynamicCache(config=config)
        )
        for layer in range(layers):
            caches.self_attention_cache.update(past_k[layer][:, :, mask], past_v[layer][:, :, mask], layer)
            caches.cross_attention_cache.update(cross_k[layer].transpose(2, 3), cross_v[layer], layer)
            caches.is_updated[layer] = True
        steps = ids.shape[1]
        out = self.network.model.decoder(
            input_ids=ids,
            encoder_hidden_states=cross_v[0].transpose(1, 2).flatten(2),  # only its presence counts: keys are cached
            past_key_values=caches,
            position_ids=position[None, None] + torch.arange(steps)[None],
            use_cache=True,
        )
        kept: Any = caches.self_attention_cache.layers
        new = [each.keys[:, :, -steps:] for each in kept] + [each.values[:, :, -steps:] for each in kept]
        return self.network.proj_out(out.last_hidden_state), new
