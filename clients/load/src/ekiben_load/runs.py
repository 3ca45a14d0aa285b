"""A scenario from its beginning to its place in the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ekiben_load import calibration, scenarios
from ekiben_load.calibration import Capacity
from ekiben_load.driving import Driver, Trace
from ekiben_load.mix import Mix
from ekiben_load.process import MemoryWatch, ServerProcess
from ekiben_load.report import Metric, Run
from ekiben_load.results import lag_p99, mostly_answered, result
from ekiben_load.scenarios import SINGLE_STREAM_QUERIES, Latencies, Options, Show, Trial
from ekiben_load.search import RESOLUTION, Verdict, highest_rate
from ekiben_load.statistics import percentile

START_SHARE = 0.75
"""Of the capacity, from that of each task by itself: where the search for the highest Server rate begins."""

OFFLINE_START_SHARE = 0.5
"""Or of the throughput offline: in one mix the dear queries wait for each other, and fewer are in time."""

OVERLOAD_LAG_SECONDS = 0.1
"""What overload asks of the schedule: its rate, no single latency."""

EXPECTED_IN_OVERLOAD = {"200", "429", "503"}

GOOD_WITHIN_SECONDS = 10.0
"""After so long a person has turned to something else. It is none of the server's own bounds: a queue may hold a
picture for 30 seconds, a recording for 300."""

OTHER_BOUNDS_SECONDS = (1.0, 5.0, 10.0, 30.0)
"""The goodput within these is told beside it."""


@dataclass(frozen=True)
class Runner:
    """`p99_ms` bounds the Server scenario for all queries alike; without it each is bounded by `times_lone` its own
    latency alone. Its search ends at `resolution`, or with the first run that ends after `search_seconds`."""

    driver: Driver
    mix: Mix
    options: Options
    show: Show
    p99_ms: float | None = None
    times_lone: float = 10.0
    factor: float = 3.0
    pid: int | None = None
    resolution: float = RESOLUTION
    search_seconds: float = float("inf")
    good_within: float = GOOD_WITHIN_SECONDS

    async def all(self) -> list[Run]:
        """SingleStream, Offline, and Server, which begins its search at what Offline found."""
        single, offline = await self.single_stream(), await self.offline()
        return [single, offline, await self.server(offline.metric.value or None)]

    async def single_stream(self) -> Run:
        trace = await scenarios.single_stream(self.driver, self.mix, self.options, self.show)
        p90 = percentile([record.latency for record in trace.good], 90) * 1e3 if trace.good else None
        remarks = mostly_answered(trace)
        if len(trace.records) < SINGLE_STREAM_QUERIES:
            remarks.append(f"fewer than {SINGLE_STREAM_QUERIES} queries")
        return result(
            "single-stream", self.mix, trace, Metric(name="p90", value=p90, unit="ms"), remarks=remarks,
            valid=not remarks,
        )  # fmt: skip

    async def offline(self) -> Run:
        trace = await scenarios.offline(self.driver, self.mix, self.options, self.show)
        remarks = mostly_answered(trace)
        metric = Metric(name="throughput", value=len(trace.good) / trace.seconds, unit="answers/s")
        return result("offline", self.mix, trace, metric, remarks=remarks, valid=not remarks)

    async def server(self, offline: float | None = None) -> Run:
        """Searches for the highest rate whose 99th percentile is within the bounds.

        `offline` is the mix's throughput, where it is known: each task's own is measured otherwise.
        """
        lone = await calibration.lone_latencies(self.driver, self.mix, self.show)
        bounds = {key: self.p99_ms / 1e3 if self.p99_ms else self.times_lone * latency for key, latency in lone.items()}
        capacity, start = None, OFFLINE_START_SHARE
        if offline is None:
            capacity = await calibration.capacities(self.driver, self.mix, self.options, self.show)
            offline, start = calibration.mixed_rate(self.mix.weights, capacity), START_SHARE
        trials: list[Trial] = []
        ends = self.driver.clock() + self.search_seconds

        async def trial(rate: float) -> Trial:
            trials.append(
                await scenarios.server(self.driver, self.mix, self.options, self.show, rate=rate, bounds=bounds)
            )
            return trials[-1]

        rate = await highest_rate(
            trial, start * offline, resolution=self.resolution, is_over=lambda: self.driver.clock() >= ends
        )
        passed = [each for each in trials if each.rate == rate and each.verdict is Verdict.PASSED]
        best = passed[0] if passed else trials[-1]
        invalid = [each.rate for each in trials if each.verdict is Verdict.INVALID]
        remarks = [self._bound_in_words(lone), _bracket_in_words(rate, trials)]
        if rate is not None and not best.proven:
            remarks.append(f"{best.planned} queries: too few to prove a 99th percentile, by MLPerf's early stopping")
        if invalid:
            remarks.append(
                f"the generator fell behind its schedule at {', '.join(f'{each:.3g}/s' for each in invalid)}"
            )
        return result(
            "server", self.mix, best.trace, Metric(name="highest rate", value=rate, unit="queries/s"),
            further=[Metric(name="capacity" if capacity else "offline", value=offline, unit="answers/s")],
            remarks=remarks, kept_schedule=best.kept_schedule,
            valid=rate is not None and not _is_undecided(trials, rate), lone=lone, bounds=bounds, capacity=capacity,
            trials=trials,
        )  # fmt: skip

    async def overload(self) -> Run:
        """Asks for `factor` times what the server can do; what counts is the work that it does in that time."""
        process = ServerProcess(self.pid) if self.pid else None
        capacity = await calibration.capacities(self.driver, self.mix, self.options, self.show, process)
        mixed, seconds = calibration.mixed_rate(self.mix.weights, capacity), self.options.seconds
        before = process.cpu_seconds() if process else 0.0
        async with MemoryWatch(process) as memory:
            trace = await scenarios.overload(self.driver, self.mix, self.options, self.show, rate=self.factor * mixed)
        in_time = [record for record in trace.good if record.finished <= seconds]

        def goodput(within: float) -> float:
            # The cheap tasks of a mix are answered more often than the dear ones, which are refused: each answer
            # counts as the share of the server's time that it takes.
            return sum(1 / capacity[record.task].rate for record in in_time if record.latency <= within) / seconds

        others = sorted({*OTHER_BOUNDS_SECONDS} - {self.good_within})
        kept_schedule = lag_p99(trace) <= OVERLOAD_LAG_SECONDS
        unexpected = {each: count for each, count in trace.outcomes.items() if each not in EXPECTED_IN_OVERLOAD}
        return result(
            "overload", self.mix, trace, _goodput(self.good_within, goodput(self.good_within)),
            further=[
                *(_goodput(within, goodput(within)) for within in others),
                Metric(name="goodput, however late", value=goodput(float("inf")), unit="of capacity"),
                Metric(name="capacity", value=mixed, unit="answers/s of the mix"),
                Metric(name="asked for", value=self.factor * mixed, unit="queries/s"),
                Metric(name="answered", value=len(in_time) / seconds, unit="answers/s"),
                *_efficiency(trace, capacity, process.cpu_seconds() - before if process else 0.0),
                *memory.metrics(),
            ],
            remarks=_unexpected_in_words(unexpected), kept_schedule=kept_schedule, valid=not unexpected,
            capacity=capacity, memory=memory.seen,
        )  # fmt: skip

    def _bound_in_words(self, lone: Latencies) -> str:
        if self.p99_ms:
            return f"bound: {self.p99_ms:g} ms for each query"
        low, high = min(lone.values()) * 1e3 * self.times_lone, max(lone.values()) * 1e3 * self.times_lone
        return f"bound: {self.times_lone:g} times the input's latency alone, {low:.0f} to {high:.0f} ms"


def _goodput(within: float, value: float) -> Metric:
    return Metric(name=f"goodput within {within:g} s", value=value, unit="of capacity")


def _lowest_not_passed(trials: Sequence[Trial], rate: float | None) -> Trial | None:
    """Above `rate`; the last word on a rate that was tried twice."""
    above = {each.rate: each for each in trials if rate is None or each.rate > rate}
    return above[min(above)] if above else None


def _is_undecided(trials: Sequence[Trial], rate: float) -> bool:
    """Whether nothing but the generator says that a higher rate does not pass."""
    lowest = _lowest_not_passed(trials, rate)
    return lowest is not None and lowest.verdict is Verdict.INVALID


def _bracket_in_words(rate: float | None, trials: Sequence[Trial]) -> str:
    lowest = _lowest_not_passed(trials, rate)
    above = f"not at {lowest.rate:.3g}/s" if lowest else "no higher rate was tried"
    return f"no rate passed, {above}" if rate is None else f"passed at {rate:.3g}/s, {above}"


def _efficiency(trace: Trace, capacity: Mapping[str, Capacity], cpu_seconds: float) -> list[Metric]:
    """What all good answers cost by themselves, of the CPU time that the server took: neighbours do not move it."""
    costs = {task: each.cpu_seconds for task, each in capacity.items() if each.cpu_seconds is not None}
    if not costs:
        return []
    useful = sum(costs[record.task] for record in trace.good)
    return [Metric(name="useful CPU time", value=useful / cpu_seconds, unit="of the server's")]


def _unexpected_in_words(unexpected: dict[str, int]) -> list[str]:
    words = ", ".join(f"{count} × {outcome}" for outcome, count in unexpected.items())
    return [f"overload does not excuse {words}"] if words else []
