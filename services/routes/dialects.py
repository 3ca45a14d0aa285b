"""Errors in the words of whoever is asked: each path belongs to ekiben itself or to one of the dialects."""

from __future__ import annotations

from starlette.responses import Response

from models.errors import EkibenError
from services.http import problems
from services.routes import paths, sentence_errors
from services.routes.openai import errors as openai_errors


def error_response(error: EkibenError, *, path: str, request_id: str) -> Response:
    if _is_openai(path):
        return openai_errors.error_response(error)
    if _has_sentences(path):
        return sentence_errors.error_response(error)
    return problems.error_response(error, request_id)


def status_response(
    status: int, detail: str, *, path: str, request_id: str, headers: dict[str, str] | None = None
) -> Response:
    """What is no error of a route's: there is no such route, or it does not know the method, or has a bug."""
    if _is_openai(path):
        return openai_errors.status_response(status, detail, headers)
    if _has_sentences(path):
        return sentence_errors.status_response(status, detail, headers)
    return problems.problem_response(status, detail, request_id=request_id, headers=headers)


def internal_error(*, path: str, request_id: str) -> Response:
    """The answer to a bug of ours."""
    return status_response(500, problems.INTERNAL_ERROR, path=path, request_id=request_id)


def _is_openai(path: str) -> bool:
    return path.startswith(paths.OPENAI_AUDIO)


def _has_sentences(path: str) -> bool:
    return path in paths.LIBRETRANSLATE or path == paths.OPEN_INFERENCE or path.startswith(paths.OPEN_INFERENCE + "/")
