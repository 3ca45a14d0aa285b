"""The engine: holds the runners, and carries the conversations between tasks and their models."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter, thread_time
from typing import Any

from models import AnyTask, find_model, task_of
from models.errors import EkibenError, RetryableError, Unavailable, UnknownModel
from models.model import Model
from models.task import NEXT, PAUSE, Action, Conversation, Item, Partial, Request, Submit
from services.exports import find_export
from services.placement.remote import RemoteFlow, RemoteRunner, RemoteTicket
from services.runners.core_pool import CorePool
from services.runners.queueing import Flow, Ticket
from services.runners.runner import Runner, make_runner
from services.runners.session import available_cpus, trim_heap
from services.settings import Settings

log = logging.getLogger("ekiben.engine")

SHORT_SECONDS = 0.0005
"""Steps of less CPU time than this are not worth a thread."""

UNKNOWN_SECONDS = 1.0

LOOP_SECONDS = 0.005
"""After so much CPU time of one conversation on the event loop the others have their turn."""


@dataclass
class Timings:
    """Where one request's time went, in seconds. `decode` is before the first wait, `post` after it."""

    decode: float = 0.0
    queue: float = 0.0
    infer: float = 0.0
    post: float = 0.0


OnPartial = Callable[[Any], Awaitable[None]]


@dataclass
class _Step:
    """How far a conversation came: what it submitted on the way, and the action that it stopped at."""

    items: list[tuple[Model | None, Item]] = field(default_factory=list)
    action: Action = NEXT
    ended: bool = False
    value: Any = None
    cpu_seconds: float = 0.0


