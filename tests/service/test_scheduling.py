"""Whatever arrives, fails, is cancelled or comes too late: every request gets one answer, its own."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.errors import DeadlineExceeded, EkibenError, Overloaded
from models.task import Array, Item
from services.runners.one_shot import OneShotScheduler
from services.runners.queueing import FairQueue, Flow
from services.runners.rows import RunsGraph, StepwiseModel
from services.runners.stepwise import ENOUGH, StepwiseScheduler
from tests.service import tiny_models as tiny
from tests.service.simulation import SimulatedExecutor, simulate
from tests.service.test_stepwise import load

P = ParamSpec("P")
T = TypeVar("T")

BOUND = 40
FAULTS = (ArithmeticError, SystemExit, KeyboardInterrupt, StopIteration)
"""Errors, and what would end a thread, the loop or a generator instead of a request."""


@dataclass
class Caller:
    """One request of a simulation, and what became of it."""

    arrival: float
    costs: Sequence[int]
    shape: int
    patience: float
    leaves_after: float | None = None
    fault: type[BaseException] | None = None
    outcome: Any = None
    outcomes: int = 0


@dataclass
class Trace:
    """What a simulation's model saw."""

    executed: list[tuple[float, Caller, int]] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)
    highest_cost: int = 0
    running: list[list[int]] = field(default_factory=list)
    """The costs of the items of all batches under way, as each batch began."""


def item(caller: Caller, place: int) -> Item:
    marked = np.zeros(caller.shape, np.float32)
    tagged = np.array((caller, place), dtype=object)  # the model sees whose item it is
    return Item({"numbers": marked, "tag": tagged}, cost=caller.costs[place])


class Watched(SimulatedExecutor):
    """Notes what runs side by side."""

    def __init__(self, loop: asyncio.AbstractEventLoop, trace: Trace) -> None:
        super().__init__(loop, lambda: 1.0)
        self._trace = trace
        self._under_way: dict[Future[Any], list[int]] = {}

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        tickets: Any = args[0]
        future = super().submit(fn, *args, **kwargs)
        self._under_way[future] = [ticket.item.cost for ticket in tickets]
        future.add_done_callback(self._under_way.pop)
        self._trace.running.append([cost for costs in self._under_way.values() for cost in costs])
        return future


async def play(callers: Sequence[Caller], *, workers: int, max_batch: int, max_cost: float = math.inf) -> Trace:
    loop = asyncio.get_running_loop()
    trace = Trace()

    def execute(items: Sequence[Item], *, alone: bool) -> list[tuple[Caller, int]]:
        tags = [tuple(each.inputs["tag"]) for each in items]
        assert len({each.inputs["numbers"].shape for each in items}) == 1, "shapes were mixed"
        for caller, _ in tags:
            if caller.fault:
                raise caller.fault("this item is at fault")
        trace.batches.append(len(items))
        trace.executed += [(loop.time(), caller, place) for caller, place in tags]
        return tags

    scheduler = OneShotScheduler(
        execute, executor=Watched(loop, trace), workers=workers, max_batch=max_batch, max_cost=max_cost
    )
    queue = FairQueue(bound=BOUND, shape=lambda each: each.inputs["numbers"].shape, wake=scheduler.wake)
    scheduler.queue = queue

    async def call(caller: Caller) -> None:
        await asyncio.sleep(caller.arrival)
        try:
            flow = queue.open(min(caller.costs[0], BOUND), loop.time() + caller.patience)
        except Overloaded as error:
            finish(caller, error)
            return
        try:
            async with asyncio.timeout(caller.leaves_after):
                finish(caller, await converse(caller, flow))
        except (EkibenError, TimeoutError, ArithmeticError, RuntimeError) as error:
            finish(caller, error)
        finally:
            flow.close()

    async def converse(caller: Caller, flow: Flow) -> list[Any]:
        tickets = []
        for place in range(len(caller.costs)):
            tickets.append(await flow.submit(item(caller, place)))
            trace.highest_cost = max(trace.highest_cost, queue.cost)
        return [await ticket.future for ticket in tickets]

    await asyncio.gather(*map(call, callers))
    await asyncio.sleep(100)  # whatever still runs for those that left
    assert queue.cost == 0
    queue.check(BOUND)  # all that was claimed was given back
    assert queue.take(1) == []
    return trace


def finish(caller: Caller, outcome: Any) -> None:
    caller.outcome = outcome
    caller.outcomes += 1


