"""The queue in front of a model: who runs next, with whom, and who does not run at all.

Requests share a model by start-time fair queueing (Goyal, Vin & Cheng 1996): a request of a thousand items
and one of a single item each get their turn in proportion to cost. What waits is bounded by cost. A request
holds a *flow*: it reserves the cost of a lone request while it is open, so that once let in it can always go
on; what it has beyond that waits for room, first come first served, in half of the bound: the other half is for
requests that are yet to come. Everything here runs on the event loop.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from models.errors import DeadlineExceeded, EkibenError, Overloaded
from models.task import Item, Output

SMOOTHING = 0.1
"""The weight of the newest measurement in the estimate of a model's speed."""


@dataclass(eq=False)
class Ticket:
    """One queued item. `future` is done when it was answered, failed, dropped or cancelled."""

    item: Item
    flow: Flow
    start_tag: float
    submitted: float
    future: asyncio.Future[Output]
    started: float | None = None
    finished: float = 0.0

    @property
    def gone(self) -> bool:
        """Nobody waits for it any more."""
        return self.future.done()


@dataclass(order=True)
class _Entry:
    start_tag: float
    number: int
    ticket: Ticket = field(compare=False)


class Flow:
    """One request's items in a queue: they share a deadline, a caller and a fair share."""

    def __init__(self, queue: FairQueue, reserved: int, deadline: float) -> None:
        self.reserved = reserved
        self.queued = 0
        self.finish_tag = 0.0
        self._queue = queue
        self._tickets: set[Ticket] = set()
        self._deadline = deadline
        self._timer = queue.loop.call_at(deadline, self._expire)

    @property
    def share(self) -> int:
        """What it takes of the queue's bound."""
        return self.share_with(0)

    def share_with(self, cost: int) -> int:
        """What it would take with so much more in the queue."""
        return max(self.reserved, self.queued + cost)

    @property
    def is_under_way(self) -> bool:
        """Something of it has been started and has not ended."""
        return any(ticket.started is not None for ticket in self._tickets)

    async def submit(self, item: Item) -> Ticket:
        """Queue one item, once there is room for it. Raises `DeadlineExceeded`."""
        await self._queue.claim(self, item.cost)
        if self._queue.loop.time() >= self._deadline:
            self._queue.give_back(self, item.cost)
            raise _too_late()
        ticket = self._queue.push(self, item)
        self._tickets.add(ticket)
        ticket.future.add_done_callback(partial(self._forget, ticket))
        return ticket

    def _forget(self, ticket: Ticket, future: asyncio.Future[Output]) -> None:
        self._tickets.discard(ticket)
        self._queue.withdraw(ticket)  # cancelling whoever waits for it cancels the future itself
        if not future.cancelled():
            future.exception()  # asyncio complains of errors that nobody looked at: a closed request does not

    def has_room(self, item: Item) -> bool:
        """Whether `submit` would not wait."""
        return self._queue.has_room(self, item.cost)

    def close(self) -> None:
        """The caller has its answer or has gone: what has not started never will, what runs may stop."""
        self._timer.cancel()
        for ticket in list(self._tickets):
            ticket.future.cancel()
            self._queue.withdraw(ticket)
        self._queue.leave(self)

    def _expire(self) -> None:
        self._queue.turn_away(self, _too_late())
        for ticket in list(self._tickets):
            if ticket.started is None and not ticket.gone:
                self._queue.withdraw(ticket)
                ticket.future.set_exception(_too_late())


def _too_late() -> DeadlineExceeded:
    return DeadlineExceeded("the deadline passed while the request was waiting for its model")


class _Speed:
    """How fast a model works off what waits, by the clock: with the cores that others leave to it."""

    def __init__(self) -> None:
        self._cost = 0.0
        self._seconds = 0.0
        self._last = 0.0

    @property
    def known(self) -> bool:
        return self._seconds > 0

    def begin(self, now: float) -> None:
        """There is work again, and before it there was none."""
        self._last = now

    def served(self, cost: int, now: float) -> None:
        self._cost += cost - SMOOTHING * self._cost
        self._seconds += (now - self._last) - SMOOTHING * self._seconds
        self._last = now

    def seconds(self, cost: int) -> float:
        """How long `cost` will take; 0 where no speed is known."""
        return cost * self._seconds / self._cost if self.known else 0.0


