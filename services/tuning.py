"""`python -m services.tuning [MODEL…]`: measure how each model runs best on this machine.

How many workers, threads and items in a batch serve a graph best depends on the graph, the provider and the
machine, and takes seconds to find out. So it is measured once, after the export, and kept beside it; starting
the server only reads it. On a machine that was not measured the server takes what is usual for the provider.
"""

from __future__ import annotations

import argparse
import itertools
import platform
import statistics
import sys
import threading
from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from time import perf_counter, process_time
from types import MappingProxyType

import numpy as np
import onnxruntime
from pydantic import BaseModel, ConfigDict, TypeAdapter

from models import default_models, find_model
from models.model import BATCH, Graph, Model, OneShot
from models.task import Array
from services.exports import Export, ExportMissing, find_export
from services.session import CPU, Session, available_cpus, provider_for
from services.settings import Device, Settings

FILE = "tuning.json"
SAMPLE_SECONDS = 0.4
ROUNDS = 3
WORTHWHILE = 1.05
"""How much better than the usual an arrangement has to be: less is noise."""


class Arrangement(BaseModel):
    """How a model is run: `workers` runs at once of up to `max_batch` items, each with `threads` threads; a
    request that is alone may use `lone_threads`."""

    model_config = ConfigDict(frozen=True)

    workers: int
    threads: int
    max_batch: int
    lone_threads: int


RunBatch = Callable[[int], None]
"""Runs a batch of this many blank items, on each of a model's graphs."""

_FILE = TypeAdapter(dict[str, Arrangement])


def machine(provider: str) -> str:
    """What a measurement holds for."""
    if provider == CPU:
        hardware = f"{available_cpus()} cores of {_processor()}"
    else:
        import pynvml  # type: ignore[import-untyped]  # comes with BentoML

        pynvml.nvmlInit()
        hardware = str(pynvml.nvmlDeviceGetName(pynvml.nvmlDeviceGetHandleByIndex(0)))
    return f"{provider}, {hardware}, onnxruntime {onnxruntime.__version__}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "a processor")


