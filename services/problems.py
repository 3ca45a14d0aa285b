"""Errors as `application/problem+json` (RFC 9457), the body of every error outside the dialects."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, ValidationError
from starlette.responses import Response

from models.errors import EkibenError, FieldError, InvalidInput, RetryableError

MEDIA_TYPE = "application/problem+json"


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


def problem_response(
    status: int,
    detail: str,
    *,
    request_id: str,
    title: str | None = None,
    fields: Sequence[FieldError] = (),
    headers: dict[str, str] | None = None,
) -> Response:
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": title or HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "instance": request_id,
    }
    if fields:
        body["errors"] = [{"field": each.field, "message": each.message} for each in fields]
    return Response(json.dumps(body), status, headers, MEDIA_TYPE)


def error_response(error: EkibenError, request_id: str) -> Response:
    headers = {}
    if isinstance(error, RetryableError):
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after_seconds)))
    return problem_response(
        error.status,
        error.detail,
        request_id=request_id,
        title=error.title,
        fields=error.fields,
        headers=headers,
    )


def invalid_fields(error: ValidationError) -> InvalidInput:
    """pydantic's findings, each under the name that the caller gave the field."""
    fields = tuple(
        FieldError(".".join(str(part) for part in each["loc"]) or "body", each["msg"])
        for each in error.errors(include_url=False, include_context=False, include_input=False)
    )
    return InvalidInput("; ".join(f"{each.field}: {each.message}" for each in fields), fields=fields)
