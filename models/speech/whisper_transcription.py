"""A recording's way through Whisper: windows of 30 s, each beginning where the last one's speech ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from models.model import PackageMember
from models.speech.audio import RATE, Recording
from models.speech.mel import FRAMES_PER_SECOND, WINDOW_FRAMES, Features, Spectrogram
from models.speech.model import Segment, SpeechModel, Transcript, Wish
from models.speech.repetition import compression_ratio
from models.speech.whisper import GENERATION_FILE, TOKENIZER_FILE, Generation, Vocabulary
from models.speech.whisper_search import MAX_TOKENS, WhisperSearch, Written
from models.speech.whisper_segments import cut
from models.task import PAUSE, Array, Conversation, Item, Partial, run
from models.wire import travels

TEMPERATURES: Final = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
MOST_COMPRESSION: Final = 2.4
LEAST_LOG_PROBABILITY: Final = -1.0
"""The reference's bounds: text beyond them is written anew at the next temperature."""

AGREEING: Final = 3
"""So many likely attempts that all repeat themselves are of speech that does."""

SILENCE: Final = 0.8
"""The no-speech probability above which nobody speaks, however sure the model is of the "you" that it hears in
silence (0.95). Speech has been seen at 0.68, so this is not the reference's 0.6, which is never decisive alone."""

DOUBT: Final = 0.1
"""The same where what it wrote is unlikely; in between it follows from how likely that is. Music: 0.13 to 0.76."""

SURE: Final = -0.65
UNSURE: Final = -1.05
"""The mean log-probabilities from which on `SILENCE` and `DOUBT` hold. Of speech in noise that was understood better
than half (10 clips, with white noise, music or voices at 10 to -5 dB) none is lost; no music of 83 pieces has text."""

REPEATED: Final = 0.4
"""The no-speech probability above which nobody says the same thing again and again: music 0.44 to 0.78, speech 0.35."""

NOISE: Final = 0.5
"""The same at which unlikely words are not tried again: noise (0.86), a tone (0.51)."""

PROMPT_CHARACTERS: Final = 4_000
"""What is read of a caller's prompt, from its end: some 18 for each token that there is room for."""


@dataclass(frozen=True, kw_only=True)
class WhisperModel(SpeechModel):
    """A Whisper of any size; `tokenizer` and `configuration` lie beside the weights where these are a package's."""

    bands: int = 80
    tokenizer: PackageMember | None = None
    configuration: PackageMember | None = None

    def open(self, file: Callable[[str], Path]) -> Vocabulary:
        return Vocabulary.read(file(TOKENIZER_FILE), file(GENERATION_FILE))

    def transcribe(self, recording: Recording, wish: Wish, opened: Vocabulary) -> Conversation[Transcript]:
        spectrogram = Spectrogram(recording, self.bands)
        for _ in spectrogram.survey():
            yield PAUSE
        words = opened
        language = wish.language or self.languages[0]
        if words.generation.languages and wish.language is None:
            language = yield from self._detect(spectrogram.window(0), words.generation)
        long = spectrogram.frames > WINDOW_FRAMES
        timestamps = wish.timestamps or long
        steering = steer(words.generation, language, timestamps=timestamps)
        duration = spectrogram.samples / RATE
        segments: list[Segment] = []
        seek = 0
        while seek < spectrogram.frames:
            frames = min(WINDOW_FRAMES, spectrogram.frames - seek)
            before = previous(words, wish.prompt) if seek == 0 else ()
            window = _Window(seek, frames, (*before, *steering), timestamps)
            written, temperature = yield from self._hear(spectrogram.window(seek), window, words, wish)
            if silent(written, words.text(written.tokens)):
                seek += frames
                continue
            found, done = _segments(written, temperature, window, words, duration)
            seek += done
            segments += found
            yield Partial(found)
        text = "".join(segment.text for segment in segments).strip()
        return Transcript(text, language, duration, tuple(segments))

    def _hear(
        self, features: Features, window: _Window, words: Vocabulary, wish: Wish
    ) -> Conversation[tuple[Written, float]]:
        """What is said in a window, and the temperature at which it was written.

        The first attempt that convinces; else the likeliest, where the reference goes on and takes the last:
        speech that really repeats compresses too well at every temperature.
        """
        attempts: list[tuple[Written, float]] = []
        for temperature in TEMPERATURES if wish.temperature is None else (wish.temperature,):
            search = WhisperSearch(
                words.generation,
                prompt=window.prompt,
                timestamps=window.timestamps,
                seconds=window.frames / FRAMES_PER_SECOND,
                temperature=temperature,
            )
            [written] = yield from run([Item({"features": features}, cost=self.item_cost, search=search)])
            attempts.append((written, temperature))
            if convincing(written, words.text(written.tokens)):
                return attempts[-1]
            if [likely(each) for each, _ in attempts[-AGREEING:]] == [True] * AGREEING:
                break
        return max(attempts, key=lambda each: (not each[0].looped, each[0].mean_log_probability))

    def _detect(self, features: Features, generation: Generation) -> Conversation[str]:
        search = LanguageSearch(generation)
        [language] = yield from run([Item({"features": features}, cost=self.item_cost, search=search)])
        return str(language)


