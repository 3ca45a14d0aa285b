"""`classify_many` beside a plain load generator on the same server: `python -m tests.throughput URL PICTURE`.

The repository's load client keeps as many requests in flight over bare sockets and reads nothing of the
answers. The two take turns, so that a noisy machine slows both; the ratio is what counts. Memory is this
process's resident size after the first and after the last round.
"""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
import sys
from pathlib import Path
from statistics import median
from time import perf_counter

from ekiben_client import AsyncClient, Client

ROOT = Path(__file__).parents[3]
PICTURES, IN_FLIGHT, ROUNDS = 1_000, 16, 3


def plain(url: str, picture: Path) -> float:
    """Pictures a second of the load generator."""
    data = picture.read_bytes()
    head = f"POST /v1/image-classification HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(data)}\r\n\r\n"
    job = {
        "port": int(url.rpartition(":")[2]),
        "request": base64.b64encode(head.encode() + data).decode(),
        "loop": "closed",
        "concurrency": IN_FLIGHT,
        "seconds": 6.0,
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


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def main() -> None:
    url, picture = sys.argv[1], Path(sys.argv[2])
    rates: dict[str, list[float]] = {"plain": [], "blocking": [], "asynchronous": []}
    for number in range(ROUNDS):
        for kind, measure in (("plain", plain), ("blocking", blocking), ("asynchronous", asynchronous)):
            rates[kind].append(measure(url, picture))
        print(f"round {number + 1}: resident {resident_mb():.0f} MB", {k: f"{v[-1]:.1f}/s" for k, v in rates.items()})
    for kind in ("blocking", "asynchronous"):
        ratios = [rate / base for rate, base in zip(rates[kind], rates["plain"])]
        print(f"{kind}: {median(ratios):.2f} of the load generator (from {min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    main()