class Engine:
    """Models load in the background after `start`; `ready` says when all of them are warm."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.runners: dict[str, Runner | RemoteRunner] = {}
        self.opened: dict[str, dict[str, Any]] = {}
        """By task and model id, what the task keeps of the model's exported files."""
        self.failure: BaseException | None = None
        self._remote: Mapping[str, RemoteRunner] = {}
        self.pool = CorePool(available_cpus())
        self._pace = _Pace()
        self._loading: asyncio.Task[None] | None = None

    @property
    def ready(self) -> bool:
        """Every model has been loaded and warm, and one at least can be served now.

        A runner elsewhere that is away takes its own model out of service (`Runner.available`), not the others.
        """
        loaded = len(self.runners) == len(self.settings.models)
        return loaded and any(runner.available for runner in self.runners.values())

    async def is_alive(self) -> bool:
        """False where only a restart helps: a model could not be loaded, or a run hangs here or in a process below."""
        if self.failure or self.pool.watch.hangs(self.settings.stuck_seconds):
            return False
        # A runner on another machine has a supervisor of its own.
        return not any(
            runner.hangs
            for id, runner in self.runners.items()
            if isinstance(runner, RemoteRunner) and id not in self.settings.runner_urls
        )

    def start(self, urls: Mapping[str, str] | None = None, *, stopping: Callable[[], bool] = lambda: False) -> None:
        """Load every model in the background; `urls` lead to those that run in processes of their own."""
        remote = {id: RemoteRunner(find_model(id), url, stopping=stopping) for id, url in (urls or {}).items()}
        self._remote = remote
        self._loading = asyncio.create_task(self._load(remote))

    async def _load(self, remote: Mapping[str, RemoteRunner]) -> None:
        try:
            async with asyncio.TaskGroup() as connecting:  # each is served as soon as it is there
                for model in self.settings.models:
                    opened = await asyncio.to_thread(_open, model)
                    self.opened.setdefault(task_of(model).name, {})[model.id] = opened
                    if model.id in remote:
                        connecting.create_task(self._connect(remote[model.id]))
                    else:
                        self._add(await self._load_one(model))
            _settle_garbage()
            trim_heap()
        except Exception as failure:
            self.fail("a model cannot be served", failure)

    def fail(self, what: str, failure: BaseException) -> None:
        """From now on the process is not alive: only a restart helps."""
        self.failure = failure
        log.critical(what, exc_info=failure)

    async def _connect(self, runner: RemoteRunner) -> None:
        await runner.connect()
        self._add(runner)

    def _add(self, runner: Runner | RemoteRunner) -> None:
        self.runners[runner.model.id] = runner
        log.info("model ready", extra={"model": runner.model.id, "provider": runner.provider})

    async def _load_one(self, model: Model) -> Runner:
        runner = await asyncio.to_thread(make_runner, model, find_export(model), self.settings, self.pool)
        runner.start()
        return runner

    async def stop(self) -> None:
        if self._loading:
            self._loading.cancel()
        for remote in self._remote.values():
            remote.close()
        for runner in self.runners.values():
            if isinstance(runner, Runner):
                await asyncio.to_thread(runner.close)
        await asyncio.to_thread(self.pool.close)

    def candidates(self, task: AnyTask, id: str | None) -> Sequence[Model]:
        """The models that a request to `task` may mean: the one that it names, or all. Raises `UnknownModel`."""
        if id is None:
            served = [model for model in self.settings.models if task_of(model) is task]
            if not served:
                raise UnknownModel(f"no model for {task.name} is enabled on this server")
            return served
        model = find_model(id)
        if task_of(model) is not task:
            raise UnknownModel(f"{id} is a model for {task_of(model).name}, not for {task.name}")
        return [model]

    def check_capacity(self, models: Sequence[Model]) -> None:
        """Raises `Overloaded` or `Unavailable` where none of these models would let a request in now."""
        refusals = []
        for model in models:
            try:
                return self.runner(model).check_capacity()
            except RetryableError as refusal:
                refusals.append(refusal)
        raise min(refusals, key=lambda refusal: refusal.retry_after_seconds)

    def runner(self, model: Model) -> Runner | RemoteRunner:
        """The runner of a model. Raises `UnknownModel` where it is not enabled, `Unavailable` while it loads."""
        if model not in self.settings.models:
            raise UnknownModel(f"model {model.id!r} is not enabled on this server")
        try:
            return self.runners[model.id]
        except KeyError:
            raise Unavailable(f"{model.id} is still loading", retry_after_seconds=2) from None

    async def answer(
        self,
        task: AnyTask,
        model: Model,
        request: Request[Any],
        *,
        deadline: float,
        timings: Timings,
        on_partial: OnPartial | None = None,
    ) -> Any:
        """Carry one request's conversation to its answer.

        `deadline` is a time of the event loop's clock: what has not started by then never will.
        `on_partial` is awaited with each partial answer, in order; the conversation goes on after it.
        """
        request = replace(request, opened=self.opened.get(task.name, {}))
        conversation = task.converse(model, request)
        return await self.converse(
            task.name, model, conversation, deadline=deadline, timings=timings, on_partial=on_partial
        )

    async def converse(
        self,
        kind: str,
        model: Model,
        conversation: Conversation[Any],
        *,
        deadline: float,
        timings: Timings,
        on_partial: OnPartial | None = None,
    ) -> Any:
        """Carry a conversation to its answer; as `answer`. What takes about as long as others is of one `kind`."""
        items = _Items(model, lambda each: self.runner(each).open(deadline))
        clock = _Clock(timings)
        lanes = self.pool.lanes(model.id)
        advancing = lanes.patient.submit(_advance, conversation, None)
        on_loop = 0.0
        try:
            step = await asyncio.wrap_future(advancing)
            while True:
                clock.thought()
                reply: Any = None
                if step.ended:
                    return step.value
                items.add(step.items)
                if step.action is PAUSE:
                    advancing = lanes.patient.submit(_advance, conversation, None)
                    step = await asyncio.wrap_future(advancing)
                    continue
                if isinstance(step.action, Partial):
                    if on_partial:
                        await on_partial(step.action.value)
                else:
                    try:
                        ticket = await items.next()
                        reply = await ticket.future
                        clock.waited(ticket)
                    except EkibenError as error:
                        reply = _Failure(error)
                if self._pace.is_short(kind):
                    step = _advance(conversation, reply)
                    on_loop += step.cpu_seconds
                    if on_loop > LOOP_SECONDS:
                        on_loop = 0.0
                        await asyncio.sleep(0)
                else:
                    advancing = lanes.urgent.submit(_advance, conversation, reply)
                    step = await asyncio.wrap_future(advancing)
                self._pace.note(kind, step.cpu_seconds)
        finally:
            items.close()
            # Where this request was cancelled a thread may still be in the conversation: close it after that.
            advancing.add_done_callback(lambda _: conversation.close())
            del advancing  # it has the error, whose traceback leads here: a cycle for each request that is refused