@dataclass(frozen=True)
class _Window:
    """A stretch of the recording, from `first` on, and how the decoder is told what to do with it."""

    first: int
    frames: int
    prompt: tuple[int, ...]
    timestamps: bool


@travels
@dataclass
class LanguageSearch:
    """One step: the likeliest language."""

    generation: Generation

    def __post_init__(self) -> None:
        self.prompt = (self.generation.start,)
        self._found = ""

    def choose(self, logits: Array) -> int | None:
        codes, ids = zip(*self.generation.languages.items(), strict=True)
        self._found = codes[int(np.argmax(logits[-1][list(ids)]))]
        return None

    def result(self) -> str:
        return self._found


def steer(generation: Generation, language: str, *, timestamps: bool) -> tuple[int, ...]:
    """The tokens that say what is to be written; those of an English-only vocabulary name no language."""
    prompt = [generation.start]
    if generation.languages and generation.transcribe is not None:
        prompt += [generation.languages[language], generation.transcribe]
    return (*prompt,) if timestamps else (*prompt, generation.no_timestamps)


def previous(words: Vocabulary, text: str) -> Sequence[int]:
    """A caller's prompt, as if it were the text before the recording; the end of it, where it is long."""
    if not (end := text.rstrip()[-PROMPT_CHARACTERS:].lstrip()):
        return ()
    return (words.generation.previous, *words.ids(f" {end}")[-(MAX_TOKENS - 1) :])


def likely(written: Written) -> bool:
    return not written.looped and written.mean_log_probability >= LEAST_LOG_PROBABILITY


def silent(written: Written, text: str) -> bool:
    """Whether nobody speaks: the less likely the words, the less it takes."""
    most = float(np.interp(written.mean_log_probability, (UNSURE, SURE), (DOUBT, SILENCE)))
    if _repeats(written, text):
        most = min(most, REPEATED)
    return written.no_speech_probability > most


def convincing(written: Written, text: str) -> bool:
    """Whether no warmer attempt is needed: it is speech by the reference's bounds, or nobody speaks."""
    if written.no_speech_probability > (SILENCE if likely(written) else NOISE):
        return True
    return likely(written) and not _repeats(written, text)


def _repeats(written: Written, text: str) -> bool:
    return written.looped or compression_ratio(text) > MOST_COMPRESSION


def _segments(
    written: Written, temperature: float, window: _Window, words: Vocabulary, duration: float
) -> tuple[list[Segment], int]:
    cuts, done = cut(written.tokens, words.generation.first_timestamp, window.frames)
    ratio = compression_ratio(words.text(written.tokens))
    segments = []
    for each in cuts:
        text = words.text(each.tokens)
        start, end = ((window.first + frame) / FRAMES_PER_SECOND for frame in (each.start, each.end))
        if text.strip() and end > start:
            segments.append(
                Segment(
                    start=start,
                    end=min(end, duration),
                    text=text,
                    tokens=each.tokens,
                    temperature=temperature,
                    mean_log_probability=written.mean_log_probability,
                    compression_ratio=ratio,
                    no_speech_probability=written.no_speech_probability,
                    first_frame=window.first,
                )
            )
    return segments, done
