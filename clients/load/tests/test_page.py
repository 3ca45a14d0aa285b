"""Reports of simulated runs."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from ekiben_load import figures, page
from ekiben_load.report import Machine, Report, Run, ServedModel, Target
from ekiben_load.runs import Runner
from ekiben_load.scenarios import Options
from ekiben_load.terminal import summary

from .simulation import TASK, Silent, SimulatedServer, driver, mix_of, simulate


def runs(*, room: int = 10**9) -> list[Run]:
    async def main() -> list[Run]:
        runner = Runner(
            driver(SimulatedServer({"a": 0.1, "b": 0.2}, room=room)),
            mix_of(["a", "b"]),
            Options(2, 1, min_queries=30),
            Silent(),
        )
        return [await runner.single_stream(), await runner.server(), await runner.offline(), await runner.overload()]

    return simulate(main())


def report(*, room: int = 10**9) -> Report:
    return Report(
        generator_version="1",
        command="python -m ekiben_load all --mix '<b>'",
        started="2026-11-21T00:00:00+00:00",
        seed=1,
        inputs={TASK: ["a", "b"]},
        machine=Machine(processor="<i>", cores=2, memory_gb=8, system="Linux", python="3.11"),
        target=Target(
            url="http://x",
            server="ekiben & co",
            models=[ServedModel(id="m", task=TASK, default=True, provider="CPUExecutionProvider")],
        ),
        runs=runs(room=room),
    )


def test_a_page_holds_everything_and_fetches_nothing() -> None:
    made = page.html(report())
    for words in ("ekiben &amp; co", "&lt;b&gt;", "&lt;i&gt;", "CPUExecutionProvider", "<h2>server</h2>", "goodput"):
        assert words in made
    assert "<b>" not in made
    assert made.count("<figure>") == 9
    assert all(source.startswith("data:") for source in re.findall(r'(?:src|href)="?([^"> ]*)', made))


def test_a_report_is_the_same_after_it_was_written() -> None:
    made = report()
    assert Report.model_validate_json(made.model_dump_json()) == made


@pytest.mark.parametrize("room", [10**9, 1])
def test_every_figure_is_an_image_whatever_happened(room: int) -> None:
    for run in runs(room=room):
        drawn = [figures.latency_over_time(run), figures.histogram(run)]
        if run.trials:
            drawn.append(figures.throughput_against_p99(run.trials))
        assert all(ElementTree.fromstring(svg).tag.endswith("svg") for svg in drawn)


def test_a_trial_that_was_cut_short_is_shown_as_a_lower_bound() -> None:
    trials = next(run for run in runs() if run.trials).trials
    whole = [each.model_copy(update={"cut": False, "slowdown_p99": 1.5}) for each in trials]
    assert any(each.cut for each in trials)
    assert b"failed, at least" in figures.throughput_against_p99(trials)
    assert b"at least" not in figures.throughput_against_p99(whole)
    assert "≥ " in page.html(report())


def test_a_server_that_answers_nothing_makes_a_report_too() -> None:
    made = report(room=1)
    assert not all(run.valid for run in made.runs)
    assert "not valid" in page.html(made)
    assert "| NO |" in summary(made)
