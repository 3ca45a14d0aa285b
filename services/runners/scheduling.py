"""What the two ways of working off a queue share, `one_shot` and `stepwise`: one for each runner protocol.

Neither waits for a batch to fill: whenever a worker is free it takes what is queued. A batch that fails is
split and tried again, so that only the guilty item fails.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from services.runners.queueing import FairQueue, Ticket

OnBatch = Callable[[int], None]
"""Told the size of each batch that starts."""


class Scheduler(Protocol):
    queue: FairQueue

    @property
    def idle(self) -> bool:
        """Nothing is under way."""

    def wake(self) -> None:
        """There are new items in the queue."""


def isolate(execute: Callable[[Sequence[Any]], Sequence[Any]], items: Sequence[Any]) -> list[Any]:
    """Each item's result, or the exception that is its own: a batch that fails is tried again in halves."""
    try:
        results = list(execute(items))
        if len(results) != len(items):
            raise RuntimeError(f"{len(items)} items gave {len(results)} results")
        return results
    except BaseException as error:  # whatever ends a worker must not end the server
        if len(items) == 1:
            return [error]
        half = len(items) // 2
        return isolate(execute, items[:half]) + isolate(execute, items[half:])


def settle(ticket: Ticket, result: Any, now: float) -> None:
    """Give a ticket its result, unless nobody waits for it any more."""
    ticket.finished = now
    if ticket.gone:
        return
    if isinstance(result, BaseException):
        ticket.future.set_exception(_harmless(result))
    else:
        ticket.future.set_result(result)


def _harmless(error: BaseException) -> Exception:
    """The error itself, unless asyncio would end the loop with it or cannot carry it."""
    if isinstance(error, Exception) and not isinstance(error, StopIteration):
        return error
    return RuntimeError(f"the worker died of {error!r}")
