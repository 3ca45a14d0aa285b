"""A loop whose time passes at once, and a server of known speed in it."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

from ekiben_load.connection import Answer
from ekiben_load.driving import Driver
from ekiben_load.mix import Mix
from ekiben_load.queries import Query

T = TypeVar("T")

GOOD_BODY = b'[{"label": "cat", "score": 0.9}]'
REFUSAL_SECONDS = 0.01
TASK = "image-classification"


class _Jump(selectors.SelectSelector):
    """Nothing is ever waited for: the time moves on instead."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready:
            assert timeout is not None, "everybody waits for ever"
            self.now += timeout
        return ready


class SimulatedLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self.jump = _Jump()
        super().__init__(self.jump)

    def time(self) -> float:
        return self.jump.now


def simulate(main: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
        return runner.run(main)


def loop_time() -> float:
    return asyncio.get_running_loop().time()


class SimulatedServer:
    """A sender: `workers` that each take the next query in turn, for its own time; a bounded queue before them."""

    def __init__(self, seconds: dict[str, float], *, workers: int = 1, room: int = 10**9) -> None:
        self._seconds = seconds
        self._workers = asyncio.Semaphore(workers)
        self._room = room
        self.sent: list[float] = []

    async def send(self, query: Query) -> Answer:
        self.sent.append(loop_time())
        if self._room <= 0:
            await asyncio.sleep(REFUSAL_SECONDS)
            return Answer(429, b"")
        self._room -= 1
        try:
            async with self._workers:
                await asyncio.sleep(self._seconds[query.name])
        finally:
            self._room += 1
        return Answer(200, GOOD_BODY)


def driver(server: SimulatedServer, **options: Any) -> Driver:
    return Driver(server, clock=loop_time, cpu_clock=lambda: 0.0, **options)


def mix_of(names: Sequence[str]) -> Mix:
    return Mix({TASK: 1.0}, {TASK: [Query(TASK, name, f"/v1/{TASK}", "image/jpeg", b"") for name in names]})


class Silent:
    """Shows nothing."""

    def __call__(self, words: str) -> None: ...

    def note(self, words: str) -> None: ...
