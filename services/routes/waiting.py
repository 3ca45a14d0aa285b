"""How long a request waits for its answer: until its deadline, or until its client goes."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator

from starlette.requests import Request as HttpRequest

from models import AnyTask
from models.errors import InvalidInput
from services.http.bodies import ClientGone, client_gone


def deadline_seconds(task: AnyTask, http: HttpRequest) -> float:
    """How long the request may wait: what `X-Request-Timeout-Ms` says, else the task's default."""
    header = http.headers.get("x-request-timeout-ms")
    if header is None:
        return task.deadline_seconds
    if not re.fullmatch("[0-9]{1,8}", header) or not 0 < int(header) <= 86_400_000:
        raise InvalidInput.of("X-Request-Timeout-Ms", "is not a number of milliseconds from 1 to 86400000")
    return int(header) / 1e3


@contextlib.asynccontextmanager
async def cancelled_when_client_goes(http: HttpRequest) -> AsyncIterator[None]:
    """Cancel what runs inside when the client closes the connection. Raises `ClientGone`."""
    worker = asyncio.current_task()
    assert worker is not None
    inside = True

    def cancel_worker(watcher: asyncio.Future[None]) -> None:
        if inside and not watcher.cancelled():
            worker.cancel()

    watcher = asyncio.ensure_future(client_gone(http.receive))
    watcher.add_done_callback(cancel_worker)
    try:
        yield
    except asyncio.CancelledError:
        if watcher.done() and not watcher.cancelled():
            worker.uncancel()
            raise ClientGone from None
        raise
    finally:
        inside = False
        watcher.cancel()
