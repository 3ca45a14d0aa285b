"""`python -m services`: serve with BentoML, and say when and how it can be used."""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import time
from http.client import HTTPConnection
from pathlib import Path

from pydantic import ValidationError
from pydantic_settings import SettingsError

from models import TASKS
from models.errors import UnknownModel
from services import preflight
from services.exports import ExportMissing
from services.runners.session import DeviceUnavailable
from services.settings import Settings
from services.telemetry.metrics_port import PortUnavailable


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m services", description=__doc__)
    parser.add_argument("--host", default="0.0.0.0", help="address to listen on (default: all)")
    parser.add_argument("--port", type=int, default=3000)
    options = parser.parse_args()
    return start("services.gateway:Gateway", options.host, options.port, welcome(options.port))


def start(service: str, host: str, port: int, greeting: str) -> int:
    """Serve a BentoML service until it ends, and greet when it is ready; its exit code."""
    try:
        settings = Settings()
        if settings.metrics_port == port:
            raise PortUnavailable(f"EKIBEN_METRICS_PORT: {port} is the server's own port")
        preflight.check(settings)
    except (ValidationError, SettingsError, UnknownModel, ExportMissing, DeviceUnavailable, PortUnavailable) as error:
        print(f"ekiben cannot start: {error}", file=sys.stderr)
        return 1
    bentoml = Path(sys.executable).with_name("bentoml")
    server = subprocess.Popen([str(bentoml), "serve", service, "--host", host, "--port", str(port)])
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: server.send_signal(number))
    if wait_until_ready(server, port):
        print(greeting, flush=True)
    return server.wait()


def wait_until_ready(server: subprocess.Popen[bytes], port: int) -> bool:
    while server.poll() is None:
        connection = HTTPConnection("127.0.0.1", port, timeout=5)
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


def welcome(port: int) -> str:
    task = next(iter(TASKS.values()))
    address = f"http://localhost:{port}"
    example = f"curl -T photo.jpg -X POST {address}/v1/{task.name}"
    return f"\nekiben is ready on {address}. Try a photograph of yours:\n\n  {example}\n"


if __name__ == "__main__":
    sys.exit(main())
