"""What is asked, and when: mixes of tasks, and arrivals of a Poisson process; the same for the same seed."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, cycle
from random import Random

from ekiben_load.queries import TASKS, Query

DEFAULT_MIX = (
    "image-classification=8,object-detection=4,face-detection=4,translation=2,style-transfer=1,speech-recognition=1"
)

STRATA = 20
"""The default mix in whole numbers."""


def parse_mix(words: str) -> Mapping[str, float]:
    """Weights by task, of `a=3,b=1`; a name alone weighs 1. Raises `ValueError`."""
    mix: dict[str, float] = {}
    for word in words.split(","):
        name, _, weight = word.strip().partition("=")
        if name not in TASKS:
            raise ValueError(f"no such task: {name!r}; there are {', '.join(TASKS)}")
        if name in mix:
            raise ValueError(f"{name} is there twice")
        mix[name] = float(weight or 1)
        if not 0 < mix[name] < float("inf"):
            raise ValueError(f"the weight of {name} is not above zero")
    return mix


@dataclass(frozen=True)
class Mix:
    """Tasks with weights, and the queries of each."""

    weights: Mapping[str, float]
    queries: Mapping[str, Sequence[Query]]

    def only(self, task: str) -> Mix:
        return Mix({task: 1.0}, {task: self.queries[task]})

    def draw(self, seed: int) -> Iterator[Query]:
        """Queries without end: tasks in random order by their weights, and each task's inputs in turn.

        Of every `STRATA` queries each takes its own part of the weights, so that few of them are the mix already: left
        to chance, a run of seconds has twice as many of the dear ones as the next.
        """
        random = _stream("queries", seed)
        in_turn: dict[str, Iterator[Query]] = {}
        for task, queries in self.queries.items():
            shuffled = list(queries)
            random.shuffle(shuffled)
            in_turn[task] = cycle(shuffled)
        tasks, bounds = list(self.weights), list(accumulate(self.weights.values()))
        while True:
            for stratum in random.sample(range(STRATA), STRATA):
                point = (stratum + random.random()) / STRATA * bounds[-1]
                yield next(in_turn[tasks[min(bisect(bounds, point), len(tasks) - 1)]])


def poisson(rate: float, seconds: float, seed: int, *, at_least: int = 0) -> list[float]:
    """Arrival times in seconds of a Poisson process of `rate` a second: all below `seconds`, and so many at least.

    At twice the rate the same seed gives the same arrivals in half the time, so that runs of a search differ by
    nothing but their rate.
    """
    random = _stream("arrivals", seed)
    times: list[float] = []
    arrival = random.expovariate(1.0)
    while arrival / rate < seconds or len(times) < at_least:
        times.append(arrival / rate)
        arrival += random.expovariate(1.0)
    return times


def _stream(purpose: str, seed: int) -> Random:
    """Random numbers of their own for each purpose: from one stream, long pauses and rare tasks would come together."""
    return Random(f"{purpose} {seed}")