callers = st.builds(
    Caller,
    arrival=st.integers(0, 20).map(float),
    costs=st.lists(st.integers(1, 15), min_size=1, max_size=6),
    shape=st.integers(1, 3),
    patience=st.sampled_from([0.5, 2.5, 7.5, 1000.0]),
    leaves_after=st.sampled_from([None, None, None, 0.25, 1.25, 4.75]),
    fault=st.sampled_from([None, None, None, None, *FAULTS]),
)


@settings(deadline=None)
@given(st.lists(callers, max_size=30), st.integers(1, 3), st.integers(1, 5), st.sampled_from([math.inf, 20, 8, 1]))
def test_every_request_gets_exactly_one_answer_and_its_own(
    everyone: list[Caller], workers: int, max_batch: int, max_cost: float
) -> None:
    trace = simulate(lambda: play(everyone, workers=workers, max_batch=max_batch, max_cost=max_cost))
    assert trace.highest_cost <= BOUND
    # What runs side by side stays within the workers' costs, but for one large item that has them all to itself.
    assert all(len(costs) == 1 or sum(costs) <= workers * max_cost for costs in trace.running)
    assert all(size <= max_batch for size in trace.batches)
    for caller in everyone:
        assert caller.outcomes == 1
        executed = [(when, place) for when, who, place in trace.executed if who is caller]
        if isinstance(caller.outcome, list):
            assert [place for _, place in caller.outcome] == list(range(len(caller.costs))), "its order was lost"
            assert len(executed) == len(caller.costs), "something ran twice"
            assert all(who is caller for who, _ in caller.outcome), "somebody else's answer"
            assert caller.fault is None
        elif isinstance(caller.outcome, ArithmeticError | RuntimeError):
            assert caller.fault, "somebody else's fault"
        elif isinstance(caller.outcome, Overloaded):
            assert not executed
        for when, _ in executed:  # a run takes one second: it started that much earlier
            assert when - 1.0 <= caller.arrival + caller.patience, "it ran after its deadline"
            if caller.leaves_after is not None:
                assert when - 1.0 <= caller.arrival + caller.leaves_after, "it ran for nobody"


def test_a_lone_item_does_not_wait_for_company() -> None:
    caller = Caller(arrival=0, costs=[1], shape=1, patience=1000)
    trace = simulate(lambda: play([caller], workers=1, max_batch=32))
    assert trace.executed[0][0] == pytest.approx(1.0)


def test_a_short_request_does_not_wait_for_a_long_one() -> None:
    long = Caller(arrival=0, costs=[1] * 30, shape=1, patience=1000)
    short = Caller(arrival=1.5, costs=[1], shape=1, patience=1000)
    trace = simulate(lambda: play([long, short], workers=1, max_batch=1))
    [served] = [when for when, who, _ in trace.executed if who is short]
    assert served <= 1.5 + 3
    assert isinstance(long.outcome, list)


def test_requests_share_a_model_by_cost() -> None:
    dear = Caller(arrival=0, costs=[8] * 4, shape=1, patience=1000)
    cheap = Caller(arrival=0, costs=[1] * 8, shape=1, patience=1000)
    trace = simulate(lambda: play([dear, cheap], workers=1, max_batch=1))
    order = [who is cheap for _, who, _ in trace.executed]
    assert sum(order[:10]) == 8, "eight cheap items cost what one dear item does"


def test_a_queue_that_is_full_refuses_and_says_when_to_come_back() -> None:
    crowd = [Caller(arrival=0, costs=[10], shape=1, patience=1000) for _ in range(8)]
    simulate(lambda: play(crowd, workers=1, max_batch=1))
    refused = [caller.outcome for caller in crowd if isinstance(caller.outcome, Overloaded)]
    assert len(refused) == 4
    assert all(error.retry_after_seconds > 0 for error in refused)


def test_what_cannot_start_in_time_never_runs() -> None:
    crowd = [Caller(arrival=0, costs=[1], shape=1, patience=2.5) for _ in range(8)]
    trace = simulate(lambda: play(crowd, workers=1, max_batch=1))
    assert len(trace.executed) == 3
    assert sum(isinstance(caller.outcome, DeadlineExceeded) for caller in crowd) == 5


requests = st.tuples(
    st.integers(0, 12).map(float),
    st.tuples(*[st.integers(0, 9)] * 3),
    st.builds(
        tiny.Greedy,
        most=st.integers(0, 9),
        fail_at=st.sampled_from([None, None, None, None, -1, 0, 2]),
        fault=st.sampled_from(FAULTS),
    ),
    st.sampled_from([None, None, None, 0.75, 3.25]),
)


