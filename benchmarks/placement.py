"""What runners in processes of their own cost: the same server both ways, beside the limit, in turns."""

from __future__ import annotations

import contextlib
import sys
import tempfile
from pathlib import Path

from benchmarks import machine
from benchmarks.limit import Limit
from benchmarks.load import Target, measure
from benchmarks.payloads import picture, raw
from benchmarks.report import Row, table
from models import AnyTask
from services.runners.session import available_cpus
from tests.serving import serving


def report(task: AnyTask, *, clients: int, rounds: int, seconds: float) -> str:
    """One task, its runner in the gateway's process and in one of its own."""
    data, cpus = picture(), available_cpus()
    request = raw(data, f"/v1/{task.name}")
    limit = Limit(task, threads_per_run=1)
    limit_row = Row(f"limit, {cpus} threads")
    rows = {placement: Row(f"{placement}, {clients} clients") for placement in ("embedded", "services")}
    model = task.default_models[0].id
    with tempfile.TemporaryDirectory() as scratch, contextlib.ExitStack() as servers:
        targets = {}
        for placement in rows:
            settings = {"EKIBEN_MODELS": model, "EKIBEN_RUNNERS": placement}
            server = servers.enter_context(serving(Path(scratch) / placement, settings))
            targets[placement] = Target.of(server)
            measure(targets[placement], request, clients, 1.0)
        for number in range(rounds):
            print(f"{task.name}, round {number + 1} of {rounds}", file=sys.stderr, flush=True)
            with machine.Watch() as watch:
                bare = limit.run(data, seconds=seconds, threads=cpus)
            limit_row.add(bare, bare, quiet=watch.quiet)
            for placement, target in targets.items():
                sample, quiet, errors = measure(target, request, clients, seconds)
                rows[placement].add(sample, bare, quiet=quiet, errors=errors)
    return table([limit_row, *rows.values()])
