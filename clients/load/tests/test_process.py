from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from time import process_time

from ekiben_load.process import MemoryWatch, ServerProcess
from ekiben_load.report import Memory


def test_a_server_is_a_process_and_all_below_it() -> None:
    """The child's child burns CPU time and holds memory; the child does not."""
    work = "x = bytearray(80_000_000); import time; [0 for _ in iter(lambda: time.process_time() < .3, False)]"
    waiting = (
        f"import subprocess, sys; subprocess.run([sys.executable, '-c', {work + '; print(1, flush=True); input()'!r}])"
    )
    with subprocess.Popen([sys.executable, "-c", waiting], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline()
        server = ServerProcess(child.pid)
        assert 0.3 <= server.cpu_seconds() < 10
        assert server.resident_bytes() > 80_000_000
        child.communicate(b"\n")


def test_cpu_seconds_are_those_of_the_system() -> None:
    server = ServerProcess(os.getpid())
    before, own = server.cpu_seconds(), process_time()
    sum(range(5_000_000))
    assert abs((server.cpu_seconds() - before) - (process_time() - own)) < 0.05


def test_memory_is_looked_at_first_and_last() -> None:
    async def main() -> None:
        async with MemoryWatch(ServerProcess(os.getpid())) as watch:
            held = bytearray(60_000_000)
        assert watch.seen is not None
        assert len(watch.seen.megabytes) == len(watch.seen.seconds) == 2
        growth = {metric.name: metric.value for metric in watch.metrics()}["growth by the end"]
        assert growth is not None
        assert growth > 55
        del held

    asyncio.run(main())


def test_growth_is_told_at_its_peak_and_after_it() -> None:
    watch = MemoryWatch(None)
    watch.seen = Memory(seconds=[0, 1, 2, 3], megabytes=[100, 130, 300, 140])
    assert {metric.name: metric.value for metric in watch.metrics()} == {
        "memory at first": 100,
        "growth at the peak": 200,
        "growth by the end": 40,
        "growth after the first quarter": 10,
    }


def test_without_a_server_there_is_nothing_to_see() -> None:
    async def main() -> None:
        async with MemoryWatch(None) as watch:
            pass
        assert watch.seen is None
        assert watch.metrics() == []

    asyncio.run(main())
