"""Sending, and waiting on asyncio's event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Callable, TypeVar

import httpx

from ekiben_client._answer import Answer, Meta
from ekiben_client._call import Call, I, T
from ekiben_client._exchange import FAULTS, A, Exchange, Pause, Send
from ekiben_client._settings import LIMITS, Settings, check_open, decode, seconds_left
from ekiben_client.errors import DeadlineExceeded, StreamInterrupted

R = TypeVar("R")


@dataclass(frozen=True)
class _Streamed(Answer):
    """An answer that may still be coming: `content` is its beginning, or all of it where the status is an error."""

    deadline: float = 0.0
    rest: AsyncIterator[bytes] | None = None
    response: httpx.Response | None = None


class AsyncSender:
    """Drives exchanges. Files are read in threads, so that the event loop never waits for a disk."""

    def __init__(self, settings: Settings, transport: httpx.AsyncBaseTransport | None) -> None:
        self._settings = settings
        self._http = httpx.AsyncClient(transport=transport, limits=LIMITS)

    async def close(self) -> None:
        await self._http.aclose()

    async def ask(self, call: Call[I, T], input: I, timeout: float | None) -> T:
        check_open(self._http)
        answer, meta = await _drive(await self._begin(call, input, timeout), self._send)
        return decode(call, answer, meta)

    @asynccontextmanager
    async def stream(
        self, call: Call[I, Any], input: I, timeout: float | None
    ) -> AsyncIterator[tuple[AsyncIterator[bytes], Meta]]:
        """An answer as it comes. Its bytes raise `StreamInterrupted` and `DeadlineExceeded`."""
        check_open(self._http)
        answer, meta = await _drive(await self._begin(call, input, timeout), self._open)
        try:
            yield _streamed_bytes(answer, meta), meta
        finally:
            if answer.response is not None:
                await answer.response.aclose()

    async def _begin(self, call: Call[I, Any], input: I, timeout: float | None) -> Exchange[Any]:
        if input is None or isinstance(input, (bytes, bytearray)):  # at hand: a thread would take longer
            return self._settings.begin(call, input, timeout)
        return await asyncio.to_thread(self._settings.begin, call, input, timeout)

    async def _send(self, send: Send) -> Answer:
        response = await in_time(self._http.send(self._settings.request(send)), send.deadline)
        return Answer(response.status_code, response.headers, response.content)

    async def _open(self, send: Send) -> _Streamed:
        response = await in_time(self._http.send(self._settings.request(send), stream=True), send.deadline)
        try:
            status, headers, chunks = response.status_code, response.headers, response.aiter_bytes()
            if response.is_success:
                first = await in_time(_next_or_nothing(chunks), send.deadline)
                return _Streamed(status, headers, first, send.deadline, chunks, response)
            content = await in_time(response.aread(), send.deadline)
        except BaseException:
            await response.aclose()
            raise
        await response.aclose()
        return _Streamed(status, headers, content)


async def _drive(steps: Exchange[A], send: Callable[[Send], Awaitable[A]]) -> tuple[A, Meta]:
    """Do what the exchange says until it has its answer."""
    try:
        step = next(steps)
        while True:
            if isinstance(step, Pause):
                await asyncio.sleep(step.seconds)
                step = next(steps)
                continue
            try:
                answer = await send(step)
            except FAULTS as fault:
                step = steps.throw(fault)
            else:
                step = steps.send(answer)
    except StopIteration as end:
        result: tuple[A, Meta] = end.value
        return result


async def in_time(work: Awaitable[R], deadline: float) -> R:
    """The result of `work`. Raises `httpx.ReadTimeout` at the deadline, when `work` is cancelled."""
    try:
        return await asyncio.wait_for(work, seconds_left(deadline))
    except asyncio.TimeoutError:
        raise httpx.ReadTimeout("the deadline passed") from None


async def _next_or_nothing(chunks: AsyncIterator[bytes]) -> bytes:
    async for chunk in chunks:
        return chunk
    return b""


async def _streamed_bytes(answer: _Streamed, meta: Meta) -> AsyncIterator[bytes]:
    assert answer.rest is not None
    chunk = answer.content
    while chunk:
        yield chunk
        try:
            chunk = await in_time(_next_or_nothing(answer.rest), answer.deadline)
        except httpx.TimeoutException as fault:
            raise DeadlineExceeded("the stream did not end in time", request_id=meta.request_id) from fault
        except FAULTS as fault:
            raise StreamInterrupted(f"the stream broke off: {fault}", request_id=meta.request_id) from fault
