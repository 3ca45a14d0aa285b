"""A real server in a process of its own, on a free port of the loopback address."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

ROOT = Path(__file__).parents[1]
START_SECONDS = 180.0

PICTURE_MODELS = (
    "efficientnet-lite0",
    "efficientnet-lite2",
    "ssd-mobilenet-v2",
    "centerface",
    "multistyle26",
    "magenta-arbitrary",
)


@dataclass(frozen=True)
class Server:
    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def worker(self) -> psutil.Process:
        """The process that answers: BentoML's worker, below its supervisor."""
        below = psutil.Process(self.process.pid).children(recursive=True)
        return next(process for process in below if "_bentoml_impl.worker.service" in " ".join(process.cmdline()))


def clean_environment(**settings: str) -> dict[str, str]:
    """The environment of this process without what belongs to its own server, and with `settings`."""
    kept = {name: value for name, value in os.environ.items() if "EKIBEN" not in name and "PROMETHEUS" not in name}
    return {**kept, "BENTOML_DO_NOT_TRACK": "True", **settings}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def serving(
    log: Path,
    settings: Mapping[str, str] | None = None,
    *,
    service: str = "services.gateway:Gateway",
    folder: Path = ROOT,
    python: Path = Path(sys.executable),
) -> Iterator[Server]:
    """Start `bentoml serve`, wait until it is ready, and stop it as a supervisor would."""
    port = free_port()
    bentoml = python.with_name("bentoml")
    command = [str(bentoml), "serve", service, "--host", "127.0.0.1", "--port", str(port)]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=clean_environment(**(settings or {})), stdout=output, stderr=output
        )
    server = Server(f"http://127.0.0.1:{port}", process, log)
    try:
        _wait_until_ready(server)
        yield server
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_ready(server: Server) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        assert server.process.poll() is None, server.log.read_text()
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{server.url}/readyz").status_code == 200:
                return
        time.sleep(0.05)  # between two looks; what is waited for is the answer
    raise AssertionError(f"not ready after {START_SECONDS} s:\n{server.log.read_text()}")
