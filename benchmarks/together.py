"""All tasks under load at once: what share of the CPU time each gets, and how long it keeps its clients waiting."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.limit import Limit
from benchmarks.load import Target, load
from benchmarks.payloads import picture, raw
from models import AnyTask
from tests.serving import serving

HEADER = """| task | answers/s | share of CPU time | of an equal share | p50 ms alone | p50 ms together | errors |
| --- | --- | --- | --- | --- | --- | --- |"""


def report(tasks: Sequence[AnyTask], *, clients: int, seconds: float) -> str:
    """`clients` clients for each task, all at once. What a task got is its answers times what one costs the limit."""
    data = picture()
    costs = [Limit(task, threads_per_run=1).run(data, seconds=seconds / 4, threads=1).cpu_per_request for task in tasks]
    requests = [raw(data, f"/v1/{task.name}") for task in tasks]
    with tempfile.TemporaryDirectory() as scratch, serving(Path(scratch) / "log") as server:
        target = Target.of(server)

        def one(request: bytes, concurrency: int, length: float) -> dict[str, Any]:
            return load(target, request, loop="closed", concurrency=concurrency, seconds=length)

        alone = [one(request, 1, seconds / 4) for request in requests]
        with ThreadPoolExecutor(len(tasks)) as at_once:
            seen = list(at_once.map(lambda request: one(request, clients, seconds), requests))
    given = [len(each["latencies"]) / each["seconds"] * cost for each, cost in zip(seen, costs, strict=True)]
    lines = []
    for task, got, lone, each in zip(tasks, given, alone, seen, strict=True):
        share = got / sum(given)
        errors = sum(count for status, count in each["statuses"].items() if status != "200")
        lines.append(
            f"| {task.name} | {len(each['latencies']) / each['seconds']:.1f} | {share:.2f} | {share * len(tasks):.2f} "
            f"| {statistics.median(lone['latencies']) * 1e3:.0f} | {statistics.median(each['latencies']) * 1e3:.0f} "
            f"| {errors} |"
        )
    return "\n".join([HEADER, *lines])
