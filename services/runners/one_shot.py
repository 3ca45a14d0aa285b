"""Working off the queue of a one-shot model: batches, each of which is one call of its graph."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Any, Protocol

from models.task import Item, Output
from services.runners.queueing import FairQueue, Ticket
from services.runners.scheduling import OnBatch, isolate, settle


class Execute(Protocol):
    """Runs items of one shape together; `alone` says that nothing else is running or waiting."""

    def __call__(self, items: Sequence[Item], *, alone: bool) -> Sequence[Output]: ...


class OneShotScheduler:
    """Workers that each take a batch, run it in a thread, and hand out the outputs."""

    queue: FairQueue

    def __init__(
        self,
        execute: Execute,
        *,
        executor: Executor,
        workers: int,
        max_batch: int,
        max_cost: float = math.inf,
        on_batch: OnBatch = lambda size: None,
        on_idle: Callable[[], None] = lambda: None,
    ) -> None:
        self._execute = execute
        self._executor = executor
        self._workers = self._idle = workers
        self._max_batch = max_batch
        self._max_cost = max_cost
        self._running_cost = 0
        self._on_batch = on_batch
        self._on_idle = on_idle
        self._loop = asyncio.get_running_loop()

    @property
    def idle(self) -> bool:
        return self._idle == self._workers

    @property
    def _room(self) -> float:
        """What may run beside what runs: an item that is larger than that has all the memory for itself."""
        return math.inf if self.idle else self._workers * self._max_cost - self._running_cost

    def wake(self) -> None:
        while self._idle and (batch := self.queue.take(self._max_batch, self._max_cost, self._room)):
            self._idle -= 1
            self._running_cost += sum(ticket.item.cost for ticket in batch)
            self._on_batch(len(batch))
            alone = len(batch) == 1 and self._idle == self._workers - 1 and self.queue.cost == 0
            running = self._loop.run_in_executor(self._executor, self._run, batch, alone)
            running.add_done_callback(partial(self._finish, batch))

    def _run(self, batch: Sequence[Ticket], alone: bool) -> list[Any]:
        return isolate(partial(self._execute, alone=alone), [ticket.item for ticket in batch])

    def _finish(self, batch: Sequence[Ticket], done: asyncio.Future[list[Any]]) -> None:
        self._idle += 1
        self._running_cost -= sum(ticket.item.cost for ticket in batch)
        self.wake()
        if self.idle:
            self._on_idle()
        now = self._loop.time()
        failure = done.exception()
        results = [failure] * len(batch) if failure else done.result()
        for ticket, result in zip(batch, results, strict=True):
            settle(ticket, result, now)
        self.queue.served(sum(ticket.item.cost for ticket in batch))
