"""Many inputs, some requests in flight, results in the inputs' order."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sized
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Callable, Generic, Optional

from ekiben_client._call import I, T
from ekiben_client.errors import EkibenError

Progress = Callable[[int, Optional[int]], None]
"""Called with how many are done and, where the inputs have a length, how many there are."""


@dataclass(frozen=True)
class Outcome(Generic[I, T]):
    """What became of one input of many: a result, or the error that it ended in."""

    input: I
    error: EkibenError | None
    _result: T | None = None

    def result(self) -> T:
        """The result. Raises the error, where there is one."""
        if self.error is not None:
            raise self.error
        return self._result  # type: ignore[return-value]


def check_in_flight(in_flight: int) -> None:
    if in_flight < 1:
        raise ValueError(f"in_flight is {in_flight}, not a number above 0")


def look_ahead(in_flight: int) -> int:
    """How many inputs are taken before the oldest is done, so that one slow answer does not idle the others."""
    return 4 * in_flight


class _Source(Generic[I]):
    """The inputs; what their iterator raises waits until the results before it are out."""

    def __init__(self, inputs: Iterable[I]) -> None:
        self.total = len(inputs) if isinstance(inputs, Sized) else None
        self.ended = False
        self.fault: Exception | None = None
        self._iterator = iter(inputs)

    def take(self, number: int) -> Iterator[I]:
        while number > 0 and not self.ended:
            try:
                input = next(self._iterator)
            except StopIteration:  # noqa: PERF203 (one input a turn)
                self.ended = True
            except Exception as fault:
                self.ended, self.fault = True, fault
            else:
                number -= 1
                yield input


def many(
    inputs: Iterable[I],
    ask: Callable[[I, Callable[[float], object]], T],
    *,
    in_flight: int,
    progress: Progress | None,
) -> Iterator[Outcome[I, T]]:
    """`ask(input, pause)` for each input, in threads; leaving early waits for what is in flight, not for retries."""
    source = _Source(inputs)
    waiting: deque[tuple[I, Future[T]]] = deque()
    left = threading.Event()

    def pause(seconds: float) -> None:
        if left.wait(seconds):
            raise CancelledError

    with ThreadPoolExecutor(in_flight, "ekiben") as pool:
        try:
            done = 0
            while True:
                for input in source.take(look_ahead(in_flight) - len(waiting)):
                    waiting.append((input, pool.submit(ask, input, pause)))
                if not waiting:
                    break
                input, future = waiting.popleft()
                try:
                    outcome = Outcome(input, None, future.result())
                except EkibenError as error:
                    outcome = Outcome(input, error)
                del input, future
                done += 1
                if progress:
                    progress(done, source.total)
                yield outcome
                del outcome
        finally:
            left.set()
            for _, future in waiting:
                future.cancel()
    if source.fault:
        raise source.fault
