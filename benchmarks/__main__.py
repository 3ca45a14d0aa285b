"""`make bench`: the server beside the limit, interleaved, as ratios."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from benchmarks import large, machine
from benchmarks.limit import MODEL, Limit
from benchmarks.load import Target, measure
from benchmarks.payloads import multipart, picture, raw
from benchmarks.peers import comparison
from benchmarks.report import Row, table
from services.exports import find_export
from services.session import available_cpus
from tests.serving import serving


def arrangements(path: Path, *, rounds: int, seconds: float) -> str:
    """Our server at several loads."""
    data, cpus = picture(), available_cpus()
    wide, narrow = Limit(MODEL, path, threads_per_run=1), Limit(MODEL, path, threads_per_run=cpus)
    cases = [
        ("raw, 1 client", raw(data), 1),
        ("raw, 8 clients", raw(data), 8),
        ("raw, 32 clients", raw(data), 32),
        ("multipart, 8 clients", multipart(data), 8),
    ]
    limit_row, lone_row = Row(f"limit, {cpus} threads"), Row("limit, one at a time")
    rows = {name: Row(name) for name, _, _ in cases}
    with tempfile.TemporaryDirectory() as scratch, serving(Path(scratch) / "log") as server:
        target = Target.of(server)
        measure(target, raw(data), 8, 1.0)
        for number in range(rounds):
            print(f"round {number + 1} of {rounds}", file=sys.stderr, flush=True)
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
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each sample")
    parser.add_argument("--peers", action="store_true", help="measure other servers too; each gets an environment")
    options = parser.parse_args()
    path = find_export(MODEL).folder / "model.onnx"
    peers = comparison.prepare() if options.peers else None
    print(f"{machine.describe()}; a {len(picture()) // 1000} KB JPEG of 640x480, {MODEL.id}\n", flush=True)
    print(arrangements(path, rounds=options.rounds, seconds=options.seconds), flush=True)
    print(f"\n{large.report(path, rounds=options.rounds, seconds=options.seconds)}", flush=True)
    if peers is not None:
        print(f"\n{comparison.report(peers, path, rounds=options.rounds, seconds=options.seconds)}", flush=True)


if __name__ == "__main__":
    main()
