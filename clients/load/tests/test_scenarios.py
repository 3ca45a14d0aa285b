"""The scenarios against a server of known speed, in simulated time."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import pairwise

import pytest

from ekiben_load import scenarios
from ekiben_load.connection import Answer
from ekiben_load.driving import IMPLAUSIBLE, LOST, TIMED_OUT, Driver
from ekiben_load.mix import poisson
from ekiben_load.queries import Query
from ekiben_load.runs import Runner
from ekiben_load.scenarios import Options
from ekiben_load.search import Verdict
from ekiben_load.statistics import allowed_late

from .simulation import TASK, Silent, SimulatedServer, driver, loop_time, mix_of, simulate

OPTIONS = Options(seconds=20, seed=1)


def waits(due: list[float], service: float) -> list[float]:
    """Latencies of a single worker with a fixed time of service, by Lindley's recursion."""
    free, latencies = 0.0, []
    for moment in due:
        free = max(free, moment) + service
        latencies.append(free - moment)
    return latencies


def test_single_stream_asks_the_next_as_soon_as_the_last_is_answered() -> None:
    async def main() -> None:
        server = SimulatedServer({"a": 0.1, "b": 0.3})
        run = await Runner(driver(server), mix_of(["a", "b"]), OPTIONS, Silent()).single_stream()
        assert run.queries == 100
        assert run.latency_ms is not None
        assert run.metric.value == pytest.approx(300)
        assert run.latency_ms.p50 == pytest.approx(100)
        assert [round(later - sooner, 6) in (0.1, 0.3) for sooner, later in pairwise(server.sent)] == [True] * 99
        assert run.valid

    simulate(main())


def test_offline_keeps_so_many_in_flight() -> None:
    async def main() -> None:
        server = SimulatedServer({"a": 0.1}, workers=4)
        run = await Runner(driver(server), mix_of(["a"]), OPTIONS, Silent()).offline()
        assert run.metric.value == pytest.approx(40, rel=0.02)
        assert run.latency_ms is not None
        assert run.latency_ms.p99 == pytest.approx(OPTIONS.in_flight / 40 * 1e3)

    simulate(main())


def test_latency_counts_from_when_a_query_was_due() -> None:
    async def main() -> None:
        due = poisson(9, 30, 3)
        trace = await driver(SimulatedServer({"a": 0.1})).open_loop(mix_of(["a"]).draw(0), due)
        assert [record.latency for record in trace.records] == pytest.approx(waits(due, 0.1))
        assert max(record.lag for record in trace.records) == pytest.approx(0)

    simulate(main())


def test_a_generator_that_falls_behind_counts_its_own_lag_and_says_so() -> None:
    async def main() -> None:
        server = SimulatedServer({"a": 0.001})

        class Stalling:
            """The whole generator stands still for a second, once, while a query is sent."""

            stalled = False

            async def send(self, query: Query) -> Answer:
                if loop_time() > 5 and not self.stalled:
                    self.stalled = True
                    loop = asyncio.get_running_loop()
                    loop.jump.now += 1.0  # type: ignore[attr-defined]
                return await server.send(query)

        generator = Driver(Stalling(), clock=loop_time, cpu_clock=lambda: 0.0)
        bounds = {(TASK, "a"): 5.0}
        trial = await scenarios.server(generator, mix_of(["a"]), OPTIONS, Silent(), rate=20, bounds=bounds)
        late = [record for record in trial.trace.records if record.lag > 0.5]
        assert len(late) > 3
        assert all(record.latency >= record.lag for record in late)
        assert trial.late == 0
        assert trial.verdict is Verdict.INVALID

    simulate(main())


