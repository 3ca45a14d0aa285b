"""`make stress`: what overload and 100,000 requests do to a server. Minutes long."""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections import Counter
from pathlib import Path

import httpx
import psutil

from benchmarks import machine
from benchmarks.load import Target, load
from benchmarks.payloads import ROUTE, picture, raw
from tests import photographs
from tests.serving import Server, serving

LATE_SECONDS = 1.0
"""An answer that took longer than this counts as lost, for goodput."""


def overload(server: Server, *, factor: float, seconds: float) -> None:
    """Ask for `factor` times what the server can do, on schedule whatever becomes of it."""
    target, request, worker = Target.of(server), raw(picture()), server.worker()
    lone_before = lone_latency(target, request)
    seen = load(target, request, loop="closed", concurrency=8, seconds=5.0)
    capacity = len(seen["latencies"]) / seen["seconds"]
    memory = worker.memory_info().rss
    seen = load(target, request, loop="open", rate=factor * capacity, seconds=seconds)
    time.sleep(1.0)  # "a second after it": this is the pause that is measured against
    lone_after = lone_latency(target, request)
    statuses = Counter(status for _, status, _ in seen["answers"])
    good = [latency for _, status, latency in seen["answers"] if status == 200]
    in_time = sum(latency <= LATE_SECONDS for latency in good)
    growth = (worker.memory_info().rss - memory) / 1e6
    print(f"capacity {capacity:.0f}/s; asked for {factor * capacity:.0f}/s for {seconds:.0f} s")
    print(f"  statuses {dict(statuses)}")
    goodput = in_time / seconds / capacity
    print(f"  goodput {goodput:.2f} of capacity within {LATE_SECONDS:g} s, {len(good) / seconds / capacity:.2f} at all")
    print(f"  latency of what was answered 200: p50 {statistics.median(good) * 1e3:.0f} ms")
    print(f"  lone latency before {lone_before * 1e3:.1f} ms, a second after {lone_after * 1e3:.1f} ms")
    print(f"  resident memory grew by {growth:.0f} MB", flush=True)


def lone_latency(target: Target, request: bytes) -> float:
    latencies: list[float] = load(target, request, loop="closed", concurrency=1, seconds=2.0)["latencies"]
    return statistics.median(latencies)


def soak(server: Server, *, total: int) -> None:
    """Good requests and bad ones, over and over; what the process holds must not grow."""
    target, worker = Target.of(server), server.worker()
    small = photographs.encoded(photographs.rgb("coffee").resize((256, 256)), "JPEG")
    good = [(raw(small), 8.0)]
    bad = [(raw(b"no picture"), 0.3), (raw(small, path="/nowhere"), 0.3), (raw(small, path=f"{ROUTE}?model=none"), 0.3)]
    asked = 0
    statuses: Counter[str] = Counter()
    print("  requests  resident MB  files  threads  metric series")
    while asked < total:
        for request, seconds in (*good, *bad):
            seen = load(target, request, loop="closed", concurrency=16, seconds=seconds)
            asked += len(seen["latencies"])
            statuses.update(seen["statuses"])
        print(f"  {asked:>8}  {held(worker, server)}", flush=True)
    print(f"  statuses {dict(statuses)}")


def held(worker: psutil.Process, server: Server) -> str:
    series = sum(not line.startswith("#") for line in httpx.get(f"{server.url}/metrics").text.splitlines())
    return f"{worker.memory_info().rss / 1e6:>11.0f}  {worker.num_fds():>5}  {worker.num_threads():>7}  {series:>13}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stress", description=__doc__)
    parser.add_argument("--factor", type=float, default=3.0)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--requests", type=int, default=100_000)
    options = parser.parse_args()
    print(machine.describe(), flush=True)
    with tempfile.TemporaryDirectory() as scratch, serving(Path(scratch) / "log") as server:
        if options.seconds:
            overload(server, factor=options.factor, seconds=options.seconds)
        if options.requests:
            soak(server, total=options.requests)


if __name__ == "__main__":
    main()
