"""The outermost layer: gives every request an id, a log line and its metrics, and every fault an answer.

`/livez`, `/readyz`, `/healthz` and `/metrics` belong to BentoML. Everything else goes to the application
without passing BentoML's middleware, whose metrics would open a series for every path that anybody asks for.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Literal
from uuid import uuid4

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.engine import Timings
from services.http.bodies import ClientGone
from services.http.problems import problem_response
from services.routes import dialects, paths
from services.telemetry import metrics

log = logging.getLogger("ekiben.access")

SYSTEM_PATHS = paths.PROBES | {paths.METRICS}
STAGES = ("decode", "queue", "infer", "post")
_REQUEST_ID = re.compile(rb"[\x21-\x7e]{1,128}")
_REASONS = {
    400: "malformed",
    401: "key",
    404: "not_found",
    413: "budget",
    415: "media_type",
    422: "invalid",
    429: "capacity",
    503: "unavailable",
    504: "deadline",
}


@dataclass
class Record:
    """What is known of one request; routes fill in what they find out. It lies in `scope["ekiben"]`."""

    request_id: str
    started: float
    method: str
    status: int = 0
    model: str = ""
    provider: str = ""
    timings: Timings = field(default_factory=Timings)
    body: Literal["unread", "begun", "ended"] = "unread"
    key_holder: str = ""
    rejection: str = ""
    """Why it was refused, where the status alone does not say."""
    admit: Callable[[object], None] | None = None
    """Where a key is needed and none was in the headers: to be called with the body's, before anything else is done.

    Raises `Unauthorized`, `Overloaded`.
    """
    more_headers: Sequence[tuple[bytes, bytes]] = ()

    @classmethod
    def of(cls, scope: Scope) -> Record:
        record: Record = scope["ekiben"]
        return record

    def headers(self) -> list[tuple[bytes, bytes]]:
        headers = [(b"x-request-id", self.request_id.encode()), *self.more_headers]
        if self.model:
            stages = ", ".join(f"{stage};dur={getattr(self.timings, stage) * 1e3:.2f}" for stage in STAGES)
            headers.append((b"x-ekiben-model", self.model.encode()))
            headers.append((b"x-ekiben-provider", self.provider.encode()))
            headers.append((b"server-timing", stages.encode()))
        return headers


class Edge:
    """ASGI application in front of BentoML's (`system`) and ours (`application`).

    `doors` are layers between it and both, from the innermost to the outermost.
    """

    def __init__(
        self,
        system: ASGIApp,
        application: ASGIApp,
        *,
        draining: Callable[[], bool],
        doors: Sequence[Callable[[ASGIApp], ASGIApp]] = (),
        system_paths: frozenset[str] = SYSTEM_PATHS,
    ) -> None:
        self._system = system
        self._application = application
        self._draining = draining
        self._system_paths = system_paths
        self._answer: ASGIApp = self._dispatch
        for door in doors:
            self._answer = door(self._answer)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":  # the lifespan is BentoML's; there are no web sockets
            await self._system(scope, receive, send)
            return
        record = Record(_request_id(scope), perf_counter(), scope["method"])
        # What answers GET answers HEAD; the server in front of us leaves the body out.
        scope = {**scope, "method": "GET" if record.method == "HEAD" else record.method, "ekiben": record}

        async def receive_and_note() -> Message:
            message = await receive()
            if message["type"] == "http.request":
                record.body = "begun" if message.get("more_body") else "ended"
            return message

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                record.status = message["status"]
                message["headers"] = [*message.get("headers", ()), *record.headers()]
                # Where a body was left unread nobody knows where the next request begins; and while draining
                # clients shall come back to another server.
                unfinished = record.body == "begun" or (record.body == "unread" and _expects_continue(scope))
                if unfinished or self._draining():
                    message["headers"].append((b"connection", b"close"))
            await send(message)

        try:
            await self._answer(scope, receive_and_note, send_with_headers)
        except ClientGone:
            record.status = 499
        except Exception:
            log.exception("unhandled error", extra={"id": record.request_id})
            if not record.status:
                response = dialects.internal_error(path=scope["path"], request_id=record.request_id)
                await response(scope, receive_and_note, send_with_headers)
        finally:
            self._account(scope, record)

    async def _dispatch(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] not in self._system_paths:
            await self._application(scope, receive, send)
        elif scope["method"] == "GET":
            await self._system(scope, receive, send)
        else:
            response = problem_response(
                405,
                "Method Not Allowed",
                request_id=Record.of(scope).request_id,
                headers={"Allow": "GET, HEAD"},
            )
            await response(scope, receive, send)

    def _account(self, scope: Scope, record: Record) -> None:
        """Count the request and write its line."""
        elapsed = perf_counter() - record.started
        system = scope["path"] in self._system_paths
        # The template of the route that answered: a label with few values, whatever paths are asked for.
        route = scope["path"] if system else getattr(scope.get("route"), "path", "unmatched")
        metrics.requests.labels(route, record.status).inc()
        metrics.request_seconds.labels(route).observe(elapsed)
        if record.key_holder:
            metrics.key_requests.labels(record.key_holder, record.status).inc()
        if system and record.status != 401:
            return  # a poll
        if record.status in _REASONS:
            metrics.rejections.labels(record.rejection or _REASONS[record.status]).inc()
        if record.model and record.status < 400:
            for stage in STAGES:
                metrics.stage_seconds.labels(record.model, stage).observe(getattr(record.timings, stage))
        log.info("request", extra=_line(scope, record, elapsed))


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
            return str(value.decode("ascii"))
    return uuid4().hex


def _expects_continue(scope: Scope) -> bool:
    return any(name == b"expect" and value.lower() == b"100-continue" for name, value in scope["headers"])


def _line(scope: Scope, record: Record, elapsed: float) -> dict[str, Any]:
    line: dict[str, Any] = {
        "id": record.request_id,
        "method": record.method,
        "path": scope["path"][:200],
        "status": record.status,
        "ms": round(elapsed * 1e3, 2),
    }
    if record.key_holder:
        line["key"] = record.key_holder
    if record.model:
        line |= {"model": record.model, "provider": record.provider}
        line |= {f"{stage}_ms": round(getattr(record.timings, stage) * 1e3, 2) for stage in STAGES}
    return line