@pytest.mark.parametrize("service", [0.005, 0.02])
def test_the_server_scenario_finds_the_rate_that_queueing_theory_gives(service: float) -> None:
    async def main() -> None:
        options = Options(seconds=2000 * service, seed=5, min_queries=2000)
        run = await Runner(driver(SimulatedServer({"a": service})), mix_of(["a"]), options, Silent()).server()
        bound = 10 * service

        def passes(rate: float) -> bool:
            due = poisson(rate, options.seconds, options.seed, at_least=options.min_queries)
            return sum(latency > bound for latency in waits(due, service)) <= allowed_late(len(due))

        assert run.metric.value is not None
        assert passes(run.metric.value)
        assert not passes(1.06 * run.metric.value)
        assert 0.6 < run.metric.value * service < 1
        assert run.valid
        assert run.tasks[0].lone_ms == pytest.approx(service * 1e3)
        assert run.tasks[0].capacity == pytest.approx(1 / service, rel=0.05)

    simulate(main())


def test_a_run_that_cannot_pass_any_more_is_cut_short_and_leaves_nothing_open() -> None:
    async def main() -> None:
        server = SimulatedServer({"a": 0.1})
        bounds = {(TASK, "a"): 0.5}
        trial = await scenarios.server(driver(server), mix_of(["a"]), OPTIONS, Silent(), rate=50, bounds=bounds)
        assert trial.cut
        assert trial.verdict is Verdict.FAILED
        assert trial.trace.seconds < 3
        assert len(asyncio.all_tasks()) == 1

    simulate(main())


def test_a_run_is_long_enough_for_a_growing_queue_to_be_seen() -> None:
    async def main() -> None:
        bounds = {(TASK, "a"): 10.0}
        options = Options(seconds=1, seed=1, min_queries=1)
        server = SimulatedServer({"a": 0.1})
        trial = await scenarios.server(driver(server), mix_of(["a"]), options, Silent(), rate=15, bounds=bounds)
        assert trial.verdict is Verdict.FAILED
        assert trial.planned == pytest.approx(15 * 50, rel=0.1)
        shorter = replace(options, bounds_per_run=3)
        trial = await scenarios.server(driver(server), mix_of(["a"]), shorter, Silent(), rate=5, bounds=bounds)
        assert trial.planned == pytest.approx(5 * 30, rel=0.1)

    simulate(main())


def test_after_a_run_that_was_cut_short_the_server_is_given_time() -> None:
    async def main() -> None:
        class Lasting(SimulatedServer):
            """Goes on with what nobody waits for any more."""

            async def send(self, query: Query) -> Answer:
                return await asyncio.shield(super().send(query))

        server = Lasting({"a": 0.1})
        bounds = {(TASK, "a"): 0.5}
        await scenarios.server(driver(server), mix_of(["a"]), OPTIONS, Silent(), rate=50, bounds=bounds)
        started = loop_time()
        assert (await server.send(mix_of(["a"]).queries[TASK][0])).status == 200
        assert loop_time() - started == pytest.approx(0.1)

    simulate(main())


def test_refusals_are_late_whatever_their_latency() -> None:
    async def main() -> None:
        server = SimulatedServer({"a": 0.1}, room=2)
        bounds = {(TASK, "a"): 1000.0}
        trial = await scenarios.server(driver(server), mix_of(["a"]), OPTIONS, Silent(), rate=9, bounds=bounds)
        assert trial.verdict is Verdict.FAILED
        assert set(trial.trace.outcomes) == {"200", "429"}

    simulate(main())


def test_what_is_no_answer_is_not_counted_as_one() -> None:
    class Odd:
        async def send(self, query: Query) -> Answer:
            if query.name == "slow":
                await asyncio.sleep(100)
            return {"lost": Answer(0, b""), "broken": Answer(200, b"[]"), "down": Answer(503, b"")}[query.name]

    async def main() -> None:
        names = ["lost", "broken", "down", "slow"]
        generator = Driver(Odd(), timeout=5, clock=loop_time, cpu_clock=lambda: 0.0)
        trace = await generator.closed_loop(mix_of(names).draw(0), in_flight=1, seconds=19)
        assert set(trace.outcomes) == {LOST, IMPLAUSIBLE, "503", TIMED_OUT}
        assert trace.good == []
        assert {record.latency for record in trace.records if record.outcome == TIMED_OUT} == {5.0}

    simulate(main())