class FairQueue:
    """The items that wait for one model. `wake` is called, soon after, when there are new ones, and `on_cost` with what
    waits whenever that is another; `is_idle` says whether nothing of the model runs."""

    def __init__(
        self,
        *,
        bound: int,
        shape: Callable[[Item], Hashable],
        wake: Callable[[], None],
        is_idle: Callable[[], bool] = lambda: True,
        bound_seconds: float = math.inf,
        on_cost: Callable[[int], None] = lambda cost: None,
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.bound = bound
        self.bound_seconds = bound_seconds
        self.cost = 0
        self._claimed = self._reserved = 0
        self._shape = shape
        self._wake = wake
        self._is_idle = is_idle
        self._on_cost = on_cost
        self._waking = False
        self._entries: dict[Hashable, list[_Entry]] = {}
        self._virtual_time = 0.0
        self._numbers = itertools.count()
        self._gate: deque[tuple[Flow, int, asyncio.Future[None]]] = deque()
        self._speed = _Speed()

    # Letting requests in.

    def check(self, cost: int) -> None:
        """Raises `Overloaded` where a request of this cost would not be let in: it would wait beyond the bounds."""
        too_long = self._speed.seconds(self._claimed) > self.bound_seconds
        if too_long or self._claimed + self._kept_free() + cost > self.bound:
            raise Overloaded("the model's queue is full", retry_after_seconds=self.drain_seconds())

    def open(self, cost: int, deadline: float) -> Flow:
        """Let a request in; `deadline` is a time of the loop's clock. Raises `Overloaded`."""
        self.check(cost)
        self._claimed += cost
        self._reserved += cost
        return Flow(self, cost, deadline)

    def leave(self, flow: Flow) -> None:
        self._claimed -= flow.share
        self._reserved -= flow.reserved
        flow.reserved = flow.queued = 0
        self._open_gate()

    def drain_seconds(self) -> float:
        """How long what is queued now will take, by the speed of late; one second where none is known."""
        return self._speed.seconds(self.cost) if self._speed.known else 1.0

    def served(self, cost: int) -> None:
        """Note that the model is done with `cost`, for estimates of how long the rest will take."""
        self._speed.served(cost, self.loop.time())

    # Room for what a request has beyond its reservation.

    async def claim(self, flow: Flow, cost: int) -> None:
        """Wait for room for one item and take it."""
        if self.has_room(flow, cost):
            self._take_room(flow, cost)
            return
        waiter = self.loop.create_future()
        self._gate.append((flow, cost, waiter))
        self._open_gate()
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.cancelled():
                self._gate = deque(entry for entry in self._gate if entry[2] is not waiter)
                self._open_gate()
            elif waiter.exception() is None:  # the room was given in the same turn of the loop
                self.give_back(flow, cost)
            raise

    def give_back(self, flow: Flow, cost: int) -> None:
        self._take_room(flow, -cost)
        self._open_gate()

    def has_room(self, flow: Flow, cost: int) -> bool:
        """Within its reservation a request goes on at once; beyond it, behind those that wait already."""
        return flow.queued + cost <= flow.reserved or (not self._gate and self._fits(flow, cost))

    def turn_away(self, flow: Flow, error: EkibenError) -> None:
        """What of a request waits for room waits no longer."""
        for _, _, waiter in (entry for entry in self._gate if entry[0] is flow):
            if not waiter.done():
                waiter.set_exception(error)
        self._gate = deque(entry for entry in self._gate if entry[0] is not flow)
        self._open_gate()

    def _fits(self, flow: Flow, cost: int) -> bool:
        """Within the bounds; what is larger than they are has its turn too, where nothing waits, or nothing beyond
        reservations: small requests that come and go may leave no moment in which nothing does."""
        claimed = self._claimed - flow.share + flow.share_with(cost)
        in_its_half = claimed - self._reserved <= self.bound / 2 or self._claimed == self._reserved
        return (claimed <= self.bound and in_its_half) or self.cost == 0

    def _kept_free(self) -> float:
        """For those that wait for room and came first: what there is for them in their half, and all of the first's."""
        if not self._gate:
            return 0
        wanted = [flow.share_with(cost) - flow.share for flow, cost, _ in self._gate]
        return min(sum(wanted), max(self.bound / 2 - (self._claimed - self._reserved), wanted[0]))

    def _open_gate(self) -> None:
        """Let in who was first, and whoever needs no more than it has reserved."""
        waiting = self._gate
        self._gate = deque()
        for flow, cost, waiter in waiting:
            if waiter.done():
                continue
            if self.has_room(flow, cost):  # behind those that are in the gate again
                self._take_room(flow, cost)
                waiter.set_result(None)
            else:
                self._gate.append((flow, cost, waiter))

    def _take_room(self, flow: Flow, cost: int) -> None:
        self._claimed -= flow.share
        flow.queued += cost
        self.cost += cost
        self._claimed += flow.share
        self._on_cost(self.cost)

    # The queue itself.

    def push(self, flow: Flow, item: Item) -> Ticket:
        """Queue an item that `claim` has made room for."""
        if self.cost == item.cost and self._is_idle():
            self._speed.begin(self.loop.time())
        start_tag = max(self._virtual_time, flow.finish_tag)
        flow.finish_tag = start_tag + item.cost
        ticket = Ticket(item, flow, start_tag, self.loop.time(), self.loop.create_future())
        entry = _Entry(start_tag, next(self._numbers), ticket)
        heapq.heappush(self._entries.setdefault(self._shape(item), []), entry)
        if not self._waking:
            # After this turn of the loop, so that items submitted together can share a batch.
            self._waking = True
            self.loop.call_soon(self._wake_up)
        return ticket

    def _wake_up(self) -> None:
        self._waking = False
        self._wake()

    def next(self) -> Ticket | None:
        """The one whose turn it is."""
        key = self._first()
        return None if key is None else self._entries[key][0].ticket

    def take(self, limit: int, max_cost: float = math.inf, room: float = math.inf) -> Sequence[Ticket]:
        """The next item in fair order, and the next ones of its shape; they count as started.

        At most `limit` of them, and no more than one where they would cost more than `max_cost` together. None
        at all where the next one costs more than `room`: it is waited for, so that large items have their turn.
        """
        batch: list[Ticket] = []
        key = self._first()
        if key is not None and self._entries[key][0].ticket.item.cost > room:
            return batch
        max_cost = min(max_cost, room)
        now = self.loop.time()
        while key is not None and len(batch) < limit and key in self._entries:
            ticket = self._entries[key][0].ticket
            if batch and sum(each.item.cost for each in batch) + ticket.item.cost > max_cost:
                break
            heapq.heappop(self._entries[key])
            ticket.started = now
            self._take_room(ticket.flow, -ticket.item.cost)
            batch.append(ticket)
            self._drop_dead(key)
        if batch:
            self._virtual_time = max(self._virtual_time, batch[0].start_tag)
            self._open_gate()
        return batch

    def withdraw(self, ticket: Ticket) -> None:
        """Take a ticket out if it has not started; its entry, emptied, goes when it comes to the front."""
        if ticket.started is None:
            ticket.started = self.loop.time()
            self.give_back(ticket.flow, ticket.item.cost)
            ticket.item = replace(ticket.item, inputs={}, search=None)

    def _first(self) -> Hashable | None:
        for key in list(self._entries):
            self._drop_dead(key)
        return min(self._entries, key=lambda key: self._entries[key][0], default=None)

    def _drop_dead(self, key: Hashable) -> None:
        entries = self._entries[key]
        while entries and entries[0].ticket.started is not None:
            heapq.heappop(entries)
        if not entries:
            del self._entries[key]
