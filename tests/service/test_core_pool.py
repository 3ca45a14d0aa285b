"""The pool of cores: urgent work first, large pictures hold nobody up, and nothing added is lost."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator
from concurrent.futures import Future
from time import thread_time

import pytest

from services.runners.core_pool import RECENT_SECONDS, CorePool, Lanes

SECONDS = 30.0


@pytest.fixture
def pool() -> Iterator[CorePool]:
    made = CorePool(2)
    yield made
    made.close()


@pytest.fixture
def lanes(pool: CorePool) -> Lanes:
    return pool.lanes("model")


def occupy(lanes: Lanes, *, patient: bool) -> threading.Event:
    """Keep a thread busy until the event is set."""
    begun, go_on = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        go_on.wait(SECONDS)

    (lanes.patient if patient else lanes.urgent).submit(work)
    assert begun.wait(SECONDS)
    return go_on


def test_work_gives_its_result_or_its_error(lanes: Lanes) -> None:
    assert lanes.urgent.submit(lambda: 1).result(SECONDS) == 1
    with pytest.raises(ZeroDivisionError):
        lanes.patient.submit(lambda: 1 // 0).result(SECONDS)
    with pytest.raises(SystemExit):
        lanes.patient.submit(exit).result(SECONDS)
    assert lanes.patient.submit(lambda: 2).result(SECONDS) == 2, "the thread is still there"


def test_urgent_work_goes_first(lanes: Lanes) -> None:
    blockers = [occupy(lanes, patient=False), occupy(lanes, patient=False)]
    order: list[str] = []
    patient = [lanes.patient.submit(order.append, "patient") for _ in range(3)]
    urgent = [lanes.urgent.submit(order.append, "urgent") for _ in range(3)]
    blockers[0].set()  # one thread takes them all, one after the other
    for each in (*patient, *urgent):
        each.result(SECONDS)
    assert order == ["urgent"] * 3 + ["patient"] * 3
    blockers[1].set()


def test_urgent_work_runs_while_every_core_decodes(lanes: Lanes) -> None:
    blockers = [occupy(lanes, patient=True), occupy(lanes, patient=True)]
    assert lanes.urgent.submit(threading.get_ident).result(SECONDS)
    waiting = lanes.patient.submit(lambda: None)
    assert lanes.urgent.submit(threading.get_ident).result(SECONDS)
    assert not waiting.done(), "the spare thread takes urgent work only"
    for blocker in blockers:
        blocker.set()
    waiting.result(SECONDS)


def test_no_more_threads_than_cores_run_models(lanes: Lanes) -> None:
    blockers = [occupy(lanes, patient=False), occupy(lanes, patient=False)]
    third = lanes.urgent.submit(lambda: None)
    assert not third.done()
    for blocker in blockers:
        blocker.set()
    third.result(SECONDS)


def test_cancelled_work_is_not_run(lanes: Lanes) -> None:
    blockers = [occupy(lanes, patient=False), occupy(lanes, patient=False)]
    ran: list[int] = []
    unwanted = lanes.urgent.submit(ran.append, 1)
    assert unwanted.cancel()
    for blocker in blockers:
        blocker.set()
    lanes.urgent.submit(lambda: None).result(SECONDS)
    assert ran == []


def test_everything_that_was_added_is_done_before_the_pool_is_closed() -> None:
    pool = CorePool(3)
    lanes = pool.lanes("model")
    done: list[int] = []
    futures: list[Future[None]] = [
        (lanes.urgent if number % 3 else lanes.patient).submit(done.append, number) for number in range(300)
    ]
    pool.close()
    assert all(future.done() for future in futures)
    assert sorted(done) == list(range(300))
    with pytest.raises(RuntimeError, match="closed"):
        lanes.urgent.submit(print)


def test_models_share_the_cores_by_cpu_time_and_not_by_pieces_of_work() -> None:
    pool = CorePool(1)
    slow, quick = pool.lanes("slow"), pool.lanes("quick")
    go_on = occupy(slow, patient=False)
    spent = {"slow": 0.0, "quick": 0.0}
    shares: list[float] = []

    def burn(model: str, seconds: float) -> None:
        until = thread_time() + seconds
        while thread_time() < until:
            pass
        spent[model] += seconds
        shares.append(spent["quick"] / sum(spent.values()))

    work = [slow.urgent.submit(burn, "slow", 0.02) for _ in range(20)]
    work += [quick.patient.submit(burn, "quick", 0.002) for _ in range(200)]
    go_on.set()
    for each in work:
        each.result(SECONDS)
    pool.close()
    # While both had work: neither waited for the other's queue to empty, and each got about half.
    assert all(0.35 < share < 0.65 for share in shares[60:140]), shares


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_while_others_are_at_work_no_model_has_every_core() -> None:
    pool = CorePool(2, clock := Clock())
    slow, quick = pool.lanes("slow"), pool.lanes("quick")
    quick.urgent.submit(lambda: None).result(SECONDS)
    blocker = occupy(slow, patient=False)
    begun = threading.Event()
    second = slow.urgent.submit(begun.set)
    for _ in range(3):
        quick.urgent.submit(lambda: None).result(SECONDS)
    assert not begun.is_set(), "a core is kept for the model that was at work a moment ago"
    clock.now += RECENT_SECONDS + 1
    second.result(SECONDS)
    blocker.set()
    pool.close()


def test_a_model_that_was_away_is_not_owed_what_it_did_not_use() -> None:
    pool = CorePool(1)
    old, new = pool.lanes("old"), pool.lanes("new")

    def burn(seconds: float) -> None:
        until = thread_time() + seconds
        while thread_time() < until:
            pass

    old.urgent.submit(burn, 0.2).result(SECONDS)
    go_on = occupy(old, patient=False)
    order: list[str] = []

    def note(model: str) -> None:
        burn(0.005)
        order.append(model)

    work = [old.urgent.submit(note, "old") for _ in range(10)] + [new.urgent.submit(note, "new") for _ in range(10)]
    go_on.set()
    for each in work:
        each.result(SECONDS)
    pool.close()
    assert "old" in order[:6], "it would come last, had the other one 0.2 s to catch up with"


def test_nothing_of_cancelled_work_stays_in_the_queue(pool: CorePool, lanes: Lanes) -> None:
    blockers = [occupy(lanes, patient=True) for _ in range(2)]

    class Body:
        """What a request brought."""

    body = Body()
    seen = weakref.ref(body)
    lanes.patient.submit(id, body).cancel()
    del body
    assert seen() is None
    for each in blockers:
        each.set()
