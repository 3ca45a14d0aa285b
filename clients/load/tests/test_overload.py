"""Overload of a server of known speed, in simulated time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ekiben_load.runs import Runner
from ekiben_load.scenarios import Options

from .simulation import Silent, SimulatedServer, driver, mix_of, simulate

OPTIONS = Options(seconds=20, seed=1)


def runner(*, room: int, good_within: float = 10) -> Runner:
    """Of a server that does 20 a second."""
    server = SimulatedServer({"a": 0.1}, workers=2, room=room)
    return Runner(driver(server), mix_of(["a"]), OPTIONS, Silent(), good_within=good_within)


def test_overload_counts_what_was_done_in_the_time() -> None:
    async def main() -> None:
        run = await runner(room=64).overload()
        assert run.metric.value == pytest.approx(1, abs=0.03)  # the 64 answers that come after it do not count
        assert run.outcomes["200"] == pytest.approx(20 * OPTIONS.seconds + 64, rel=0.02)
        assert set(run.outcomes) == {"200", "429"}
        assert {each.name: each.value for each in run.further}["asked for"] == pytest.approx(60, rel=0.05)
        assert run.valid

    simulate(main())


def test_an_answer_that_came_late_is_no_goodput() -> None:
    """64 in the queue wait for 3.2 seconds: but for the first, all answers come after one second and within five."""

    async def main() -> None:
        run = await runner(room=64).overload()
        found = {each.name: each.value for each in (run.metric, *run.further)}
        assert run.metric.name == "goodput within 10 s"
        assert found["goodput within 1 s"] == pytest.approx(1 / OPTIONS.seconds, abs=0.05)
        assert found["goodput within 5 s"] == found["goodput, however late"] == run.metric.value
        strict = await replace(runner(room=64), good_within=1).overload()
        assert strict.metric.name == "goodput within 1 s"
        assert strict.metric.value == pytest.approx(found["goodput within 1 s"])
        assert "goodput within 10 s" in {each.name for each in strict.further}

    simulate(main())
