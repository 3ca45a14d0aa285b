"""OpenAPI for the native routes, written from the tasks' declarations."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.responses import JSONResponse, Response

from models import AnyTask
from services.access.keys import needs_key
from services.http.problems import MEDIA_TYPE, Problem
from services.routes import paths
from services.settings import Settings

PROBLEM_REFERENCE = {"$ref": "#/components/schemas/Problem"}

ERRORS = {
    400: "The body is not well-formed.",
    404: "There is no such model, or it is not enabled.",
    406: "The answer is none of the media types that `Accept` names.",
    413: "Over a budget: bytes, pixels, parts of a form, depth of JSON.",
    415: "The media type is not accepted.",
    422: "A field is missing or out of range, or the file cannot be decoded.",
    429: "Over capacity; `Retry-After` says when to come back.",
    503: "Starting or draining; `Retry-After` says when to come back.",
    504: "The deadline passed before the work could start.",
}

BINARY = {"type": "string", "format": "binary"}

TIMEOUT_HEADER = {
    "name": "X-Request-Timeout-Ms",
    "in": "header",
    "description": "Work that cannot start within this time is dropped and answered 504.",
    "schema": {"type": "integer", "minimum": 1, "maximum": 86_400_000},
}


def task_documentation(task: AnyTask) -> dict[str, Any]:
    """The arguments of `add_api_route` that describe a task's route."""
    schema = task.parameters.model_json_schema()
    properties: dict[str, Any] = schema["properties"]
    queries = [
        {"name": name, "in": "query", "required": False, "schema": facts, "description": facts.get("description", "")}
        for name, facts in properties.items()
    ]
    models = ", ".join(f"`{model.id}`" for model in task.models)
    return {
        "tags": ["tasks"],
        "summary": task.title,
        "description": f"{task.description}\n\nModels: {models}; the first is the default.",
        # FastAPI takes the answer's media type from this class, and adds none for the plain one.
        "response_class": Response if task.media_types else JSONResponse,
        "responses": {200: {**_answer(task), "headers": _answer_headers()}, **problem_responses(*_statuses(task))},
        "openapi_extra": {"parameters": [*queries, TIMEOUT_HEADER], "requestBody": _request_body(task, properties)},
    }


def problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    return {
        status: {"description": ERRORS[status], "content": {MEDIA_TYPE: {"schema": PROBLEM_REFERENCE}}}
        for status in statuses
    }


def _answer(task: AnyTask) -> dict[str, Any]:
    if task.media_types:
        pictures = {media_type: {"schema": BINARY} for media_type in task.media_types}
        return {"content": pictures, "description": "In the first of these types that `Accept` does not speak against."}
    content: dict[str, Any] = {"application/json": {"example": task.example}}
    if task.partial_type:
        pieces = "The answer while it is made: `partial` events, then one `answer`, or an `error`."
        content["text/event-stream"] = {"schema": {"type": "string", "description": pieces}}
    return {"model": task.answer_type, "content": content}


def _statuses(task: AnyTask) -> list[int]:
    return [status for status in ERRORS if status != 406 or task.media_types]


def _request_body(task: AnyTask, properties: dict[str, Any]) -> dict[str, Any]:
    """The three forms: the input as it is, a multipart form, JSON (with base64 for media)."""
    main, *others = task.inputs
    plain: dict[str, Any] = {"type": "string"} if main.kind.is_text else BINARY
    base64: dict[str, Any] = {"type": "string", "contentEncoding": "base64"}
    inputs = {**base64, "description": f"The {main.kind.name}; a `data:…;base64,` prefix is accepted."}
    if main.kind.is_text:
        inputs = {"anyOf": [plain, {"type": "array", "items": plain}], "description": "One text, or a list of them."}
    required = [each.name for each in task.inputs if each.required]
    form = {
        "type": "object",
        "required": required,
        "properties": {**{each.name: plain for each in task.inputs}, **properties},
    }
    document = {
        "type": "object",
        "required": ["inputs"],
        "properties": {
            "inputs": inputs,
            "parameters": {"type": "object", "properties": {**properties, **{each.name: base64 for each in others}}},
        },
    }
    return {
        "required": True,
        "content": {
            **{media_type: {"schema": plain} for media_type in main.kind.accepts},
            "multipart/form-data": {"schema": form},
            "application/json": {"schema": document},
        },
    }


def _answer_headers() -> dict[str, Any]:
    names = {
        "X-Request-Id": "The request's id, taken from the request or made.",
        "X-Ekiben-Model": "The model that answered.",
        "X-Ekiben-Provider": "The ONNX Runtime provider that it really ran on.",
        "Server-Timing": "Milliseconds of decode, queue, infer and post.",
    }
    return {name: {"description": text, "schema": {"type": "string"}} for name, text in names.items()}


def describe(app: FastAPI, settings: Settings) -> dict[str, Any]:
    """The whole document, with the operations that BentoML answers and the shape of every error."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes, tags=app.openapi_tags
        )
        problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        schemas.update(problem.pop("$defs"))
        schemas["Problem"] = problem
        _forget_fastapis_own_errors(document)
        document["paths"] |= _operations()
        if settings.metrics_port:
            del document["paths"][paths.METRICS]
        if settings.api_keys:
            _ask_for_keys(document)
        app.openapi_schema = document
    return app.openapi_schema


def _forget_fastapis_own_errors(document: dict[str, Any]) -> None:
    """FastAPI adds a 422 of its own shape to every route with a path parameter; none of ours can answer it."""
    for operations in document["paths"].values():
        for operation in operations.values():
            if PROBLEM_REFERENCE["$ref"] not in repr(operation["responses"].get("422", PROBLEM_REFERENCE)):
                del operation["responses"]["422"]
    for name in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(name, None)


def _ask_for_keys(document: dict[str, Any]) -> None:
    scheme = {"type": "http", "scheme": "bearer", "description": "An API key."}
    document["components"]["securitySchemes"] = {"key": scheme}
    document["security"] = [{"key": []}]
    for path, operations in document["paths"].items():
        for operation in operations.values():
            if needs_key(path):
                operation["responses"]["401"] = {"description": "No API key, or none that is known here."}
            else:
                operation["security"] = []


def _operations() -> dict[str, Any]:
    def operation(summary: str, **statuses: str) -> dict[str, Any]:
        responses = {status.lstrip("_"): {"description": text} for status, text in statuses.items()}
        return {"get": {"tags": ["operations"], "summary": summary, "responses": responses}}

    return {
        paths.LIVE: operation("Is the process alive?", _200="Yes.", _503="No: a model could not be loaded, or hangs."),
        paths.READY: operation("Is every model loaded and warm?", _200="Yes.", _503="Not yet, or draining."),
        paths.METRICS: operation("Prometheus metrics", _200="The text format."),
    }
