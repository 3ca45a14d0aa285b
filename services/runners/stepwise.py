"""Working off the queue of a stepwise model: rows that share decoder steps, join between them and leave when done."""

from __future__ import annotations

import asyncio
import math
from collections import Counter, deque
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from time import thread_time
from typing import Any

from services.runners.queueing import FairQueue, Flow, Ticket
from services.runners.rows import Batch, Row, StepwiseModel
from services.runners.scheduling import OnBatch, isolate, settle

MOST_PADDING = 1.25
"""How many times what items cost one run of an encoder may cost, because the shorter ones are padded."""

CROWD = 16
FEW = 4
"""Rows of one request: so many make their steps long for others, and so few need not bear that."""


@dataclass(eq=False)
class _Joining:
    """Rows that were encoded and wait for the next step, and whom they are for."""

    batch: Batch
    tickets: dict[Row, Ticket]


class StepwiseScheduler:
    """One thread encodes what is queued while another steps the rows that are under way.

    Rows of all requests share each step. Between two steps those that are done or whose caller has gone
    leave, and those that were encoded meanwhile join. Beside a request of many rows, whose steps are long, those of
    few have steps of their own, for as much of the time.
    """

    queue: FairQueue

    def __init__(
        self,
        model: StepwiseModel,
        *,
        executor: Executor,
        max_rows: int,
        max_encode_cost: float = math.inf,
        on_batch: OnBatch = lambda size, queue_cost: None,
    ) -> None:
        self._model = model
        self._executor = executor
        self._max_rows = max_rows
        self._max_encode_cost = max_encode_cost
        self._refill = math.ceil(max_rows / 3)
        self._on_batch = on_batch
        self._loop = asyncio.get_running_loop()
        self._rows = 0
        self._tickets: dict[Row, Ticket] = {}
        self._batches: list[Batch] = []
        self._joining: list[_Joining] = []
        self._spent = {True: 0.0, False: 0.0}
        self._groups: deque[Sequence[Ticket]] = deque()
        self._encoding = False
        self._stepping = False

    @property
    def idle(self) -> bool:
        """Nothing is under way."""
        return self._rows == 0 and not self._encoding and not self._stepping

    def wake(self) -> None:
        """Start what can be started: an encoding, a step, or both."""
        if not self._encoding and (tickets := self._next_to_encode()):
            self._encoding = True
            running = self._loop.run_in_executor(self._executor, self._encode, tickets)
            running.add_done_callback(partial(self._encoded, tickets))
        if not self._stepping and (self._joining or self._batches):
            self._stepping = True
            joining, self._joining = self._joining, []
            for each in joining:
                each.batch.express = self._is_express(each)
                self._tickets |= each.tickets
            gone = {row for row, ticket in self._tickets.items() if ticket.gone}
            batches = [*self._batches, *(each.batch for each in joining)]
            self._on_batch(len(self._tickets) - len(gone), self.queue.cost)
            running_step = self._loop.run_in_executor(self._executor, self._step, batches, gone)
            running_step.add_done_callback(self._stepped)

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
        self._groups.extendleft(reversed(_alike(tickets, self._max_encode_cost)))

    def _is_express(self, joining: _Joining) -> bool:
        """Whether rows had better not be held up by those of a large request."""
        crowds = Counter(ticket.flow for ticket in self._tickets.values())
        own = Counter(ticket.flow for ticket in joining.tickets.values())
        return max(crowds.values(), default=0) >= CROWD and all(crowds[flow] + own[flow] <= FEW for flow in own)

    # In a thread.

    def _encode(self, tickets: Sequence[Ticket]) -> list[Any]:
        """For each ticket its error or output, where it has one already, or None; and the rows of all the others."""
        started: list[_Joining] = []

        def start(some: Sequence[Ticket]) -> list[Any]:
            if some[0].item.search is None:
                return [self._model.run(ticket.item) for ticket in some]
            batch = self._model.start([ticket.item for ticket in some])
            started.append(_Joining(batch, dict(zip(batch.rows, some, strict=True))))
            return [None] * len(some)

        return [isolate(start, tickets), started]

    def _step(self, batches: Sequence[Batch], gone: set[Row]) -> tuple[list[Batch], list[tuple[Row, Any]]]:
        """Let rows leave and join, and step the others: the batches after it, and the rows that ended."""
        ended: list[tuple[Row, Any]] = [(row, None) for row in gone]
        current: list[Batch] = []
        for batch in batches:
            current += self._sweep(batch, gone, ended)
        current = self._merge(current)
        after: list[Batch] = []
        for batch in self._whose_turn(current):
            started = thread_time()
            after += self._step_one(batch, ended)
            self._spent[batch.express] += thread_time() - started
            current.remove(batch)
        return after + current, ended

    def _whose_turn(self, batches: Sequence[Batch]) -> list[Batch]:
        """All of them, but where some are express and some not those that have had less time."""
        if len({batch.express for batch in batches}) < 2:
            self._spent = {True: 0.0, False: 0.0}
            return list(batches)
        express = self._spent[True] <= self._spent[False]
        return [batch for batch in batches if batch.express == express]

    def _sweep(self, batch: Batch, gone: set[Row], ended: list[tuple[Row, Any]]) -> list[Batch]:
        """The batch without the rows that are done or gone."""
        stay = []
        for place, row in enumerate(batch.rows):
            if row in gone:
                continue
            if row.done:
                ended.append((row, _result(row)))
            else:
                stay.append(place)
        if not stay:
            return []
        return [batch if len(stay) == len(batch.rows) else self._model.leave(batch, stay)]

    def _merge(self, batches: Sequence[Batch]) -> list[Batch]:
        """As few batches as can be: those whose rows can share a step become one."""
        groups: list[list[Batch]] = []
        for batch in batches:
            group = next((group for group in groups if self._model.can_join(group[0], batch)), None)
            if group is None:
                groups.append([batch])
            else:
                group.append(batch)
        return [self._model.join(group) if len(group) > 1 else group[0] for group in groups]

    def _step_one(self, batch: Batch, ended: list[tuple[Row, Any]]) -> list[Batch]:
        try:
            self._model.step(batch)
        except BaseException as error:
            if len(batch.rows) == 1:
                ended.append((batch.rows[0], error))
                return []
        else:
            return self._sweep(batch, set(), ended)
        # After `except`, where the error would keep what the step that failed had: on a GPU, memory of the card.
        half = len(batch.rows) // 2
        places = range(len(batch.rows))
        parts = [self._model.keep(batch, places[:half]), self._model.keep(batch, places[half:])]
        return [after for part in parts for after in self._step_one(part, ended)]

    # On the loop again.

    def _encoded(self, tickets: Sequence[Ticket], done: asyncio.Future[list[Any]]) -> None:
        self._encoding = False
        failure = done.exception()
        results, started = ([failure] * len(tickets), []) if failure else done.result()
        now = self._loop.time()
        for ticket, result in zip(tickets, results, strict=True):
            if result is not None:
                self._rows -= 1
                settle(ticket, result, now)
        self._joining += started
        self.wake()

    def _stepped(self, done: asyncio.Future[tuple[list[Batch], list[tuple[Row, Any]]]]) -> None:
        self._stepping = False
        if failure := done.exception():  # not one row's fault: none of them can go on
            self._batches, ended = [], [(row, failure) for row in self._tickets]
        else:
            self._batches, ended = done.result()
        now = self._loop.time()
        for row, result in ended:
            ticket = self._tickets.pop(row)
            self._rows -= 1
            settle(ticket, result, now)
            self.queue.served(ticket.item.cost)
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


def _result(row: Row) -> Any:
    if row.error is not None:
        return row.error
    try:
        return row.search.result()
    except BaseException as error:
        return error
