"""One call, from its first attempt to its answer, without input or output: both clients drive it."""

from __future__ import annotations

import itertools
import json
import random
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Callable, TypeVar, Union

import httpx

from ekiben_client._answer import Answer, Meta
from ekiben_client._call import Call
from ekiben_client._media import Body
from ekiben_client._retries import Retries, retry_after_seconds
from ekiben_client.errors import (
    BY_STATUS,
    ConnectionFailed,
    DeadlineExceeded,
    EkibenError,
    FieldError,
    StatusError,
    UnexpectedAnswer,
)

FAULTS = (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, OSError)
"""What sending may raise."""

MAX_TIMEOUT_MS = 86_400_000
"""The largest deadline that the server takes."""

A = TypeVar("A", bound=Answer)


@dataclass(frozen=True)
class Send:
    """Send this, and give back the answer, or throw in what went wrong. `deadline` is on the exchange's clock."""

    call: Call[Any, Any]
    headers: Mapping[str, str]
    content: bytes
    deadline: float


@dataclass(frozen=True)
class Pause:
    """Wait."""

    seconds: float


Exchange = Generator[Union[Send, Pause], A, "tuple[A, Meta]"]


def exchange(
    call: Call[Any, Any],
    body: Body,
    *,
    request_id: str,
    timeout_seconds: float,
    retries: Retries,
    clock: Callable[[], float] = time.monotonic,
    jitter: Callable[[], float] = random.random,
) -> Exchange[A]:
    """Send, and send again after transient faults, until there is an answer or the deadline is near.

    Never pauses past the deadline: where the next pause would, the last error is raised at once.
    """
    started = clock()
    deadline = started + timeout_seconds
    headers = {"X-Request-Id": request_id, "Accept": call.accept}
    if body.media_type:
        headers["Content-Type"] = body.media_type
    for attempt in itertools.count(1):
        left_ms = min(MAX_TIMEOUT_MS, max(1, int((deadline - clock()) * 1e3)))
        headers["X-Request-Timeout-Ms"] = str(left_ms)
        try:
            answer = yield Send(call, dict(headers), body.content, deadline)
        except FAULTS as fault:
            error = error_of_fault(fault, request_id, late=clock() >= deadline)
            error.__cause__ = fault
        else:
            if 200 <= answer.status < 300:
                elapsed = clock() - started
                meta = Meta.of(answer.headers, request_id=request_id, elapsed_seconds=elapsed, attempts=attempt)
                return answer, meta
            error = error_of_answer(answer, request_id)
        pause = retries.pause_seconds(attempt, error, jitter=jitter())
        if pause is None or clock() + pause >= deadline:
            raise error
        yield Pause(pause)
        if clock() >= deadline:  # the pause took longer than it should
            raise error
    raise AssertionError("the count does not end")


def error_of_fault(fault: Exception, request_id: str, *, late: bool) -> EkibenError:
    """Ours for what httpx raised."""
    text = str(fault) or type(fault).__name__
    if isinstance(fault, httpx.TimeoutException) and late:
        return DeadlineExceeded("there was no answer in time", request_id=request_id)
    if isinstance(fault, (httpx.NetworkError, httpx.TimeoutException, httpx.RemoteProtocolError, httpx.ProxyError)):
        return ConnectionFailed(f"no answer: {text}", request_id=request_id)
    if isinstance(fault, OSError):
        return ConnectionFailed(f"no answer: {text}", request_id=request_id)
    if isinstance(fault, httpx.DecodingError):
        return UnexpectedAnswer(f"the answer cannot be decoded: {text}", request_id=request_id)
    return EkibenError(f"the request cannot be sent: {text}", request_id=request_id)


def error_of_answer(answer: Answer, request_id: str) -> EkibenError:
    """Ours for an answer that is no success."""
    if answer.status < 400:
        return UnexpectedAnswer(f"the answer has status {answer.status}", request_id=request_id)
    detail, fields = _problem(answer.content)
    return BY_STATUS.get(answer.status, StatusError)(
        detail or _phrase(answer.status),
        status=answer.status,
        request_id=answer.headers.get("x-request-id", request_id),
        fields=fields,
        retry_after_seconds=retry_after_seconds(answer.headers),
    )


def _problem(content: bytes) -> tuple[str, tuple[FieldError, ...]]:
    """The sentence and the fields of a problem document (RFC 9457), or of an error in the words of a dialect."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return "", ()
    if not isinstance(document, dict):
        return "", ()
    error = document.get("error")
    if isinstance(error, str):
        return error, ()
    if isinstance(error, dict):
        detail, name = str(error.get("message") or ""), error.get("param")
        return detail, (FieldError(str(name), detail),) if name else ()
    listed = document.get("errors")
    fields = tuple(
        FieldError(str(each.get("field", "")), str(each.get("message", "")))
        for each in (listed if isinstance(listed, list) else ())
        if isinstance(each, dict)
    )
    return str(document.get("detail") or document.get("title") or ""), fields


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return f"HTTP status {status}"
