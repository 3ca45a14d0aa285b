"""What the terminal shows: how far a run is, and the table at the end."""

from __future__ import annotations

import shutil
import sys
from time import monotonic

from ekiben_load.report import Metric, Report, Run

INTERVAL_SECONDS = 0.2


class Progress:
    """On standard error: what stays true, and on a terminal a line that is written over."""

    def __init__(self) -> None:
        self._shown = 0.0
        self._on = sys.stderr.isatty()

    def __call__(self, words: str) -> None:
        if self._on and monotonic() - self._shown >= INTERVAL_SECONDS:
            self._shown = monotonic()
            sys.stderr.write(f"\r\x1b[K{words[: shutil.get_terminal_size().columns - 1]}")
            sys.stderr.flush()

    def note(self, words: str) -> None:
        self.clear()
        print(words, file=sys.stderr, flush=True)

    def clear(self) -> None:
        if self._on:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def figure(metric: Metric) -> str:
    value = "none" if metric.value is None else f"{metric.value:.3g}" if metric.value < 100 else f"{metric.value:.0f}"
    return f"{metric.name} {value} {metric.unit}"


def summary(report: Report) -> str:
    """A Markdown table of all runs, one of the tasks of each, and what has to be said about them."""
    lines = [
        f"{report.target.server or 'a server'} at {report.target.url}; seed {report.seed}; "
        f"{report.machine.cores} cores of {report.machine.processor}",
        "",
        "| scenario | result | valid | queries | good | p50 ms | p90 ms | p99 ms | generator's CPU |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
        *map(_row, report.runs),
        "",
        "Latencies, here and by task, are those of good answers only.",
    ]
    for run in report.runs:
        lines += ["", f"{run.scenario}: {'; '.join([*map(figure, run.further), *run.remarks]) or 'by task'}", ""]
        lines += _by_task(run)
    return "\n".join(lines)


def _row(run: Run) -> str:
    latency = run.latency_ms
    times = [f"{each:.1f}" for each in (latency.p50, latency.p90, latency.p99)] if latency else ["", "", ""]
    generator = f"{run.generator.cpu_ms_per_query:.2f} ms a query, {run.generator.core_share:.0%} of a core"
    cells = [run.scenario, figure(run.metric), "yes" if run.valid else "NO", run.queries, run.good, *times, generator]
    return f"| {' | '.join(map(str, cells))} |"


def _by_task(run: Run) -> list[str]:
    head = ["| task | queries | good | p50 ms | p99 ms | alone ms | late | capacity/s |", "| --- " * 8 + "|"]
    rows = []
    for each in run.tasks:
        latency = each.latency_ms
        times = [f"{value:.0f}" for value in (latency.p50, latency.p99)] if latency else ["", ""]
        alone = f"{each.lone_ms:.1f}" if each.lone_ms is not None else ""
        capacity = f"{each.capacity:.1f}" if each.capacity is not None else ""
        late = "" if each.late is None else str(each.late)
        rows.append(f"| {' | '.join([each.task, str(each.queries), str(each.good), *times, alone, late, capacity])} |")
    outcomes = ", ".join(f"{count} × {outcome}" for outcome, count in run.outcomes.items())
    return [*head, *rows, "", f"answers: {outcomes}"]
