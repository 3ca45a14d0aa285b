"""How Whisper's tokens are chosen: what is suppressed, how timestamps pair, and when a loop is one.

The rules are those of the reference implementation (`openai/whisper`, decoding.py); sampling is by Gumbel
noise of a fixed seed, so that the same recording gives the same text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Final

import numpy as np

from models.speech.repetition import looping
from models.speech.whisper import DECODER_POSITIONS, Generation
from models.task import Array
from models.wire import travels

MAX_TOKENS: Final = DECODER_POSITIONS // 2
LATEST_START: Final = 50
"""The first timestamp is at most this many steps of 0.02 s into the window: 1.00 s."""

NEVER: Final = np.float32(-np.inf)


@travels
@dataclass(frozen=True)
class Written:
    """What a search wrote. `tokens` hold timestamps, but not the end; a loop at its end is cut to one round."""

    tokens: tuple[int, ...]
    no_speech_probability: float
    mean_log_probability: float
    looped: bool


@travels
@dataclass
class WhisperSearch:
    """Greedy where `temperature` is 0, else sampling."""

    generation: Generation
    _: KW_ONLY
    prompt: Sequence[int]
    timestamps: bool
    seconds: float
    temperature: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        self._suppressed = np.array(self.generation.suppressed, np.int64)
        self._most_tokens = min(MAX_TOKENS, DECODER_POSITIONS - len(self.prompt))
        self._random = np.random.default_rng(self.seed)
        self._tokens: list[int] = []
        self._no_speech = 0.0
        self._log_probability = 0.0
        self._loop = 0

    def choose(self, logits: Array) -> int | None:
        scores = logits[-1].astype(np.float32)
        if not self._tokens:
            self._begin(logits, scores)
        scores[self._suppressed] = NEVER
        if self.timestamps:
            self._pair_timestamps(scores)
        else:
            scores[self.generation.no_timestamps :] = NEVER
        token = self._pick(scores)
        if token == self.generation.end:
            return None
        self._tokens.append(token)
        if token < self.generation.end:
            self._loop = looping(self._tokens, seconds=self.seconds)
        return None if self._loop or len(self._tokens) == self._most_tokens else token

    def result(self) -> Written:
        tokens = self._tokens[: len(self._tokens) - self._loop] if self._loop else self._tokens
        return Written(
            tuple(tokens),
            self._no_speech,
            self._log_probability / (len(self._tokens) + 1),
            bool(self._loop),
        )

    def _begin(self, logits: Array, scores: Array) -> None:
        """The start token's logits say whether anybody speaks; what cannot come first is suppressed."""
        at_start = logits[self.prompt.index(self.generation.start)].astype(np.float64)
        shifted = np.exp(at_start - at_start.max())
        self._no_speech = float(shifted[self.generation.no_speech] / shifted.sum())
        scores[list(self.generation.suppressed_first)] = NEVER

    def _pair_timestamps(self, scores: Array) -> None:
        first, end = self.generation.first_timestamp, self.generation.end
        tokens = self._tokens
        scores[self.generation.no_timestamps] = NEVER
        closing = bool(tokens) and tokens[-1] >= first and len(tokens) > 1 and tokens[-2] < first
        opened = bool(tokens) and tokens[-1] >= first and not closing
        if not tokens:
            scores[:first] = NEVER
            scores[first + LATEST_START + 1 :] = NEVER
        elif closing:  # text may not follow before the next stretch is opened
            scores[:end] = NEVER
        elif opened:
            scores[first:] = NEVER
        latest = next((token for token in reversed(tokens) if token >= first), None)
        if latest is not None:  # time does not go back, and no stretch is empty
            scores[first : latest + (not closing)] = NEVER
        # Where a timestamp, whichever, is likelier than any one word, it is one.
        shifted = np.exp(scores - scores.max())
        if shifted[first:].sum() > shifted[:first].max():
            scores[:first] = NEVER

    def _pick(self, scores: Array) -> int:
        best = float(scores.max())
        if self.temperature:
            noise = self._random.gumbel(size=scores.shape).astype(np.float32)
            token = int(np.argmax(scores / self.temperature + noise))
        else:
            token = int(np.argmax(scores))
        self._log_probability += float(scores[token]) - best - float(np.log(np.exp(scores - best).sum()))
        return token
