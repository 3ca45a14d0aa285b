"""On asyncio: deadlines are kept, cancelling cancels, and neither connections nor tasks are left over."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from ekiben_client import AsyncClient, Client, errors

from .both import on_asyncio
from .scripted import scripted
from .stand_in import handle, picture

SILENCE = b"wait"
TRICKLE = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n[wait"


@pytest.fixture
def _files_are_closed() -> Iterator[None]:
    folder = Path("/proc/self/fd")
    before = set(folder.iterdir())
    yield
    assert set(folder.iterdir()) <= before


@pytest.mark.usefixtures("_files_are_closed")
@on_asyncio
async def test_a_cancelled_call_closes_its_connection() -> None:
    with scripted(SILENCE) as server:
        async with AsyncClient(server.url) as client:
            call = asyncio.ensure_future(client.classify(b"x"))
            await asyncio.to_thread(server.wait_until_asked, 1)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            await asyncio.to_thread(server.wait_until_closed)
            assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.usefixtures("_files_are_closed")
@on_asyncio
async def test_leaving_many_early_cancels_what_is_in_flight() -> None:
    with scripted(*[SILENCE] * 4) as server:
        async with AsyncClient(server.url, retries=0) as client:
            outcomes = client.classify_many([Path("/nowhere"), *[b"x"] * 8], in_flight=4)
            async for outcome in outcomes:
                assert isinstance(outcome.error, errors.UnreadableInput)
                await asyncio.to_thread(server.wait_until_asked, 4)
                break
            await outcomes.aclose()  # type: ignore[attr-defined]
            await asyncio.to_thread(server.wait_until_closed)
            assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.usefixtures("_files_are_closed")
@on_asyncio
async def test_closing_the_client_ends_what_many_left_under_way() -> None:
    with scripted(*[SILENCE] * 2) as server:
        client = AsyncClient(server.url, retries=0)
        outcomes = client.classify_many([b"x"] * 2, in_flight=2)
        first = asyncio.ensure_future(outcomes.__anext__())
        await asyncio.to_thread(server.wait_until_asked, 2)
        await client.aclose()
        await asyncio.to_thread(server.wait_until_closed)
        assert str((await first).error) == "the client was closed"
        await outcomes.aclose()  # type: ignore[attr-defined]
        assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.usefixtures("_files_are_closed")
@on_asyncio
async def test_leaving_a_stream_closes_its_connection() -> None:
    with scripted(b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n: wait") as server:
        async with AsyncClient(server.url) as client:
            async with client.stream_speech(b"x") as stream:
                assert server.open == 1
            await asyncio.to_thread(server.wait_until_closed)
            assert stream.text == ""  # it is still held here: nothing was closed by being forgotten


@pytest.mark.parametrize("reply", [SILENCE, TRICKLE])
def test_the_deadline_ends_a_call(reply: bytes) -> None:
    async def call(url: str) -> None:
        async with AsyncClient(url, timeout=0.3) as client:
            await client.classify(b"x")

    with scripted(*[reply] * 2) as server:
        for run in (lambda: asyncio.run(call(server.url)), lambda: Client(server.url, timeout=0.3).classify(b"x")):
            started = time.monotonic()
            with pytest.raises(errors.DeadlineExceeded, match="in time"):
                run()
            assert time.monotonic() - started < 3
        server.wait_until_closed()


def test_a_server_that_lets_its_answer_trickle_does_not_hold_the_blocking_client_past_its_deadline() -> None:
    def trickle(request: httpx.Request) -> httpx.Response:
        def body() -> Iterator[bytes]:
            yield b"["
            until.wait(0.2)
            yield b"]"

        return httpx.Response(200, content=body())

    until = threading.Event()
    transport = httpx.MockTransport(trickle)
    with Client(transport=transport, timeout=0.1) as client, pytest.raises(errors.DeadlineExceeded):
        client.classify(b"x")


@on_asyncio
async def test_an_answer_that_trickles_without_end_does_not_hold_the_asynchronous_client_past_its_deadline() -> None:
    async def trickle() -> AsyncIterator[bytes]:
        while True:
            yield b" "
            await asyncio.sleep(0)

    transport = httpx.MockTransport(lambda request: httpx.Response(200, content=trickle()))
    started = time.monotonic()
    async with AsyncClient(transport=transport, timeout=0.1) as client:
        with pytest.raises(errors.DeadlineExceeded):
            await client.classify(b"x")
    assert time.monotonic() - started < 3


@on_asyncio
async def test_files_are_read_off_the_event_loop() -> None:
    threads: list[Any] = []

    class File:
        def read(self) -> bytes:
            threads.append(threading.current_thread())
            return picture()

    async with AsyncClient("http://stand-in", transport=httpx.MockTransport(handle)) as client:
        await client.classify(File())  # type: ignore[arg-type]
    assert threads != [threading.main_thread()]
