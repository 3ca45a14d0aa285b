"""A scenario from its beginning to its place in the report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ekiben_load import scenarios
from ekiben_load.driving import Driver, Trace
from ekiben_load.mix import Mix
from ekiben_load.process import MemoryWatch, ServerProcess
from ekiben_load.report import Metric, Run
from ekiben_load.results import lag_p99, mostly_answered, result
from ekiben_load.scenarios import SINGLE_STREAM_QUERIES, Capacity, Latencies, Options, Show, Trial
from ekiben_load.search import Verdict, highest_rate
from ekiben_load.statistics import percentile

START_SHARE = 0.75
"""Of the capacity in closed loops: where the search for the highest Server rate begins."""

OVERLOAD_LAG_SECONDS = 0.1
"""What overload asks of the schedule: its rate, no single latency."""

EXPECTED_IN_OVERLOAD = {"200", "429", "503"}


@dataclass(frozen=True)
class Runner:
    """`p99_ms` bounds the Server scenario for all queries alike; without it each is bounded by `times_lone` its own
    latency alone."""

    driver: Driver
    mix: Mix
    options: Options
    show: Show
    p99_ms: float | None = None
    times_lone: float = 10.0
    factor: float = 3.0
    pid: int | None = None

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

    async def server(self) -> Run:
        """Searches for the highest rate whose 99th percentile is within the bounds."""
        lone = await scenarios.lone_latencies(self.driver, self.mix, self.show)
        bounds = {key: self.p99_ms / 1e3 if self.p99_ms else self.times_lone * latency for key, latency in lone.items()}
        capacity = await scenarios.capacities(self.driver, self.mix, self.options, self.show)
        trials: list[Trial] = []

        async def trial(rate: float) -> Trial:
            trials.append(
                await scenarios.server(self.driver, self.mix, self.options, self.show, rate=rate, bounds=bounds)
            )
            return trials[-1]

        start = START_SHARE * scenarios.mixed_rate(self.mix.weights, capacity)
        rate = await highest_rate(trial, start)
        passed = [each for each in trials if each.rate == rate and each.verdict is Verdict.PASSED]
        best = passed[0] if passed else trials[-1]
        invalid = [each.rate for each in trials if each.verdict is Verdict.INVALID]
        remarks = [self._bound_in_words(lone)]
        if rate is None:
            remarks.append("no rate passed")
        elif not best.proven:
            remarks.append(f"{best.planned} queries: too few to prove a 99th percentile, by MLPerf's early stopping")
        if invalid:
            remarks.append(
                f"the generator fell behind its schedule at {', '.join(f'{each:.3g}/s' for each in invalid)}"
            )
        offline = scenarios.mixed_rate(self.mix.weights, capacity)
        return result(
            "server", self.mix, best.trace, Metric(name="highest rate", value=rate, unit="queries/s"),
            further=[Metric(name="capacity in closed loops", value=offline, unit="answers/s")], remarks=remarks,
            kept_schedule=best.kept_schedule, valid=rate is not None and not _decided_by(invalid, rate), lone=lone,
            bounds=bounds, capacity=capacity, trials=trials,
        )  # fmt: skip

    async def overload(self) -> Run:
        """Asks for `factor` times what the server can do; what counts is the work that it does in that time."""
        process = ServerProcess(self.pid) if self.pid else None
        capacity = await scenarios.capacities(self.driver, self.mix, self.options, self.show, process)
        mixed, seconds = scenarios.mixed_rate(self.mix.weights, capacity), self.options.seconds
        before = process.cpu_seconds() if process else 0.0
        async with MemoryWatch(process) as memory:
            trace = await scenarios.overload(self.driver, self.mix, self.options, self.show, rate=self.factor * mixed)
        # The cheap tasks of a mix are answered more often than the dear ones, which are refused: each answer counts
        # as the share of the server's time that it takes.
        in_time = [record for record in trace.good if record.finished <= seconds]
        work = sum(1 / capacity[record.task].rate for record in in_time) / seconds
        kept_schedule = lag_p99(trace) <= OVERLOAD_LAG_SECONDS
        unexpected = {each: count for each, count in trace.outcomes.items() if each not in EXPECTED_IN_OVERLOAD}
        return result(
            "overload", self.mix, trace, Metric(name="goodput", value=work, unit="of capacity"),
            further=[
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


def _decided_by(invalid: list[float], rate: float) -> bool:
    """Whether the search stopped for the generator's sake."""
    return any(each > rate for each in invalid)


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
