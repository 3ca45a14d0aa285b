"""The gateway's side of runners in processes of their own: the same calls as to one in the gateway's process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from uuid import uuid4

from models.errors import DeadlineExceeded, Overloaded, Unavailable
from models.manifest import Manifest
from models.model import Model
from models.task import Item, Output
from models.wire import decode, encode
from services.placement.messages import Facts, Result
from services.placement.replicas import LookUp, Replicas, RunnerAway, look_up
from services.runners.tuning import Arrangement

ATTEMPTS = 2
"""How often an item may be with a process that ends: twice may be no accident, and the third would be lost too."""

RETURN_SECONDS = 30.0
"""How long what was under way with a runner that went away waits for it, or for another."""

RETRY_AFTER_SECONDS = 5.0
"""When callers may come back to a model whose runner is away: it is started again, and loads."""

OVERLOADED_SECONDS = 0.1
"""How soon a request that was let in before asks a full runner again."""


@dataclass(eq=False)
class RemoteTicket:
    """An item that is with a runner elsewhere."""

    future: asyncio.Future[Output]
    started: float | None = None
    finished: float = 0.0


class RemoteRunner:
    """A model's runner elsewhere, for the engine; `stopping` says whether this process is about to end itself."""

    def __init__(
        self, model: Model, url: str, *, stopping: Callable[[], bool] = lambda: False, look_up: LookUp = look_up
    ) -> None:
        self.model = model
        self._stopping = stopping
        self._flows: set[RemoteFlow] = set()
        self.replicas = Replicas(model, url, needed=lambda: bool(self._flows) or stopping(), look_up=look_up)
        self._facts: Facts | None = None

    async def connect(self) -> None:
        """Wait until it is reached for the first time: it is warm then."""
        while not await self.replicas.choose(RETURN_SECONDS):
            pass
        assert self.facts

    @property
    def facts(self) -> Facts:
        """Of any that is there now, else of the last that was."""
        self._facts = next((each.facts for each in self.replicas.available if each.facts), self._facts)
        assert self._facts, "asked before it was reached"
        return self._facts

    @property
    def provider(self) -> str:
        return self.facts.provider

    @property
    def arrangement(self) -> Arrangement:
        return self.facts.arrangement

    @property
    def manifest(self) -> Manifest:
        return self.facts.manifest

    @property
    def available(self) -> bool:
        """Whether a request would be let in. One that comes late, while all are stopping, still is."""
        return any(not each.closing or self._stopping() for each in self.replicas.available)

    @property
    def hangs(self) -> bool:
        """Whether a run hangs there. No word says nothing: a process that ended is started again by itself."""
        return any(each.pulse.hangs for each in self.replicas.available if each.pulse)

    def open(self, deadline: float) -> RemoteFlow:
        """Let one request in. Raises `Unavailable`, `Overloaded`."""
        self.check_capacity()
        flow = RemoteFlow(self.replicas, deadline, self._window, on_close=self._leave)
        self._flows.add(flow)
        return flow

    def check_capacity(self) -> None:
        """Raises `Unavailable`, or `Overloaded` where this gateway alone fills the runner's queue.

        With other gateways it is the runner that says so.
        """
        if not self.available:
            raise Unavailable(f"the runner of {self.model.id} is away", retry_after_seconds=RETRY_AFTER_SECONDS)
        if len(self._flows) >= self.facts.requests * len(self.replicas.available):
            raise Overloaded("the model's queue is full")

    def close(self) -> None:
        """Its process ends by itself."""
        self.replicas.close()

    @property
    def _window(self) -> int:
        """How many items of a request are under way at a time, so that no worker waits for the next."""
        return 2 * self.facts.running * max(1, len(self.replicas.available))

    def _leave(self, flow: RemoteFlow) -> None:
        self._flows.discard(flow)
        self.replicas.release()


class RemoteFlow:
    """One request's items with a runner elsewhere."""

    def __init__(
        self, replicas: Replicas, deadline: float, window: int, *, on_close: Callable[[RemoteFlow], None]
    ) -> None:
        self._replicas = replicas
        self._deadline = deadline
        self._window = window
        self._on_close = on_close
        self._id = uuid4().hex
        self._let_in = False
        self._under_way: set[asyncio.Task[Output]] = set()

    def has_room(self, item: Item) -> bool:
        return len(self._under_way) < self._window

    async def submit(self, item: Item) -> RemoteTicket:
        while not self.has_room(item):
            await asyncio.wait(self._under_way, return_when=asyncio.FIRST_COMPLETED)
        ticket = RemoteTicket(asyncio.get_running_loop().create_future())
        task = asyncio.create_task(self._run(item, ticket))
        ticket.future = task
        self._under_way.add(task)
        task.add_done_callback(self._forget)
        return ticket

    def _forget(self, task: asyncio.Task[Output]) -> None:
        self._under_way.discard(task)
        if not task.cancelled():
            task.exception()  # asyncio complains of errors that nobody looked at: a request fails with its first one

    def close(self) -> None:
        for task in self._under_way:
            task.cancel()
        self._on_close(self)

    async def _run(self, item: Item, ticket: RemoteTicket) -> Output:
        loop = asyncio.get_running_loop()
        result = await self._result(encode(item))
        ticket.finished = loop.time()
        ticket.started = ticket.finished - result.ran_seconds
        if result.error:
            raise result.error.error()
        return result.output

    async def _result(self, item: bytes) -> Result:
        """Have an item run; anew where its runner went away. Running it twice does nobody any harm."""
        loop = asyncio.get_running_loop()
        lost = 0
        while lost < ATTEMPTS:
            replica = await self._replicas.choose(min(RETURN_SECONDS, self._deadline - loop.time()))
            if replica is None:
                break
            remaining = self._deadline - loop.time()
            if remaining <= 0:
                raise DeadlineExceeded("the deadline passed while the request was waiting for its model")
            try:
                result: Result = decode(await replica.run(self._id, remaining, item))
            except RunnerAway as away:
                lost += away.sent
                continue
            if self._let_in and result.error and result.error.kind == Overloaded.__name__:
                # Once let in it goes on; between its items the runner has let others in.
                await asyncio.sleep(OVERLOADED_SECONDS)
                continue
            self._let_in = True
            return result
        raise Unavailable("the model's runner went away", retry_after_seconds=RETRY_AFTER_SECONDS)
