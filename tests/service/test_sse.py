"""Event streams whose client no longer reads."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from typing import Any

import pytest

from services.http.bodies import ClientGone
from services.routes.sse import Emit, event_stream


async def test_a_client_that_takes_nothing_any_more_keeps_no_place() -> None:
    given_back: list[str] = []
    sent: list[Any] = []

    async def produce(emit: Emit) -> None:
        try:
            for number in range(100):
                await emit({"number": number})
        finally:
            given_back.append("the conversation")

    async def receive() -> Any:
        await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message)
        if len(sent) == 4:  # the connection's buffers are full
            await asyncio.Event().wait()

    with ExitStack() as held:
        held.callback(given_back.append, "the memory")
        stream = await event_stream(produce, describe=lambda error: {}, held=held)
    stream.stalled_seconds = 0.01
    with pytest.raises(ClientGone):
        await stream({"type": "http"}, receive, send)
    assert given_back == ["the conversation", "the memory"]
