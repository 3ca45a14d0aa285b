"""The report as one page that needs no network."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Sequence
from html import escape

from ekiben_load import figures
from ekiben_load.report import Percentiles, Report, Run, TrialResult
from ekiben_load.terminal import figure as in_words

STYLE = """
:root { color-scheme: light; font: 16px/1.5 system-ui, sans-serif; color: #222; background: #fff }
body { margin: 0 auto; padding: 1rem; max-width: 72rem }
h1, h2 { line-height: 1.2 } h2 { margin-top: 2.5rem; border-top: 1px solid #ccc; padding-top: 1rem }
.wide { overflow-x: auto } table { border-collapse: collapse; margin: .5rem 0; font-size: .9rem }
th, td { padding: .25rem .7rem; text-align: left; border-bottom: 1px solid #ddd; white-space: nowrap }
td.number { text-align: right; font-variant-numeric: tabular-nums }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); gap: 1rem }
figure { margin: 0 } figure img { width: 100%; height: auto } figcaption { font-size: .9rem; color: #555 }
.result { font-size: 1.4rem; margin: 0 } .invalid { color: #b00020; font-weight: bold }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; font-size: .9rem }
dt { color: #555 } dd { margin: 0; overflow-wrap: anywhere }
@media (max-width: 40rem) { dl { grid-template-columns: 1fr } dd { margin-bottom: .4rem } }
"""

EXPLAINED = {
    "single-stream": "The next query is sent as soon as the last is answered.",
    "server": "Queries arrive by a Poisson process, whatever becomes of them; searched is the highest rate at which no "
    "more than one in a hundred is late. The figures show the run at that rate. A run that cannot pass any more is cut "
    "short: its 99th percentile is a lower bound.",
    "offline": "As much as the server takes: so many queries are under way all the time.",
    "overload": "Several times as many queries as there can be answers. Goodput is the work done in the time whose "
    "answers came within a bound, each counted as the share of the server's time that it takes by itself.",
}


def html(report: Report) -> str:
    """The whole document."""
    name = report.target.server or "a server"
    runs = "".join(map(_run, report.runs))
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(name)} under load</title><style>{STYLE}</style>"
        f"<h1>{escape(name)} under load</h1>{_overview(report)}{runs}{_surroundings(report)}</html>"
    )


def _overview(report: Report) -> str:
    rows = [
        [
            run.scenario,
            in_words(run.metric),
            "yes" if run.valid else "no",
            str(run.queries),
            str(run.good),
            *_latencies(run.latency_ms),
        ]
        for run in report.runs
    ]
    heads = ["scenario", "result", "valid", "queries", "good", *HEADS]
    return (
        f"<p>{escape(report.started)}, {escape(report.target.url)}</p>{_table(heads, rows, words=3)}"
        "<p>Latencies, here and by task, are those of good answers only.</p>"
    )


HEADS = ["p50 ms", "p90 ms", "p99 ms", "max ms"]


def _latencies(latency: Percentiles | None) -> list[str]:
    return [f"{each:.1f}" for each in (latency.p50, latency.p90, latency.p99, latency.max)] if latency else 4 * [""]


def _run(run: Run) -> str:
    generator = run.generator
    verdict = "" if run.valid else ' <span class="invalid">not valid</span>'
    facts = [
        ("mix", ", ".join(f"{task} {weight:g}" for task, weight in run.mix.items())),
        ("took", f"{run.seconds:.1f} s"),
        *((each.name, in_words(each).removeprefix(f"{each.name} ")) for each in run.further),
        *(("remark", remark) for remark in run.remarks),
        (
            "generator",
            f"{generator.cpu_ms_per_query:.2f} ms of CPU time a query, {generator.core_share:.1%} of a core; "
            f"99th percentile of lag {generator.lag_p99_ms:.1f} ms; "
            f"{'kept' if generator.kept_schedule else 'did not keep'} its schedule",
        ),
    ]
    return (
        f"<h2>{run.scenario}</h2><p>{EXPLAINED[run.scenario]}</p>"
        f'<p class="result">{escape(in_words(run.metric))}{verdict}</p>{_facts(facts)}'
        f'<div class="figures">{"".join(_figures(run))}</div>{_tasks(run)}{_outcomes(run)}{_trials(run)}'
    )


def _figures(run: Run) -> Iterable[str]:
    yield _figure(figures.latency_over_time(run), "Latency over time, from when each query was due")
    yield _figure(figures.histogram(run), "Latencies of the good answers")
    if run.trials:
        yield _figure(
            figures.throughput_against_p99(run.trials), "Throughput against the 99th percentile of all queries"
        )
    if run.memory:
        yield _figure(figures.memory_over_time(run.memory), "Resident memory of the server's processes")


def _figure(svg: bytes, caption: str) -> str:
    source = f"data:image/svg+xml;base64,{b64encode(svg).decode()}"
    return f'<figure><img src="{source}" alt="{caption}"><figcaption>{caption}</figcaption></figure>'


def _tasks(run: Run) -> str:
    heads = ["task", "queries", "good", *HEADS, "alone ms", "late", "capacity/s"]
    rows = [
        [
            each.task,
            str(each.queries),
            str(each.good),
            *_latencies(each.latency_ms),
            "" if each.lone_ms is None else f"{each.lone_ms:.1f}",
            "" if each.late is None else str(each.late),
            "" if each.capacity is None else f"{each.capacity:.1f}",
        ]
        for each in run.tasks
    ]
    return f"<h3>By task</h3>{_table(heads, rows)}"


def _outcomes(run: Run) -> str:
    rows = [[outcome, str(count), f"{count / run.queries:.2%}"] for outcome, count in run.outcomes.items()]
    return f"<h3>Answers</h3>{_table(['status', 'queries', 'share'], rows)}"


def _trials(run: Run) -> str:
    if not run.trials:
        return ""
    heads = ["queries/s", "verdict", "planned", "sent", "late", "p99 ms", "p99 / bound", "lag p99 ms", "proven"]
    rows = [
        [
            f"{each.rate:.2f}",
            f"{each.verdict}{', cut short' if each.cut else ''}",
            str(each.planned),
            str(each.sent),
            str(each.late),
            "" if each.p99_ms is None else f"{_at_least(each)}{each.p99_ms:.1f}",
            "" if each.slowdown_p99 is None else f"{_at_least(each)}{each.slowdown_p99:.2f}",
            f"{each.lag_p99_ms:.1f}",
            "yes" if each.proven else "",
        ]
        for each in run.trials
    ]
    return f"<h3>The search</h3>{_table(heads, rows, words=2)}"


def _at_least(trial: TrialResult) -> str:
    return "≥ " if figures.is_at_least(trial) else ""


def _surroundings(report: Report) -> str:
    machine = report.machine
    facts = [
        ("command", report.command),
        ("seed", str(report.seed)),
        ("generator", f"ekiben_load {report.generator_version}, Python {machine.python}"),
        ("its machine", f"{machine.cores} cores of {machine.processor}, {machine.memory_gb:g} GB, {machine.system}"),
        ("server", f"{report.target.server or 'does not say'} at {report.target.url}"),
        *((f"inputs, {task}", ", ".join(names)) for task, names in report.inputs.items()),
    ]
    rows = [[each.id, each.task, "yes" if each.default else "", each.provider] for each in report.target.models]
    models = _table(["model", "task", "default", "provider"], rows, words=4) if rows else ""
    return f"<h2>Surroundings</h2>{_facts(facts)}{models}"


def _facts(facts: Sequence[tuple[str, str]]) -> str:
    return f"<dl>{''.join(f'<dt>{escape(name)}</dt><dd>{escape(words)}</dd>' for name, words in facts)}</dl>"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], *, words: int = 1) -> str:
    """The first `words` columns hold words, the others numbers; a column in which nothing is known is left out."""
    kept = [place for place in range(len(heads)) if place < words or any(row[place] for row in rows)]
    heads, rows = [heads[place] for place in kept], [[row[place] for place in kept] for row in rows]
    head = "".join(f"<th>{escape(each)}</th>" for each in heads)
    body = "".join(
        "<tr>"
        + "".join(
            f"<td{'' if place < words else ' class=number'}>{escape(cell)}</td>" for place, cell in enumerate(row)
        )
        + "</tr>"
        for row in rows
    )
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
