"""Whisper (https://arxiv.org/abs/2212.04356): its graphs and what its vocabulary means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict
from tokenizers import Tokenizer

from models.model import BATCH, Graph, Stepwise, Tensor
from models.speech.mel import WINDOW_FRAMES
from models.wire import travels

GENERATION_FILE: Final = "generation.json"
TOKENIZER_FILE: Final = "tokenizer.json"

ENCODER_POSITIONS: Final = WINDOW_FRAMES // 2
DECODER_POSITIONS: Final = 448


def whisper_protocol(*, layers: int, heads: int, width: int, vocabulary: int, bands: int = 80) -> Stepwise:
    """The two graphs of a Whisper, whatever its size.

    The encoder gives what the decoder's layers attend to, one tensor a layer and the keys transposed: a step
    then copies none of them, which is most of what it would do otherwise.
    """
    size = width // heads
    numbers = range(layers)
    cross = (
        *(Tensor(f"cross_k_{layer}", "float32", (BATCH, heads, size, ENCODER_POSITIONS)) for layer in numbers),
        *(Tensor(f"cross_v_{layer}", "float32", (BATCH, heads, ENCODER_POSITIONS, size)) for layer in numbers),
    )
    caches = [f"{part}_{layer}" for part in "kv" for layer in numbers]
    return Stepwise(
        encoder=Graph("encoder", (Tensor("features", "float32", (BATCH, bands, WINDOW_FRAMES)),), cross),
        decoder=Graph(
            "decoder",
            (
                Tensor("input_ids", "int64", (BATCH, "step")),
                Tensor("positions", "int64", (BATCH,)),
                Tensor("past_mask", "bool", (BATCH, "past")),
                *(Tensor(f"past_{name}", "float32", (BATCH, heads, "past", size)) for name in caches),
                *cross,
            ),
            (
                Tensor("logits", "float32", (BATCH, "step", vocabulary)),
                *(Tensor(f"present_{name}", "float32", (BATCH, heads, "present", size)) for name in caches),
            ),
        ),
        tokens="input_ids",
        positions="positions",
        logits="logits",
        state={f"present_{name}": f"past_{name}" for name in caches},
        masks={"past": "past_mask"},
    )


@travels
class Generation(BaseModel):
    """What the ids of a Whisper's vocabulary mean to whoever writes with it; it lies beside the graphs."""

    model_config = ConfigDict(frozen=True)

    end: int
    start: int
    previous: int
    no_speech: int
    no_timestamps: int
    suppressed: tuple[int, ...]
    """Never chosen: what is not spoken, and tokens that only steer."""
    suppressed_first: tuple[int, ...]
    """Not chosen as the first token: a lone space, the end."""
    transcribe: int | None = None
    languages: dict[str, int] = {}
    """By code; empty where the vocabulary is English only."""

    @property
    def first_timestamp(self) -> int:
        """`<|0.00|>`; those that follow are 0.02 seconds apart."""
        return self.no_timestamps + 1

    def write(self) -> bytes:
        return (self.model_dump_json(indent=2) + "\n").encode()


@dataclass(frozen=True)
class Vocabulary:
    """A tokenizer, and what its special ids mean."""

    tokenizer: Tokenizer
    generation: Generation

    @classmethod
    def read(cls, tokenizer: Path, generation: Path) -> Vocabulary:
        return cls(Tokenizer.from_file(str(tokenizer)), Generation.model_validate_json(generation.read_bytes()))

    def text(self, tokens: Sequence[int]) -> str:
        """The text of these tokens; the end and all that only steers is left out."""
        written = [token for token in tokens if token < self.generation.end]
        return str(self.tokenizer.decode(written))

    def ids(self, text: str) -> list[int]:
        """The tokens of a text; what only steers, as `<|startoftranscript|>`, is left out."""
        ids = self.tokenizer.encode(text, add_special_tokens=False).ids
        return [token for token in ids if token < self.generation.end]
