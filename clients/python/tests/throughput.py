"""`classify_many` beside a plain load generator on the same server: `python -m tests.throughput URL PICTURE PID`.

The repository's load client keeps as many requests in flight over bare sockets and reads nothing of the
answers. The kinds take turns. Two ratios: of pictures a second, which need a quiet machine, and of the CPU time
that a picture costs server (PID, with its children) and client together, which says the same where both share
saturated cores, and hardly minds neighbours. Memory is this process's resident size after each round.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import median
from time import perf_counter

import psutil

from ekiben_client import AsyncClient, Client

ROOT = Path(__file__).parents[3]
PICTURES, IN_FLIGHT, ROUNDS = 1_000, 16, 3

PLAIN_SECONDS = 6.0


def plain(url: str, picture: Path) -> float:
    """Pictures a second of the load generator."""
    data = picture.read_bytes()
    head = f"POST /v1/image-classification HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(data)}\r\n\r\n"
    job = {
        "port": int(url.rpartition(":")[2]),
        "request": base64.b64encode(head.encode() + data).decode(),
        "loop": "closed",
        "concurrency": IN_FLIGHT,
        "seconds": PLAIN_SECONDS,
    }
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.client"],
        cwd=ROOT,
        input=json.dumps(job),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    seen = json.loads(done.stdout)
    assert set(seen["statuses"]) == {"200"}, seen["statuses"]
    return float(len(seen["latencies"]) / seen["seconds"])


def blocking(url: str, picture: Path) -> float:
    with Client(url) as client:
        started = perf_counter()
        labels = {each.result().best.label for each in client.classify_many([picture] * PICTURES, in_flight=IN_FLIGHT)}
    assert len(labels) == 1
    return PICTURES / (perf_counter() - started)


def asynchronous(url: str, picture: Path) -> float:
    async def run() -> float:
        async with AsyncClient(url) as client:
            started = perf_counter()
            outcomes = client.classify_many([picture] * PICTURES, in_flight=IN_FLIGHT)
            labels = {each.result().best.label async for each in outcomes}
        assert len(labels) == 1
        return PICTURES / (perf_counter() - started)

    return asyncio.run(run())


def cpu_seconds(server: psutil.Process) -> float:
    """Of the server's processes and of this one; the load generator counts as if it were free."""
    family = [process.cpu_times() for process in (server, *server.children(recursive=True))]
    own = os.times()
    return sum(each.user + each.system for each in family) + own.user + own.system


def main() -> None:
    url, picture, server = sys.argv[1], Path(sys.argv[2]), psutil.Process(int(sys.argv[3]))
    kinds = {"plain": plain, "blocking": blocking, "asynchronous": asynchronous}
    rates: dict[str, list[float]] = {kind: [] for kind in kinds}
    costs: dict[str, list[float]] = {kind: [] for kind in kinds}
    for number in range(ROUNDS):
        for kind, measure in kinds.items():
            before = cpu_seconds(server)
            rates[kind].append(measure(url, picture))
            pictures = rates[kind][-1] * PLAIN_SECONDS if kind == "plain" else PICTURES
            costs[kind].append((cpu_seconds(server) - before) / pictures * 1e3)
            print(
                f"round {number + 1}: {kind} {rates[kind][-1]:.1f}/s, {costs[kind][-1]:.2f} ms of CPU each", flush=True
            )
        print(f"resident: {psutil.Process().memory_info().rss / 1e6:.0f} MB", flush=True)
    for kind in ("blocking", "asynchronous"):
        rate = median(each / base for each, base in zip(rates[kind], rates["plain"]))
        cost = median(base / each for each, base in zip(costs[kind], costs["plain"]))
        print(f"{kind}: {rate:.2f} of the load generator's pictures a second, {cost:.2f} by CPU time")


if __name__ == "__main__":
    main()
