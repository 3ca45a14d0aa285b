"""A Prometheus beside a server that has been asked things: does every panel of the dashboard show something?"""

from __future__ import annotations

import contextlib
import math
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.expressions import alerts, panels
from tests.serving import ROOT, free_port

CONFIGURATION = ROOT / "deploy/prometheus/prometheus.yml"


@contextlib.contextmanager
def prometheus(server: str) -> Iterator[httpx.Client]:
    """Prometheus with our configuration, but asking `server` (host and port) every second."""
    configuration: dict[str, Any] = yaml.safe_load(CONFIGURATION.read_text("utf-8"))
    configuration["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    configuration["rule_files"] = [str(CONFIGURATION.parent / name) for name in configuration["rule_files"]]
    configuration["scrape_configs"][0]["static_configs"] = [{"targets": [server]}]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "prometheus.yml"
        file.write_text(yaml.safe_dump(configuration))
        address = f"127.0.0.1:{free_port()}"
        options = [f"--config.file={file}", f"--storage.tsdb.path={folder}/data", f"--web.listen-address={address}"]
        process = subprocess.Popen(["prometheus", *options, "--log.level=error"])
        try:
            with httpx.Client(base_url=f"http://{address}", timeout=20) as client:
                yield client
        finally:
            process.terminate()
            process.wait(20)


def wait_for_scrape(client: httpx.Client, *, seconds: float = 60) -> None:
    """Rates need a value from before the load."""
    until = time.monotonic() + seconds
    while not _query(client, "up == 1"):
        assert time.monotonic() < until, "Prometheus does not reach the server"
        time.sleep(0.2)


def wait_for_data(client: httpx.Client, *, seconds: float = 60) -> dict[str, int]:
    """How many series each panel shows, once all show some. Raises `AssertionError`."""
    until = time.monotonic() + seconds
    while True:
        found = {
            title: min(map(len, (_query(client, each) for each in several))) for title, several in panels().items()
        }
        if all(found.values()):
            return found
        empty = [title for title, count in found.items() if not count]
        assert time.monotonic() < until, f"panels without data: {', '.join(empty)}"
        time.sleep(1)


def firing(client: httpx.Client) -> list[str]:
    """Alerts whose condition holds now; each has been looked at."""
    return [name for name, expression in alerts().items() if _query(client, expression)]


def _query(client: httpx.Client, expression: str) -> list[Any]:
    """The series of an expression now whose value is a number; none while Prometheus starts."""
    try:
        response = client.get("/api/v1/query", params={"query": expression})
    except httpx.TransportError:
        return []
    if response.status_code == 503:
        return []
    document = response.json()
    assert document["status"] == "success", document
    return [each for each in document["data"]["result"] if not math.isnan(float(each["value"][1]))]
