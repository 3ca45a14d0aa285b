"""Runners elsewhere, over real sockets: their death, their replicas, their end, and callers that go away."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uvicorn

from models.errors import EkibenError, FieldError, Overloaded, RetryableError, Unavailable
from models.model import Model
from models.task import Item
from models.wire import decode, encode
from services.http.connections import Address
from services.placement.hosting import Host
from services.placement.messages import Fault
from services.placement.remote import RemoteRunner
from services.runners.core_pool import CorePool
from services.runners.runner import OneShotRunner
from services.runners.session import UnsuitableTensors
from services.settings import Settings
from tests.service import tiny_models as tiny
from tests.serving import free_port

MODEL = tiny.tiny_model(tiny.ONE_SHOT)


def item(number: float) -> Item:
    return Item({"numbers": np.array([number], np.float32)}, cost=10)


class GatedRunner(OneShotRunner):
    """Runs nothing while its gate is closed, and counts."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.gate = threading.Event()
        self.gate.set()
        self.ran = 0

    def execute(self, items: Sequence[Item], *, alone: bool = False) -> Any:
        self.gate.wait()
        self.ran += len(items)
        return super().execute(items, alone=alone)


class Process:
    """What is a process elsewhere in earnest, on this loop; it can die as one does."""

    def __init__(self, folder: Path, model: Model = MODEL, **address: Any) -> None:
        self.pool = CorePool(2)
        self.draining = False
        self.host = Host(self.pool, stuck_seconds=60, draining=lambda: self.draining)
        self.runner = GatedRunner(model, tiny.tiny_export(model, folder), Settings(queue_requests=4), self.pool)
        self.runner.start()
        self.host.runner = self.runner
        config = uvicorn.Config(self.host.over(nothing), lifespan="off", log_config=None, **address)
        self.server = uvicorn.Server(config)
        self._serving = asyncio.create_task(self.server.serve())

    async def die(self) -> None:
        for listener in self.server.servers:  # first, so that nobody comes back to one that is dead
            listener.close()
        for connection in list(self.server.server_state.connections):
            connection.transport.abort()
        self.server.should_exit = self.server.force_exit = True
        await self._serving
        self.runner.gate.set()
        await asyncio.to_thread(self.pool.close)


async def nothing(scope: Any, receive: Any, send: Any) -> None:
    raise AssertionError(scope["path"])


@contextlib.asynccontextmanager
async def gateway(url: str, **options: Any) -> AsyncIterator[RemoteRunner]:
    runner = RemoteRunner(MODEL, url, **options)
    await runner.connect()
    try:
        yield runner
    finally:
        runner.close()


async def ask(runner: RemoteRunner, number: float, seconds: float = 30) -> float:
    flow = runner.open(asyncio.get_running_loop().time() + seconds)
    try:
        ticket = await flow.submit(item(number))
        return float((await ticket.future)["doubled"][0])
    finally:
        flow.close()


async def until(condition: Any) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 (no event tells)
            await asyncio.sleep(0.005)  # between two looks


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runner.sock"


async def test_what_a_process_died_under_is_run_by_the_one_that_comes_after_it(tmp_path: Path, path: Path) -> None:
    first = Process(tmp_path, uds=str(path))
    async with gateway(f"unix://{path}") as runner:
        assert await ask(runner, 3) == 6
        first.runner.gate.clear()
        asked = [asyncio.create_task(ask(runner, number)) for number in (1, 2, 3)]
        await until(lambda: len(first.host._flows) == 3)
        await first.die()
        await until(lambda: not runner.available)
        with pytest.raises(Unavailable) as refusal:
            runner.open(1e9)
        assert refusal.value.retry_after_seconds >= 1
        second = Process(tmp_path, uds=str(path))
        assert await asyncio.gather(*asked) == [2, 4, 6]
        assert runner.available and not second.host._flows
        await second.die()


async def test_errors_after_a_requests_first_are_no_faults_in_the_log(tmp_path: Path, path: Path) -> None:
    faults: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: faults.append(context["message"]))
    process = Process(tmp_path, uds=str(path))
    async with gateway(f"unix://{path}") as runner:
        flow = runner.open(asyncio.get_running_loop().time() + 30)
        tickets = [await flow.submit(Item({}, cost=10)) for _ in range(3)]
        await asyncio.wait([each.future for each in tickets])
        with pytest.raises(RuntimeError, match="in a runner"):
            await tickets[0].future
        flow.close()
        del tickets, flow
        gc.collect()
    await process.die()
    assert faults == []


async def test_what_two_processes_died_under_is_not_given_to_a_third(tmp_path: Path, path: Path) -> None:
    process = Process(tmp_path, uds=str(path))
    async with gateway(f"unix://{path}") as runner:
        process.runner.gate.clear()
        asked = asyncio.create_task(ask(runner, 1))
        await until(lambda: process.host._flows)
        await process.die()
        process = Process(tmp_path, uds=str(path))
        process.runner.gate.clear()
        await until(lambda: process.host._flows)
        await process.die()
        with pytest.raises(Unavailable):
            await asked


async def test_who_goes_away_leaves_nothing_behind(tmp_path: Path, path: Path) -> None:
    process = Process(tmp_path, uds=str(path))
    async with gateway(f"unix://{path}") as runner:
        process.runner.gate.clear()
        asked = [asyncio.create_task(ask(runner, number)) for number in range(6)]
        await until(lambda: len(process.host._flows) == 6)
        for each in asked:
            each.cancel()
        await until(lambda: not process.host._flows)
        assert process.runner.queue.cost == 0
        process.runner.gate.set()
        assert await ask(runner, 4) == 8
    await until(lambda: process.host._present == 0)
    await process.die()


