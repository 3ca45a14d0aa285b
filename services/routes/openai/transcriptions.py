"""`POST /v1/audio/transcriptions`: speech recognition in the words of OpenAI's API, for its clients."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from fastapi import FastAPI
from pydantic import ValidationError
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from models import TASKS
from models.errors import EkibenError, UnsupportedMedia
from models.model import Model
from models.speech.model import Segment
from models.task import Request
from services.edge import Record
from services.engine import Engine
from services.http import bodies, forms
from services.http.problems import invalid_fields
from services.routes import paths
from services.routes.openai.documentation import transcription_documentation
from services.routes.openai.errors import error_document, error_response
from services.routes.openai.formats import TranscriptionParameters, Transcriptions, render
from services.routes.sse import Emit, event_stream
from services.routes.waiting import cancelled_when_client_goes, deadline_seconds

ALIAS = "whisper-1"
"""OpenAI's name for its Whisper: here the default model's."""

FORM = "multipart/form-data"


def add_routes(app: FastAPI, engine: Engine, memory: bodies.BodyMemory) -> dict[str, TranscriptionRoute]:
    """Add the route; by path, what answers a POST there."""
    route = TranscriptionRoute(engine, memory)
    app.add_api_route(route.path, route.handle, methods=["POST"], response_model=None, **transcription_documentation())
    return {route.path: route}


class TranscriptionRoute:
    path = paths.TRANSCRIPTIONS

    def __init__(self, engine: Engine, memory: bodies.BodyMemory) -> None:
        self._engine = engine
        self._memory = memory
        self._task = Transcriptions()
        self._native = TASKS["speech-recognition"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The route as an application of its own, for requests that do not pass FastAPI."""
        scope["route"] = self
        response = await self.handle(HttpRequest(scope, receive))
        await response(scope, receive, send)

    async def handle(self, http: HttpRequest) -> Response:
        try:
            with ExitStack() as held:
                return await self._answer(http, held)
        except EkibenError as error:
            return error_response(error)

    async def _answer(self, http: HttpRequest, held: ExitStack) -> Response:
        record = Record.of(http.scope)
        deadline = asyncio.get_running_loop().time() + deadline_seconds(self._task, http)
        self._engine.check_capacity(self._engine.candidates(self._native, None))
        self._choose(None, record)
        parts = await self._read(http, deadline, held.enter_context(self._memory.share()))
        try:
            parameters = TranscriptionParameters.model_validate(parts.parameters)
        except ValidationError as error:
            raise invalid_fields(error) from None
        model = self._choose(parameters.model, record)
        request = Request(parts.media, parameters, self._engine.settings.limits)
        answering = _Answering(self._engine, self._task, model, request, deadline, record)
        async with cancelled_when_client_goes(http):
            return await (answering.stream(held) if parameters.stream else answering.whole())

    def _choose(self, id: str | None, record: Record) -> Model:
        record.model = record.provider = ""  # of an earlier choice, where this one fails
        model = self._engine.candidates(self._native, None if id == ALIAS else id)[0]
        record.model, record.provider = model.id, self._engine.runner(model).provider
        return model

    async def _read(self, http: HttpRequest, deadline: float, share: bodies.Share) -> forms.Parts:
        limits = self._engine.settings.limits
        content_type = http.headers.get("content-type")
        if forms.media_type(content_type) != FORM:
            raise UnsupportedMedia(f"the body is not {FORM}")
        budget = forms.body_budget(self._task, FORM, limits)
        body = await bodies.read_body(http.receive, http.headers, budget, share=share, deadline=deadline)
        return await bodies.in_thread(len(body), forms.parse, self._task, content_type, body, {}, limits)


class _Answering:
    """One request that is understood, on its way to an answer: as a whole, or while it is made."""

    def __init__(
        self,
        engine: Engine,
        task: Transcriptions,
        model: Model,
        request: Request[TranscriptionParameters],
        deadline: float,
        record: Record,
    ) -> None:
        self._engine = engine
        self._arguments = (task, model, request)
        self._options: dict[str, Any] = {"deadline": deadline, "timings": record.timings}
        self._format = request.parameters.response_format

    async def whole(self) -> Response:
        answer = render(await self._engine.answer(*self._arguments, **self._options), self._format)
        return Response(answer.data, media_type=answer.media_type)

    async def stream(self, held: ExitStack) -> Response:
        return await event_stream(self._produce, describe=_describe, held=held)

    async def _produce(self, emit: Emit) -> None:
        begun = False

        async def tell(segments: Sequence[Segment]) -> None:
            nonlocal begun
            text = "".join(segment.text for segment in segments)
            if text:
                await emit({"type": "transcript.text.delta", "delta": text if begun else text.lstrip()})
                begun = True

        transcript = await self._engine.answer(*self._arguments, **self._options, on_partial=tell)
        await emit({"type": "transcript.text.done", "text": transcript.text})


def _describe(error: EkibenError) -> dict[str, Any]:
    return {"type": "error", **error_document(error)}
