"""The figures of a report, as SVG that needs nothing else."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import matplotlib.ticker
from matplotlib.figure import Figure

from ekiben_load.driving import GOOD
from ekiben_load.report import Memory, Run, TrialResult
from ekiben_load.search import Verdict

BINS = 40
MANY_POINTS = 400
"""More points than these become pixels: each would be an element of the SVG."""

COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#7a5c00", "#000000")
"""After Okabe and Ito: told apart with any colour vision."""

RED = "#d55e00"
STYLE: Any = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e4e4e4",
    "axes.axisbelow": True,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "figure.dpi": 150,
}


def latency_over_time(run: Run) -> bytes:
    """Every query at the time when it was due; those without a good answer as crosses."""
    figure, axes = _figure("seconds since the start", "latency, ms")
    samples = run.samples
    places = range(len(samples.task))
    for colour, task in zip(COLOURS, run.mix, strict=False):
        good = [place for place in places if samples.task[place] == task and samples.outcome[place] == GOOD]
        _points(axes, run, good, color=colour, marker="o", s=9, linewidths=0, alpha=0.6, label=task)
    bad = [place for place in places if samples.outcome[place] != GOOD]
    if bad:
        _points(axes, run, bad, color=RED, marker="x", s=10, linewidths=0.7, label="no good answer")
    axes.set_yscale("log")
    _plain_numbers(axes.yaxis)
    return _svg(figure, axes, legend=len(run.mix) + bool(bad) > 1)


def _points(axes: Any, run: Run, places: Sequence[int], **how: Any) -> None:
    due, latency = run.samples.due_s, run.samples.latency_ms
    axes.scatter(
        [due[place] for place in places],
        [latency[place] for place in places],
        rasterized=len(places) > MANY_POINTS,
        **how,
    )


def histogram(run: Run) -> bytes:
    """How often which latency was seen among the good answers; every bar is as wide by ratio."""
    figure, axes = _figure("latency, ms", "answers")
    samples = run.samples
    latencies = [
        [
            latency
            for latency, of, outcome in zip(samples.latency_ms, samples.task, samples.outcome, strict=True)
            if of == task and outcome == GOOD
        ]
        for task in run.mix
    ]
    every = [latency for some in latencies for latency in some]
    if every:
        low, high = min(every), max(every) * 1.0001
        edges = [low * (high / low) ** (place / BINS) for place in range(BINS + 1)]
        axes.hist(latencies, edges, stacked=True, color=COLOURS[: len(latencies)], label=list(run.mix))
    axes.set_xscale("log")
    _plain_numbers(axes.xaxis)
    return _svg(figure, axes, legend=len(run.mix) > 1 and bool(every))


def throughput_against_p99(trials: Sequence[TrialResult]) -> bytes:
    """The Server scenario's search: how far the 99th percentile was from its bound at each rate.

    Hollow where it is at least so high: the run was cut short, or as many as count had no answer.
    """
    figure, axes = _figure("queries a second", "99th percentile, of its bound")
    looks = {
        Verdict.PASSED: (COLOURS[0], "o", "passed"),
        Verdict.FAILED: (RED, "s", "failed"),
        Verdict.INVALID: ("#777777", "^", "generator fell behind"),
    }
    top = 1.1 * max([2.0, *(each.slowdown_p99 for each in trials if each.slowdown_p99)])
    for verdict, (colour, marker, label) in looks.items():
        some = [each for each in trials if each.verdict is verdict]
        for hollow in (False, True):
            shown = [each for each in some if is_at_least(each) is hollow]
            if shown:
                axes.scatter(
                    [each.rate for each in shown],
                    [top if each.slowdown_p99 is None else each.slowdown_p99 for each in shown],
                    edgecolors=colour, facecolors="none" if hollow else colour, marker=marker, s=30,
                    label=f"{label}, at least" if hollow else label,
                )  # fmt: skip
    axes.axhline(1, color="#444444", linewidth=1, linestyle="--", label="bound")
    axes.set_ylim(0, top * 1.05)
    axes.margins(x=0.1)
    return _svg(figure, axes, legend=True)


def is_at_least(trial: TrialResult) -> bool:
    """Whether its 99th percentile is no more than a lower bound."""
    return trial.cut or trial.slowdown_p99 is None


def memory_over_time(memory: Memory) -> bytes:
    figure, axes = _figure("seconds since the start", "resident memory, MB")
    axes.plot(memory.seconds, memory.megabytes, color=COLOURS[0])
    axes.set_ylim(0, 1.15 * max(memory.megabytes))
    return _svg(figure, axes, legend=False)


def _figure(across: str, up: str) -> tuple[Figure, Any]:
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(5.4, 3.4), layout="constrained")
        axes = figure.add_subplot()
        axes.set_xlabel(across)
        axes.set_ylabel(up)
    return figure, axes


def _plain_numbers(axis: Any) -> None:
    """20, 50, 100 instead of powers of ten: latencies span one or two decades."""
    axis.set_major_locator(mpl.ticker.LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(mpl.ticker.StrMethodFormatter("{x:g}"))
    axis.set_minor_locator(mpl.ticker.NullLocator())


def _svg(figure: Figure, axes: Any, *, legend: bool) -> bytes:
    file = io.BytesIO()
    with mpl.rc_context(STYLE):
        if legend:
            figure.legend(*axes.get_legend_handles_labels(), loc="outside upper left", ncols=3, markerscale=2)
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    return file.getvalue()
