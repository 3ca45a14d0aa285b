"""The asynchronous twin of `_many`."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Iterable, Sized
from typing import Any, Callable, Union

from ekiben_client._call import I, T
from ekiben_client._many import Outcome, Progress, look_ahead
from ekiben_client.errors import EkibenError

Inputs = Union[Iterable[I], AsyncIterable[I]]


async def many(
    inputs: Inputs[I],
    ask: Callable[[I], Awaitable[T]],
    *,
    in_flight: int,
    progress: Progress | None,
    tasks: set[asyncio.Task[Any]],
) -> AsyncIterator[Outcome[I, T]]:
    """`ask(input)` for each input; leaving early cancels what is in flight. `tasks` holds what runs."""
    total = len(inputs) if isinstance(inputs, Sized) else None
    source = _iterate(inputs)
    gate = asyncio.Semaphore(in_flight)
    waiting: deque[tuple[I, asyncio.Task[T]]] = deque()
    done, ended, fault = 0, False, None

    async def one(input: I) -> T:
        async with gate:
            return await ask(input)

    try:
        while True:
            while not ended and len(waiting) < look_ahead(in_flight):
                try:
                    input = await source.__anext__()
                except StopAsyncIteration:  # noqa: PERF203 (one input a turn)
                    ended = True
                except Exception as error:  # raised below, after the results of what came before it
                    ended, fault = True, error
                else:
                    task = asyncio.ensure_future(one(input))
                    tasks.add(task)
                    task.add_done_callback(tasks.discard)
                    waiting.append((input, task))
            if not waiting:
                break
            input, task = waiting.popleft()
            outcome = await _outcome(input, task)
            del input, task
            done += 1
            if progress:
                progress(done, total)
            yield outcome
            del outcome
    finally:
        for _, task in waiting:
            task.cancel()
        await asyncio.gather(*(task for _, task in waiting), return_exceptions=True)
        await source.aclose()
    if fault:
        raise fault


async def _outcome(input: I, task: asyncio.Task[T]) -> Outcome[I, T]:
    try:
        await asyncio.wait({task})
    except asyncio.CancelledError:
        task.cancel()
        await asyncio.wait({task})
        raise
    if task.cancelled():
        return Outcome(input, EkibenError("the client was closed"))
    try:
        return Outcome(input, None, task.result())
    except EkibenError as error:
        return Outcome(input, error)


async def _iterate(inputs: Inputs[I]) -> AsyncGenerator[I, None]:
    if isinstance(inputs, AsyncIterable):
        async for input in inputs:
            yield input
    else:
        for each in inputs:
            yield each
