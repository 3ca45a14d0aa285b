"""`POST /v1/{task}`: every task's native route, made from its declaration."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from typing import Any

from fastapi import FastAPI
from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from models import TASKS, AnyTask
from models.errors import EkibenError, InvalidInput
from models.model import Model
from models.task import Media, Request
from services import bodies, forms
from services.documentation import task_documentation
from services.edge import Record
from services.engine import Engine
from services.negotiation import negotiate
from services.problems import error_response, invalid_fields


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
        with self._memory.share() as share:
            parts = await self._read(http, deadline, share)
            record.model = record.provider = ""  # the parameters may say otherwise, or be wrong
            request = self._request(parts, media_type)
            candidates = self._engine.candidates(self._task, request.parameters.model)
            model = candidates[0] if request.parameters.model else self._task.choose(candidates, request)
            self._note(model, record)
            async with cancelled_when_client_goes(http):
                answer = await self._engine.answer(
                    self._task, model, request, deadline=deadline, timings=record.timings
                )
        return self._respond(answer)

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
        return Response(self._answer.dump_json(answer), media_type="application/json")


def deadline_seconds(task: AnyTask, http: HttpRequest) -> float:
    """How long the request may wait: what `X-Request-Timeout-Ms` says, else the task's default."""
    header = http.headers.get("x-request-timeout-ms")
    if header is None:
        return task.deadline_seconds
    if not re.fullmatch("[0-9]{1,8}", header) or not 0 < int(header) <= 86_400_000:
        raise InvalidInput.of("X-Request-Timeout-Ms", "is not a number of milliseconds from 1 to 86400000")
    return int(header) / 1e3


@contextlib.asynccontextmanager
async def cancelled_when_client_goes(http: HttpRequest) -> AsyncIterator[None]:
    """Cancel what runs inside when the client closes the connection. Raises `ClientGone`."""
    worker = asyncio.current_task()
    assert worker is not None
    inside = True

    def cancel_worker(watcher: asyncio.Future[None]) -> None:
        if inside and not watcher.cancelled():
            worker.cancel()

    watcher = asyncio.ensure_future(_disconnected(http))
    watcher.add_done_callback(cancel_worker)
    try:
        yield
    except asyncio.CancelledError:
        if watcher.done() and not watcher.cancelled():
            worker.uncancel()
            raise bodies.ClientGone from None
        raise
    finally:
        inside = False
        watcher.cancel()


async def _disconnected(http: HttpRequest) -> None:
    while (await http.receive())["type"] != "http.disconnect":
        pass
