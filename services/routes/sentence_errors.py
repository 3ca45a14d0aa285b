"""Errors in the words of LibreTranslate and of the Open Inference Protocol: `{"error": "…"}`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response

from models.errors import EkibenError, InvalidInput
from services.http.problems import error_headers, shorten

Handler = Callable[[HttpRequest], Awaitable[Response]]


def status_response(status: int, detail: str, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"error": shorten(detail)}, status, headers)


def error_response(error: EkibenError) -> Response:
    status = 400 if isinstance(error, InvalidInput) else error.status
    return status_response(status, error.detail, error_headers(error))


def in_the_dialects_words(handle: Handler) -> Handler:
    async def answer(http: HttpRequest) -> Response:
        try:
            return await handle(http)
        except EkibenError as error:
            return error_response(error)

    return answer
