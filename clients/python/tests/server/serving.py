"""A real server, which can be killed and started again on the same port."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil

ROOT = Path(__file__).parents[4]
MODELS = (
    "efficientnet-lite0,ssd-mobilenet-v2,centerface,multistyle26,magenta-arbitrary,whisper-tiny-en,"
    "bergamot-tiny-en-pt,bergamot-tiny-pt-en"
)
START_SECONDS = 180.0


class Server:
    """`bentoml serve`: a supervisor and its worker."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self._log = folder / "log"
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port: int = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        kept = {name: value for name, value in os.environ.items() if "EKIBEN" not in name and "PROMETHEUS" not in name}
        variables = {**kept, "BENTOML_DO_NOT_TRACK": "True", "EKIBEN_MODELS": MODELS, **self._settings}
        bentoml = Path(sys.executable).with_name("bentoml")
        arguments = ["serve", "services.gateway:Gateway", "--host", "127.0.0.1", "--port", str(self._port)]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [str(bentoml), *arguments], cwd=ROOT, env=variables, stdout=log, stderr=log
            )

    def wait_until_ready(self) -> None:
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            assert self._process is not None
            assert self._process.poll() is None, self._log.read_text()
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"{self.url}/readyz").status_code == 200:
                    return
            time.sleep(0.05)  # between two looks; what is waited for is the answer
        raise AssertionError(f"not ready after {START_SECONDS} s:\n{self._log.read_text()}")

    def kill(self) -> None:
        """As a crash does it: the supervisor first, which would start its worker anew."""
        assert self._process is not None
        supervisor = psutil.Process(self._process.pid)
        family = [supervisor, *supervisor.children(recursive=True)]
        for process in family:
            process.kill()
        self._process.wait()
        psutil.wait_procs(family, 20)

    def stop(self) -> None:
        """As a supervisor does it."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self.kill()