@dataclass
class Treacherous(RunsGraph):
    """A decoder that rows with a 9 in front bring down: in their second step, not before."""

    decoder: RunsGraph
    fault: type[BaseException] | None

    def run(self, inputs: Mapping[str, Array]) -> Sequence[Array]:
        if self.fault and ((inputs["memory"][:, 0] == 9) & (inputs["positions"] >= 2)).any():
            raise self.fault("a row is at fault")
        return self.decoder.run(inputs)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tiny")


@settings(deadline=None, max_examples=60)
@given(
    everyone=st.lists(requests, max_size=12),
    workers=st.integers(1, 3),
    lanes=st.integers(1, 3),
    lane_rows=st.integers(1, 3),
    max_rows=st.integers(1, 7),
    max_encode_cost=st.sampled_from([1, 10, 25, math.inf]),
    fault=st.sampled_from([None, *FAULTS]),
)
def test_rows_of_all_requests_share_steps_and_keep_to_themselves(
    folder: Path,
    everyone: list[Any],
    workers: int,
    lanes: int,
    lane_rows: int,
    max_rows: int,
    max_encode_cost: float,
    fault: type[BaseException] | None,
) -> None:
    async def run() -> list[Any]:
        loop = asyncio.get_running_loop()
        model = load(tiny.CACHE, folder, partial(Treacherous, fault=fault))
        sizes: list[int] = []
        scheduler = StepwiseScheduler(
            model,
            executor=SimulatedExecutor(loop, lambda: 1.0),
            workers=workers,
            lanes=lanes,
            lane_rows=lane_rows,
            max_rows=max_rows,
            max_encode_cost=max_encode_cost,
            on_batch=sizes.append,
        )
        queue = scheduler.queue = FairQueue(bound=1000, shape=model.shape, wake=scheduler.wake)

        async def call(arrival: float, features: Any, search: tiny.Greedy, leaves_after: float | None) -> Any:
            await asyncio.sleep(arrival)
            flow = queue.open(10, loop.time() + 1000)
            fresh = replace(search, tokens=[])
            try:
                async with asyncio.timeout(leaves_after):
                    ticket = await flow.submit(tiny.cache_item(features, fresh))
                    return await ticket.future
            except (ArithmeticError, RuntimeError, TimeoutError) as error:
                return error
            finally:
                flow.close()

        results = await asyncio.gather(*(call(*each) for each in everyone))
        await asyncio.sleep(100)
        assert queue.cost == 0
        assert scheduler.idle, "a row was left behind"
        assert max(sizes, default=0) <= max_rows
        return results

    for (_, features, search, leaves_after), result in zip(everyone, simulate(run), strict=True):
        if isinstance(result, TimeoutError):
            assert leaves_after is not None
            continue
        tokens = tiny.cache_tokens(features, search)
        brings_it_down = fault is not None and features[0] == 9 and len(tokens) >= 2
        fails = search.fail_at == -1 or (search.fail_at is not None and search.fail_at <= len(tokens))
        if brings_it_down or fails:
            assert isinstance(result, ArithmeticError | RuntimeError)
        else:
            assert result == tokens


def stepwise_queue(model: StepwiseModel, **options: Any) -> FairQueue:
    """The queue of a model whose runs all take a second."""
    executor = SimulatedExecutor(asyncio.get_running_loop(), lambda: 1.0)
    scheduler = StepwiseScheduler(model, executor=executor, **options)
    scheduler.queue = FairQueue(bound=10_000, shape=model.shape, wake=scheduler.wake)
    return scheduler.queue


async def write(queue: FairQueue, search: tiny.Greedy, rows: int = 1) -> None:
    """A request of so many rows, each of which gets its own tokens."""
    flow = queue.open(10, queue.loop.time() + 1000)
    tickets = [await flow.submit(tiny.cache_item([1, 2, 3], replace(search, tokens=[]))) for _ in range(rows)]
    for ticket in tickets:
        assert await ticket.future == tiny.cache_tokens([1, 2, 3], search)
    flow.close()


@dataclass
class Counted(RunsGraph):
    """An encoder that notes what it was given."""

    encoder: RunsGraph
    sources: list[list[list[int]]] = field(default_factory=list)

    def run(self, inputs: Mapping[str, Array]) -> Sequence[Array]:
        lengths = inputs["real"].sum(axis=1).astype(int)
        self.sources.append([row[:length].tolist() for row, length in zip(inputs["ids"], lengths, strict=True)])
        return self.encoder.run(inputs)


EVEN = [[place, place] for place in range(1, 13)]
MIXED = [[place] * (1 + place % 3) for place in range(1, 13)]