async def test_a_full_queue_is_refused_here_and_there(tmp_path: Path, path: Path) -> None:
    process = Process(tmp_path, uds=str(path))
    async with gateway(f"unix://{path}") as runner, gateway(f"unix://{path}") as other:
        process.runner.gate.clear()
        most = runner.facts.requests
        asked = [asyncio.create_task(ask(runner, number)) for number in range(most)]
        await until(lambda: len(process.host._flows) == most)
        with pytest.raises(Overloaded):
            runner.check_capacity()
        with pytest.raises(Overloaded):  # this one has room by its own count: it is the runner that refuses
            await ask(other, 1)
        process.runner.gate.set()
        assert await asyncio.gather(*asked) == [2 * number for number in range(most)]
    await process.die()


async def test_replicas_share_the_work_and_one_that_is_unlisted_is_let_go(tmp_path: Path) -> None:
    port = free_port()
    processes = {host: Process(tmp_path, host=host, port=port) for host in ("127.0.0.1", "127.0.0.2")}
    listed = set(processes)

    async def look_up(address: Address) -> set[Address]:
        return {Address(host, address.port) for host in listed}

    async with gateway(f"http://runner:{port}", look_up=look_up) as runner:
        await until(lambda: len(runner.replicas.available) == 2)
        for process in processes.values():
            process.runner.gate.clear()
        asked = [asyncio.create_task(ask(runner, number)) for number in range(8)]
        await until(lambda: [len(each.host._flows) for each in processes.values()] == [4, 4])
        for process in processes.values():
            process.runner.gate.set()
        assert await asyncio.gather(*asked) == [2 * number for number in range(8)]
        gone, stays = processes["127.0.0.1"], processes["127.0.0.2"]
        listed.remove("127.0.0.1")
        await until(lambda: gone.host._present == 0)
        before = gone.runner.ran
        assert [await ask(runner, number) for number in range(4)] == [0, 2, 4, 6]
        assert (gone.runner.ran, len(runner.replicas.available)) == (before, 1)
        await gone.die()
        assert await ask(runner, 5) == 10
    await stays.die()


async def test_one_that_stops_is_let_go_when_nothing_is_with_it(tmp_path: Path, path: Path) -> None:
    process = Process(tmp_path, uds=str(path))
    async with gateway(f"unix://{path}") as runner:
        process.runner.gate.clear()
        asked = asyncio.create_task(ask(runner, 1))
        await until(lambda: process.host._flows)
        process.draining = True
        stopped = asyncio.create_task(process.host.until_nobody_is_present())
        await until(lambda: not runner.available)  # new requests are refused
        assert not stopped.done()
        process.runner.gate.set()
        assert await asked == 2
        async with asyncio.timeout(20):
            await stopped
    await process.die()


async def test_one_that_stops_with_its_gateway_takes_what_the_gateway_lets_in(tmp_path: Path, path: Path) -> None:
    process = Process(tmp_path, uds=str(path))
    async with gateway(f"unix://{path}", stopping=lambda: True) as runner:
        process.draining = True
        stopped = asyncio.create_task(process.host.until_nobody_is_present())
        await until(lambda: any(each.closing for each in runner.replicas.available))
        assert await ask(runner, 4) == 8
        assert not stopped.done()
    async with asyncio.timeout(20):
        await stopped
    await process.die()


async def test_one_of_another_version_is_not_used(tmp_path: Path, path: Path) -> None:
    process = Process(tmp_path, tiny.tiny_model(tiny.ONE_SHOT, max_batch=3), uds=str(path))
    runner = RemoteRunner(MODEL, f"unix://{path}")
    await until(lambda: process.host._present)
    await until(lambda: not process.host._present)
    assert not runner.available
    runner.close()
    await process.die()


def all_errors(cls: type[EkibenError] = EkibenError) -> list[type[EkibenError]]:
    return [cls, *(below for each in cls.__subclasses__() for below in all_errors(each))]


@pytest.mark.parametrize("kind", all_errors())
def test_an_error_arrives_as_it_was(kind: type[EkibenError]) -> None:
    if issubclass(kind, RetryableError):
        error: EkibenError = kind("a sentence", retry_after_seconds=7.5)
    else:
        error = kind("a sentence", fields=(FieldError("image", "is missing"),))
    arrived = decode(encode(Fault.of(error))).error()
    assert (type(arrived), vars(arrived)) == (kind, vars(error))


def test_errors_of_others_are_a_caller_s_fault_or_ours() -> None:
    assert isinstance(Fault.of(UnsuitableTensors("no such token")).error(), UnsuitableTensors)
    assert isinstance(Fault.of(ZeroDivisionError("by zero")).error(), RuntimeError)


@pytest.mark.parametrize(
    "url", ["", "runner:1", "https://runner", "http://", "http://a..b:1", "http://runner/path", "unix://"]
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="is neither"):
        Address.parse(url)


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://runner:3001", Address("runner", 3001)),
        ("tcp://127.0.0.1:9", Address("127.0.0.1", 9)),
        ("http://[::1]:9/", Address("::1", 9)),
        ("http://runner", Address("runner", 80)),
        ("file:///tmp/a%20b.sock", Address(path=Path("/tmp/a b.sock"))),
    ],
)
def test_addresses(url: str, address: Address) -> None:
    assert Address.parse(url) == address
