"""The scenarios of MLPerf Inference, over HTTP, and overload.

Definitions: https://github.com/mlcommons/inference_policies/blob/master/inference_rules.adoc, "Scenarios". Where
MLPerf runs for ten minutes these take seconds; what a run of their length can show is said beside its figures.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from ekiben_load.driving import Driver, Record, Trace
from ekiben_load.mix import Mix, poisson
from ekiben_load.search import Verdict
from ekiben_load.statistics import allowed_late, percentile, queries_needed

SINGLE_STREAM_QUERIES = queries_needed(1, 90)
"""Fewer say too little of the 90th percentile: 64, as in MLPerf."""

LAG_SHARE = 0.1
"""A generator whose 99th percentile of lag is above this share of the bound has not kept its schedule."""

BOUNDS_PER_RUN = 5.0
"""A run of the Server scenario takes so many times its bound: in a shorter one a queue that grows is not seen."""

SETTLE_SECONDS = 60.0

Latencies = Mapping[tuple[str, str], float]
"""Seconds, by task and input."""


class Show(Protocol):
    """Tells a person how far a run is."""

    def __call__(self, words: str) -> None:
        """How far it is now; whatever was told before is out of date."""

    def note(self, words: str) -> None:
        """Something that stays true."""


@dataclass(frozen=True)
class Options:
    """What the scenarios share. `seconds` is the length of a run, at least."""

    seconds: float
    seed: int
    in_flight: int = 16
    min_queries: int = 100
    bounds_per_run: float = BOUNDS_PER_RUN


@dataclass(frozen=True)
class Trial:
    """One run of the Server scenario. A query is late where it is not answered within its input's bound."""

    rate: float
    planned: int
    trace: Trace
    bounds: Latencies
    cut: bool
    """Ended before its time, since it could not pass any more."""

    @property
    def late(self) -> int:
        return sum(is_late(record, self.bounds) for record in self.trace.records)

    @property
    def lag(self) -> float:
        """The 99th percentile of how late queries were sent."""
        return percentile([record.lag for record in self.trace.records], 99)

    @property
    def kept_schedule(self) -> bool:
        return self.lag <= LAG_SHARE * min(self.bounds.values())

    @property
    def verdict(self) -> Verdict:
        allowed = allowed_late(self.planned)
        # Late even from when they were sent: no lag of the generator's excuses that.
        if sum(is_late(record, self.bounds, since_sent=True) for record in self.trace.records) > allowed:
            return Verdict.FAILED
        if not self.kept_schedule:
            return Verdict.INVALID
        return Verdict.PASSED if self.late <= allowed else Verdict.FAILED

    @property
    def proven(self) -> bool:
        """As many queries as it takes to be sure, by 99 of a hundred, and not only to have seen it."""
        return self.verdict is Verdict.PASSED and self.planned >= queries_needed(self.late)


def is_late(record: Record, bounds: Latencies, *, since_sent: bool = False) -> bool:
    """Whether it was not answered well within its bound, from when it was due or from when it was sent."""
    latency = record.latency - record.lag if since_sent else record.latency
    return not record.good or latency > bounds[record.task, record.input]


async def single_stream(driver: Driver, mix: Mix, options: Options, show: Show) -> Trace:
    """The next query as soon as the last is answered."""
    return await driver.closed_loop(
        mix.draw(options.seed),
        in_flight=1,
        seconds=options.seconds,
        min_queries=SINGLE_STREAM_QUERIES,
        watch=counting(show, "single-stream"),
    )


async def offline(driver: Driver, mix: Mix, options: Options, show: Show) -> Trace:
    """As much as the server takes: so many in flight all the time, since its queue is bounded."""
    return await driver.closed_loop(
        mix.draw(options.seed), in_flight=options.in_flight, seconds=options.seconds, watch=counting(show, "offline")
    )


async def server(driver: Driver, mix: Mix, options: Options, show: Show, *, rate: float, bounds: Latencies) -> Trial:
    """Poisson arrivals at `rate` a second, until the run is over or cannot pass any more."""
    longest = max(percentile([bounds[task, query.name] for query in mix.queries[task]], 50) for task in mix.weights)
    seconds = max(options.seconds, options.bounds_per_run * longest)
    due = poisson(rate, seconds, options.seed, at_least=options.min_queries)
    allowed, late = allowed_late(len(due)), 0
    count = counting(show, f"server at {rate:.3g}/s", len(due))

    def watch(record: Record) -> None:
        nonlocal late
        late += is_late(record, bounds)
        count(record)

    trace = await driver.open_loop(mix.draw(options.seed), due, watch=watch, is_decided=lambda: late > allowed)
    trial = Trial(rate, len(due), trace, bounds, cut=late > allowed)
    if trial.cut:
        await settle(driver, mix, bounds)
    show.note(f"server at {rate:.3g}/s: {trial.verdict}, {late} of {len(due)} late, lag {trial.lag * 1e3:.1f} ms")
    return trial


async def settle(driver: Driver, mix: Mix, bounds: Latencies) -> None:
    """Wait until the server has got over what it was asked and is not waited for any more."""
    queries = [of_task[0] for of_task in mix.queries.values()]
    until = driver.clock() + SETTLE_SECONDS
    while driver.clock() < until:
        trace = await driver.closed_loop(iter(queries), in_flight=1, seconds=0, min_queries=len(queries))
        if not any(is_late(record, bounds) for record in trace.records):
            return
        await asyncio.sleep(0.1)


async def overload(driver: Driver, mix: Mix, options: Options, show: Show, *, rate: float) -> Trace:
    """Poisson arrivals at `rate` a second, far more than there can be answers, for the whole time."""
    due = poisson(rate, options.seconds, options.seed)
    return await driver.open_loop(mix.draw(options.seed), due, watch=counting(show, "overload", len(due)))


def counting(show: Show, name: str, planned: int | None = None) -> Callable[[Record], None]:
    """Shows how many there were, and how many of them good."""
    asked, good = 0, 0

    def watch(record: Record) -> None:
        nonlocal asked, good
        asked += 1
        good += record.good
        show(f"{name}: {asked}{f' of {planned}' if planned else ''}, {good} good")

    return watch
