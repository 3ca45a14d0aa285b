"""A server on this machine, seen from outside: its CPU time, and its memory while it is under load."""

from __future__ import annotations

import asyncio
import contextlib
from time import perf_counter
from types import TracebackType

import psutil

from ekiben_load.report import Memory, Metric

INTERVAL_SECONDS = 1.0


class ServerProcess:
    """A process and all below it."""

    def __init__(self, pid: int) -> None:
        self._first = psutil.Process(pid)

    def cpu_seconds(self) -> float:
        total = 0.0
        for process in self._all():
            with contextlib.suppress(psutil.NoSuchProcess):
                total += sum(process.cpu_times()[:4])
        return total

    def resident_bytes(self) -> int:
        total = 0
        for process in self._all():
            with contextlib.suppress(psutil.NoSuchProcess):
                total += process.memory_info().rss
        return total

    def _all(self) -> list[psutil.Process]:
        return [self._first, *self._first.children(recursive=True)]


class MemoryWatch:
    """While entered, looks at a server's memory once a second; without a server it sees nothing."""

    def __init__(self, process: ServerProcess | None) -> None:
        self._process = process
        self.seen: Memory | None = Memory(seconds=[], megabytes=[]) if process else None

    async def __aenter__(self) -> MemoryWatch:
        self._started = perf_counter()
        self._look()
        self._looking = asyncio.create_task(self._look_on())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._looking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._looking
        self._look()

    def metrics(self) -> list[Metric]:
        """How far it grew at most and by the end, and from a quarter of the time on: until then the queues fill."""
        if self.seen is None:
            return []
        values = self.seen.megabytes
        quarter = values[len(values) // 4]
        return [
            Metric(name="memory at first", value=values[0], unit="MB"),
            Metric(name="growth at the peak", value=max(values) - values[0], unit="MB"),
            Metric(name="growth by the end", value=values[-1] - values[0], unit="MB"),
            Metric(name="growth after the first quarter", value=values[-1] - quarter, unit="MB"),
        ]

    async def _look_on(self) -> None:
        while True:
            await asyncio.sleep(INTERVAL_SECONDS)
            self._look()

    def _look(self) -> None:
        if self._process is None or self.seen is None:
            return
        self.seen.seconds.append(round(perf_counter() - self._started, 1))
        self.seen.megabytes.append(round(self._process.resident_bytes() / 1e6, 1))
