"""What models of speech share: what they are asked, what they answer, and how a recording reaches them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.errors import InvalidInput
from models.model import Model
from models.speech.audio import Recording
from models.task import Conversation


@dataclass(frozen=True)
class Segment:
    """A stretch of speech between two times in seconds, and how sure the model was of it.

    `text` begins with the space before its first word, where the language has one.
    """

    start: float
    end: float
    text: str
    tokens: tuple[int, ...] = ()
    temperature: float = 0.0
    mean_log_probability: float = 0.0
    compression_ratio: float = 1.0
    no_speech_probability: float = 0.0
    first_frame: int = 0
    """Where its window begins, in hundredths of a second."""


@dataclass(frozen=True)
class Transcript:
    """All that was said in a recording of `duration` seconds."""

    text: str
    language: str
    duration: float
    segments: tuple[Segment, ...] = ()


@dataclass(frozen=True)
class Wish:
    """What a caller wants of a transcript; `temperature` None is greedy, and warmer where that fails."""

    timestamps: bool = False
    temperature: float | None = None
    language: str | None = None
    prompt: str = ""


@dataclass(frozen=True, kw_only=True)
class SpeechModel(Model):
    """A model that writes down what is said."""

    languages: tuple[str, ...] = ("en",)
    timestamps: bool = True

    def check(self, wish: Wish) -> None:
        """Raises `InvalidInput` where this model cannot do what is wished for."""
        if wish.timestamps and not self.timestamps:
            raise InvalidInput.of("return_timestamps", f"{self.id} gives no timestamps")
        if wish.language is not None and wish.language not in self.languages:
            raise InvalidInput.of("language", f"{self.id} knows {', '.join(self.languages)} only")

    def describe(self) -> dict[str, object]:
        return {"languages": list(self.languages), "timestamps": self.timestamps}

    @abstractmethod
    def open(self, file: Callable[[str], Path]) -> Any:
        """What `transcribe` needs of the files beside the graphs, such as a tokenizer."""

    @abstractmethod
    def transcribe(self, recording: Recording, wish: Wish, opened: Any) -> Conversation[Transcript]:
        """Write down a recording that is decoded on the way; each `Partial` is the segments that are new."""
