"""`POST /v2/models/{model}/infer`: one run of a graph, tensors in and tensors out."""

from __future__ import annotations

import asyncio
import re
from time import perf_counter
from typing import Final

from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from models import task_of
from models.errors import InvalidInput
from models.task import Array
from services.edge import Record
from services.engine import Engine
from services.http import bodies, compression
from services.routes import paths
from services.routes.open_inference.conversation import infer
from services.routes.open_inference.graphs import VERSION, NamedGraph, find_graph
from services.routes.open_inference.shapes import body_budget, check_shapes
from services.routes.open_inference.tensors import InferRequest, decode, encode, parsing_memory
from services.routes.sentence_errors import in_the_dialects_words
from services.routes.waiting import cancelled_when_client_goes, deadline_seconds
from services.runners.session import UnsuitableTensors

JSON_OVERHEAD_BYTES: Final = 1_000_000
"""What may come with the tensors' own bytes."""

HEADER_LENGTH: Final = "Inference-Header-Content-Length"
"""Where the JSON ends and binary tensors begin, before any content coding."""


def requested_graph(http: HttpRequest) -> NamedGraph:
    """The graph that the path names. Raises `UnknownModel`."""
    return find_graph(http.path_params["model"], http.path_params.get("version", VERSION))


class InferRoute:
    """`POST …/infer`: one run of a graph."""

    path = paths.OPEN_INFERENCE_MODEL + "/infer"

    def __init__(self, engine: Engine, memory: bodies.BodyMemory) -> None:
        self._engine = engine
        self._memory = memory
        self.handle = in_the_dialects_words(self._handle)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The route as an application of its own, for requests that do not pass FastAPI."""
        scope["route"] = self
        scope["path_params"] = {"model": scope["path"].split("/")[3]}
        response = await self.handle(HttpRequest(scope, receive))
        await response(scope, receive, send)

    async def _handle(self, http: HttpRequest) -> Response:
        record = Record.of(http.scope)
        named = requested_graph(http)
        deadline = asyncio.get_running_loop().time() + deadline_seconds(task_of(named.model), http)
        self._engine.check_capacity([named.model])
        record.provider, record.model = self._engine.runner(named.model).provider, named.model.id
        limits = self._engine.settings.limits
        with self._memory.share() as share:
            request = await self._read(http, named, deadline, share, record)
            shapes = {name: array.shape for name, array in request.inputs.items()}
            share.take(check_shapes(named, shapes, limits))
            async with cancelled_when_client_goes(http):
                outputs = await self._run(named, request, deadline, record)
            size = sum(outputs[each.tensor.name].nbytes for each in request.outputs)
            text, binary = await bodies.in_thread(size, encode, named.name, request, outputs, limits)
            headers = {HEADER_LENGTH: str(len(text))} if any(each.binary for each in request.outputs) else {}
            return await _respond(http, text + binary, headers)

    async def _read(
        self, http: HttpRequest, named: NamedGraph, deadline: float, share: bodies.Share, record: Record
    ) -> InferRequest:
        limits = self._engine.settings.limits
        budget = body_budget(named, limits) + JSON_OVERHEAD_BYTES
        body = await bodies.read_body(http.receive, http.headers, budget, share=share, deadline=deadline)
        arrived = perf_counter()
        body = await compression.decompressed(body, http.headers.get("content-encoding", ""), budget, share)
        length = _header_length(http.headers.get(HEADER_LENGTH), len(body))
        text, binary = body[:length], memoryview(body)[length:]
        share.take(await bodies.in_thread(length, parsing_memory, text, limits))
        request = await bodies.in_thread(length, decode, named.graph, text, binary)
        record.timings.decode += perf_counter() - arrived
        return request

    async def _run(self, named: NamedGraph, request: InferRequest, deadline: float, record: Record) -> dict[str, Array]:
        kind = f"open inference of {named.name}"
        conversation = infer(named, request.inputs)
        try:
            outputs: dict[str, Array] = await self._engine.converse(
                kind, named.model, conversation, deadline=deadline, timings=record.timings
            )
        except UnsuitableTensors:
            raise InvalidInput.of("inputs", f"{named.name} cannot be run with these values or sizes") from None
        return outputs


async def _respond(http: HttpRequest, body: bytes, headers: dict[str, str]) -> Response:
    media_type = "application/octet-stream" if headers else "application/json"
    headers = {**headers, "Vary": "Accept-Encoding"}
    coding = compression.accepted(http.headers.get("accept-encoding", ""))
    if coding and len(body) >= compression.WORTHWHILE_BYTES:
        headers["Content-Encoding"] = coding
        body = await bodies.in_thread(len(body), compression.compressed, body, coding)
    return Response(body, 200, headers, media_type)


def _header_length(given: str | None, length: int) -> int:
    if given is None:
        return length
    if not re.fullmatch("[0-9]{1,12}", given) or int(given) > length:
        raise InvalidInput.of(HEADER_LENGTH, f"is not a number of bytes of the body, which has {length:,}")
    return int(given)
