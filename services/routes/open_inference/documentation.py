"""OpenAPI for the Open Inference Protocol's routes."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from services.routes.documentation import ERRORS, TIMEOUT_HEADER
from services.routes.open_inference.graphs import DATATYPES

FLAG = {"type": "boolean"}
TENSOR = {
    "type": "object",
    "required": ["name", "shape", "datatype"],
    "properties": {
        "name": {"type": "string"},
        "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}},
        "datatype": {"type": "string", "enum": list(DATATYPES.values())},
        "parameters": {"type": "object", "properties": {"binary_data_size": {"type": "integer", "minimum": 0}}},
        "data": {"type": "array", "items": {}, "description": "Row by row; flat, or lists of lists."},
    },
}
OUTPUT = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {"type": "string"},
        "parameters": {"type": "object", "properties": {"binary_data": FLAG}},
    },
}
REQUEST = {
    "type": "object",
    "required": ["inputs"],
    "properties": {
        "id": {"type": "string"},
        "inputs": {"type": "array", "items": TENSOR},
        "outputs": {"type": "array", "items": OUTPUT, "description": "Left out: all outputs."},
        "parameters": {"type": "object", "properties": {"binary_data_output": FLAG}},
    },
}
ANSWER = {
    "type": "object",
    "required": ["model_name", "model_version", "outputs"],
    "properties": {
        "id": {"type": "string"},
        "model_name": {"type": "string"},
        "model_version": {"type": "string"},
        "outputs": {"type": "array", "items": TENSOR},
    },
}
BINARY = {"schema": {"type": "string", "format": "binary"}}
HEADER = {
    "name": "Inference-Header-Content-Length",
    "in": "header",
    "description": "How many bytes of the body are JSON; binary tensors follow, one after the other.",
    "schema": {"type": "integer", "minimum": 0},
}

INFER_ERRORS = {
    400: "The body is not well-formed, tensors are not the graph's, or it cannot be run with their values.",
    **{status: text for status, text in ERRORS.items() if status not in (400, 406, 422)},
    413: "Over a budget: bytes, also of a compressed body, or values as JSON.",
    415: "The content coding is not accepted.",
}


def describe_get(path: str, summary: str, answer: type[BaseModel] | None, *errors: int) -> dict[str, Any]:
    """The arguments of `add_api_route` that describe a route which only tells something."""
    content = {"model": answer} if answer else {"content": {"application/json": {"schema": {"type": "object"}}}}
    return _describe(path, summary, content, {status: ERRORS[status] for status in errors})


def describe_infer(path: str) -> dict[str, Any]:
    """The arguments of `add_api_route` that describe the route of inference."""
    answer = {
        "description": "The outputs, as JSON or binary data as asked for.",
        "content": {"application/json": {"schema": ANSWER}, "application/octet-stream": BINARY},
    }
    described = _describe(path, "Inference", answer, INFER_ERRORS)
    described["openapi_extra"]["parameters"] += [HEADER, TIMEOUT_HEADER]
    content = {"application/json": {"schema": REQUEST}, "application/octet-stream": BINARY}
    described["openapi_extra"]["requestBody"] = {"required": True, "content": content}
    return described


def _describe(path: str, summary: str, answer: dict[str, Any], errors: dict[int, str]) -> dict[str, Any]:
    names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    parameters = [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]
    return {
        "tags": ["Open Inference Protocol"],
        "summary": summary,
        "description": 'Errors are `{"error": "…"}`.',
        "name": "open-inference",
        "response_model": None,
        "responses": {200: answer, **{status: {"description": text} for status, text in errors.items()}},
        "openapi_extra": {"parameters": parameters},
    }
