"""Native calls that never return: no thread can be ended, but a supervisor can be told to restart the process."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from time import monotonic
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

log = logging.getLogger("ekiben.liveness")


@dataclass(eq=False)
class _Run:
    model: str
    started: float
    reported: bool = False


class Watch:
    """What threads are running, for which model and since when; looked at when somebody asks, by no timer."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._runs: set[_Run] = set()  # adding, discarding and copying are each one step of the interpreter

    def call(self, model: str, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Call `fn`, watched as a run of `model`."""
        run = _Run(model, self._clock())
        self._runs.add(run)
        try:
            return fn(*args, **kwargs)
        finally:
            self._runs.discard(run)

    def over(self, executor: Executor, model: str) -> Executor:
        """`executor`, with all that it runs watched as runs of `model`."""
        return _Watched(self, executor, model)

    def hangs(self, after_seconds: float) -> bool:
        """Whether a run has been going on for longer than that; the log says it once of each."""
        now = self._clock()
        hanging = [run for run in self._runs.copy() if now - run.started > after_seconds]
        for run in hanging:
            if not run.reported:
                run.reported = True
                log.critical("a run hangs", extra={"model": run.model, "seconds": round(now - run.started, 1)})
        return bool(hanging)


class _Watched(Executor):
    """Only submits: whoever made the executor below shuts it down."""

    def __init__(self, watch: Watch, executor: Executor, model: str) -> None:
        self._watch = watch
        self._executor = executor
        self._model = model

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        return self._executor.submit(self._watch.call, self._model, fn, *args, **kwargs)
