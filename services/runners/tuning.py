"""`python -m services.runners.tuning [MODEL…]`: measure how each model runs best on this machine.

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
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from time import perf_counter, process_time
from types import MappingProxyType
from typing import TypeVar

import numpy as np
import onnxruntime
from pydantic import BaseModel, ConfigDict, TypeAdapter

from models import default_models, find_model
from models.model import BATCH, Graph, Model, OneShot
from models.task import Array
from services.exports import Export, ExportMissing, find_export
from services.runners.session import CPU, Session, available_cpus, provider_for
from services.settings import Device, Settings

FILE = "tuning.json"
SAMPLE_SECONDS = 0.12
ROUNDS = 10
LONE_SAMPLES = 30
"""How many times as long, and how many pairs at least: a moment when every core is free has to be among them."""
WORTHWHILE = 1.1
"""How much better than the usual an arrangement has to be: less is noise."""
LONE_WORTHWHILE = 1.25
"""The same for a lone item's threads: beside busy neighbours all cores easily look 1.1 times slower than one, though
they are 1.2 to 1.4 times faster without; a graph that is too small for them is slower by far more."""


class Arrangement(BaseModel):
    """How a model is run: `workers` runs at once of up to `max_batch` items, each with `threads` threads; a
    request that is alone may use `lone_threads`. Of a stepwise model `max_batch` is of all workers together."""

    model_config = ConfigDict(frozen=True)

    workers: int
    threads: int
    max_batch: int
    lone_threads: int


T = TypeVar("T")
Cost = Callable[[Sequence[float]], float]
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


def tune(
    model: Model,
    export: Export,
    device: Device,
    *,
    gpu_memory_bytes: int | None = None,
    sample_seconds: float = SAMPLE_SECONDS,
) -> Arrangement:
    """Measure `model` and keep the result beside its export."""
    assert isinstance(model.protocol, OneShot)
    graphs, shape = model.protocol.graphs, model.protocol.warm_shapes[0]

    @cache
    def session(threads: int) -> RunBatch:
        loaded = [
            Session(export.graph(graph), graph, device=device, threads=threads, gpu_memory_bytes=gpu_memory_bytes)
            for graph in graphs
        ]

        def run(batch: int) -> None:
            for graph, each in zip(graphs, loaded, strict=True):
                each.run(blank(graph, batch, shape))

        return run

    provider = provider_for(device)
    # On a CPU what counts is the CPU time of an item: neighbours do not change it, and decoding needs the rest.
    clock = process_time if provider == CPU else perf_counter
    best = _best(session, _candidates(model, provider), partial(_seconds_per_item, clock, sample_seconds))
    if provider == CPU:
        best = best.model_copy(update={"lone_threads": _lone_threads(session, LONE_SAMPLES * sample_seconds)})
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
    """The first candidate, or one that is clearly cheaper."""
    samples: dict[Arrangement, list[float]] = {each: [] for each in candidates}
    for _ in range(ROUNDS):
        for each in candidates:
            samples[each].append(cost_of(session(each.threads), each))
    return clear_winner(samples, WORTHWHILE)


def clear_winner(samples: Mapping[T, Sequence[float]], worthwhile: float, cost: Cost = min) -> T:
    """The first whose cost is less than `worthwhile` times the least; in order of preference, the usual first.

    By default a cost is the least of its samples, taken in turns: what else a machine does only ever adds to it.
    """
    costs = {each: cost(values) for each, values in samples.items()}
    return next(each for each in costs if costs[each] < min(costs.values()) * worthwhile)


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


def _lone_threads(session: Callable[[int], RunBatch], seconds: float) -> int:
    """All cores, unless a lone item is clearly faster with one."""
    calls = {threads: session(threads) for threads in (available_cpus(), 1)}
    times: dict[int, list[float]] = {threads: [] for threads in calls}
    until = perf_counter() + seconds
    while len(times[1]) < LONE_SAMPLES or perf_counter() < until:
        for threads, call in calls.items():
            started = perf_counter()
            call(1)
            times[threads].append(perf_counter() - started)
    return lone_winner(times)


def lone_winner(times: Mapping[int, Sequence[float]]) -> int:
    """The usual number of threads, which is the first, unless another is faster at best and by the median.

    All cores need every one of them free at the same time: neighbours can spoil even the best of a hundred times,
    or most of them, but seldom both.
    """
    best, typical = (clear_winner(times, LONE_WORTHWHILE, cost) for cost in (min, statistics.median))
    return best if best == typical else next(iter(times))


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
    parser = argparse.ArgumentParser(prog="python -m services.runners.tuning", description=__doc__)
    parser.add_argument("models", nargs="*", metavar="MODEL", help="default: every task's default model")
    parser.add_argument("--force", action="store_true", help="measure again what is known")
    options = parser.parse_args(arguments)
    settings = Settings()
    device = settings.device
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
        print(f"{model.id}: {tune(model, export, device, gpu_memory_bytes=settings.gpu_memory_bytes)!r}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
