"""The public HTTP application: every route of ekiben, around one engine."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from models.errors import EkibenError
from services.edge import Record
from services.engine import Engine
from services.http.bodies import BodyMemory
from services.routes import catalogue, dialects, libretranslate, pages, tasks
from services.routes.documentation import describe
from services.routes.open_inference import routes as open_inference
from services.routes.openai import transcriptions
from services.settings import Settings
from services.version import VERSION

DESCRIPTION = """Pretrained models behind HTTP. Every media route takes its input three ways: as the raw body with
parameters in the query, as a multipart form, or as JSON with base64. Errors are `application/problem+json`."""


class Application:
    """Every route. The tasks' are called directly: FastAPI, which documents them and answers all others, takes
    CPU time for what they do not need."""

    def __init__(self, engine: Engine, *, draining: Callable[[], bool] = lambda: False) -> None:
        self.fastapi = _fastapi(engine.settings)
        pages.add_routes(self.fastapi, engine)
        catalogue.add_routes(self.fastapi, engine)
        memory = BodyMemory(engine.settings.body_memory_bytes)
        libretranslate.add_routes(self.fastapi, engine, memory)
        self._direct: dict[str, ASGIApp] = {
            **tasks.add_routes(self.fastapi, engine, memory),
            **transcriptions.add_routes(self.fastapi, engine, memory),
            **open_inference.add_routes(self.fastapi, engine, memory, draining),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = self._direct.get(scope["path"]) if scope["method"] == "POST" else None
        await (route or self.fastapi)(scope, receive, send)


def _fastapi(settings: Settings) -> FastAPI:
    app = FastAPI(
        title="ekiben",
        version=VERSION,
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # another path is another route, and nobody follows a redirect with a body
    )
    app.openapi = lambda: describe(app, settings)  # type: ignore[method-assign]

    @app.exception_handler(EkibenError)
    async def on_known_error(http: HttpRequest, error: EkibenError) -> Response:
        return dialects.error_response(error, path=http.scope["path"], request_id=Record.of(http.scope).request_id)

    @app.exception_handler(HTTPException)
    async def on_http_error(http: HttpRequest, error: HTTPException) -> Response:
        return dialects.status_response(
            error.status_code,
            str(error.detail),
            path=http.scope["path"],
            request_id=Record.of(http.scope).request_id,
            headers=dict(error.headers or {}),
        )

    @app.exception_handler(Exception)
    async def on_fault(http: HttpRequest, error: Exception) -> Response:
        # The edge writes it to the log.
        return dialects.internal_error(path=http.scope["path"], request_id=Record.of(http.scope).request_id)

    return app
