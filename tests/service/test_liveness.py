"""What runs for too long is told to whoever asks, for as long as it runs, and once to the log."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from services.runners.core_pool import CorePool
from services.runners.liveness import Watch

SECONDS = 30.0


@dataclass
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


class Blocked:
    """A run that does not return before it is let go."""

    def __init__(self, executor: Executor) -> None:
        self._begun, self._go_on = threading.Event(), threading.Event()
        self._future: Future[None] = executor.submit(self._run)

    def _run(self) -> None:
        self._begun.set()
        assert self._go_on.wait(SECONDS)

    def begun(self) -> Blocked:
        assert self._begun.wait(SECONDS)
        return self

    def let_go(self) -> None:
        self._go_on.set()
        self._future.result(SECONDS)


@pytest.fixture
def threads() -> Iterator[Executor]:
    with ThreadPoolExecutor(1) as executor:
        yield executor


def test_a_run_hangs_from_its_limit_until_it_ends(threads: Executor) -> None:
    watch = Watch(clock := Clock())
    run = Blocked(watch.over(threads, "lite")).begun()
    clock.now += 5
    assert not watch.hangs(after_seconds=5)
    clock.now += 0.1
    assert watch.hangs(after_seconds=5)
    assert not watch.hangs(after_seconds=6)
    run.let_go()
    assert not watch.hangs(after_seconds=5)


def test_the_log_says_once_whose_run_hangs(threads: Executor, caplog: pytest.LogCaptureFixture) -> None:
    watch = Watch(clock := Clock())
    run = Blocked(watch.over(threads, "lite")).begun()
    clock.now += 7
    logging.getLogger("ekiben").addHandler(caplog.handler)
    try:
        assert all(watch.hangs(after_seconds=5) for _ in range(3))
    finally:
        logging.getLogger("ekiben").removeHandler(caplog.handler)
    [record] = {id(record): record for record in caplog.records}.values()
    assert (record.levelname, vars(record)["model"], vars(record)["seconds"]) == ("CRITICAL", "lite", 7.0)
    run.let_go()


def test_time_in_the_queue_is_no_run(threads: Executor) -> None:
    watch = Watch(clock := Clock())
    first, second = (Blocked(watch.over(threads, model)) for model in ("first", "second"))
    first.begun()
    clock.now += 10
    first.let_go()
    second.begun()  # submitted ten seconds ago, running since now
    assert not watch.hangs(after_seconds=5)
    second.let_go()


def test_a_run_that_fails_has_ended(threads: Executor) -> None:
    watch = Watch(clock := Clock())
    with pytest.raises(ZeroDivisionError):
        watch.over(threads, "lite").submit(lambda: 1 // 0).result(SECONDS)
    clock.now += 10
    assert not watch.hangs(after_seconds=5)


@pytest.mark.parametrize("lane", ["urgent", "patient"])
def test_the_pool_of_cores_goes_on_beside_a_run_that_hangs(lane: str) -> None:
    pool = CorePool(2)
    executor = getattr(pool.lanes("lite"), lane)
    run = Blocked(executor).begun()
    assert pool.watch.hangs(after_seconds=0)
    assert executor.submit(lambda: 1).result(SECONDS) == 1
    run.let_go()
    assert not pool.watch.hangs(after_seconds=0)
    pool.close()
