"""One GPU-backed runner per model: its sessions, its queue, and how its protocol works that off."""

from __future__ import annotations

import asyncio
import math
from abc import ABC, abstractmethod
from collections.abc import Hashable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from models import TASKS
from models.model import Graph, Model, OneShot, Stepwise
from models.task import Array, Item
from services.exports import Export
from services.runners.core_pool import CorePool
from services.runners.one_shot import OneShotScheduler
from services.runners.queueing import FairQueue, Flow
from services.runners.rows import StepwiseModel
from services.runners.scheduling import Scheduler
from services.runners.session import CPU, Session
from services.runners.stepwise import StepwiseScheduler
from services.runners.tuning import arrangement, blank
from services.settings import Settings
from services.telemetry import metrics


class Runner(ABC):
    """A loaded model. Made and warmed in a thread (it takes seconds), started on the event loop."""

    queue: FairQueue
    available = True
    """One in this process always is; one elsewhere can be away."""

    def __init__(self, model: Model, export: Export, settings: Settings, pool: CorePool) -> None:
        self.model = model
        self.manifest = export.manifest
        self.arrangement = arrangement(model, export, settings.device)
        self._device, self._gpu_memory_bytes = settings.device, settings.gpu_memory_bytes
        self._paths = {graph.name: export.graph(graph) for graph in model.protocol.graphs}
        self._sessions = {graph.name: self._load(graph, self.arrangement.threads) for graph in model.protocol.graphs}
        self.provider = next(iter(self._sessions.values())).provider
        self._queue_requests = settings.queue_requests
        # On a CPU all models share its cores; threads that wait for a GPU are a runner's own.
        self._own_threads = None if self.provider == CPU else ThreadPoolExecutor(self.arrangement.workers, model.id)
        own = self._own_threads
        self._executor = pool.watch.over(own, model.id) if own else pool.lanes(model.id).urgent

    def _load(self, graph: Graph, threads: int) -> Session:
        return Session(
            self._paths[graph.name],
            graph,
            device=self._device,
            threads=threads,
            gpu_memory_bytes=self._gpu_memory_bytes,
        )

    @abstractmethod
    def warm_up(self) -> None:
        """Run everything once that a request could be the first to need."""

    @abstractmethod
    def shape(self, item: Item) -> Hashable:
        """Items of equal shape can share a run."""

    @property
    @abstractmethod
    def most_running(self) -> int:
        """How many items run at a time."""

    @abstractmethod
    def _scheduler(self) -> Scheduler: ...

    def start(self) -> None:
        """Begin to serve, on the running event loop."""
        scheduler = self._scheduler()
        waiting = metrics.queue_cost.labels(self.model.id)
        waiting.set(0)  # what scales by it needs it before the first item
        self.queue = scheduler.queue = FairQueue(
            bound=(self._queue_requests + self.most_running) * self.model.item_cost,
            bound_seconds=_patience(self.model),
            shape=self.shape,
            wake=scheduler.wake,
            is_idle=lambda: scheduler.idle,
            on_cost=waiting.set,
        )
        metrics.provider.labels(self.model.id, self.provider, self.manifest.precision).set(1)

    def open(self, deadline: float) -> Flow:
        """Let one request in. Raises `Overloaded`."""
        return self.queue.open(self.model.item_cost, deadline)

    def check_capacity(self) -> None:
        """Raises `Overloaded` where a request would not be let in now."""
        self.queue.check(self.model.item_cost)

    def close(self) -> None:
        if self._own_threads:
            self._own_threads.shutdown(wait=True)

    def _count(self, size: int) -> None:
        metrics.batch_size.labels(self.model.id).observe(size)


def _patience(model: Model) -> float:
    """Half of the time that requests have: what would wait for longer is better told so at once than dropped later."""
    seconds = (task.deadline_seconds for task in TASKS.values() if model in task.models)
    return next(seconds, math.inf) / 2


REST_SECONDS = 5.0
"""After so long without work a model's memory for pictures of any size goes back to the system."""