def encodings(
    folder: Path, document: list[list[int]], *, max_rows: int, max_encode_cost: float, later: float = 4.5
) -> list[list[list[int]]]:
    """What is encoded together, in order: of a document of 12 sentences, and of a short text that comes later."""
    encoders: list[Counted] = []

    def watch(encoder: RunsGraph) -> RunsGraph:
        encoders.append(Counted(encoder))
        return encoders[0]

    async def run() -> None:
        loop = asyncio.get_running_loop()
        model = load(tiny.STATE, folder, observe=watch)
        queue = stepwise_queue(model, max_rows=max_rows, max_encode_cost=max_encode_cost)

        async def translate(arrival: float, sources: Sequence[list[int]]) -> None:
            await asyncio.sleep(arrival)
            flow = queue.open(10, loop.time() + 1000)
            items = [replace(tiny.state_item(each, tiny.Greedy()), cost=len(each)) for each in sources]
            tickets = [await flow.submit(item) for item in items]
            for source, ticket in zip(sources, tickets, strict=True):
                assert await ticket.future == tiny.state_tokens(source, tiny.Greedy())
            flow.close()

        await asyncio.gather(translate(0, document), translate(later, [[30]]))

    simulate(run)
    return encoders[0].sources


def test_a_request_with_rows_waits_until_several_can_be_encoded_and_a_new_one_does_not(tmp_path: Path) -> None:
    runs = encodings(tmp_path, EVEN, max_rows=6, max_encode_cost=math.inf)
    assert sorted(source[0] for run in runs for source in run) == [*range(1, 13), 30]
    assert runs[1] == [[30]], "there was one place, and it did not wait for a second"
    assert all(len(run) == 2 for run in runs[2:]), runs


def test_a_new_request_does_not_wait_for_all_that_there_was_room_for(tmp_path: Path) -> None:
    runs = encodings(tmp_path, EVEN, max_rows=24, max_encode_cost=4, later=1.5)
    assert runs[:2] == [[[1, 1], [2, 2]], [[3, 3], [4, 4]]]
    # Two groups at a time as long as no rows wait for a step, then one; the fourth begins when it is there.
    assert runs[3] == [[30]], "twelve of the document had been taken before it came"


def test_what_is_encoded_together_is_of_like_length_and_bounded_by_its_padded_cost(tmp_path: Path) -> None:
    runs = encodings(tmp_path, MIXED, max_rows=12, max_encode_cost=4)
    assert sorted(source[0] for run in runs for source in run) == [*range(1, 13), 30]
    assert any(len(run) > 1 for run in runs)
    assert all(len(run) * max(map(len, run)) <= 4 for run in runs), runs
    assert all(len({len(source) for source in run}) == 1 for run in runs), "of these costs any two differ too much"


@dataclass
class Sized(RunsGraph):
    """A decoder that notes how many rows share each step."""

    decoder: RunsGraph
    sizes: list[int]

    def run(self, inputs: Mapping[str, Array]) -> Sequence[Array]:
        self.sizes.append(len(inputs["positions"]))
        return self.decoder.run(inputs)


def steps_beside(folder: Path, document: int) -> list[int]:
    """How many rows share each step, of a document of so many sentences and a short text that comes later."""
    sizes: list[int] = []

    async def run() -> None:
        queue = stepwise_queue(load(tiny.CACHE, folder, partial(Sized, sizes=sizes)), max_rows=48)

        async def write_later() -> None:
            await asyncio.sleep(1.5)
            await write(queue, tiny.Greedy())

        await asyncio.gather(write(queue, tiny.Greedy(), document), write_later())

    simulate(run)
    return sizes


def test_rows_of_a_short_text_step_without_those_of_a_document_and_share_the_time(tmp_path: Path) -> None:
    sizes = steps_beside(tmp_path, 30)
    assert set(sizes) == {30, 1}
    first, last = sizes.index(1), len(sizes) - sizes[::-1].index(1)
    assert 30 in sizes[first:last], "the document waited for the short text's end"


def test_where_nobody_has_many_rows_all_of_them_share_steps(tmp_path: Path) -> None:
    assert 13 in steps_beside(tmp_path, 12)


@dataclass
class Refusing(RunsGraph):
    """An encoder that items with a 9 in front bring down."""

    encoder: RunsGraph

    def run(self, inputs: Mapping[str, Array]) -> Sequence[Array]:
        if (inputs["features"][:, 0] == 9).any():
            raise ArithmeticError("an item is at fault")
        return self.encoder.run(inputs)


