"""Errors in the words of OpenAI's API: `{"error": {"message", "type", "param", "code"}}`."""

from __future__ import annotations

import json
from typing import Any

from starlette.responses import Response

from models.errors import EkibenError, InvalidInput, Unauthorized, UnknownModel, UnsupportedMedia
from services.http.problems import error_headers, shorten

BAD_REQUEST = (InvalidInput, UnsupportedMedia)
"""What OpenAI's API answers 400 for, and we elsewhere 415 or 422."""

CODES = {UnknownModel: "model_not_found", Unauthorized: "invalid_api_key"}


def status(error: EkibenError) -> int:
    return 400 if isinstance(error, BAD_REQUEST) else error.status


def error_document(error: EkibenError) -> dict[str, Any]:
    kinds = {429: "rate_limit_error", 500: "server_error", 503: "server_error", 504: "server_error"}
    return {
        "error": {
            "message": shorten(error.detail),
            "type": kinds.get(status(error), "invalid_request_error"),
            "param": shorten(error.fields[0].field) if error.fields else _parameter(error),
            "code": next((code for kind, code in CODES.items() if isinstance(error, kind)), None),
        }
    }


def _parameter(error: EkibenError) -> str | None:
    return "model" if isinstance(error, UnknownModel) else None


def error_response(error: EkibenError) -> Response:
    document = json.dumps(error_document(error))
    return Response(document, status(error), error_headers(error), "application/json")


def status_response(status: int, detail: str, headers: dict[str, str] | None = None) -> Response:
    """What is no error of a route's."""
    kind = "invalid_request_error" if status < 500 else "server_error"
    error = {"message": shorten(detail), "type": kind, "param": None, "code": None}
    return Response(json.dumps({"error": error}), status, headers, "application/json")
