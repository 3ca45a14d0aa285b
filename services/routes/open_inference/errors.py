"""Errors in the words of the Open Inference Protocol: `{"error": "…"}`."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable

from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response

from models.errors import EkibenError, InvalidInput, RetryableError
from services.problems import shorten

Handler = Callable[[HttpRequest], Awaitable[Response]]


def error_response(status: int, detail: str, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"error": shorten(detail)}, status, headers)


def in_the_dialects_words(handle: Handler) -> Handler:
    async def answer(http: HttpRequest) -> Response:
        try:
            return await handle(http)
        except EkibenError as error:
            headers = {}
            if isinstance(error, RetryableError):
                headers["Retry-After"] = str(max(1, math.ceil(error.retry_after_seconds)))
            return error_response(400 if isinstance(error, InvalidInput) else error.status, error.detail, headers)

    return answer
