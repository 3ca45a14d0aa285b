"""Runners in processes of their own: what runs there, and how the gateway reaches it.

The same calls as to a runner in the gateway's process, over BentoML's `depends`. Items travel as pickles, which
is what BentoML's own protocol between services is made of: a runner's port must never be reachable from outside.
"""

from __future__ import annotations

import asyncio
import contextlib
import pickle
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Protocol
from uuid import uuid4

from pydantic import BaseModel

from models.errors import EkibenError, Unavailable
from models.manifest import Manifest
from models.model import Model
from models.task import Item, Output
from services.queueing import Flow
from services.runners import Runner
from services.session import UnsuitableTensors
from services.tuning import Arrangement

POLL_SECONDS = 0.2
ANSWER_SECONDS = 1.0


class Facts(BaseModel):
    """What a gateway has to know of a runner elsewhere."""

    provider: str
    arrangement: Arrangement
    manifest: Manifest


class Stub(Protocol):
    """The calls of a runner's service, as BentoML gives them to whoever depends on it."""

    def describe(self) -> Awaitable[str]: ...

    def run(self, work: bytes) -> Awaitable[bytes]: ...

    def drop(self, id: str) -> Awaitable[None]: ...

    def hangs(self) -> Awaitable[bool]: ...


@dataclass(frozen=True)
class Work:
    """One item on its way to a runner."""

    id: str
    item: Item
    seconds: float
    """How long it may wait there."""


@dataclass(frozen=True)
class Result:
    """What came of it: an output or an error, and where the time went."""

    output: Output
    error: Exception | None
    queued_seconds: float
    ran_seconds: float


class Host:
    """The runner's side: takes work for its runner, one flow for each item."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._flows: dict[str, Flow] = {}

    def describe(self) -> str:
        runner = self._runner
        return Facts(
            provider=runner.provider, arrangement=runner.arrangement, manifest=runner.manifest
        ).model_dump_json()

    async def run(self, data: bytes) -> bytes:
        work: Work = pickle.loads(data)
        return pickle.dumps(await self._run(work), protocol=5)

    async def _run(self, work: Work) -> Result:
        loop = asyncio.get_running_loop()
        arrived = loop.time()
        try:
            flow = self._flows[work.id] = self._runner.open(arrived + work.seconds)
        except EkibenError as error:
            return Result(None, error, 0.0, 0.0)
        try:
            ticket = await flow.submit(work.item)
            output = await ticket.future
        except (EkibenError, UnsuitableTensors) as error:
            return Result(None, error, loop.time() - arrived, 0.0)
        except Exception as error:
            return Result(None, RuntimeError(f"{type(error).__name__} in a runner: {error}"), 0.0, 0.0)
        finally:
            flow.close()
            del self._flows[work.id]
        started = ticket.started or ticket.finished
        return Result(output, None, started - ticket.submitted, ticket.finished - started)

    def drop(self, id: str) -> None:
        """Nobody waits for this any more."""
        if flow := self._flows.get(id):
            flow.close()


@dataclass(eq=False)
class RemoteTicket:
    """An item that is with a runner elsewhere."""

    future: asyncio.Future[Output]
    started: float | None = None
    finished: float = 0.0


class RemoteFlow:
    """One request's items with a runner elsewhere; so many at a time that its workers do not wait for it."""

    def __init__(self, stub: Stub, deadline: float, window: int) -> None:
        self._stub = stub
        self._deadline = deadline
        self._window = window
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
        task.add_done_callback(self._under_way.discard)
        return ticket

    async def _run(self, item: Item, ticket: RemoteTicket) -> Output:
        loop = asyncio.get_running_loop()
        work = Work(uuid4().hex, item, max(0.0, self._deadline - loop.time()))
        try:
            result: Result = pickle.loads(await self._stub.run(pickle.dumps(work, protocol=5)))
        except asyncio.CancelledError:
            _forget(self._stub.drop(work.id))
            raise
        except Exception as error:  # the connection, or the process behind it
            raise Unavailable("the model's runner cannot be reached") from error
        ticket.finished = loop.time()
        ticket.started = ticket.finished - result.ran_seconds
        if result.error:
            raise result.error
        return result.output

    def close(self) -> None:
        for task in self._under_way:
            task.cancel()


_FORGOTTEN: set[asyncio.Task[None]] = set()


def _forget(call: Awaitable[None]) -> None:
    """Make a call whose outcome nobody needs."""

    async def swallow() -> None:
        with contextlib.suppress(Exception):
            await call

    task = asyncio.create_task(swallow())
    _FORGOTTEN.add(task)  # a task that nothing refers to may be collected before it ran
    task.add_done_callback(_FORGOTTEN.discard)


class RemoteRunner:
    """The gateway's side: as a runner in this process, for the engine."""

    def __init__(self, model: Model, stub: Stub, facts: Facts) -> None:
        self.model = model
        self.provider = facts.provider
        self.arrangement = facts.arrangement
        self.manifest = facts.manifest
        self._stub = stub
        self._window = 2 * facts.arrangement.workers * facts.arrangement.max_batch

    def open(self, deadline: float) -> RemoteFlow:
        return RemoteFlow(self._stub, deadline, self._window)

    def check_capacity(self) -> None:
        """The runner itself says when its queue is full."""

    async def hangs(self) -> bool:
        """Whether a run hangs there. No answer says nothing: a process that ended is started again by itself."""
        with contextlib.suppress(Exception):
            async with asyncio.timeout(ANSWER_SECONDS):
                return await self._stub.hangs()
        return False

    def close(self) -> None:
        """The runner's process ends by itself."""


async def connect(model: Model, stub: Stub) -> RemoteRunner:
    """The runner elsewhere, as soon as it is ready."""
    while True:
        with contextlib.suppress(Exception):  # not there yet, whatever that looks like from here
            if facts := await stub.describe():
                return RemoteRunner(model, stub, Facts.model_validate_json(facts))
        await asyncio.sleep(POLL_SECONDS)
