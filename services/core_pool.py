"""The threads that compute on the CPU: one pool for all models and all requests, as many as cores.

With pools of their own for decoding and for each model there would be several threads to a core, which take
each other's caches: a tenth of the throughput at 32 clients.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, ParamSpec, TypeVar

from services.liveness import Watch

P = ParamSpec("P")
T = TypeVar("T")


class CorePool:
    """As many threads as cores, which take urgent work first; and a spare one.

    Urgent is what others wait for already: running a model, finishing an answer. Patient is a request's first
    step, decoding what it brought, which may take a second for one picture. Where every thread is in such a
    step, the spare thread takes the urgent work, so that large pictures do not hold up small ones.
    """

    def __init__(self, cores: int) -> None:
        self.watch = Watch()
        self.urgent: Executor = _Lane(self, patient=False)
        self.patient: Executor = _Lane(self, patient=True)
        self._cores = cores
        self._urgent: deque[Callable[[], None]] = deque()
        self._patient: deque[Callable[[], None]] = deque()
        self._in_patient_work = 0
        self._closed = False
        self._lock = threading.Lock()
        self._work_added = threading.Condition(self._lock)
        self._spare_needed = threading.Condition(self._lock)
        self._threads: list[threading.Thread] = []

    def add(self, work: Callable[[], None], *, patient: bool) -> None:
        with self._lock:
            if self._closed:
                raise RuntimeError("the pool is closed")
            if not self._threads:
                self._start_threads()
            (self._patient if patient else self._urgent).append(work)
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

    def _call_spare(self) -> None:
        if self._urgent and self._in_patient_work == self._cores:
            self._spare_needed.notify()

    def _run(self) -> None:
        while True:
            with self._lock:
                while not self._urgent and not self._patient:
                    if self._closed:
                        return
                    self._work_added.wait()
                patient = not self._urgent
                work = self._patient.popleft() if patient else self._urgent.popleft()
                self._in_patient_work += patient
                self._call_spare()
            work()
            del work  # nothing of a request stays with an idle thread
            if patient:
                with self._lock:
                    self._in_patient_work -= 1

    def _run_spare(self) -> None:
        while True:
            with self._lock:
                while not (self._urgent and self._in_patient_work == self._cores):
                    if self._closed:
                        return
                    self._spare_needed.wait()
                work = self._urgent.popleft()
            work()
            del work


class _Lane(Executor):
    """One kind of a pool's work, as an executor."""

    def __init__(self, pool: CorePool, *, patient: bool) -> None:
        self._pool = pool
        self._patient = patient

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future: Future[Any] = Future()

        def work() -> None:
            nonlocal future
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = fn(*args, **kwargs)
            except BaseException as error:
                future.set_exception(error)
                del future  # the error's traceback leads here: a cycle for each request that is refused
            else:
                future.set_result(result)

        self._pool.add(work, patient=self._patient)
        return future
