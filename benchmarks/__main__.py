"""`make bench`: the server beside the limit, interleaved, as ratios."""

from __future__ import annotations

import argparse
import base64
import json
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from benchmarks import machine
from benchmarks.limit import Limit, Sample
from models.image_classification import ImageClassification
from services.exports import find_export
from services.session import available_cpus
from tests import photographs
from tests.serving import Server, serving

MODEL = ImageClassification.models[0]
ROUTE = "/v1/image-classification"
BOUNDARY = "ekiben-benchmark"


def picture() -> bytes:
    """A 640x480 JPEG of about 80 KB."""
    return photographs.encoded(photographs.rgb("motorcycle").resize((640, 480)), "JPEG", quality=88)


def raw(data: bytes) -> bytes:
    head = (
        f"POST {ROUTE} HTTP/1.1\r\nhost: localhost\r\ncontent-type: image/jpeg\r\ncontent-length: {len(data)}\r\n\r\n"
    )
    return head.encode() + data


def multipart(data: bytes) -> bytes:
    disposition = 'content-disposition: form-data; name="image"; filename="a.jpg"'
    body = f"--{BOUNDARY}\r\n{disposition}\r\n\r\n".encode() + data + f"\r\n--{BOUNDARY}--\r\n".encode()
    kind = f"multipart/form-data; boundary={BOUNDARY}"
    head = f"POST {ROUTE} HTTP/1.1\r\nhost: localhost\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


@dataclass
class Row:
    """What is known of one arrangement after some rounds, each beside the limit of its own round."""

    name: str
    efficiency: list[float] = field(default_factory=list)
    throughput: list[float] = field(default_factory=list)
    p50: list[float] = field(default_factory=list)
    p95: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)
    errors: int = 0
    busy: int = 0

    def add(self, sample: Sample, limit: Sample, *, quiet: bool, errors: int = 0) -> None:
        self.efficiency.append(limit.cpu_per_request / sample.cpu_per_request)
        self.throughput.append(sample.per_second / limit.per_second)
        self.cpu_ms.append(sample.cpu_per_request * 1e3)
        for percent in (50, 95, 99):
            getattr(self, f"p{percent}").append(sample.percentile(percent) * 1e3)
        self.errors += errors
        self.busy += not quiet

    def line(self) -> str:
        def middle(values: list[float]) -> float:
            return statistics.median(values)

        return (
            f"| {self.name:<26} | {middle(self.efficiency):.2f} | {middle(self.throughput):.2f} "
            f"| {middle(self.cpu_ms):.2f} | {middle(self.p50):.1f} | {middle(self.p95):.1f} | {middle(self.p99):.1f} "
            f"| {self.errors} | {self.busy} of {len(self.p50)} |"
        )


HEADER = """| arrangement | CPU efficiency | throughput | CPU ms/request | p50 ms | p95 ms | p99 ms | errors | busy |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |"""


def load(server: Server, request: bytes, **job: Any) -> dict[str, Any]:
    """Run one job of the load client in a process of its own."""
    port = int(server.url.rpartition(":")[2])
    document = json.dumps({"port": port, "request": base64.b64encode(request).decode(), **job})
    client = [sys.executable, "-m", "benchmarks.client"]
    done = subprocess.run(client, input=document, stdout=subprocess.PIPE, text=True, check=True)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def measure(
    server: Server, worker: psutil.Process, request: bytes, concurrency: int, seconds: float
) -> tuple[Sample, bool, int]:
    with machine.Watch([worker]) as watch:
        seen = load(server, request, loop="closed", concurrency=concurrency, seconds=seconds)
    latencies = seen["latencies"]
    errors = sum(count for status, count in seen["statuses"].items() if status != "200")
    return Sample(len(latencies), seen["seconds"], watch.cpu_seconds, latencies), watch.quiet, errors


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each sample")
    options = parser.parse_args()
    data = picture()
    path = find_export(MODEL).folder / "model.onnx"
    cpus = available_cpus()
    wide, narrow = Limit(MODEL, path, threads_per_run=1), Limit(MODEL, path, threads_per_run=cpus)
    cases = [
        ("raw, 1 client", raw(data), 1),
        ("raw, 8 clients", raw(data), 8),
        ("raw, 32 clients", raw(data), 32),
        ("multipart, 8 clients", multipart(data), 8),
    ]
    limit_row, lone_row = Row(f"limit, {cpus} threads"), Row("limit, one at a time")
    rows = {name: Row(name) for name, _, _ in cases}
    print(f"{machine.describe()}; a {len(data) // 1000} KB JPEG of 640x480, {MODEL.id}\n", flush=True)
    with tempfile.TemporaryDirectory() as scratch, serving(Path(scratch) / "log") as server:
        worker = server.worker()
        measure(server, worker, raw(data), 8, 1.0)
        for number in range(options.rounds):
            print(f"round {number + 1} of {options.rounds}", file=sys.stderr, flush=True)
            with machine.Watch([]) as watch:
                limit = wide.run(data, seconds=options.seconds, threads=cpus)
            limit_row.add(limit, limit, quiet=watch.quiet)
            with machine.Watch([]) as watch:
                lone = narrow.run(data, seconds=options.seconds, threads=1)
            lone_row.add(lone, limit, quiet=watch.quiet)
            for name, request, concurrency in cases:
                sample, quiet, errors = measure(server, worker, request, concurrency, options.seconds)
                rows[name].add(sample, limit, quiet=quiet, errors=errors)
    print("\n".join([HEADER, *(row.line() for row in (limit_row, lone_row, *rows.values()))]))


if __name__ == "__main__":
    main()
