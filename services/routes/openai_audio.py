"""`POST /v1/audio/transcriptions`: speech recognition in the words of OpenAI's API, for its clients."""

from __future__ import annotations

import asyncio
import json
from contextlib import ExitStack
from typing import Annotated, Any, Literal

from fastapi import FastAPI
from pydantic import Field, ValidationError, model_validator
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from models import TASKS
from models.errors import EkibenError, InvalidInput, RetryableError, UnsupportedMedia
from models.media import AUDIO
from models.model import Model
from models.speech import Segment, SpeechModel, Transcript, Wish
from models.speech_recognition import Speech, SpeechRecognition, transcribe
from models.subtitles import srt, vtt
from models.task import Conversation, Input, Parameters, Request, Task
from models.whisper_languages import LANGUAGES
from services import bodies, forms
from services.documentation import task_documentation
from services.edge import Record
from services.engine import Engine
from services.problems import invalid_fields
from services.routes.openai_errors import error_document, error_response
from services.routes.sse import Emit, EventStream, events
from services.routes.tasks import THREAD_BYTES, cancelled_when_client_goes, deadline_seconds

PATH = "/v1/audio/transcriptions"
ALIAS = "whisper-1"
"""OpenAI's name for its Whisper: the default model."""
