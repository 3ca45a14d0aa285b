"""`POST /v1/{task}`: every task's native route, made from its declaration."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from functools import partial
from itertools import chain
from typing import Any

from fastapi import FastAPI
from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from models import TASKS, AnyTask
from models.errors import EkibenError
from models.model import Model
from models.task import Media, Request
from services.edge import Record
from services.engine import Engine
from services.http import bodies, forms
from services.http.negotiation import negotiate, prefers
from services.http.problems import error_problem, error_response, invalid_fields
from services.routes.documentation import task_documentation
from services.routes.sse import EVENTS, Emit, Event, event_stream
from services.routes.waiting import cancelled_when_client_goes, deadline_seconds

JSON = "application/json"


def add_routes(app: FastAPI, engine: Engine, memory: bodies.BodyMemory) -> dict[str, TaskRoute]:
    """Add a route for every task; by path, what answers a POST there."""
    routes: dict[str, TaskRoute] = {}
    for task in TASKS.values():
        route = routes[f"/v1/{task.name}"] = TaskRoute(task, engine, memory)
        app.add_api_route(
            route.path,
            route.handle,
            methods=["POST"],
            name=task.name,
            response_model=None,
            **task_documentation(task),
        )
    return routes


class TaskRoute:
    """One task's native route."""

    def __init__(self, task: AnyTask, engine: Engine, memory: bodies.BodyMemory) -> None:
        self.path = f"/v1/{task.name}"
        self._task = task
        self._engine = engine
        self._memory = memory
        self._answer = TypeAdapter(task.answer_type)
        self._partial = TypeAdapter(task.partial_type) if task.partial_type else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The route as an application of its own, for requests that do not pass FastAPI."""
        scope["route"] = self
        try:
            response = await self.handle(HttpRequest(scope, receive))
        except EkibenError as error:
            response = error_response(error, Record.of(scope).request_id)
        await response(scope, receive, send)

    async def handle(self, http: HttpRequest) -> Response:
        record = Record.of(http.scope)
        deadline = asyncio.get_running_loop().time() + deadline_seconds(self._task, http)
        media_type = negotiate(http.headers.get("accept", ""), self._task.media_types)
        # Refused before the body is read, where no model that may be meant has room.
        candidates = self._engine.candidates(self._task, http.query_params.get("model"))
        self._engine.check_capacity(candidates)
        self._note(candidates[0], record)
        with ExitStack() as held:
            parts = await self._read(http, deadline, held.enter_context(self._memory.share()))
            record.model = record.provider = ""  # the parameters may say otherwise, or be wrong
            size = forms.text_length(parts.parameters)
            request = await bodies.in_thread(size, self._request, parts, media_type)
            candidates = self._engine.candidates(self._task, request.parameters.model)
            if request.parameters.model is not None:
                model = candidates[0]
            else:
                size = bodies.detection_size(chain.from_iterable(request.texts.values()))
                model = await bodies.in_thread(size, self._task.choose, candidates, request)
            self._note(model, record)
            answering = partial(
                self._engine.answer, self._task, model, request, deadline=deadline, timings=record.timings
            )
            async with cancelled_when_client_goes(http):
                if self._partial and prefers(http.headers.get("accept", ""), EVENTS, JSON):
                    describe = partial(_describe, request_id=record.request_id)
                    return await event_stream(partial(self._emit, answering), describe=describe, held=held)
                return self._respond(await answering())

    async def _emit(self, answering: Callable[..., Awaitable[Any]], emit: Emit) -> None:
        """The answer while it is made, piece by piece, and then the whole."""

        async def tell(value: Any) -> None:
            assert self._partial, "nobody is told of pieces that the task does not declare"
            await emit({"type": "partial", "partial": self._partial.dump_python(value, mode="json")})

        answer = await answering(on_partial=tell)
        await emit({"type": "answer", "answer": self._answer.dump_python(answer, mode="json")})

    def _request(self, parts: forms.Parts, media_type: str) -> Request[Any]:
        try:
            parameters = self._task.parameters.model_validate(parts.parameters)
        except ValidationError as error:
            raise invalid_fields(error) from None
        return Request(parts.media, parameters, self._engine.settings.limits, media_type, parts.texts)

    def _note(self, model: Model, record: Record) -> None:
        record.provider = self._engine.runner(model).provider
        record.model = model.id

    async def _read(self, http: HttpRequest, deadline: float, share: bodies.Share) -> forms.Parts:
        limits = self._engine.settings.limits
        query = forms.given_once(http.query_params.multi_items())
        bodies.refuse_coding(http.headers)
        content_type = http.headers.get("content-type")
        budget = forms.body_budget(self._task, forms.media_type(content_type), limits)
        body = await bodies.read_body(http.receive, http.headers, budget, share=share, deadline=deadline)
        return await bodies.in_thread(len(body), forms.parse, self._task, content_type, body, query, limits)

    def _respond(self, answer: Any) -> Response:
        if isinstance(answer, Media):
            return Response(answer.data, media_type=answer.media_type)
        return Response(self._answer.dump_json(answer), media_type=JSON)


def _describe(error: EkibenError, request_id: str) -> Event:
    return {"type": "error", "error": error_problem(error, request_id)}
