"""What a queue hands out together: items of one shape, in fair order, within a cost."""

from __future__ import annotations

import asyncio
import contextlib
import math
import weakref
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.errors import Overloaded
from models.task import Item
from services.runners.queueing import FairQueue
from tests.service.simulation import simulate

items = st.lists(st.tuples(st.integers(1, 3), st.integers(1, 20)), max_size=15)


async def queue_of(wanted: list[tuple[int, int]]) -> tuple[FairQueue, list[Item]]:
    """A queue with an item of each shape and cost, every one of a request of its own."""
    queue = FairQueue(bound=10_000, shape=lambda item: item.inputs["x"].shape, wake=lambda: None)
    queued = [Item({"x": np.zeros(shape)}, cost=cost) for shape, cost in wanted]
    for item in queued:
        await queue.open(item.cost, queue.loop.time() + 1000).submit(item)
    return queue, queued


@settings(deadline=None)
@given(wanted=items, limit=st.integers(1, 6), max_cost=st.sampled_from([1, 10, 25, math.inf]))
def test_what_is_taken_together_has_one_shape_a_limit_and_a_cost(
    wanted: list[tuple[int, int]], limit: int, max_cost: float
) -> None:
    async def run() -> None:
        queue, queued = await queue_of(wanted)
        taken: list[Item] = []
        while batch := [ticket.item for ticket in queue.take(limit, max_cost)]:
            assert batch[0] is next(item for item in queued if not within(taken, item)), "the first in line was passed"
            assert len(batch) <= limit
            assert len({item.inputs["x"].shape for item in batch}) == 1
            assert len(batch) == 1 or sum(item.cost for item in batch) <= max_cost
            waiting = [item for item in queued if not within(taken + batch, item) and like(item, batch[0])]
            if waiting and len(batch) < limit:
                assert sum(item.cost for item in batch) + waiting[0].cost > max_cost, "room was left"
            taken += batch
            assert queue.cost == sum(item.cost for item in queued) - sum(item.cost for item in taken)
        assert len(taken) == len(queued) and queue.cost == 0

    asyncio.run(run())


def within(items: list[Item], item: Item) -> bool:
    return any(each is item for each in items)


def like(one: Item, other: Item) -> bool:
    return bool(one.inputs["x"].shape == other.inputs["x"].shape)


@pytest.mark.parametrize(
    ("costs", "room", "taken"),
    [([5, 5, 5], 12, [5, 5]), ([5, 5], math.inf, [5, 5]), ([20, 1], 10, []), ([1, 20], 10, [1])],
)
async def test_what_does_not_fit_beside_what_runs_is_waited_for(
    costs: list[int], room: float, taken: list[int]
) -> None:
    queue, _ = await queue_of([(1, cost) for cost in costs])
    found: Any = [ticket.item.cost for ticket in queue.take(8, 100, room)]
    assert found == taken


def test_what_would_wait_beyond_the_bound_in_time_is_refused_by_the_speed_of_late() -> None:
    async def scenario() -> None:
        queue = FairQueue(bound=10_000, shape=lambda item: 0, wake=lambda: None, bound_seconds=10.0)
        first = queue.open(100, queue.loop.time() + 1000)
        await first.submit(Item({}, cost=100))
        queue.check(100)
        [ticket] = queue.take(1)
        await asyncio.sleep(5)  # of simulated time: 20 a second
        ticket.future.set_result({})
        queue.served(100)
        first.close()
        flows = [queue.open(100, queue.loop.time() + 1000) for _ in range(3)]  # for 15 seconds, together
        with pytest.raises(Overloaded):
            queue.check(100)
        flows[0].close()
        queue.check(100)

    simulate(scenario)


def test_who_goes_in_the_moment_of_its_deadline_gives_back_what_it_has_and_no_more() -> None:
    """Both happen in one turn of the loop where a client's own time limit is the one that it told us."""

    async def scenario() -> FairQueue:
        queue = FairQueue(bound=10, shape=lambda item: 0, wake=lambda: None)
        first = queue.open(10, queue.loop.time() + 100)
        await first.submit(Item({}, cost=10))
        late = queue.open(0, queue.loop.time() + 1)
        waiting = asyncio.create_task(late.submit(Item({}, cost=10)))
        await asyncio.sleep(0)
        queue.loop.call_at(queue.loop.time() + 1, waiting.cancel)
        with pytest.raises(asyncio.CancelledError):
            await waiting
        late.close()
        first.close()
        return queue

    assert simulate(scenario).cost == 0


def test_nothing_of_a_request_that_left_stays_in_the_queue() -> None:
    async def scenario() -> list[Any]:
        queue = FairQueue(bound=10, shape=lambda item: 0, wake=lambda: None)
        seen = []
        for _ in range(20):
            flow, picture = queue.open(5, queue.loop.time() + 100), np.zeros(3)
            await flow.submit(Item({"x": picture}, cost=5))
            seen.append(weakref.ref(picture))
            flow.close()
            del flow, picture
            await asyncio.sleep(0)
        return [each() for each in seen if each() is not None]

    assert simulate(scenario) == []


