"""One GPU-backed runner per model: its sessions, its queue, and how its protocol works that off."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from models.model import Graph, Model, OneShot, Stepwise
from models.task import Array, Item
from services import metrics
from services.exports import Export
from services.queueing import FairQueue, Flow
from services.scheduling import OneShotScheduler, Scheduler, StepwiseScheduler
from services.session import CPU, Session, available_cpus
from services.settings import Settings
from services.stepwise import StepwiseModel


class Runner(ABC):
    """A loaded model. Made and warmed in a thread (it takes seconds), started on the event loop."""

    queue: FairQueue

    def __init__(self, model: Model, export: Export, settings: Settings) -> None:
        self.model = model
        self.manifest = export.manifest
        self._sessions = {
            graph.name: Session(export.graph(graph), graph, device=settings.device, threads=self.threads)
            for graph in model.protocol.graphs
        }
        self.provider = next(iter(self._sessions.values())).provider
        self._queue_requests = settings.queue_requests
        self._executor = ThreadPoolExecutor(self.workers, thread_name_prefix=model.id)

    threads = 1
    """How many threads one run may use."""

    @property
    @abstractmethod
    def workers(self) -> int:
        """How many runs go on at once."""

    @property
    @abstractmethod
    def max_batch(self) -> int:
        """How many items may share one run."""

    @abstractmethod
    def warm_up(self) -> None:
        """Run everything once that a request could be the first to need."""

    @abstractmethod
    def shape(self, item: Item) -> Hashable:
        """Items of equal shape can share a run."""

    @abstractmethod
    def _scheduler(self) -> Scheduler: ...

    def start(self) -> None:
        """Begin to serve, on the running event loop."""
        scheduler = self._scheduler()
        bound = (self._queue_requests + self.workers * self.max_batch) * self.model.item_cost
        self.queue = scheduler.queue = FairQueue(bound=bound, shape=self.shape, wake=scheduler.wake)
        metrics.provider.labels(self.model.id, self.provider, self.manifest.precision).set(1)

    def open(self, deadline: float) -> Flow:
        """Let one request in. Raises `Overloaded`."""
        return self.queue.open(self.model.item_cost, deadline)

    def check_capacity(self) -> None:
        """Raises `Overloaded` where a request would not be let in now."""
        self.queue.check(self.model.item_cost)

    def close(self) -> None:
        self._executor.shutdown(wait=True)

    def _count(self, size: int, queue_cost: int) -> None:
        metrics.batch_size.labels(self.model.id).observe(size)
        metrics.queue_cost.labels(self.model.id).set(queue_cost)


class OneShotRunner(Runner):
    """Pictures and the like: a batch is one call of one graph.

    On a CPU batches gain nothing for pictures: as many workers as cores, one thread and one item each. A GPU
    wants few workers and large batches.
    """

    def __init__(self, model: Model, export: Export, settings: Settings) -> None:
        super().__init__(model, export, settings)
        assert isinstance(model.protocol, OneShot)
        self._graph = model.protocol.graph

    @property
    def workers(self) -> int:
        return available_cpus() if self.provider == CPU else 2

    @property
    def max_batch(self) -> int:
        return 1 if self.provider == CPU else self.model.max_batch

    def shape(self, item: Item) -> Hashable:
        return tuple(array.shape for array in item.inputs.values())

    def warm_up(self) -> None:
        size = 1
        while size <= self.max_batch:
            self.execute([Item(zeros(self._graph), cost=1)] * size)
            size *= 2

    def _scheduler(self) -> Scheduler:
        return OneShotScheduler(
            self.execute,
            executor=self._executor,
            workers=self.workers,
            max_batch=self.max_batch,
            on_batch=self._count,
        )

    def execute(self, items: Sequence[Item]) -> list[Mapping[str, Array]]:
        """Run items of one shape as one batch; the outputs of each, without their batch axis."""
        inputs = {
            tensor.name: np.stack([item.inputs[tensor.name] for item in items], axis=tensor.batch_axis)
            for tensor in self._graph.inputs
        }
        outputs = self._sessions[self._graph.name].run(inputs)
        by_name = {
            tensor.name: np.moveaxis(array, tensor.batch_axis, 0)
            for tensor, array in zip(self._graph.outputs, outputs, strict=True)
        }
        return [{name: array[place] for name, array in by_name.items()} for place in range(len(items))]


class StepwiseRunner(Runner):
    """Speech and translation: one thread encodes while another steps the rows that are under way."""

    workers = 2

    def __init__(self, model: Model, export: Export, settings: Settings) -> None:
        super().__init__(model, export, settings)
        protocol = model.protocol
        assert isinstance(protocol, Stepwise)
        self._encoder_graph = protocol.encoder
        self._stepwise = StepwiseModel(
            protocol, self._sessions[protocol.encoder.name], self._sessions[protocol.decoder.name]
        )

    @property
    def max_batch(self) -> int:
        return self.model.max_batch

    def shape(self, item: Item) -> Hashable:
        return self._stepwise.shape(item)

    def warm_up(self) -> None:
        batch = self._stepwise.start([Item(zeros(self._encoder_graph), cost=1, search=_WarmUp())])
        self._stepwise.step(batch)

    def _scheduler(self) -> Scheduler:
        return StepwiseScheduler(
            self._stepwise,
            executor=self._executor,
            max_rows=self.max_batch,
            max_encode=1 if self.provider == CPU else self.max_batch,
            on_batch=self._count,
        )


class _WarmUp:
    """A search that takes whatever comes."""

    prompt = (0,)

    def choose(self, logits: Array) -> int | None:
        return 0

    def result(self) -> Any:
        return None


_RUNNERS: dict[type[OneShot | Stepwise], type[Runner]] = {OneShot: OneShotRunner, Stepwise: StepwiseRunner}


def make_runner(model: Model, export: Export, settings: Settings) -> Runner:
    """The runner for a model's protocol, loaded and warm."""
    runner = _RUNNERS[type(model.protocol)](model, export, settings)
    runner.warm_up()
    return runner


def zeros(graph: Graph) -> dict[str, Array]:
    """An input of a graph: zeros, with length 1 along the axes that vary."""
    return {
        tensor.name: np.zeros(
            [1 if isinstance(axis, str) else axis for axis in tensor.axes if axis != "batch"], tensor.dtype
        )
        for tensor in graph.inputs
    }
