"""The pool of cores: urgent work first, large pictures hold nobody up, and nothing added is lost."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future

import pytest

from services.core_pool import CorePool

SECONDS = 30.0


@pytest.fixture
def pool() -> Iterator[CorePool]:
    made = CorePool(2)
    yield made
    made.close()


def occupy(pool: CorePool, *, patient: bool) -> threading.Event:
    """Keep a thread busy until the event is set."""
    begun, go_on = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        go_on.wait(SECONDS)

    (pool.patient if patient else pool.urgent).submit(work)
    assert begun.wait(SECONDS)
    return go_on


def test_work_gives_its_result_or_its_error(pool: CorePool) -> None:
    assert pool.urgent.submit(lambda: 1).result(SECONDS) == 1
    with pytest.raises(ZeroDivisionError):
        pool.patient.submit(lambda: 1 // 0).result(SECONDS)
    with pytest.raises(SystemExit):
        pool.patient.submit(exit).result(SECONDS)
    assert pool.patient.submit(lambda: 2).result(SECONDS) == 2, "the thread is still there"


def test_urgent_work_goes_first(pool: CorePool) -> None:
    blockers = [occupy(pool, patient=False), occupy(pool, patient=False)]
    order: list[str] = []
    patient = [pool.patient.submit(order.append, "patient") for _ in range(3)]
    urgent = [pool.urgent.submit(order.append, "urgent") for _ in range(3)]
    blockers[0].set()  # one thread takes them all, one after the other
    for each in (*patient, *urgent):
        each.result(SECONDS)
    assert order == ["urgent"] * 3 + ["patient"] * 3
    blockers[1].set()


def test_urgent_work_runs_while_every_core_decodes(pool: CorePool) -> None:
    blockers = [occupy(pool, patient=True), occupy(pool, patient=True)]
    assert pool.urgent.submit(threading.get_ident).result(SECONDS)
    waiting = pool.patient.submit(lambda: None)
    assert pool.urgent.submit(threading.get_ident).result(SECONDS)
    assert not waiting.done(), "the spare thread takes urgent work only"
    for blocker in blockers:
        blocker.set()
    waiting.result(SECONDS)


def test_no_more_threads_than_cores_run_models(pool: CorePool) -> None:
    blockers = [occupy(pool, patient=False), occupy(pool, patient=False)]
    third = pool.urgent.submit(lambda: None)
    assert not third.done()
    for blocker in blockers:
        blocker.set()
    third.result(SECONDS)


def test_cancelled_work_is_not_run(pool: CorePool) -> None:
    blockers = [occupy(pool, patient=False), occupy(pool, patient=False)]
    ran: list[int] = []
    unwanted = pool.urgent.submit(ran.append, 1)
    assert unwanted.cancel()
    for blocker in blockers:
        blocker.set()
    pool.urgent.submit(lambda: None).result(SECONDS)
    assert ran == []


def test_everything_that_was_added_is_done_before_the_pool_is_closed() -> None:
    pool = CorePool(3)
    done: list[int] = []
    futures: list[Future[None]] = [
        (pool.urgent if number % 3 else pool.patient).submit(done.append, number) for number in range(300)
    ]
    pool.close()
    assert all(future.done() for future in futures)
    assert sorted(done) == list(range(300))
    with pytest.raises(RuntimeError, match="closed"):
        pool.urgent.submit(print)
