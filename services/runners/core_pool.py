"""The threads that compute on the CPU: one pool for all models and all requests, as many as cores.

With pools of their own for decoding and for each model there would be several threads to a core, which take
each other's caches: a tenth of the throughput at 32 clients.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from functools import partial
from time import monotonic, thread_time
from typing import Any, Final, ParamSpec, TypeVar

from services.runners.liveness import Watch

P = ParamSpec("P")
T = TypeVar("T")

RECENT_SECONDS: Final = 0.5
"""For so long after a model was at work a core is kept free for it: its next request is probably on its way."""

SMOOTHING: Final = 0.2
"""The weight of the newest piece of work in the estimate of how long a model's work takes."""


@dataclass(eq=False)
class _Share:
    """One model's work: what waits, and the CPU seconds that it has been given."""

    urgent: deque[Callable[[], None]] = field(default_factory=deque)
    patient: deque[Callable[[], None]] = field(default_factory=deque)
    running: int = 0
    spent: float = 0.0
    usual: float = 0.0
    last_busy: float = float("-inf")

    @property
    def waits(self) -> bool:
        return bool(self.urgent or self.patient)

    @property
    def busy(self) -> bool:
        return self.waits or self.running > 0


@dataclass(frozen=True)
class Lanes:
    """What one model's work is handed to.

    Urgent is what others wait for already: running the model, finishing an answer. Patient is a request's first
    step, decoding what it brought, which may take a second for one picture.
    """

    urgent: Executor
    patient: Executor


class CorePool:
    """As many threads as cores, shared by models in proportion to CPU time; and a spare one.

    Of the models that have work, the one that was given least goes next, with its urgent work before its patient
    work. While others were at work of late no model has all the cores: a run is never interrupted, and one that
    takes a second would hold up those that take a hundredth. Where every thread is in patient work, the spare
    thread takes the urgent work, so that large pictures do not hold up small ones.
    """

    def __init__(self, cores: int, clock: Callable[[], float] = monotonic) -> None:
        self.watch = Watch()
        self._cores = cores
        self._clock = clock
        self._shares: dict[str, _Share] = {}
        self._lanes: dict[str, Lanes] = {}
        self._in_patient_work = 0
        self._closed = False
        self._lock = threading.Lock()
        self._work_added = threading.Condition(self._lock)
        self._spare_needed = threading.Condition(self._lock)
        self._threads: list[threading.Thread] = []

    def lanes(self, model: str) -> Lanes:
        """Where a model's work goes; what hangs there is known under its name."""
        if model not in self._lanes:
            share = _Share()
            urgent, patient = _Lane(self, share, share.urgent), _Lane(self, share, share.patient)
            with self._lock:
                self._shares[model] = share
                self._lanes[model] = Lanes(self.watch.over(urgent, model), self.watch.over(patient, model))
        return self._lanes[model]

    def add(self, share: _Share, queue: deque[Callable[[], None]], work: Callable[[], None]) -> None:
        with self._lock:
            if self._closed:
                raise RuntimeError("the pool is closed")
            if not self._threads:
                self._start_threads()
            if not share.busy:  # what it did not use while it was away is not owed to it
                share.spent = max(share.spent, min((each.spent for each in self._busy()), default=0.0))
            queue.append(work)
            self._work_added.notify()
            self._call_spare()

    def _start_threads(self) -> None:
        """Not before there is work: a process that only looks at the service shall be able to end."""
        self._threads = [threading.Thread(target=self._run, name=f"core-{number}") for number in range(self._cores)]
        self._threads.append(threading.Thread(target=self._run_spare, name="core-spare"))
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Finish what was added, then end the threads."""
        with self._lock:
            self._closed = True
            self._work_added.notify_all()
            self._spare_needed.notify_all()
        for thread in self._threads:
            thread.join()

    # Everything below is called with the lock held, but for the two loops of the threads.

    def _busy(self) -> list[_Share]:
        return [share for share in self._shares.values() if share.busy]

    def _next(self) -> _Share | None:
        """The share whose turn it is, of those that may have one more core."""
        waiting = [share for share in self._shares.values() if share.waits]
        return min((share for share in waiting if self._may_run(share)), key=lambda share: share.spent, default=None)

    def _may_run(self, share: _Share) -> bool:
        if share.running < self._cores - 1 or self._cores == 1 or self._closed:
            return True
        since = self._clock() - RECENT_SECONDS
        return not any(each.busy or each.last_busy > since for each in self._shares.values() if each is not share)

    def _call_spare(self) -> None:
        if self._in_patient_work == self._cores and any(share.urgent for share in self._shares.values()):
            self._spare_needed.notify()

    def _begin(self, share: _Share) -> float:
        """Count one more piece of work as running; what it is charged until it is known what it took."""
        share.running += 1
        share.spent += share.usual
        return share.usual

    def _end(self, share: _Share, charged: float, seconds: float) -> None:
        share.running -= 1
        share.spent += seconds - charged
        share.usual += SMOOTHING * (seconds - share.usual)
        share.last_busy = self._clock()

    def _run(self) -> None:
        while True:
            with self._lock:
                while (share := self._next()) is None:
                    if self._closed and not any(share.waits for share in self._shares.values()):
                        return
                    # Work may wait for its model's last core to be free for it: nobody will tell when.
                    kept = any(share.waits for share in self._shares.values())
                    self._work_added.wait(RECENT_SECONDS if kept else None)
                patient = not share.urgent
                work = (share.patient if patient else share.urgent).popleft()
                charged = self._begin(share)
                self._in_patient_work += patient
                self._call_spare()
            seconds = _seconds(work)
            del work  # nothing of a request stays with an idle thread
            with self._lock:
                self._end(share, charged, seconds)
                self._in_patient_work -= patient

    def _run_spare(self) -> None:
        while True:
            with self._lock:
                while not (self._in_patient_work == self._cores and self._urgent_shares()):
                    if self._closed:
                        return
                    self._spare_needed.wait()
                share = min(self._urgent_shares(), key=lambda share: share.spent)
                work = share.urgent.popleft()
                charged = self._begin(share)
            seconds = _seconds(work)
            del work
            with self._lock:
                self._end(share, charged, seconds)

    def _urgent_shares(self) -> list[_Share]:
        return [share for share in self._shares.values() if share.urgent]


def _seconds(work: Callable[[], None]) -> float:
    """Do the work: the CPU seconds that this thread needed for it."""
    started = thread_time()
    work()
    del work  # an error's traceback keeps this frame, and the work has the error
    return thread_time() - started


class _Lane(Executor):
    """One kind of a model's work, as an executor."""

    def __init__(self, pool: CorePool, share: _Share, queue: deque[Callable[[], None]]) -> None:
        self._pool = pool
        self._share = share
        self._queue = queue

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future: Future[Any] = Future()
        work: list[Callable[[], Any]] = [partial(fn, *args, **kwargs)]
        # Where it is cancelled it stays in its place, but nothing of the request stays with it.
        future.add_done_callback(lambda _: work.clear())
        self._pool.add(self._share, self._queue, partial(_settle, future, work))
        return future


def _settle(future: Future[Any], work: list[Callable[[], Any]]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    fn = work.pop()
    try:
        result = fn()
    except BaseException as error:
        future.set_exception(error)
        del future  # the error's traceback leads here: a cycle for each request that is refused
    else:
        future.set_result(result)
