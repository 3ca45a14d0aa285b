"""Whole runs of the Server scenario, in simulated time: where they begin, and when they are valid."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ekiben_load.connection import Answer
from ekiben_load.driving import GOOD, Driver, Record, Trace
from ekiben_load.queries import Query
from ekiben_load.report import Run
from ekiben_load.runs import Runner
from ekiben_load.scenarios import Options, Trial
from ekiben_load.search import Verdict

from .simulation import TASK, Silent, SimulatedServer, driver, loop_time, mix_of, simulate

OPTIONS = Options(seconds=20, seed=1)


class Stalling(Silent):
    """A sender of 20 ms a query; the whole generator stands still for a second, once, in each of the first trials."""

    def __init__(self, trials: int) -> None:
        self._server = SimulatedServer({"a": 0.02})
        self._left = trials
        self._stalls = False

    async def send(self, query: Query) -> Answer:
        if self._stalls:
            self._stalls = False
            loop: Any = asyncio.get_running_loop()
            loop.jump.now += 1.0
        return await self._server.send(query)

    def note(self, words: str) -> None:
        """A trial begins after each note, of the lone latencies and of the last trial."""
        self._stalls, self._left = self._left > 0, self._left - 1


def searched(stalling: Stalling, offline: float) -> Run:
    generator = Driver(stalling, clock=loop_time, cpu_clock=lambda: 0.0)
    return simulate(Runner(generator, mix_of(["a"]), OPTIONS, stalling).server(offline))


def test_a_rate_that_only_the_generator_did_not_pass_leaves_the_run_undecided() -> None:
    run = searched(Stalling(2), 60)
    assert run.metric.value is not None
    assert 30 / 1.05 <= run.metric.value < 30
    assert [each.verdict for each in run.trials if each.rate == 30] == [Verdict.INVALID] * 2
    assert not run.valid


def test_a_generator_that_fell_behind_above_a_rate_that_failed_leaves_the_run_valid() -> None:
    run = searched(Stalling(2), 104)
    verdicts = {each.rate: each.verdict for each in run.trials}
    assert verdicts[52] is Verdict.INVALID
    assert Verdict.FAILED in {verdict for rate, verdict in verdicts.items() if rate < 52}
    assert run.valid


def test_the_report_says_what_passed_and_what_did_not() -> None:
    run = searched(Stalling(0), 60)
    passed = max(each.rate for each in run.trials if each.verdict is Verdict.PASSED)
    failed = min(each.rate for each in run.trials if each.verdict is Verdict.FAILED)
    assert f"passed at {passed:.3g}/s, not at {failed:.3g}/s" in run.remarks
    assert failed / passed <= 1.05


def trial(latency: float, lag: float) -> Trial:
    """Of one query whose bound is a second."""
    record = Record(TASK, "a", due=0, lag=lag, finished=latency, outcome=GOOD)
    return Trial(1, 1, Trace([record], latency), {(TASK, "a"): 1.0}, cut=False)


@pytest.mark.parametrize(
    ("latency", "lag", "verdict"),
    [
        (0.9, 0.05, Verdict.PASSED),
        (1.04, 0.05, Verdict.FAILED),
        (0.9, 0.5, Verdict.INVALID),
        (1.4, 0.5, Verdict.INVALID),
        (1.6, 0.5, Verdict.FAILED),
    ],
)
def test_lag_excuses_what_was_late_by_it_alone(latency: float, lag: float, verdict: Verdict) -> None:
    assert trial(latency, lag).verdict is verdict


def test_all_measures_full_load_first_and_begins_the_search_below_it() -> None:
    async def main() -> None:
        runs = await Runner(driver(SimulatedServer({"a": 0.02})), mix_of(["a"]), OPTIONS, Silent()).all()
        assert [each.scenario for each in runs] == ["single-stream", "offline", "server"]
        assert runs[1].metric.value is not None
        assert runs[1].metric.value == pytest.approx(50, rel=0.01)
        assert runs[1].metric.value / 2 in {each.rate for each in runs[2].trials}
        assert runs[2].tasks[0].capacity is None
        assert runs[2].valid

    simulate(main())
