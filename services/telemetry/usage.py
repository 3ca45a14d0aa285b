"""What the server's processes use, among its metrics.

Prometheus' own collector of this is silent where metrics of several processes are put together from files.
"""

from __future__ import annotations

import threading

import psutil

from services.telemetry import metrics, metrics_folder

SAMPLE_SECONDS = 2.0
"""Much shorter than any interval at which metrics are read."""


def watch(name: str) -> None:
    """Note memory and CPU time of this process from now on, as those of `name`; forget those of processes gone."""
    threading.Thread(target=_sample, args=(name,), name="usage", daemon=True).start()


def _sample(name: str) -> None:
    process = psutil.Process()
    cpu_seconds, resident_bytes = metrics.cpu_seconds.labels(name), metrics.resident_bytes.labels(name)
    counted = 0.0
    pause = threading.Event()
    while True:
        times = process.cpu_times()
        cpu_seconds.inc(times.user + times.system - counted)
        counted = times.user + times.system
        resident_bytes.set(process.memory_info().rss)
        metrics_folder.forget_the_dead()
        pause.wait(SAMPLE_SECONDS)
