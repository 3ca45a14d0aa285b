"""One GPU-backed runner per model: its sessions, its queue, and how its protocol runs a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from models.model import Graph, Model, OneShot
from models.task import Array, Item
from services import metrics
from services.batching import Batcher, Flow
from services.exports import Export
from services.session import CPU, Session, available_cpus
from services.settings import Settings


class Runner:
    """A loaded model. Made in a thread (loading takes seconds), started on the event loop."""

    def __init__(self, model: Model, export: Export, settings: Settings) -> None:
        assert isinstance(model.protocol, OneShot), "stepwise models come with the engine's next part"
        self.model = model
        self.manifest = export.manifest
        self._graph = model.protocol.graph
        self._session = Session(export.graph(self._graph), self._graph, device=settings.device, threads=1)
        self.provider = self._session.provider
        # On a CPU batches of pictures gain nothing: as many workers as cores, one thread and one item each.
        # A GPU wants few workers and large batches.
        cpu = self.provider == CPU
        self.workers = available_cpus() if cpu else 2
        self.max_batch = 1 if cpu else model.max_batch
        self._queue_cost = settings.queue_requests * model.item_cost
        self._threads = ThreadPoolExecutor(self.workers, thread_name_prefix=model.id)
        self._batcher: Batcher | None = None

    def warm_up(self) -> None:
        """Run zeros of every batch size once, so that no request pays for a first time."""
        size = 1
        while size <= self.max_batch:
            item = Item(zeros(self._graph), cost=1)
            self.execute([item] * size)
            size *= 2

    def start(self) -> None:
        self._batcher = Batcher(
            self.execute,
            executor=self._threads,
            workers=self.workers,
            max_batch=self.max_batch,
            max_queue_cost=self._queue_cost,
            on_batch=self._count,
        )
        metrics.provider.labels(self.model.id, self.provider, self.manifest.precision).set(1)

    def _count(self, size: int, queue_cost: int) -> None:
        metrics.batch_size.labels(self.model.id).observe(size)
        metrics.queue_cost.labels(self.model.id).set(queue_cost)

    def open(self, deadline: float) -> Flow:
        """A place in the queue for one request."""
        assert self._batcher is not None, "start() comes first"
        return self._batcher.open(deadline)

    @property
    def queue_cost(self) -> int:
        return self._batcher.queue_cost if self._batcher else 0

    def execute(self, items: Sequence[Item]) -> list[Mapping[str, Array]]:
        """Run items of one shape as one batch; the outputs of each, without their batch axis."""
        inputs = {
            tensor.name: np.stack([item.inputs[tensor.name] for item in items], axis=tensor.batch_axis)
            for tensor in self._graph.inputs
        }
        outputs = self._session.run(inputs)
        by_name = {
            tensor.name: np.moveaxis(array, tensor.batch_axis, 0)
            for tensor, array in zip(self._graph.outputs, outputs, strict=True)
        }
        return [{name: array[place] for name, array in by_name.items()} for place in range(len(items))]

    def close(self) -> None:
        self._threads.shutdown(wait=True)


def zeros(graph: Graph) -> dict[str, Array]:
    """An input of a graph: zeros, with length 1 along the axes that vary."""
    return {
        tensor.name: np.zeros(
            [
                1 if isinstance(axis, str) else axis
                for place, axis in enumerate(tensor.axes)
                if place != tensor.batch_axis
            ],
            dtype=tensor.dtype,
        )
        for tensor in graph.inputs
    }
