"""Working off the queue of a stepwise model: items are encoded, and their rows step in lanes until they are done."""

from __future__ import annotations

import asyncio
import math
from collections import Counter, deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Any

from services.runners.lanes import Lane, Stepped
from services.runners.queueing import FairQueue, Flow, Ticket
from services.runners.rows import Batch, StepwiseModel
from services.runners.scheduling import OnBatch, isolate, settle

MOST_PADDING = 1.25
"""How many times what items cost one run of an encoder may cost, because the shorter ones are padded."""

LANE_ROWS = 8
"""So many rows share a step before others have steps of their own, at the same time: with fewer a step costs more for
each of them."""

ENOUGH = 4
"""With fewer rows a step costs so much more for each that what is queued is encoded first, by every worker."""

CROWD = 16
FEW = 4
"""Rows of one request: so many make their steps long for others, and so few need not bear that."""

Started = tuple[Batch, Sequence[Ticket]]
"""Rows that were encoded, and whom they are for."""


class StepwiseScheduler:
    """Several workers, each of which encodes what is queued or takes the rows of a lane one step further.

    Rows of all requests share a lane's steps. Between two steps those that are done or whose caller has gone
    leave, and those that were encoded meanwhile join. Beside a request of many rows, whose steps are long, those of
    few have a lane of their own. The lane that was given least time goes next.
    """

    queue: FairQueue

    def __init__(
        self,
        model: StepwiseModel,
        *,
        executor: Executor,
        workers: int = 2,
        lanes: int = 1,
        lane_rows: int = LANE_ROWS,
        max_rows: int,
        max_encode_cost: float = math.inf,
        on_batch: OnBatch = lambda size: None,
    ) -> None:
        self._model = model
        self._executor = executor
        self._idle_workers = self._workers = workers
        self._most_lanes = lanes
        self._lane_rows = lane_rows
        self._max_rows = max_rows
        self._max_encode_cost = max_encode_cost
        self._refill = math.ceil(max_rows / 3)
        self._on_batch = on_batch
        self._loop = asyncio.get_running_loop()
        self._rows = 0
        """Places that are taken: of items that wait to be encoded too, once they have left the queue."""
        self._groups: deque[Sequence[Ticket]] = deque()
        self._encoding = 0
        self._lanes: list[Lane] = []

    @property
    def idle(self) -> bool:
        """Nothing is under way."""
        return self._rows == 0 and self._idle_workers == self._workers

    def wake(self) -> None:
        """Start what can be started.

        Where enough rows wait for a step one worker encodes at the most: they stand still for as long as all do.
        """
        while self._idle_workers:
            waiting = [lane for lane in self._lanes if not lane.stepping]
            enough = waiting and sum(len(lane.tickets) for lane in self._lanes) >= ENOUGH
            if not (enough and self._encoding) and (tickets := self._next_to_encode()):
                self._encoding += 1
                self._start(partial(self._encode, tickets), partial(self._encoded, tickets))
            elif waiting:
                lane = min(waiting, key=lambda lane: lane.spent)
                size, step = lane.begin()
                self._on_batch(size)
                self._start(step, partial(self._stepped, lane))
            else:
                return

    def _start(self, work: Callable[[], Any], then: Callable[[asyncio.Future[Any]], None]) -> None:
        self._idle_workers -= 1
        self._loop.run_in_executor(self._executor, work).add_done_callback(then)

    def _next_to_encode(self) -> Sequence[Ticket]:
        """A group to encode now: at once for a request that has no row yet, else of several when there is room for
        them, with those of like cost in one group.

        The encoder and the decoder throw each other's weights out of a CPU's cache: one item encoded between two
        steps costs both of them about half as much again.
        """
        self._drop_gone()  # first: their places may be all that is waited for
        room = self._max_rows - self._rows
        upcoming = self.queue.next() if room > 0 else None
        if upcoming is not None and not upcoming.flow.is_under_way:
            self._take_new(room)
        elif upcoming is not None and room >= self._refill and not self._groups:
            self._add(self.queue.take(self._refill))
        return self._groups.popleft() if self._groups else []

    def _drop_gone(self) -> None:
        waiting = [[ticket for ticket in group if not ticket.gone] for group in self._groups]
        self._rows -= sum(map(len, self._groups)) - sum(map(len, waiting))
        self._groups = deque(group for group in waiting if group)

    def _take_new(self, room: int) -> None:
        """Take what is next of requests that had no row yet, as much as is right for one run of the encoder."""
        tickets: list[Ticket] = []
        new: set[Flow] = set()
        cost = 0
        while len(tickets) < room and (upcoming := self.queue.next()):
            cost += upcoming.item.cost
            had_rows = upcoming.flow.is_under_way and upcoming.flow not in new
            if had_rows or (tickets and cost > self._max_encode_cost):
                break
            new.add(upcoming.flow)
            tickets += self.queue.take(1)
        self._add(tickets)

    def _add(self, tickets: Sequence[Ticket]) -> None:
        self._rows += len(tickets)
        by_shape: dict[Hashable, list[Ticket]] = {}
        for ticket in tickets:
            by_shape.setdefault(self._model.shape(ticket.item), []).append(ticket)
        groups = [group for some in by_shape.values() for group in _alike(some, self._max_encode_cost)]
        self._groups.extendleft(reversed(groups))

    def _encode(self, tickets: Sequence[Ticket]) -> tuple[list[Any], list[Started]]:
        """In a thread: for each ticket its error or output, where it has one already, or None; and all others' rows."""
        started: list[Started] = []

        def start(some: Sequence[Ticket]) -> list[Any]:
            if some[0].item.search is None:
                return [self._model.run(ticket.item) for ticket in some]
            started.append((self._model.start([ticket.item for ticket in some]), some))
            return [None] * len(some)

        return isolate(start, tickets), started

    def _encoded(self, tickets: Sequence[Ticket], done: asyncio.Future[tuple[list[Any], list[Started]]]) -> None:
        self._idle_workers += 1
        self._encoding -= 1
        failure = done.exception()
        results, started = ([failure] * len(tickets), []) if failure else done.result()
        now = self._loop.time()
        for ticket, result in zip(tickets, results, strict=True):
            if result is not None:
                self._rows -= 1
                settle(ticket, result, now)
                self.queue.served(ticket.item.cost)
        for batch, some in started:
            self._lane_for(some).join(batch, dict(zip(batch.rows, some, strict=True)))
        self.wake()

    def _lane_for(self, tickets: Sequence[Ticket]) -> Lane:
        """The lane with the fewest rows, or a new one where each of them has many and another may be."""
        express = self._are_few_beside_many(tickets)
        company = [lane for lane in self._lanes if lane.express == express]
        most = 1 if express else self._most_lanes
        least = min(company, key=lambda lane: len(lane.tickets), default=None)
        if least is not None and (len(company) == most or len(least.tickets) < self._lane_rows):
            return least
        # What it did not need while it was not there is not owed to it.
        spent = min((lane.spent for lane in self._lanes), default=0.0)
        self._lanes.append(Lane(self._model, express=express, spent=spent))
        return self._lanes[-1]

    def _are_few_beside_many(self, tickets: Sequence[Ticket]) -> bool:
        """Whether rows had better not be held up by those of a large request."""
        crowds = Counter(ticket.flow for lane in self._lanes for ticket in lane.tickets.values())
        own = Counter(ticket.flow for ticket in tickets)
        return max(crowds.values(), default=0) >= CROWD and all(crowds[flow] + own[flow] <= FEW for flow in own)

    def _stepped(self, lane: Lane, done: asyncio.Future[Stepped]) -> None:
        self._idle_workers += 1
        now = self._loop.time()
        for ticket, result in lane.end(done.exception() or done.result()):
            self._rows -= 1
            settle(ticket, result, now)
            self.queue.served(ticket.item.cost)
        if not lane.tickets:
            self._lanes.remove(lane)
        self.wake()


def _alike(tickets: Sequence[Ticket], max_cost: float) -> list[list[Ticket]]:
    """Tickets in groups of like cost: each as costly as its longest so many times, at most `max_cost`, and little of
    that is padding."""
    groups: list[list[Ticket]] = []
    real = 0
    for ticket in sorted(tickets, key=lambda ticket: ticket.item.cost):
        real += ticket.item.cost
        if groups and (len(groups[-1]) + 1) * ticket.item.cost <= min(max_cost, MOST_PADDING * real):
            groups[-1].append(ticket)
        else:
            groups.append([ticket])
            real = ticket.item.cost
    return groups
