"""The queue in front of a model: who runs next, with whom, and who does not run at all.

There is no waiting window: whenever a worker is free it takes what is queued, items of one shape together,
up to the batch limit. Requests share the model by start-time fair queueing (Goyal, Vin & Cheng 1996): a
request of a thousand items and one of a single item each get their turn in proportion to cost. Everything
here runs on the event loop; only `execute` runs in the workers' threads.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from models.errors import DeadlineExceeded, EkibenError, Overloaded
from models.task import Item, Output

Execute = Callable[[Sequence[Item]], Sequence[Output]]
OnBatch = Callable[[int, int], None]
"""Told the size of each batch that starts, and the cost that still waits."""


@dataclass(eq=False)
class Ticket:
    """One queued item. `future` is done when it was answered, failed, expired or cancelled."""

    item: Item
    flow: Flow
    start_tag: float
    submitted: float
    future: asyncio.Future[Output]
    started: float = 0.0
    finished: float = 0.0
    withdrawn: bool = False


class Flow:
    """One request's items in a queue; they share a deadline, a caller and a fair share."""

    def __init__(self, batcher: Batcher, deadline: float) -> None:
        self._batcher = batcher
        self.deadline = deadline
        self.finish_tag = 0.0
        self._waiting: set[Ticket] = set()
        self._timer = batcher.loop.call_at(deadline, self._expire)

    def submit(self, item: Item) -> Ticket:
        """Queue one item. Raises `Overloaded` where the queue's bound would be passed."""
        ticket = self._batcher.submit(self, item)
        self._waiting.add(ticket)
        return ticket

    def started(self, ticket: Ticket) -> None:
        self._waiting.discard(ticket)

    def close(self) -> None:
        """The caller has its answer or has gone: what has not started never will."""
        self._timer.cancel()
        self._drop(None)

    def _expire(self) -> None:
        self._drop(DeadlineExceeded("the deadline passed while the request was waiting for its model"))

    def _drop(self, error: EkibenError | None) -> None:
        for ticket in self._waiting:
            self._batcher.withdraw(ticket)
            if error is None:
                ticket.future.cancel()
            elif not ticket.future.done():
                ticket.future.set_exception(error)
        self._waiting.clear()


@dataclass(order=True)
class _Entry:
    start_tag: float
    number: int
    ticket: Ticket = field(compare=False)


class Batcher:
    """Queue and workers of one model. Made on the event loop that it serves."""

    def __init__(
        self,
        execute: Execute,
        *,
        executor: Executor,
        workers: int,
        max_batch: int,
        max_queue_cost: int,
        on_batch: OnBatch = lambda size, queue_cost: None,
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.queue_cost = 0
        self.max_queue_cost = max_queue_cost
        self._execute = execute
        self._executor = executor
        self._idle_workers = workers
        self._max_batch = max_batch
        self._queues: dict[Hashable, list[_Entry]] = {}
        self._virtual_time = 0.0
        self._numbers = itertools.count()
        self._on_batch = on_batch

    def open(self, deadline: float) -> Flow:
        """A place in the queue for one request; `deadline` is a time of the event loop's clock."""
        return Flow(self, deadline)

    def submit(self, flow: Flow, item: Item) -> Ticket:
        if self.queue_cost + item.cost > self.max_queue_cost:
            raise Overloaded("the model's queue is full")
        start_tag = max(self._virtual_time, flow.finish_tag)
        flow.finish_tag = start_tag + item.cost
        ticket = Ticket(item, flow, start_tag, self.loop.time(), self.loop.create_future())
        self.queue_cost += item.cost
        heapq.heappush(self._queues.setdefault(_shape(item), []), _Entry(start_tag, next(self._numbers), ticket))
        # After this turn of the loop, so that items submitted together can share a batch.
        self.loop.call_soon(self._dispatch)
        return ticket

    def withdraw(self, ticket: Ticket) -> None:
        """Take a ticket that has not started out of the queue; its entry goes when it comes to the front."""
        self.queue_cost -= ticket.item.cost
        ticket.withdrawn = True

    def _dispatch(self) -> None:
        while self._idle_workers and (batch := self._take()):
            self._idle_workers -= 1
            running = self.loop.run_in_executor(self._executor, self._run, batch)
            running.add_done_callback(partial(self._finish, batch))

    def _take(self) -> list[Ticket]:
        """The next item in fair order, and the next ones of its shape that fit with it."""
        for key in list(self._queues):
            self._discard_withdrawn(key)
        if not self._queues:
            return []
        key = min(self._queues, key=lambda key: self._queues[key][0])
        batch: list[Ticket] = []
        now = self.loop.time()
        while len(batch) < self._max_batch and key in self._queues:
            ticket = heapq.heappop(self._queues[key]).ticket
            self._discard_withdrawn(key)
            ticket.started = now
            ticket.flow.started(ticket)
            self.queue_cost -= ticket.item.cost
            batch.append(ticket)
        self._virtual_time = batch[0].start_tag
        self._on_batch(len(batch), self.queue_cost)
        return batch

    def _discard_withdrawn(self, key: Hashable) -> None:
        queue = self._queues[key]
        while queue and queue[0].ticket.withdrawn:
            heapq.heappop(queue)
        if not queue:
            del self._queues[key]

    def _run(self, batch: list[Ticket]) -> list[Output | Exception]:
        return _isolate(self._execute, [ticket.item for ticket in batch])

    def _finish(self, batch: list[Ticket], done: asyncio.Future[list[Output | Exception]]) -> None:
        self._idle_workers += 1
        self._dispatch()
        now = self.loop.time()
        failure = done.exception()
        results: Sequence[Any] = [failure] * len(batch) if failure else done.result()
        for ticket, result in zip(batch, results, strict=True):
            ticket.finished = now
            if ticket.future.done():  # its caller has gone
                continue
            if isinstance(result, BaseException):
                ticket.future.set_exception(result)
            else:
                ticket.future.set_result(result)


def _isolate(execute: Execute, items: Sequence[Item]) -> list[Output | Exception]:
    """Run the items together; where that fails run each half, so that only the guilty item fails."""
    try:
        outputs = list(execute(items))
        if len(outputs) != len(items):
            raise RuntimeError(f"{len(items)} items gave {len(outputs)} outputs")
        return outputs
    except Exception as error:
        if len(items) == 1:
            return [error]
        half = len(items) // 2
        return _isolate(execute, items[:half]) + _isolate(execute, items[half:])


def _shape(item: Item) -> Hashable:
    """Items of equal shape can share a batch."""
    return tuple((name, array.shape, array.dtype.char) for name, array in item.inputs.items())
