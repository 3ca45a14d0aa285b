"""Transcriptions as OpenAI's API asks for them and answers them, in five formats."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, field_validator, model_validator
from typing_extensions import Self

from models.languages import LANGUAGES
from models.media import AUDIO
from models.speech import Segment, SpeechModel, Transcript, Wish
from models.speech_recognition import MODELS, transcribe
from models.subtitles import srt, vtt
from models.task import Conversation, Input, Media, Parameters, Request, Task
