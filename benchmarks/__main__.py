"""`make bench`: the server beside the limit, interleaved, as ratios."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks import large, machine, placement, together
from benchmarks.limit import Limit
from benchmarks.load import Target, measure
from benchmarks.payloads import multipart, picture, raw
from benchmarks.peers import comparison
from benchmarks.report import Row, table
from models import TASKS, AnyTask
from models.media import PICTURE
from services.runners.session import available_cpus
from tests.serving import serving

PICTURE_TASKS = {name: task for name, task in TASKS.items() if task.inputs[0].kind is PICTURE}


def arrangements(task: AnyTask, clients: Sequence[int], *, rounds: int, seconds: float) -> str:
    """Our server at several loads of one task."""
    data, cpus, path = picture(), available_cpus(), f"/v1/{task.name}"
    wide, narrow = Limit(task, threads_per_run=1), Limit(task, threads_per_run=cpus)
    cases = [(f"raw, {count} client{'s' * (count > 1)}", raw(data, path), count) for count in clients]
    cases.append(("multipart, 8 clients", multipart(data, path), 8))
    limit_row, lone_row = Row(f"limit, {cpus} threads"), Row("limit, one at a time")
    rows = {name: Row(name) for name, _, _ in cases}
    with tempfile.TemporaryDirectory() as scratch, serving(Path(scratch) / "log") as server:
        target = Target.of(server)
        measure(target, raw(data, path), 8, 1.0)
        for number in range(rounds):
            print(f"{task.name}, round {number + 1} of {rounds}", file=sys.stderr, flush=True)
            with machine.Watch() as watch:
                limit = wide.run(data, seconds=seconds, threads=cpus)
            limit_row.add(limit, limit, quiet=watch.quiet)
            with machine.Watch() as watch:
                lone = narrow.run(data, seconds=seconds, threads=1)
            lone_row.add(lone, limit, quiet=watch.quiet)
            for name, request, concurrency in cases:
                sample, quiet, errors = measure(target, request, concurrency, seconds)
                rows[name].add(sample, limit, quiet=quiet, errors=errors)
    return table([limit_row, lone_row, *rows.values()])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("tasks", nargs="*", default=list(PICTURE_TASKS), help="default: all that take pictures")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each sample")
    parser.add_argument("--peers", action="store_true", help="measure other servers too; each gets an environment")
    parser.add_argument("--placement", action="store_true", help="only compare where runners can be, at 8 clients")
    options = parser.parse_args()
    rounds, seconds = options.rounds, options.seconds
    tasks = [PICTURE_TASKS[name] for name in options.tasks]
    peers = comparison.prepare() if options.peers else None
    print(f"{machine.describe()}; a {len(picture()) // 1000} KB JPEG of 640x480\n", flush=True)
    for task in tasks:
        print(f"{task.name}, {task.models[0].id}:\n", flush=True)
        if options.placement:
            print(placement.report(task, clients=8, rounds=rounds, seconds=seconds), end="\n\n", flush=True)
            continue
        print(arrangements(task, options.clients, rounds=rounds, seconds=seconds), end="\n\n", flush=True)
    if options.placement:
        return
    if len(tasks) > 1:
        print(f"All at once, 8 clients each:\n\n{together.report(tasks, clients=8, seconds=8 * seconds)}\n", flush=True)
    if comparison.TASK in tasks:
        print(large.report(rounds=rounds, seconds=seconds), end="\n\n", flush=True)
    if peers is not None:
        print(comparison.report(peers, rounds=rounds, seconds=seconds), flush=True)


if __name__ == "__main__":
    main()
