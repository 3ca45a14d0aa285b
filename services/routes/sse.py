"""Answers that are sent while they are made: server-sent events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import ExitStack
from typing import Any

from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from models.errors import EkibenError
from services.http.bodies import ClientGone
from services.routes.waiting import cancelled_when_client_goes

Event = dict[str, Any]
Emit = Callable[[Event], Awaitable[None]]
Events = AsyncGenerator[Event, None]

EVENTS = "text/event-stream"

STALLED_SECONDS = 30.0
"""A client that takes nothing for so long is gone: others wait for the place that it keeps."""

HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
"""Proxies in between shall neither keep the events nor collect them."""


async def events(produce: Callable[[Emit], Awaitable[None]]) -> Events:
    """What `produce` emits, which waits where nobody takes it, and then its error; closing this cancels it."""
    queue: asyncio.Queue[Event | Exception | None] = asyncio.Queue(maxsize=1)

    async def fill() -> None:
        end: Exception | None = None
        try:
            await produce(queue.put)
        except Exception as error:
            end = error
        await queue.put(end)

    producing = asyncio.create_task(fill())
    try:
        while (event := await queue.get()) is not None:
            if isinstance(event, Exception):
                raise event
            yield event
    finally:
        producing.cancel()
        await asyncio.wait([producing])


async def event_stream(
    produce: Callable[[Emit], Awaitable[None]], *, describe: Callable[[EkibenError], Event], held: ExitStack
) -> EventStream:
    """A response that sends what `produce` emits; what fails before the first event has a status of its own.

    `describe` says how a later error is told, and what is `held` is given back when the last event was sent.
    """
    following = events(produce)
    try:
        first = await anext(following, None)
    except BaseException:
        await following.aclose()
        raise
    return EventStream(first, following, describe=describe, held=held.pop_all())


class EventStream(Response):
    """Sends events as they come, the first of which is there already."""

    stalled_seconds = STALLED_SECONDS

    def __init__(
        self, first: Event | None, following: Events, *, describe: Callable[[EkibenError], Event], held: ExitStack
    ) -> None:
        super().__init__(headers=HEADERS, media_type=EVENTS)
        del self.headers["content-length"]
        self._first = first
        self._following = following
        self._describe = describe
        self._held = held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        send = self._in_time(send)
        try:
            async with cancelled_when_client_goes(HttpRequest(scope, receive)):
                await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
                try:
                    if self._first is not None:
                        await send(_message(self._first))
                    async for event in self._following:
                        await send(_message(event))
                except EkibenError as error:  # the status is sent: it is told in an event
                    await send(_message(self._describe(error)))
                await send({"type": "http.response.body", "body": b""})
        finally:
            await self._following.aclose()
            self._held.close()

    def _in_time(self, send: Send) -> Send:
        async def send_in_time(message: Message) -> None:
            try:
                async with asyncio.timeout(self.stalled_seconds):
                    await send(message)
            except TimeoutError:
                raise ClientGone from None

        return send_in_time


def _message(event: Event) -> dict[str, Any]:
    body = f"data: {json.dumps(event, ensure_ascii=False)}\n\n".encode()
    return {"type": "http.response.body", "body": body, "more_body": True}
