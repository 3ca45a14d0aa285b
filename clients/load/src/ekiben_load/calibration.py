"""What is measured before a scenario: what each input takes alone, and what a server does of each task by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle

from ekiben_load.driving import Driver, Trace
from ekiben_load.mix import Mix
from ekiben_load.process import ServerProcess
from ekiben_load.queries import Query
from ekiben_load.scenarios import Latencies, Options, Show, counting
from ekiben_load.statistics import percentile

LONE_ROUNDS = 2
"""How often each input is asked by itself, for its lone latency: once where a round takes long."""

LONG_SECONDS = 2.0

FULL_LOAD_SECONDS = 3.0
FULL_LOAD_QUERIES = 32
"""At full load, at least: of fewer, too large a part is asked while others have nothing to do any more."""


async def lone_latencies(driver: Driver, mix: Mix, show: Show) -> Latencies:
    """The median latency of each input by itself, one query at a time. Raises `ValueError` where it has no answer."""
    medians = {}
    for task, queries in mix.queries.items():
        # The first round is not counted: each may be the server's first of its shape.
        first = await _in_turn(driver, task, queries, show, rounds=1)
        rounds = 1 if first.seconds > LONG_SECONDS else LONE_ROUNDS
        trace = await _in_turn(driver, task, queries, show, rounds=rounds)
        for query in queries:
            seen = [record for record in trace.records if record.input == query.name]
            if not all(record.good for record in seen):
                raise ValueError(f"{task} was not answered for {query.name}: {dict(trace.outcomes)}")
            medians[task, query.name] = percentile([record.latency for record in seen], 50)
        alone = percentile([medians[task, query.name] for query in queries], 50)
        times = f"{rounds} {'time' if rounds == 1 else 'times'}"
        show.note(f"{task} alone: {alone * 1e3:.1f} ms, {times} {len(queries)} inputs in {trace.seconds:.1f} s")
    return medians


async def _in_turn(driver: Driver, task: str, queries: Sequence[Query], show: Show, *, rounds: int) -> Trace:
    """One query at a time."""
    planned = rounds * len(queries)
    watch = counting(show, f"{task} alone", planned)
    return await driver.closed_loop(cycle(queries), in_flight=1, seconds=0, min_queries=planned, watch=watch)


@dataclass(frozen=True)
class Capacity:
    """What a server does of one task by itself: answers a second, and the CPU seconds of each where they are known."""

    rate: float
    cpu_seconds: float | None


async def capacities(
    driver: Driver, mix: Mix, options: Options, show: Show, process: ServerProcess | None = None
) -> Mapping[str, Capacity]:
    """Of each task; the loop's end is counted, see README.md. Raises `ValueError` where one is not answered."""
    found = {}
    for task in mix.weights:
        inputs = len(mix.queries[task])
        before = process.cpu_seconds() if process else 0.0
        trace = await driver.closed_loop(
            mix.only(task).draw(options.seed),
            in_flight=options.in_flight,
            seconds=min(options.seconds, FULL_LOAD_SECONDS),
            min_queries=-(-FULL_LOAD_QUERIES // inputs) * inputs,  # each input as often as the others
            watch=counting(show, f"{task} at full load"),
        )
        if not trace.good:
            raise ValueError(f"{task} was not answered: {dict(trace.outcomes)}")
        cpu = (process.cpu_seconds() - before) / len(trace.good) if process else None
        found[task] = Capacity(len(trace.good) / trace.seconds, cpu)
        show.note(f"{task} at full load: {found[task].rate:.1f} answers/s")
    return found


def mixed_rate(weights: Mapping[str, float], capacity: Mapping[str, Capacity]) -> float:
    """Queries a second of a mix, where each task by itself has its own rate and they share what they need."""
    return sum(weights.values()) / sum(weight / capacity[task].rate for task, weight in weights.items())
