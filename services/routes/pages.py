"""The pages for people: `/` and `/docs`. They load nothing from other hosts."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import bentoml
from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from jinja2 import Environment, StrictUndefined
from starlette.requests import Request as HttpRequest
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

from models import TASKS, task_of
from services.engine import Engine

# BentoML brings Swagger UI for its own page.
SWAGGER_FOLDER = Path(bentoml.__file__).parent / "_internal/server/static_content"


def add_routes(app: FastAPI, engine: Engine) -> None:
    pages = Environment(autoescape=True, undefined=StrictUndefined)
    landing = pages.from_string(resources.files("services").joinpath("pages/index.html").read_text("utf-8"))

    @app.get("/", include_in_schema=False)
    async def index(http: HttpRequest) -> HTMLResponse:
        rows = [(task_of(model), model, engine.runners.get(model.id)) for model in engine.settings.models]
        return HTMLResponse(
            landing.render(
                ready=engine.ready,
                rows=rows,
                tasks=TASKS.values(),
                base=str(http.base_url).rstrip("/"),
                keys=bool(engine.settings.api_keys),
                metrics=engine.settings.metrics_port is None,
            )
        )

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return get_swagger_ui_html(
            openapi_url="/openapi.json",
            title=f"{app.title}: HTTP reference",
            swagger_js_url="/docs/assets/swagger-ui-bundle.js",
            swagger_css_url="/docs/assets/swagger-ui.css",
            swagger_favicon_url="/docs/assets/favicon-light-32x32.png",
        )

    app.mount("/docs/assets", StaticFiles(directory=SWAGGER_FOLDER), name="assets")
