"""Moonshine (https://arxiv.org/abs/2410.15608): speech to text straight from the samples, whatever their length.

It gives no times and says nothing about silence. A long recording is cut at its quietest places.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from models.model import BATCH, Graph, PackageMember, Stepwise, Tensor
from models.speech.audio import RATE, Recording, Samples
from models.speech.model import Segment, SpeechModel, Transcript, Wish
from models.speech.repetition import FASTEST_SPEECH, looping
from models.task import Array, Conversation, Item, Partial, run
from models.wire import travels

LAYERS: Final = 6
HEADS: Final = 8
SIZE: Final = 36
VOCABULARY: Final = 32_768
START: Final = 1
END: Final = 2
TOKENIZER_FILE: Final = "tokenizer.bin"

LONGEST: Final = 25 * RATE
"""Samples that it is given at once; it was trained on up to 30 s."""

SHORTEST: Final = 10 * RATE
"""A long recording is cut between this and the longest."""

SMALLEST: Final = RATE // 10
"""Its first layers need 1,023 samples; less than this is silence enough."""

PAUSE: Final = RATE // 20
"""The stretch over which loudness is taken, to find where nobody speaks: 0.05 s."""

QUIET: Final = 1e-3
"""The loudness (root mean square) below which there is nothing to hear: 60 dB below the loudest."""


def protocol() -> Stepwise:
    numbers = range(LAYERS)
    caches = [f"{kind}_{layer}" for kind in "kv" for layer in numbers]
    cross = tuple(Tensor(f"cross_{name}", "float32", (BATCH, HEADS, "frames", SIZE)) for name in caches)
    mask = Tensor("attention_mask", "int64", (BATCH, "samples"))
    return Stepwise(
        encoder=Graph("encoder", (Tensor("input_values", "float32", (BATCH, "samples")), mask), cross),
        decoder=Graph(
            "decoder",
            (
                Tensor("input_ids", "int64", (BATCH, "step")),
                mask,
                *(Tensor(f"past_{name}", "float32", (BATCH, HEADS, "past", SIZE)) for name in caches),
                *cross,
            ),
            (
                Tensor("logits", "float32", (BATCH, "step", VOCABULARY)),
                *(Tensor(f"present_{name}", "float32", (BATCH, HEADS, "present", SIZE)) for name in caches),
            ),
        ),
        tokens="input_ids",
        positions=None,
        logits="logits",
        state={f"present_{name}": f"past_{name}" for name in caches},
        masks={"samples": "attention_mask"},
        warm_shape={"samples": RATE},
        shared=False,
    )


def read_vocabulary(data: bytes) -> tuple[bytes, ...]:
    """`tokenizer.bin`: each token's length, in one byte or two, and its bytes."""
    tokens = []
    place = 0
    while place < len(data):
        length = data[place]
        place += 1
        if length >= 128:
            length += data[place] * 128 - 128
            place += 1
        tokens.append(data[place : place + length])
        place += length
    return tuple(tokens)


def text_of(tokens: list[int], vocabulary: tuple[bytes, ...]) -> str:
    return b"".join(vocabulary[token] for token in tokens).decode("utf-8", "replace").replace("▁", " ")


@travels
@dataclass
class MoonshineSearch:
    """Greedy, up to the end, to a loop, or to more than can be said in so many seconds."""

    prompt = (START,)

    seconds: float

    def __post_init__(self) -> None:
        self._most = max(8, round(FASTEST_SPEECH * self.seconds))
        self._tokens: list[int] = []

    def choose(self, logits: Array) -> int | None:
        token = int(np.argmax(logits[-1]))
        if token == END or len(self._tokens) == self._most:
            return None
        self._tokens.append(token)
        return token

    def result(self) -> list[int]:
        loop = looping(self._tokens, seconds=self.seconds)
        return self._tokens[: len(self._tokens) - loop]


@dataclass(frozen=True, kw_only=True)
class MoonshineModel(SpeechModel):
    """`source` is the decoder."""

    encoder: PackageMember
    tokenizer: PackageMember
    timestamps: bool = False

    def open(self, file: Callable[[str], Path]) -> tuple[bytes, ...]:
        return read_vocabulary(file(TOKENIZER_FILE).read_bytes())

    def transcribe(self, recording: Recording, wish: Wish, opened: tuple[bytes, ...]) -> Conversation[Transcript]:
        samples = 0
        segments: list[Segment] = []
        for piece in pieces(recording):
            start, samples = samples, samples + len(piece)
            if len(piece) < SMALLEST or silent(piece):
                continue
            search = MoonshineSearch(len(piece) / RATE)
            [tokens] = yield from run([Item({"input_values": piece}, cost=len(piece), search=search)])
            text = text_of(tokens, opened)
            if text.strip():
                spaced = text if text.startswith(" ") else f" {text}"
                segments.append(Segment(start / RATE, samples / RATE, spaced, tuple(tokens)))
                yield Partial(segments[-1:])
        text = "".join(segment.text for segment in segments).strip()
        return Transcript(text, "en", samples / RATE, tuple(segments))


def silent(piece: Samples) -> bool:
    return bool(np.sqrt(np.square(piece, dtype=np.float64).mean()) < QUIET)


def pieces(recording: Recording) -> Iterator[Samples]:
    """Pieces of at most `LONGEST` samples, cut where it is quietest; a recording that is no longer stays whole."""
    waiting = np.zeros(0, np.float32)
    for block in recording:
        waiting = np.concatenate([waiting, block])
        while len(waiting) > LONGEST:
            place = quietest(waiting[:LONGEST])
            yield waiting[:place]
            waiting = waiting[place:]
    if len(waiting):
        yield waiting


def quietest(samples: Samples) -> int:
    """The middle of the quietest stretch between `SHORTEST` and the end."""
    count = (len(samples) - SHORTEST) // PAUSE
    stretches = samples[SHORTEST : SHORTEST + count * PAUSE].reshape(count, PAUSE)
    return SHORTEST + int(np.square(stretches).sum(axis=1).argmin()) * PAUSE + PAUSE // 2