class OneShotRunner(Runner):
    """Pictures and the like: a batch is one call of one graph. An item that is alone may use all cores."""

    def __init__(self, model: Model, export: Export, settings: Settings, pool: CorePool) -> None:
        super().__init__(model, export, settings, pool)
        assert isinstance(model.protocol, OneShot)
        self._protocol = model.protocol
        self._graphs = {graph.name: graph for graph in model.protocol.graphs}
        self._resting: asyncio.TimerHandle | None = None
        self._lone_sessions = self._sessions
        if self.arrangement.lone_threads != self.arrangement.threads:
            self._lone_sessions = {
                name: self._load(graph, self.arrangement.lone_threads) for name, graph in self._graphs.items()
            }

    def shape(self, item: Item) -> Hashable:
        return item.graph, *(array.shape for array in item.inputs.values())

    @property
    def most_running(self) -> int:
        return self.arrangement.workers * self.arrangement.max_batch

    @property
    def _warm_shapes(self) -> Sequence[Mapping[str, int]]:
        """All of them on a GPU, which takes up to a second for a shape that is new to it; on a CPU one will do."""
        return self._protocol.warm_shapes[: 1 if self.provider == CPU else None]

    def warm_up(self) -> None:
        sizes = {self.arrangement.max_batch, *(2**power for power in range(self.arrangement.max_batch.bit_length()))}
        for name, graph in self._graphs.items():
            for shape in self._warm_shapes:
                self._lone_sessions[name].run(blank(graph, 1, shape))
                for size in sorted(sizes):
                    self._sessions[name].run(blank(graph, size, shape))

    def _scheduler(self) -> Scheduler:
        self._one_shot = OneShotScheduler(
            self.execute,
            executor=self._executor,
            workers=self.arrangement.workers,
            max_batch=self.arrangement.max_batch,
            max_cost=self.arrangement.max_batch * self.model.item_cost,
            on_batch=self._count,
            on_idle=self._rest,
        )
        return self._one_shot

    def close(self) -> None:
        if self._resting:
            self._resting.cancel()
        super().close()

    def _rest(self) -> None:
        """Give memory back once there was nothing to do for a while."""
        if self._resting is None:
            loop = asyncio.get_running_loop()
            self._resting = loop.call_later(REST_SECONDS, self._give_memory_back)

    def _give_memory_back(self) -> None:
        self._resting = None
        if self._one_shot.idle:
            self._executor.submit(self._run_smallest)

    def _run_smallest(self) -> None:
        """A run of next to nothing, after which the memory of large ones before it is the system's again."""
        for sessions in (self._sessions, self._lone_sessions):
            for name, graph in self._graphs.items():
                if any(tensor.varying for tensor in graph.inputs):
                    sessions[name].run(blank(graph, 1, self._protocol.warm_shapes[0]), give_back=True)

    def execute(self, items: Sequence[Item], *, alone: bool = False) -> list[Mapping[str, Array]]:
        """Run items of one shape as one batch; the outputs of each, without their batch axis."""
        graph = self._graphs[items[0].graph or self._protocol.graph.name]
        inputs = {
            tensor.name: np.stack([item.inputs[tensor.name] for item in items], axis=tensor.batch_axis)
            for tensor in graph.inputs
        }
        sessions = self._lone_sessions if alone else self._sessions
        unusual = sum(item.cost for item in items) > self.arrangement.max_batch * self.model.item_cost
        outputs = sessions[graph.name].run(inputs, give_back=unusual)
        by_name = {
            tensor.name: np.moveaxis(array, tensor.batch_axis, 0)
            for tensor, array in zip(graph.outputs, outputs, strict=True)
        }
        return [{name: array[place] for name, array in by_name.items()} for place in range(len(items))]


class StepwiseRunner(Runner):
    """Speech and translation: items are encoded, and their rows step until they are done."""

    def __init__(self, model: Model, export: Export, settings: Settings, pool: CorePool) -> None:
        super().__init__(model, export, settings, pool)
        protocol = model.protocol
        assert isinstance(protocol, Stepwise)
        self._protocol = protocol
        self._stepwise = StepwiseModel(
            protocol, self._sessions[protocol.encoder.name], self._sessions[protocol.decoder.name]
        )

    def shape(self, item: Item) -> Hashable:
        return self._stepwise.shape(item)

    @property
    def most_running(self) -> int:
        return self.arrangement.max_batch  # of all workers together, which share the rows

    def warm_up(self) -> None:
        blanks = blank(self._protocol.encoder, 1, dict(self._protocol.warm_shape))
        inputs = {name: array[0] for name, array in blanks.items()}
        batch = self._stepwise.start([Item(inputs, cost=1, search=_WarmUp())])
        for _ in range(2):  # the first step finds an empty state, the second what the first has left
            self._stepwise.step(batch)

    def _scheduler(self) -> Scheduler:
        return StepwiseScheduler(
            self._stepwise,
            executor=self._executor,
            workers=self.arrangement.workers,
            lanes=self.arrangement.workers if self.provider == CPU else 1,  # a card serves one stream at a time
            max_rows=self.most_running,
            max_encode_cost=self._protocol.encoded_together * self.model.item_cost
            if self.provider == CPU
            else math.inf,
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


def make_runner(model: Model, export: Export, settings: Settings, pool: CorePool) -> Runner:
    """The runner for a model's protocol, loaded and warm."""
    runner = _RUNNERS[type(model.protocol)](model, export, settings, pool)
    runner.warm_up()
    return runner