def usual(model: Model, provider: str) -> Arrangement:
    """What is right for most models: batches gain nothing on a CPU for pictures, and much on a GPU."""
    cpus = available_cpus()
    if isinstance(model.protocol, OneShot):
        if provider == CPU:
            return Arrangement(workers=cpus, threads=1, max_batch=1, lone_threads=cpus)
        return Arrangement(workers=2, threads=1, max_batch=model.max_batch, lone_threads=1)
    return Arrangement(workers=2, threads=max(1, cpus // 2), max_batch=model.max_batch, lone_threads=max(1, cpus // 2))


def arrangement(model: Model, export: Export, device: Device) -> Arrangement:
    """What was measured for this machine, else what is usual."""
    provider = provider_for(device)
    return _read(export.folder).get(machine(provider)) or usual(model, provider)


def _read(folder: Path) -> dict[str, Arrangement]:
    try:
        return _FILE.validate_json((folder / FILE).read_bytes())
    except FileNotFoundError:
        return {}


def tune(model: Model, export: Export, device: Device, *, sample_seconds: float = SAMPLE_SECONDS) -> Arrangement:
    """Measure `model` and keep the result beside its export."""
    assert isinstance(model.protocol, OneShot)
    graphs, shape = model.protocol.graphs, model.protocol.warm_shapes[0]

    @cache
    def session(threads: int) -> RunBatch:
        loaded = [Session(export.graph(graph), graph, device=device, threads=threads) for graph in graphs]

        def run(batch: int) -> None:
            for graph, each in zip(graphs, loaded, strict=True):
                each.run(blank(graph, batch, shape))

        return run

    provider = provider_for(device)
    # On a CPU what counts is the CPU time of an item: neighbours do not change it, and decoding needs the rest.
    clock = process_time if provider == CPU else perf_counter
    best = _best(session, _candidates(model, provider), partial(_seconds_per_item, clock, sample_seconds))
    if provider == CPU:
        best = best.model_copy(update={"lone_threads": _lone_threads(session)})
    (export.folder / FILE).write_bytes(_FILE.dump_json(_read(export.folder) | {machine(provider): best}, indent=2))
    return best


def _candidates(model: Model, provider: str) -> list[Arrangement]:
    """What is tried, the usual first."""
    cpus = available_cpus()
    if provider == CPU:
        pairs = [(cpus, 1), (1, cpus)] if cpus > 1 else [(1, 1)]
        batches = [batch for batch in (1, 4, 8) if batch <= model.max_batch]
        return [
            Arrangement(workers=workers, threads=threads, max_batch=batch, lone_threads=threads)
            for (workers, threads), batch in itertools.product(pairs, batches)
        ]
    sizes = [2**power for power in range(model.max_batch.bit_length()) if 2**power <= model.max_batch]
    return [
        Arrangement(workers=workers, threads=1, max_batch=batch, lone_threads=1)
        for workers, batch in itertools.product((1, 2), sizes)
    ]


def _best(
    session: Callable[[int], RunBatch],
    candidates: list[Arrangement],
    cost_of: Callable[[RunBatch, Arrangement], float],
) -> Arrangement:
    """The first candidate, or one that is clearly cheaper; tried in turns, because machines are noisy."""
    samples: dict[Arrangement, list[float]] = {each: [] for each in candidates}
    for _ in range(ROUNDS):
        for each in candidates:
            samples[each].append(cost_of(session(each.threads), each))
    cost = {each: statistics.median(values) for each, values in samples.items()}
    cheapest = min(cost.values())
    return next(each for each in candidates if cost[each] <= cheapest * WORTHWHILE)


def _seconds_per_item(clock: Callable[[], float], sample_seconds: float, call: RunBatch, each: Arrangement) -> float:
    call(each.max_batch)
    counts = [0] * each.workers
    until = perf_counter() + sample_seconds

    def work(place: int) -> None:
        while counts[place] == 0 or perf_counter() < until:
            call(each.max_batch)
            counts[place] += each.max_batch

    started = clock()
    workers = [threading.Thread(target=work, args=(place,)) for place in range(each.workers)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return (clock() - started) / sum(counts)


def _lone_threads(session: Callable[[int], RunBatch]) -> int:
    """All cores where a lone item gains by them, else one."""
    cpus = available_cpus()
    calls = {threads: session(threads) for threads in (1, cpus)}
    times: dict[int, list[float]] = {threads: [] for threads in calls}
    for _ in range(30):
        for threads, call in calls.items():
            started = perf_counter()
            call(1)
            times[threads].append(perf_counter() - started)
    medians = {threads: statistics.median(values) for threads, values in times.items()}
    return cpus if medians[cpus] * WORTHWHILE < medians[1] else 1


def blank(graph: Graph, batch: int, sizes: Mapping[str, int] = MappingProxyType({})) -> dict[str, Array]:
    """Inputs of a graph, all zeros: `sizes` along the axes that vary, 1 where it says none."""
    known = {**sizes, BATCH: batch}
    return {
        tensor.name: np.zeros(
            [known.get(axis, 1) if isinstance(axis, str) else axis for axis in tensor.axes], tensor.dtype
        )
        for tensor in graph.inputs
    }


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m services.tuning", description=__doc__)
    parser.add_argument("models", nargs="*", metavar="MODEL", help="default: every task's default model")
    parser.add_argument("--force", action="store_true", help="measure again what is known")
    options = parser.parse_args(arguments)
    device = Settings().device
    for model in [find_model(id) for id in options.models] or default_models():
        try:
            export = find_export(model)
        except ExportMissing as error:
            print(error, file=sys.stderr)
            return 1
        known = _read(export.folder).get(machine(provider_for(device)))
        if not isinstance(model.protocol, OneShot) or (known and not options.force):
            continue
        print(f"{model.id}: measuring how it runs best here", flush=True)
        print(f"{model.id}: {tune(model, export, device)!r}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
