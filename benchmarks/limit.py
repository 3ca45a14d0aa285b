"""The limit: the same decoding, graph and postprocessing in a bare loop, without HTTP, queue or batching."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter, process_time
from typing import Any

import numpy as np

from models import AnyTask
from models.limits import Limits
from models.model import Model, OneShot
from models.task import NEXT, Array, Item, Request, Submit
from services.exports import find_export
from services.runners.session import Session


@dataclass(frozen=True)
class Sample:
    """One measured stretch of work."""

    requests: int
    seconds: float
    cpu_seconds: float
    latencies: list[float]

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds

    @property
    def cpu_per_request(self) -> float:
        return self.cpu_seconds / self.requests

    def percentile(self, percent: float) -> float:
        return float(np.percentile(self.latencies, percent))


class Limit:
    """A task's default model called as directly as can be: its conversation, and nothing between it and the graphs."""

    def __init__(self, task: AnyTask, *, threads_per_run: int) -> None:
        self._task = task
        self._model: Model = task.models[0]
        assert isinstance(self._model.protocol, OneShot)
        export = find_export(self._model)
        self._graphs = self._model.protocol.graphs
        self._sessions = {
            graph.name: Session(export.graph(graph), graph, device="cpu", threads=threads_per_run)
            for graph in self._graphs
        }

    def answer(self, data: bytes) -> Any:
        """The task's answer to a picture, with the parameters that it has by default."""
        media_type = next(iter(self._task.media_types), "")
        request = Request({"image": data}, self._task.parameters(), Limits(), media_type)
        conversation = self._task.converse(self._model, request)
        outputs: list[Mapping[str, Array]] = []
        reply: Any = None
        try:
            while True:
                action = conversation.send(reply)
                if isinstance(action, Submit):
                    outputs += [self._run(item) for item in action.items]
                reply = outputs.pop(0) if action is NEXT else None
        except StopIteration as end:
            return end.value

    def _run(self, item: Item) -> Mapping[str, Array]:
        graph = next(each for each in self._graphs if item.graph in (None, each.name))
        outputs = self._sessions[graph.name].run({name: array[None] for name, array in item.inputs.items()})
        return {tensor.name: output[0] for tensor, output in zip(graph.outputs, outputs, strict=True)}

    def run(self, data: bytes, *, seconds: float, threads: int) -> Sample:
        """Answer again and again in `threads` threads for `seconds`."""
        until = perf_counter() + seconds
        latencies: list[list[float]] = [[] for _ in range(threads)]

        def work(own: list[float]) -> None:
            while (started := perf_counter()) < until:
                self.answer(data)
                own.append(perf_counter() - started)

        started, cpu = perf_counter(), process_time()
        workers = [threading.Thread(target=work, args=(own,)) for own in latencies]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        all_latencies = sum(latencies, [])
        return Sample(len(all_latencies), perf_counter() - started, process_time() - cpu, all_latencies)
