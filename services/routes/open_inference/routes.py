"""The Open Inference Protocol, version 2, over HTTP: the graphs themselves, tensors in and tensors out.

https://github.com/open-inference/open-inference-protocol, with Triton's extensions for binary tensors and for model
configurations. Tasks' own routes decode pictures and know labels; here callers do that.
"""

from __future__ import annotations

from collections.abc import Callable

from fastapi import FastAPI
from pydantic import BaseModel
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response

from models.errors import Unavailable
from services.engine import Engine
from services.http.bodies import BodyMemory
from services.routes import paths
from services.routes.open_inference import documentation
from services.routes.open_inference.graphs import GRAPHS, GraphMetadata, NamedGraph, configuration, metadata
from services.routes.open_inference.infer import InferRoute, requested_graph
from services.routes.sentence_errors import Handler, in_the_dialects_words
from services.version import VERSION


class ServerMetadata(BaseModel):
    name: str
    version: str
    extensions: list[str]


def add_routes(app: FastAPI, engine: Engine, memory: BodyMemory, draining: Callable[[], bool]) -> dict[str, InferRoute]:
    """Add the routes; by path, what answers a POST there."""
    server = Server(engine, draining)
    infer_route = InferRoute(engine, memory)
    routes: list[tuple[Handler, str, str, type[BaseModel] | None, tuple[int, ...]]] = [
        (server.about, paths.OPEN_INFERENCE, "The server, and the extensions that it knows", ServerMetadata, ()),
        (server.live, paths.OPEN_INFERENCE_LIVE, "Is the server alive?", None, (503,)),
        (server.ready, paths.OPEN_INFERENCE_READY, "Is every model loaded and warm?", None, (503,)),
    ]
    for model in (paths.OPEN_INFERENCE_MODEL, paths.OPEN_INFERENCE_MODEL + "/versions/{version}"):
        routes += [
            (server.model, model, "A graph's tensors", GraphMetadata, (404, 503)),
            (server.model_ready, f"{model}/ready", "Is the model loaded and warm?", None, (404, 503)),
            (server.config, f"{model}/config", "A graph's tensors, in Triton's words", None, (404, 503)),
        ]
        path = f"{model}/infer"
        app.add_api_route(path, infer_route.handle, methods=["POST"], **documentation.describe_infer(path))
    for handle, path, summary, answer, errors in routes:
        described = documentation.describe_get(path, summary, answer, *errors)
        app.add_api_route(path, in_the_dialects_words(handle), methods=["GET"], **described)
    served = [name for name, named in GRAPHS.items() if named.model in engine.settings.models]
    return {InferRoute.path.format(model=name): infer_route for name in served}


class Server:
    """What the protocol says of the server and its models."""

    def __init__(self, engine: Engine, draining: Callable[[], bool]) -> None:
        self._engine = engine
        self._draining = draining

    async def about(self, http: HttpRequest) -> Response:
        about = ServerMetadata(name="ekiben", version=VERSION, extensions=["binary_tensor_data", "model_configuration"])
        return JSONResponse(about.model_dump())

    async def live(self, http: HttpRequest) -> Response:
        if not await self._engine.is_alive():
            raise Unavailable("a model could not be loaded, or hangs")
        return JSONResponse({"live": True})

    async def ready(self, http: HttpRequest) -> Response:
        self._refuse_while_draining()
        if not self._engine.ready:
            raise Unavailable("models are still loading", retry_after_seconds=2)
        return JSONResponse({"ready": True})

    async def model(self, http: HttpRequest) -> Response:
        return JSONResponse(metadata(self._served(http)).model_dump())

    async def model_ready(self, http: HttpRequest) -> Response:
        named = self._served(http)
        self._refuse_while_draining()
        if not self._engine.runner(named.model).available:
            raise Unavailable(f"the runner of {named.model.id} is away")
        return JSONResponse({"name": named.name, "ready": True})

    async def config(self, http: HttpRequest) -> Response:
        return JSONResponse(configuration(self._served(http)))

    def _served(self, http: HttpRequest) -> NamedGraph:
        named = requested_graph(http)
        self._engine.runner(named.model)  # raises where it is not enabled or not loaded
        return named

    def _refuse_while_draining(self) -> None:
        if self._draining():
            raise Unavailable("the server is about to stop", retry_after_seconds=2)
