"""Drives a sender: in closed loops, or on a schedule whatever becomes of it.

Latency counts from the time at which a query was due, not from when it was sent: a stall of the server, or of this
generator, cannot hide the wait of those behind it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from time import perf_counter, process_time

from ekiben_load.connection import Answer
from ekiben_load.queries import TASKS, Query
from ekiben_load.sender import NO_ANSWER, Sender

GOOD = "200"
IMPLAUSIBLE = "200, implausible"
LOST = "no answer"
TIMED_OUT = "timed out"


@dataclass(frozen=True, slots=True)
class Record:
    """What became of one query. Seconds; `due` and `finished` since the run's start, `lag` is how late it was sent."""

    task: str
    input: str
    due: float
    lag: float
    finished: float
    outcome: str

    @property
    def latency(self) -> float:
        return self.finished - self.due

    @property
    def good(self) -> bool:
        return self.outcome == GOOD


@dataclass
class Trace:
    """One run: its records in the order of their ends, how long it took, and the generator's own CPU seconds."""

    records: list[Record] = field(default_factory=list)
    seconds: float = 0.0
    cpu_seconds: float = 0.0

    @property
    def good(self) -> list[Record]:
        return [record for record in self.records if record.good]

    @property
    def outcomes(self) -> Counter[str]:
        return Counter(record.outcome for record in self.records)

    def of(self, task: str) -> list[Record]:
        return [record for record in self.records if record.task == task]


Watcher = Callable[[Record], None]
"""Is shown every record, as it is made."""


@dataclass
class Driver:
    """`timeout` is in seconds, of one query; `clock` counts in seconds, as does `cpu_clock` for this process."""

    sender: Sender
    timeout: float = 120.0
    clock: Callable[[], float] = perf_counter
    cpu_clock: Callable[[], float] = process_time

    async def closed_loop(
        self,
        queries: Iterator[Query],
        *,
        in_flight: int,
        seconds: float,
        min_queries: int = 0,
        watch: Watcher = lambda record: None,
    ) -> Trace:
        """Keep `in_flight` queries under way for so long, and until there were enough; each is due when it is sent."""
        run = _Run(self, watch)
        asked = 0

        async def ask_on() -> None:
            nonlocal asked
            while run.now() < seconds or asked < min_queries:
                asked += 1
                await run.ask(next(queries), run.now())

        async with asyncio.TaskGroup() as group:
            for _ in range(in_flight):
                group.create_task(ask_on())
        return run.ended()

    async def open_loop(
        self,
        queries: Iterator[Query],
        due: Sequence[float],
        *,
        watch: Watcher = lambda record: None,
        is_decided: Callable[[], bool] = lambda: False,
    ) -> Trace:
        """Send each query when it is due, in seconds from now; once `is_decided`, no more, and give up what is open."""
        run = _Run(self, watch)
        async with asyncio.TaskGroup() as group:
            asking: list[asyncio.Task[None]] = []
            for moment in due:
                if (wait := moment - run.now()) > 0:
                    await asyncio.sleep(wait)
                if is_decided():
                    break
                asking.append(group.create_task(run.ask(next(queries), moment)))
            while (open_ones := [each for each in asking if not each.done()]) and not is_decided():
                await asyncio.wait(open_ones, return_when=asyncio.FIRST_COMPLETED)
            for each in open_ones:
                each.cancel()
        return run.ended()


class _Run:
    """One run under way."""

    def __init__(self, driver: Driver, watch: Watcher) -> None:
        self._driver = driver
        self._watch = watch
        self._trace = Trace()
        self._cpu = driver.cpu_clock()
        self._started = driver.clock()

    def now(self) -> float:
        return self._driver.clock() - self._started

    async def ask(self, query: Query, due: float) -> None:
        lag = self.now() - due
        try:
            async with asyncio.timeout(self._driver.timeout):
                answer = await self._driver.sender.send(query)
            finished = self.now()
            outcome = _outcome(query, answer)
        except TimeoutError:
            finished, outcome = self.now(), TIMED_OUT
        record = Record(query.task, query.name, due, lag, finished, outcome)
        self._trace.records.append(record)
        self._watch(record)

    def ended(self) -> Trace:
        self._trace.seconds = self.now()
        self._trace.cpu_seconds = self._driver.cpu_clock() - self._cpu
        return self._trace


def _outcome(query: Query, answer: Answer) -> str:
    if answer.status == NO_ANSWER:
        return LOST
    if answer.status == 200:
        return GOOD if TASKS[query.task].is_plausible(answer.body) else IMPLAUSIBLE
    return str(answer.status)
