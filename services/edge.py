"""The outermost layer: gives every request an id, a log line and its metrics, and every fault an answer.

`/livez`, `/readyz`, `/healthz` and `/metrics` belong to BentoML. Everything else goes to the application
without passing BentoML's middleware, whose metrics would open a series for every path that anybody asks for.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any
from uuid import uuid4

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services import metrics
from services.bodies import ClientGone
from services.engine import Timings
from services.problems import problem_response

log = logging.getLogger("ekiben.access")

SYSTEM_PATHS = frozenset({"/livez", "/readyz", "/healthz", "/metrics"})
STAGES = ("decode", "queue", "infer", "post")
_REQUEST_ID = re.compile(rb"[\x21-\x7e]{1,128}")
_REASONS = {
    400: "malformed",
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
    route: str = "unmatched"
    status: int = 0
    model: str = ""
    provider: str = ""
    timings: Timings = field(default_factory=Timings)

    @classmethod
    def of(cls, scope: Scope) -> Record:
        record: Record = scope["ekiben"]
        return record

    def headers(self) -> list[tuple[bytes, bytes]]:
        headers = [(b"x-request-id", self.request_id.encode())]
        if self.model:
            stages = ", ".join(f"{stage};dur={getattr(self.timings, stage) * 1e3:.2f}" for stage in STAGES)
            headers.append((b"x-ekiben-model", self.model.encode()))
            headers.append((b"x-ekiben-provider", self.provider.encode()))
            headers.append((b"server-timing", stages.encode()))
        return headers


class Edge:
    """ASGI application in front of BentoML's (`system`) and ours (`application`)."""

    def __init__(self, system: ASGIApp, application: ASGIApp) -> None:
        self._system = system
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":  # the lifespan is BentoML's; there are no web sockets
            await self._system(scope, receive, send)
            return
        record = Record(_request_id(scope), perf_counter())
        scope["ekiben"] = record

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                record.status = message["status"]
                message["headers"] = [*message.get("headers", ()), *record.headers()]
            await send(message)

        try:
            if scope["path"] in SYSTEM_PATHS:
                record.route = scope["path"]
                await self._system(scope, receive, send_with_headers)
            else:
                await self._application(scope, receive, send_with_headers)
        except ClientGone:
            record.status = 499
        except Exception:
            log.exception("unhandled error", extra={"id": record.request_id})
            if not record.status:
                response = problem_response(
                    500, "This is our fault; the request id finds it in the log.", request_id=record.request_id
                )
                await response(scope, receive, send_with_headers)
        finally:
            _account(scope, record)


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
            return str(value.decode("ascii"))
    return uuid4().hex


def _account(scope: Scope, record: Record) -> None:
    """Count the request and write its line."""
    elapsed = perf_counter() - record.started
    metrics.requests.labels(record.route, record.status).inc()
    metrics.request_seconds.labels(record.route).observe(elapsed)
    if record.status in _REASONS:
        metrics.rejections.labels(_REASONS[record.status]).inc()
    line: dict[str, Any] = {
        "id": record.request_id,
        "method": scope["method"],
        "path": scope["path"][:200],
        "status": record.status,
        "ms": round(elapsed * 1e3, 2),
    }
    if record.model:
        line |= {"model": record.model, "provider": record.provider}
        for stage in STAGES:
            seconds = getattr(record.timings, stage)
            metrics.stage_seconds.labels(record.model, stage).observe(seconds)
            line[f"{stage}_ms"] = round(seconds * 1e3, 2)
    if record.route not in SYSTEM_PATHS:
        log.info("request", extra=line)
