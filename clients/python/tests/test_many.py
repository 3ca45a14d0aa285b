"""Many inputs: in order, lazily, some at a time, and one failure loses nothing else."""

from __future__ import annotations

import asyncio
import threading
import time
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from typing import Any, Callable

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ekiben_client import AsyncClient, Client, errors

from .both import Handler
from .stand_in import Reply, problem


def label(request: httpx.Request) -> httpx.Response:
    """An answer that tells which picture was asked about."""
    if request.content.startswith(b"bad"):
        refusal = problem(422, "image: cannot be decoded")
        return httpx.Response(422, content=refusal.content)
    reply = Reply.json([{"label": request.content[:20].decode(), "score": 1}])
    return httpx.Response(200, content=reply.content)


def blocking(inputs: Any, handler: Handler = label, **options: Any) -> list[Any]:
    with Client("http://stand-in", transport=httpx.MockTransport(handler)) as client:
        return list(client.classify_many(inputs, **options))


def asynchronous(inputs: Any, handler: Handler = label, **options: Any) -> list[Any]:
    async def run() -> list[Any]:
        async with AsyncClient("http://stand-in", transport=httpx.MockTransport(handler)) as client:
            return [outcome async for outcome in client.classify_many(inputs, **options)]

    return asyncio.run(run())


either = pytest.mark.parametrize("many", [blocking, asynchronous])


@either
@settings(max_examples=25, deadline=None)
@given(kinds=st.lists(st.sampled_from(["good", "bad", "missing"]), max_size=30), in_flight=st.integers(1, 9))
def test_outcomes_are_in_order_and_failures_lose_nothing(many: Any, kinds: list[str], in_flight: int) -> None:
    inputs = [f"/nowhere/{n}" if kind == "missing" else f"{kind} {n}".encode() for n, kind in enumerate(kinds)]
    seen: list[tuple[int, int]] = []
    outcomes = many(inputs, in_flight=in_flight, progress=lambda done, of: seen.append((done, of)))
    assert [outcome.input for outcome in outcomes] == inputs
    for kind, outcome in zip(kinds, outcomes):
        if kind == "good":
            assert outcome.error is None
            assert outcome.result().best.label.encode() == outcome.input
        else:
            assert type(outcome.error) is (errors.InvalidInput if kind == "bad" else errors.UnreadableInput)
            with pytest.raises(type(outcome.error)):
                outcome.result()
    assert seen == [(n + 1, len(inputs)) for n in range(len(inputs))]


class Gate:
    """A handler that lets nothing through until `number` requests wait in it."""

    def __init__(self, number: int) -> None:
        self.most = self._inside = 0
        self._all_in = threading.Barrier(number)
        self._lock = threading.Lock()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        with self._lock:
            self._inside += 1
            self.most = max(self.most, self._inside)
        self._all_in.wait(20)
        with self._lock:
            self._inside -= 1
        return label(request)


def test_as_many_as_asked_for_are_in_flight() -> None:
    gate = Gate(5)
    assert len(blocking([b"x"] * 20, gate, in_flight=5)) == 20
    assert gate.most == 5


def test_as_many_as_asked_for_are_in_flight_on_asyncio() -> None:
    most = inside = 0

    async def run() -> int:
        all_in = asyncio.Event()

        async def handler(request: httpx.Request) -> httpx.Response:
            nonlocal most, inside
            inside += 1
            most = max(most, inside)
            if inside == 5:
                all_in.set()
            await all_in.wait()
            await asyncio.sleep(0)  # others could come in here
            inside -= 1
            return label(request)

        async with AsyncClient("http://stand-in", transport=httpx.MockTransport(handler)) as client:
            return len([outcome async for outcome in client.classify_many([b"x"] * 20, in_flight=5)])

    assert asyncio.run(run()) == 20
    assert most == 5


@either
def test_inputs_are_taken_as_they_are_needed(many: Any) -> None:
    taken = 0

    def inputs() -> Iterator[bytes]:
        nonlocal taken
        while True:
            taken += 1
            yield b"x"

    if many is blocking:
        with Client("http://stand-in", transport=httpx.MockTransport(label)) as client:
            outcomes = client.classify_many(inputs(), in_flight=2)
            assert taken == 0
            for _ in range(10):
                next(outcomes)
            outcomes.close()  # type: ignore[attr-defined]
    else:

        async def run() -> None:
            async with AsyncClient("http://stand-in", transport=httpx.MockTransport(label)) as client:
                outcomes = client.classify_many(inputs(), in_flight=2)
                for _ in range(10):
                    await outcomes.__anext__()
                await outcomes.aclose()  # type: ignore[attr-defined]
                assert len(asyncio.all_tasks()) == 1

        asyncio.run(run())
    assert 10 <= taken <= 10 + 4 * 2


@either
def test_what_the_inputs_raise_comes_after_the_results_before_it(many: Any) -> None:
    def inputs() -> Iterator[bytes]:
        yield b"a"
        yield b"b"
        raise KeyError("the inputs broke")

    seen: list[int] = []
    with pytest.raises(KeyError, match="the inputs broke"):
        many(inputs(), progress=lambda done, of: seen.append(done))
    assert seen == [1, 2]


def test_asynchronous_inputs_are_taken_too() -> None:
    async def inputs() -> AsyncIterator[bytes]:
        for name in (b"a", b"b"):
            yield name

    assert [outcome.input for outcome in asynchronous(inputs())] == [b"a", b"b"]


@either
def test_no_requests_in_flight_make_no_sense(many: Any) -> None:
    with pytest.raises(ValueError, match="in_flight"):
        many([b"x"], in_flight=0)


def test_leaving_early_does_not_wait_for_retries() -> None:
    asked = threading.Semaphore(0)

    def busy(request: httpx.Request) -> httpx.Response:
        asked.release()
        if request.content == b"first":
            return label(request)
        return httpx.Response(503, headers={"retry-after": "50"})

    with Client("http://stand-in", transport=httpx.MockTransport(busy), timeout=100) as client:
        outcomes = client.classify_many([b"first", *[b"x"] * 8], in_flight=4)
        assert next(outcomes).result().best.label == "first"
        for _ in range(4):
            assert asked.acquire(timeout=20)
        left = time.monotonic()
        outcomes.close()  # type: ignore[attr-defined]
        assert time.monotonic() - left < 25  # not the 50 that the server asked for
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ekiben")]


@either
def test_memory_stays_flat(many: Any) -> None:
    """2,000 pictures of 100 KB: 200 MB go by, and never more of it is held than is looked ahead."""

    def inputs() -> Iterator[bytes]:
        for number in range(2_000):
            yield b"%020d" % number + bytes(100_000)

    labels = iter(range(2_000))

    def check(outcome: Any) -> None:
        assert int(outcome.result().best.label) == next(labels)

    tracemalloc.start()
    try:
        _each(many, inputs, check)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 40_000_000


def _each(many: Any, inputs: Callable[[], Iterator[bytes]], check: Callable[[Any], None]) -> None:
    transport = httpx.MockTransport(label)
    if many is blocking:
        with Client("http://stand-in", transport=transport) as client:
            for outcome in client.classify_many(inputs(), in_flight=8):
                check(outcome)
        return

    async def run() -> None:
        async with AsyncClient("http://stand-in", transport=transport) as client:
            async for outcome in client.classify_many(inputs(), in_flight=8):
                check(outcome)

    asyncio.run(run())