def test_large_requests_leave_half_of_the_queue_to_those_to_come() -> None:
    async def scenario() -> None:
        queue = FairQueue(bound=100, shape=lambda item: 0, wake=lambda: None)
        deadline = queue.loop.time() + 1000
        item = Item({}, cost=10)
        large = [queue.open(10, deadline) for _ in range(3)]
        for flow in large:
            while flow.has_room(item):
                await flow.submit(item)
        assert queue.cost == 30 + 50
        waiting = asyncio.create_task(large[0].submit(item))
        await asyncio.sleep(0)
        await queue.open(10, deadline).submit(item)
        with pytest.raises(Overloaded):
            queue.check(10)  # the one that waits came before it
        waiting.cancel()
        await asyncio.sleep(0)
        await queue.open(10, deadline).submit(item)
        assert queue.cost == 100

    simulate(scenario)


def test_many_items_of_one_request_at_the_gate_close_it_to_nobody() -> None:
    """A runner in a process of its own gets them side by side."""

    async def scenario() -> int:
        queue = FairQueue(bound=200, shape=lambda item: 0, wake=lambda: None)
        deadline = queue.loop.time() + 1000
        item = Item({}, cost=10)
        large = queue.open(10, deadline)
        submitting = [asyncio.create_task(large.submit(item)) for _ in range(40)]
        await asyncio.sleep(0)
        assert queue.cost == 10 + 100
        count = 0
        with contextlib.suppress(Overloaded):
            while True:
                await queue.open(10, deadline).submit(item)
                count += 1
        for each in submitting:
            each.cancel()
        return count

    assert simulate(scenario) == 8  # of nine places one is kept for the first that waits


@pytest.mark.parametrize("most", [2, 100])
def test_an_item_of_more_than_half_of_the_bound_has_its_turn_among_small_ones_that_never_end(most: int) -> None:
    async def scenario() -> float:
        queue = FairQueue(bound=100, shape=lambda item: item.cost, wake=lambda: None)

        async def small() -> None:
            flow = queue.open(1, queue.loop.time() + 1000)
            await (await flow.submit(Item({}, cost=1))).future
            flow.close()

        async def come() -> None:
            with contextlib.suppress(Overloaded):
                for _ in range(most):
                    queue.check(1)
                    new.append(asyncio.create_task(small()))
                    await asyncio.sleep(0)

        async def work() -> None:
            while tickets := queue.take(1):
                await come()  # before the last one goes: the queue is never empty
                await asyncio.sleep(1)
                tickets[0].future.set_result({})

        new: list[asyncio.Task[None]] = []
        large = queue.open(1, queue.loop.time() + 300)
        await come()
        working = asyncio.create_task(work())
        ticket = await large.submit(Item({}, cost=60))
        await ticket.future
        working.cancel()
        for each in new:
            each.cancel()
        return queue.loop.time()

    assert simulate(scenario) < 300


def test_who_waits_behind_a_large_item_goes_on_within_its_reservation() -> None:
    async def scenario() -> None:
        queue = FairQueue(bound=100, shape=lambda item: 0, wake=lambda: None)
        deadline = queue.loop.time() + 1000
        small = queue.open(10, deadline)
        await small.submit(Item({}, cost=10))
        await queue.open(10, deadline).submit(Item({}, cost=60))
        large = asyncio.create_task(queue.open(10, deadline).submit(Item({}, cost=60)))
        more = asyncio.create_task(small.submit(Item({}, cost=10)))
        await asyncio.sleep(0)
        assert not large.done() and not more.done()
        [first] = queue.take(1)
        await asyncio.sleep(0)
        assert first.item.cost == 10
        assert more.done() and not large.done()
        large.cancel()

    simulate(scenario)


def test_time_in_which_something_runs_and_nothing_waits_counts_too() -> None:
    """Requests that each come shortly before the last has ended: the model is at work all the time."""

    async def scenario() -> float:
        queue = FairQueue(bound=10_000, shape=lambda item: 0, wake=lambda: None, is_idle=lambda: not running)
        running: list[Any] = []
        for _ in range(30):
            flow = queue.open(10, queue.loop.time() + 1000)
            await flow.submit(Item({}, cost=10))
            if running:
                await asyncio.sleep(1)  # until the run before it ends
                running.pop()
                queue.served(10)
            running += queue.take(1)
            await asyncio.sleep(9)
        await queue.open(10, queue.loop.time() + 1000).submit(Item({}, cost=10))
        return queue.drain_seconds()

    assert simulate(scenario) == pytest.approx(10, rel=0.1)
