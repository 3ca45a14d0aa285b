"""`python -m services`: serve with BentoML, and say when and how it can be used."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from http.client import HTTPConnection
from pathlib import Path
from types import FrameType

ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""Addresses that mean all of a machine's, and where it then reaches itself."""


class Signals:
    """SIGTERM and SIGINT, which are the server's once it is there.

    As a container's first process this one would not even notice a signal that it has no handler for, so they are
    installed before everything that takes its time, imports included.
    """

    def __init__(self) -> None:
        self.early: int | None = None
        """What came before there was a server."""
        self._server: subprocess.Popen[bytes] | None = None
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._take)

    def _take(self, number: int, frame: FrameType | None) -> None:
        if self._server:
            self._server.send_signal(number)
        else:
            self.early = number

    def pass_to(self, server: subprocess.Popen[bytes]) -> None:
        self._server = server
        if self.early:
            server.send_signal(self.early)


def main() -> int:
    signals = Signals()
    parser = argparse.ArgumentParser(prog="python -m services", description=__doc__)
    parser.add_argument("--host", default="0.0.0.0", help="address to listen on (default: all)")
    parser.add_argument(
        "--port", type=int, default=os.environ.get("PORT", "3000"), help="default: 3000, or the variable PORT"
    )
    options = parser.parse_args()
    greeting = welcome(options.host, options.port)
    return start("services.gateway:Gateway", options.host, options.port, greeting, signals)


def start(service: str, host: str, port: int, greeting: str, signals: Signals) -> int:
    """Serve a BentoML service until it ends, and greet when it is ready; its exit code, as a shell would tell it."""
    if (reason := refusal(port)) is not None:
        print(f"ekiben cannot start: {reason}", file=sys.stderr)
        return 1
    if signals.early:
        return 128 + signals.early
    bentoml = Path(sys.executable).with_name("bentoml")
    server = subprocess.Popen([str(bentoml), "serve", service, "--host", host, "--port", str(port)])
    signals.pass_to(server)
    if wait_until_ready(server, ANY.get(host, host), port):
        print(greeting, flush=True)
    code = server.wait()
    return code if code >= 0 else 128 - code


def refusal(port: int) -> str | None:
    """Why a server that shall listen there cannot start; None where it can."""
    from pydantic import ValidationError
    from pydantic_settings import SettingsError

    from models.errors import UnknownModel
    from services import preflight
    from services.exports import ExportMissing
    from services.runners.session import DeviceUnavailable
    from services.settings import Settings
    from services.telemetry.metrics_port import PortUnavailable

    try:
        settings = Settings()
        if settings.metrics_port == port:
            raise PortUnavailable(f"EKIBEN_METRICS_PORT: {port} is the server's own port")
        preflight.check(settings)
    except (ValidationError, SettingsError, UnknownModel, ExportMissing, DeviceUnavailable, PortUnavailable) as error:
        return str(error)
    return None


def wait_until_ready(server: subprocess.Popen[bytes], host: str, port: int) -> bool:
    while server.poll() is None:
        connection = HTTPConnection(host, port, timeout=5)
        try:
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return True
        except OSError:
            pass
        finally:
            connection.close()
        time.sleep(0.1)
    return False


def welcome(host: str, port: int) -> str:
    from models import TASKS

    task = next(iter(TASKS.values()))
    name = "localhost" if host in ANY else f"[{host}]" if ":" in host else host
    address = f"http://{name}:{port}"
    example = f"curl -T photo.jpg -X POST {address}/v1/{task.name}"
    return f"\nekiben is ready on {address}. Try a photograph of yours:\n\n  {example}\n"


if __name__ == "__main__":
    sys.exit(main())