class _Items:
    """A request's items on their way, each with its model: not all of them need to fit into the queues at once.

    A flow is opened for the request's own model at once, so that a full queue refuses the request, and for another
    one when an item first needs it. Raises `Overloaded` where `open_flow` does.
    """

    def __init__(self, model: Model, open_flow: Callable[[Model], Flow | RemoteFlow]) -> None:
        self._model = model
        self._open_flow = open_flow
        self._flows = {model.id: open_flow(model)}
        self._backlog: deque[tuple[Flow | RemoteFlow, Item]] = deque()
        self._tickets: deque[Ticket | RemoteTicket] = deque()

    def add(self, items: Sequence[tuple[Model | None, Item]]) -> None:
        for other, item in items:
            model = other or self._model
            if model.id not in self._flows:
                self._flows[model.id] = self._open_flow(model)
            self._backlog.append((self._flows[model.id], item))

    async def next(self) -> Ticket | RemoteTicket:
        """The oldest item's ticket; all that there is room for are submitted. Raises `DeadlineExceeded`."""
        while self._backlog:
            flow, item = self._backlog[0]
            if self._tickets and not flow.has_room(item):
                break
            self._backlog.popleft()
            self._tickets.append(await flow.submit(item))
        return self._tickets.popleft()

    def close(self) -> None:
        for flow in self._flows.values():
            flow.close()


def _open(model: Model) -> Any:
    # The export is looked for only where the task asks for a file: a runner elsewhere has its own.
    return task_of(model).open(model, lambda name: find_export(model).file(name))


def _settle_garbage() -> None:
    """Take what was loaded out of the garbage collector's rounds, and make those rare.

    A full round over a server's objects takes 150 ms, in which nobody is answered.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 1_000)


@dataclass(frozen=True)
class _Failure:
    """An item's error, to be raised inside the conversation where it waits."""

    error: EkibenError


def _advance(conversation: Conversation[Any], reply: Any) -> _Step:
    """Run a conversation, in a worker's thread, until it waits, has a partial answer or ends."""
    step = _Step()
    started = thread_time()
    try:
        action = conversation.throw(reply.error) if isinstance(reply, _Failure) else conversation.send(reply)
        while isinstance(action, Submit):
            step.items.extend((action.model, item) for item in action.items)
            action = conversation.send(None)
        step.action = action
    except StopIteration as end:
        step.ended, step.value = True, end.value
    step.cpu_seconds = thread_time() - started
    return step


class _Pace:
    """How long the steps that a kind of conversation takes after an output have been of late, at worst.

    Taking a step to a thread and back costs a third of a millisecond. Steps that have all been shorter stay on
    the event loop; a single long one sends those after it back to the threads.
    """

    def __init__(self) -> None:
        self._worst: dict[str, float] = {}

    def is_short(self, kind: str) -> bool:
        return self._worst.get(kind, UNKNOWN_SECONDS) < SHORT_SECONDS

    def note(self, kind: str, seconds: float) -> None:
        self._worst[kind] = max(seconds, 0.9 * self._worst.get(kind, UNKNOWN_SECONDS))


class _Clock:
    """Sorts a request's time into its stages."""

    def __init__(self, timings: Timings) -> None:
        self._timings = timings
        self._waited = False
        self._last = perf_counter()

    def _lap(self) -> float:
        now = perf_counter()
        elapsed, self._last = now - self._last, now
        return elapsed

    def thought(self) -> None:
        if self._waited:
            self._timings.post += self._lap()
        else:
            self._timings.decode += self._lap()

    def waited(self, ticket: Ticket | RemoteTicket) -> None:
        elapsed = self._lap()
        running = min(elapsed, ticket.finished - (ticket.started or ticket.finished))
        self._timings.infer += running
        self._timings.queue += elapsed - running
        self._waited = True
