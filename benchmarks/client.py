"""A load client that costs next to nothing: a process of its own, prepared requests over kept connections.

`python -m benchmarks.client` reads a job as JSON from standard input and writes what it saw as JSON.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import sys
from time import perf_counter
from typing import cast

import uvloop

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


class Connection(asyncio.Protocol):
    """One kept connection with one request in flight."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._answer: asyncio.Future[int] | None = None
        self.closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by its class

    async def ask(self, request: bytes) -> int:
        """Send a prepared request; the answer's status."""
        assert self._transport
        self._buffer = b""
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head = self._buffer.find(b"\r\n\r\n")
        if head < 0 or self._answer is None:
            return
        length = _LENGTH.search(self._buffer, 0, head)
        assert length, "an answer without a length"
        if len(self._buffer) >= head + 4 + int(length[1]):
            answer, self._answer = self._answer, None
            answer.set_result(int(self._buffer[9:12]))

    def connection_lost(self, error: Exception | None) -> None:
        self.closed = True
        if self._answer and not self._answer.done():
            self._answer.set_result(0)


async def closed_loop(port: int, request: bytes, concurrency: int, seconds: float) -> dict[str, object]:
    """`concurrency` clients that each ask again as soon as they have an answer."""
    loop = asyncio.get_running_loop()
    latencies: list[float] = []
    statuses: dict[int, int] = {}
    started = perf_counter()
    until = started + seconds

    async def client() -> None:
        _, connection = await loop.create_connection(Connection, "127.0.0.1", port)
        while (sent := perf_counter()) < until:
            status = await connection.ask(request)
            latencies.append(perf_counter() - sent)
            statuses[status] = statuses.get(status, 0) + 1
            if status == 0:
                _, connection = await loop.create_connection(Connection, "127.0.0.1", port)

    await asyncio.gather(*(client() for _ in range(concurrency)))
    return {"seconds": perf_counter() - started, "latencies": latencies, "statuses": statuses}


async def open_loop(port: int, request: bytes, rate: float, seconds: float) -> dict[str, object]:
    """Requests at a steady rate, whatever becomes of them; latency counts from the scheduled time."""
    loop = asyncio.get_running_loop()
    latencies: list[tuple[float, int, float]] = []
    idle: list[Connection] = []
    start = perf_counter()

    async def one(due: float) -> None:
        while idle and idle[-1].closed:  # the server closes what it has not heard from for some seconds
            idle.pop()
        connection = idle.pop() if idle else (await loop.create_connection(Connection, "127.0.0.1", port))[1]
        status = await connection.ask(request)
        latencies.append((due - start, status, perf_counter() - due))
        if status:
            idle.append(connection)

    async with asyncio.TaskGroup() as group:
        for number in range(int(rate * seconds)):
            due = start + number / rate
            if (wait := due - perf_counter()) > 0:
                await asyncio.sleep(wait)
            group.create_task(one(due))
    return {"seconds": perf_counter() - start, "answers": latencies}


def main() -> None:
    job = json.load(sys.stdin)
    job["request"] = base64.b64decode(job["request"])
    run = closed_loop if job.pop("loop") == "closed" else open_loop
    json.dump(uvloop.run(run(**job)), sys.stdout)


if __name__ == "__main__":
    main()
