"""One sample of a server under load, beside the CPU time that it took."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import psutil

from benchmarks import machine
from benchmarks.limit import Sample
from tests.serving import Server


@dataclass(frozen=True)
class Target:
    """A server that runs on the loopback address: its port, and its first process."""

    port: int
    process: psutil.Process

    @classmethod
    def of(cls, server: Server) -> Target:
        return cls(int(server.url.rpartition(":")[2]), psutil.Process(server.process.pid))


def load(target: Target, request: bytes, **job: Any) -> dict[str, Any]:
    """Run one job of the load client in a process of its own."""
    document = json.dumps({"port": target.port, "request": base64.b64encode(request).decode(), **job})
    client = [sys.executable, "-m", "benchmarks.client"]
    done = subprocess.run(client, input=document, stdout=subprocess.PIPE, text=True, check=True)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def measure(target: Target, request: bytes, concurrency: int, seconds: float) -> tuple[Sample, bool, int]:
    """The sample, with the CPU time of all the server's processes; whether the machine was quiet; the errors."""
    with machine.Watch(target.process) as watch:
        seen = load(target, request, loop="closed", concurrency=concurrency, seconds=seconds)
    latencies = seen["latencies"]
    errors = sum(count for status, count in seen["statuses"].items() if status != "200")
    return Sample(len(latencies), seen["seconds"], watch.cpu_seconds, latencies), watch.quiet, errors