def test_an_item_is_encoded_though_those_before_it_have_failed_or_gone(tmp_path: Path) -> None:
    """When the one encoding ends that was under way nothing else is: whatever is not begun then never will be.

    What was taken beside it waits in a group of its own, as it is longer, for a caller who has gone.
    """

    async def run() -> list[int]:
        loop = asyncio.get_running_loop()
        model = load(tiny.CACHE, tmp_path, observe=Refusing)
        executor = SimulatedExecutor(loop, lambda: 1.0)
        scheduler = StepwiseScheduler(model, executor=executor, workers=1, max_rows=6, max_encode_cost=10)
        queue = scheduler.queue = FairQueue(bound=1000, shape=model.shape, wake=scheduler.wake)
        stays, leaves = queue.open(10, loop.time() + 100), queue.open(10, loop.time() + 100)
        bad = await stays.submit(replace(tiny.cache_item([9, 9, 9], tiny.Greedy()), cost=1))
        await leaves.submit(replace(tiny.cache_item([4, 4, 4], tiny.Greedy()), cost=5))
        await asyncio.sleep(0.5)  # the first is being encoded
        good = await stays.submit(tiny.cache_item([1, 2, 3], tiny.Greedy()))
        leaves.close()
        with pytest.raises(ArithmeticError):
            await bad.future
        tokens: list[int] = await good.future
        stays.close()
        await asyncio.sleep(10)
        assert scheduler.idle
        assert queue.cost == 0
        return tokens

    assert simulate(run) == tiny.cache_tokens([1, 2, 3], tiny.Greedy())


@pytest.mark.parametrize(
    ("shared", "prompts"), [(False, ((1,), (1,))), (True, ((1,), (1, 2)))], ids=["not shared", "unequal prompts"]
)
def test_new_requests_of_different_shapes_are_encoded_apart(
    tmp_path: Path, shared: bool, prompts: Sequence[Sequence[int]]
) -> None:
    sizes: list[int] = []

    @dataclass
    class Noting(RunsGraph):
        encoder: RunsGraph

        def run(self, inputs: Mapping[str, Array]) -> Sequence[Array]:
            sizes.append(len(inputs["features"]))
            return self.encoder.run(inputs)

    async def run() -> None:
        loop = asyncio.get_running_loop()
        model = load(tiny.CACHE, tmp_path, observe=Noting, shared=shared)
        executor = SimulatedExecutor(loop, lambda: 1.0)
        scheduler = StepwiseScheduler(model, executor=executor, workers=1, max_rows=8, max_encode_cost=25)
        queue = scheduler.queue = FairQueue(bound=1000, shape=model.shape, wake=scheduler.wake)

        async def call(arrival: float, prompt: Sequence[int]) -> None:
            await asyncio.sleep(arrival)
            await write(queue, tiny.Greedy(prompt=tuple(prompt)))

        await asyncio.gather(call(0, (1,)), *(call(0.5, prompt) for prompt in prompts))

    simulate(run)
    assert sizes == [1, 1, 1]


def test_many_rows_step_in_as_many_lanes_as_there_may_be_at_the_same_time(tmp_path: Path) -> None:
    """24 rows in groups of two: the second lane is opened when the first is full, and both step side by side."""

    async def run() -> list[tuple[float, int]]:
        loop = asyncio.get_running_loop()
        steps: list[tuple[float, int]] = []
        queue = stepwise_queue(
            load(tiny.CACHE, tmp_path),
            workers=3,
            lanes=2,
            lane_rows=8,
            max_rows=24,
            max_encode_cost=20,
            on_batch=lambda size: steps.append((loop.time(), size)),
        )
        await write(queue, tiny.Greedy(most=40), 24)
        return steps

    steps = simulate(run)
    at_once = Counter(when for when, _ in steps)
    assert max(at_once.values()) == 2
    together = [
        sorted(size for when, size in steps if when == moment) for moment, lanes in at_once.items() if lanes == 2
    ]
    assert [8, 8] in together, together


def first_steps(folder: Path, requests: int) -> list[int]:
    """How many rows share each step, of so many requests of one row that come at the same time."""

    async def run() -> list[int]:
        sizes: list[int] = []
        queue = stepwise_queue(load(tiny.CACHE, folder), max_rows=8, max_encode_cost=1, on_batch=sizes.append)
        await asyncio.gather(*(write(queue, tiny.Greedy()) for _ in range(requests)))
        return sizes

    return simulate(run)


def test_a_few_rows_wait_until_others_are_there_and_no_longer(tmp_path: Path) -> None:
    assert first_steps(tmp_path, 1)[0] == 1, "a lone one waits for nobody"
    assert first_steps(tmp_path, 8)[0] == ENOUGH, "the first of eight goes on when enough are there, not when all are"
