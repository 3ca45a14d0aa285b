"""What is measured before a scenario, against a server of known speed, in simulated time."""

from __future__ import annotations

import asyncio

import pytest

from ekiben_load.calibration import FULL_LOAD_QUERIES, capacities, lone_latencies
from ekiben_load.connection import Answer
from ekiben_load.queries import Query
from ekiben_load.scenarios import Options

from .simulation import TASK, Silent, SimulatedServer, driver, mix_of, simulate


class Warming(SimulatedServer):
    """Takes two seconds more for the first of each input."""

    def __init__(self, seconds: dict[str, float]) -> None:
        super().__init__(seconds)
        self._seen: set[str] = set()

    async def send(self, query: Query) -> Answer:
        if query.name not in self._seen:
            self._seen.add(query.name)
            await asyncio.sleep(2)
        return await super().send(query)


@pytest.mark.parametrize(("seconds", "rounds"), [(0.1, 3), (1.5, 2)])
def test_each_input_is_asked_by_itself_and_less_often_where_that_takes_long(seconds: float, rounds: int) -> None:
    async def main() -> None:
        server = SimulatedServer({"a": seconds, "b": 2 * seconds})
        lone = await lone_latencies(driver(server), mix_of(["a", "b"]), Silent())
        assert lone == {(TASK, "a"): pytest.approx(seconds), (TASK, "b"): pytest.approx(2 * seconds)}
        assert len(server.sent) == 2 * rounds

    simulate(main())


def test_the_first_time_is_not_counted() -> None:
    async def main() -> None:
        lone = await lone_latencies(driver(Warming({"a": 0.1})), mix_of(["a"]), Silent())
        assert lone == {(TASK, "a"): pytest.approx(0.1)}

    simulate(main())


def test_at_full_load_there_are_enough_queries_and_each_input_as_often() -> None:
    async def main() -> None:
        names = {name: 0.1 * place for place, name in enumerate("abcde", start=1)}
        server = SimulatedServer(names, workers=4)
        found = await capacities(driver(server), mix_of(list(names)), Options(0.1, 1), Silent())
        assert len(server.sent) == 35 >= FULL_LOAD_QUERIES
        assert found[TASK].rate == pytest.approx(4 / 0.3, rel=0.1)  # the end, when some are idle, is counted

    simulate(main())
