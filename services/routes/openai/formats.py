"""Transcriptions as OpenAI's API asks for them and answers them, in five formats."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import BaseModel, Field, field_validator

from models.errors import InvalidInput
from models.media import AUDIO
from models.speech.model import Segment, SpeechModel, Transcript, Wish
from models.speech.subtitles import srt, vtt
from models.speech.whisper_languages import LANGUAGES
from models.speech_recognition import SpeechRecognition, transcribe
from models.task import Conversation, Input, Media, Parameters, Request, Task

Format = Literal["json", "text", "srt", "verbose_json", "vtt"]
TIMED: tuple[Format, ...] = ("srt", "vtt", "verbose_json")
"""The formats that say when something is said."""


class TranscriptionParameters(Parameters):
    language: str | None = Field(default=None, description="The language by its ISO 639-1 code.")
    prompt: str = Field(default="", description="Text as if it stood before the recording: names, style.")
    response_format: Format = Field(default="json", description="`stream` needs `json` or `text`.")
    temperature: float | None = Field(default=None, ge=0, le=1, description="Left out: 0, and warmer where that fails.")
    timestamp_granularities: list[Literal["word", "segment"]] = Field(
        default=["segment"], alias="timestamp_granularities[]", description="Only `segment`."
    )
    stream: bool = Field(default=False, description="Answer with server-sent events while the recording is heard.")

    @field_validator("language", mode="before")
    @classmethod
    def _lower(cls, value: Any) -> Any:
        return (value.strip().lower() or None) if isinstance(value, str) else value

    def check(self) -> None:
        """Raises `InvalidInput` for what no model here does."""
        if "word" in self.timestamp_granularities:
            raise InvalidInput.of("timestamp_granularities[]", "times of words are not given; `segment` is")
        if self.stream and self.response_format in TIMED:
            raise InvalidInput.of("response_format", "a stream is `json` or `text`")


class Transcription(BaseModel):
    """The answer in `json`."""

    text: str


class VerboseSegment(BaseModel):
    id: int
    seek: int
    start: float
    end: float
    text: str
    tokens: list[int]
    temperature: float
    avg_logprob: float
    compression_ratio: float
    no_speech_prob: float


class VerboseTranscription(BaseModel):
    """The answer in `verbose_json`; times are seconds, `seek` is hundredths of them."""

    task: Literal["transcribe"] = "transcribe"
    language: str
    duration: float
    text: str
    segments: list[VerboseSegment]


class Transcriptions(Task[SpeechModel, TranscriptionParameters]):
    """Speech recognition in OpenAI's words. Not in the registry: its models are those of `SpeechRecognition`."""

    name = SpeechRecognition.name
    title = "Transcription (OpenAI)"
    description = "Speech recognition for clients of OpenAI's API."
    inputs = (Input("file", AUDIO),)
    answer_type = Transcription
    example: ClassVar = SpeechRecognition.example
    deadline_seconds = SpeechRecognition.deadline_seconds
    parameters = TranscriptionParameters
    models = SpeechRecognition.models

    def converse(self, model: SpeechModel, request: Request[TranscriptionParameters]) -> Conversation[Transcript]:
        asked = request.parameters
        asked.check()
        wish = Wish(asked.response_format in TIMED, asked.temperature, asked.language, asked.prompt)
        try:
            model.check(wish)
        except InvalidInput as error:
            if error.fields[0].field == "return_timestamps":  # which is called otherwise here
                raise InvalidInput.of("response_format", error.fields[0].message) from None
            raise
        transcript = yield from transcribe(
            model,
            request.media["file"],
            wish,
            field="file",
            limits=request.limits,
            opened=request.opened[model.id],
        )
        return transcript


def render(transcript: Transcript, format: Format) -> Media:
    """The transcript as it is asked for."""
    if format == "json":
        return Media(Transcription(text=transcript.text).model_dump_json().encode(), "application/json")
    if format == "verbose_json":
        return Media(verbose(transcript).model_dump_json().encode(), "application/json")
    if format == "vtt":
        return Media(vtt(transcript.segments).encode(), "text/vtt; charset=utf-8")
    text = srt(transcript.segments) if format == "srt" else transcript.text + "\n"
    return Media(text.encode(), "text/plain; charset=utf-8")


def verbose(transcript: Transcript) -> VerboseTranscription:
    return VerboseTranscription(
        language=LANGUAGES.get(transcript.language, transcript.language),
        duration=round(transcript.duration, 3),
        text=transcript.text,
        segments=[_verbose(number, segment) for number, segment in enumerate(transcript.segments)],
    )


def _verbose(number: int, segment: Segment) -> VerboseSegment:
    return VerboseSegment(
        id=number,
        seek=segment.first_frame,
        start=segment.start,
        end=segment.end,
        text=segment.text,
        tokens=list(segment.tokens),
        temperature=segment.temperature,
        avg_logprob=segment.mean_log_probability,
        compression_ratio=segment.compression_ratio,
        no_speech_prob=segment.no_speech_probability,
    )
