"""A real ekiben server and the gallery in front of it, each a process of its own on a free port."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[3]
SERVER_PYTHON = ROOT / ".venv/bin/python"
START_SECONDS = 180.0


@contextlib.contextmanager
def running(command: list[str], url: str, log: Path, **settings: str) -> Iterator[subprocess.Popen[bytes]]:
    """Start a process, wait until `url` answers 200, and stop it as Ctrl-C does."""
    kept = {name: value for name, value in os.environ.items() if "EKIBEN" not in name and "PROMETHEUS" not in name}
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, env={**kept, **settings}, stdout=output, stderr=output)
    try:
        until = time.monotonic() + START_SECONDS
        while not answers(url):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < until, f"no answer after {START_SECONDS} s:\n{log.read_text()}"
            time.sleep(0.1)  # between two looks; what is waited for is the answer
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def ekiben_server(folder: Path) -> Iterator[str]:
    """The address of a server of every task."""
    port = free_port()
    command = [str(SERVER_PYTHON), "-m", "services", "--port", str(port)]
    url = f"http://127.0.0.1:{port}"
    with running(command, f"{url}/readyz", folder / "server.log", BENTOML_DO_NOT_TRACK="True"):
        yield url


@contextlib.contextmanager
def gallery(server: str, folder: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """The address of the gallery, and its process, whose temporary files are in `folder`."""
    port = free_port()
    command = [sys.executable, "-m", "ekiben_demos", "--server", server, "--port", str(port)]
    url = f"http://127.0.0.1:{port}"
    with running(command, url, folder / "gallery.log", TMPDIR=str(folder)) as process:
        yield url, process


def answers(url: str) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(url).status_code == 200
    return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
