"""Errors as `application/problem+json` (RFC 9457), the body of every error outside the dialects."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from starlette.responses import Response

from models.errors import EkibenError, FieldError, InvalidInput, RetryableError, Unauthorized

MEDIA_TYPE = "application/problem+json"

MAX_CHARACTERS = 1_000
MAX_FIELDS = 20
"""How much of what a caller sent an answer may repeat: of a sentence, of a name, of many faults."""

_MESSAGES = {"extra_forbidden": "is not known here", "missing": "is missing", "model_type": "is not a JSON object"}
"""Sentences of ours for pydantic's error types, where its own speak of Python."""


class FieldProblem(BaseModel):
    field: str
    message: str


class Problem(BaseModel):
    """What went wrong. `instance` is the request id; `errors` names the fields that are at fault."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    instance: str
    errors: list[FieldProblem] = []


def problem(
    status: int, detail: str, *, request_id: str, title: str | None = None, fields: Sequence[FieldError] = ()
) -> dict[str, Any]:
    """The document."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": title or HTTPStatus(status).phrase,
        "status": status,
        "detail": shorten(detail),
        "instance": request_id,
    }
    if fields:
        body["errors"] = [
            {"field": shorten(each.field), "message": shorten(each.message)} for each in fields[:MAX_FIELDS]
        ]
    return body


def problem_response(
    status: int, detail: str, *, request_id: str, headers: dict[str, str] | None = None, **more: Any
) -> Response:
    """The document as a response; `more` is what `problem` takes."""
    return Response(json.dumps(problem(status, detail, request_id=request_id, **more)), status, headers, MEDIA_TYPE)


INTERNAL_ERROR = "This is our fault; the request id finds it in the log."


def error_headers(error: EkibenError) -> dict[str, str]:
    """When to come back, where that may help, or what is to come along."""
    if isinstance(error, RetryableError):
        return {"Retry-After": str(max(1, math.ceil(error.retry_after_seconds)))}
    if isinstance(error, Unauthorized):
        return {"WWW-Authenticate": "Bearer"}
    return {}


def error_problem(error: EkibenError, request_id: str) -> dict[str, Any]:
    return problem(error.status, error.detail, request_id=request_id, title=error.title, fields=error.fields)


def error_response(error: EkibenError, request_id: str) -> Response:
    return Response(json.dumps(error_problem(error, request_id)), error.status, error_headers(error), MEDIA_TYPE)


def invalid_fields(error: ValidationError) -> InvalidInput:
    """pydantic's findings, each under the name that the caller gave the field."""
    fields = tuple(
        FieldError(".".join(str(part) for part in each["loc"]) or "body", _message(each))
        for each in error.errors(include_url=False, include_input=False)
    )
    return InvalidInput("; ".join(f"{each.field}: {each.message}" for each in fields), fields=fields)


def _message(error: ErrorDetails) -> str:
    if error["type"] == "value_error":  # raised by a validator of ours
        return str(error["ctx"]["error"])
    return _MESSAGES.get(error["type"], error["msg"])


def shorten(text: str) -> str:
    return text if len(text) <= MAX_CHARACTERS else f"{text[:MAX_CHARACTERS]}…"
