"""From what was recorded to what is reported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ekiben_load.calibration import Capacity
from ekiben_load.driving import Record, Trace
from ekiben_load.mix import Mix
from ekiben_load.report import (
    Generator,
    Memory,
    Metric,
    Percentiles,
    Run,
    Samples,
    Scenario,
    TaskResult,
    TrialResult,
)
from ekiben_load.scenarios import Latencies, Trial, is_late
from ekiben_load.statistics import percentile

MAX_SAMPLES = 4000
MIN_GOOD_SHARE = 0.99


def percentiles(records: Sequence[Record]) -> Percentiles | None:
    """Of the good ones among them; none where there is none."""
    latencies = [record.latency * 1e3 for record in records if record.good]
    if not latencies:
        return None
    ranks = {f"p{percent}": percentile(latencies, percent) for percent in (50, 90, 95, 99)}
    return Percentiles(mean=sum(latencies) / len(latencies), max=max(latencies), **ranks)


def result(
    scenario: Scenario,
    mix: Mix,
    trace: Trace,
    metric: Metric,
    *,
    further: Sequence[Metric] = (),
    remarks: Sequence[str] = (),
    kept_schedule: bool = True,
    valid: bool = True,
    lone: Latencies | None = None,
    bounds: Latencies | None = None,
    capacity: Mapping[str, Capacity] | None = None,
    trials: Sequence[Trial] = (),
    memory: Memory | None = None,
) -> Run:
    """`valid` is what the scenario itself has to say; that the schedule was kept is asked here."""
    tasks = [
        TaskResult(
            task=task,
            queries=len(records := trace.of(task)),
            good=sum(record.good for record in records),
            latency_ms=percentiles(records),
            lone_ms=percentile([lone[task, query.name] * 1e3 for query in mix.queries[task]], 50) if lone else None,
            late=sum(is_late(record, bounds) for record in records) if bounds else None,
            capacity=capacity[task].rate if capacity else None,
        )
        for task in mix.weights
    ]
    return Run(
        scenario=scenario,
        mix=dict(mix.weights),
        seconds=trace.seconds,
        queries=len(trace.records),
        good=len(trace.good),
        outcomes=dict(trace.outcomes.most_common()),
        metric=metric,
        further=list(further),
        valid=valid and kept_schedule,
        remarks=list(remarks),
        latency_ms=percentiles(trace.records),
        tasks=tasks,
        generator=_generator(trace, kept_schedule=kept_schedule),
        trials=[_trial(trial) for trial in sorted(trials, key=lambda trial: trial.rate)],
        samples=_samples(trace.records),
        memory=memory,
    )


def mostly_answered(trace: Trace) -> list[str]:
    """A remark where too few had a good answer for latencies and rates to mean what they say."""
    share = len(trace.good) / max(len(trace.records), 1)
    return [] if share >= MIN_GOOD_SHARE else [f"only {share:.1%} of the queries had a good answer"]


def lag_p99(trace: Trace) -> float:
    return percentile([record.lag for record in trace.records], 99) if trace.records else 0.0


def _generator(trace: Trace, *, kept_schedule: bool) -> Generator:
    return Generator(
        cpu_ms_per_query=trace.cpu_seconds / max(len(trace.records), 1) * 1e3,
        core_share=trace.cpu_seconds / trace.seconds if trace.seconds else 0.0,
        lag_p99_ms=lag_p99(trace) * 1e3,
        kept_schedule=kept_schedule,
    )


def _trial(trial: Trial) -> TrialResult:
    # A query without a good answer waits for ever, as far as percentiles go.
    records = trial.trace.records
    latency = percentile([record.latency if record.good else float("inf") for record in records], 99)
    slowdown = percentile(
        [
            record.latency / trial.bounds[record.task, record.input] if record.good else float("inf")
            for record in records
        ],
        99,
    )
    return TrialResult(
        rate=trial.rate,
        planned=trial.planned,
        sent=len(records),
        late=trial.late,
        p99_ms=latency * 1e3 if latency < float("inf") else None,
        slowdown_p99=slowdown if slowdown < float("inf") else None,
        lag_p99_ms=trial.lag * 1e3,
        verdict=trial.verdict,
        cut=trial.cut,
        proven=trial.proven,
    )


def _samples(records: Sequence[Record]) -> Samples:
    step = -(-len(records) // MAX_SAMPLES) or 1
    some = sorted(records[::step], key=lambda record: record.due)
    return Samples(
        due_s=[round(record.due, 4) for record in some],
        latency_ms=[round(record.latency * 1e3, 3) for record in some],
        task=[record.task for record in some],
        outcome=[record.outcome for record in some],
    )
