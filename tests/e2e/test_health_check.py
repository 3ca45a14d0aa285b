"""The image's health check, which is one for all that it can be: the server, and a runner by itself."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.serving import ROOT, START_SECONDS, clean_environment, free_port

MODEL = "efficientnet-lite0"
COMMANDS = {"server": ["services"], "runner": ["services.runner", MODEL]}


def health_check() -> list[str]:
    """As the Containerfile has it, with this Python."""
    [command] = re.findall(
        r"^HEALTHCHECK [^\[]*CMD (\[.*\])$", (ROOT / "deploy/Containerfile").read_text("utf-8"), re.M
    )
    interpreter, *arguments = json.loads(command)
    assert interpreter == "python"
    return [sys.executable, *arguments]


@pytest.mark.parametrize("kind", COMMANDS)
def test_it_asks_where_the_process_listens(kind: str, tmp_path: Path) -> None:
    environment = clean_environment(PORT=str(free_port()), EKIBEN_MODELS=MODEL, EKIBEN_DEVICE="cpu")

    def healthy() -> bool:
        done = subprocess.run(health_check(), env=environment, capture_output=True, timeout=30, check=False)
        return done.returncode == 0

    assert not healthy()
    log = tmp_path / "log"
    with log.open("wb") as output:
        command = [sys.executable, "-m", *COMMANDS[kind], "--host", "0.0.0.0"]
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)
    try:
        until = time.monotonic() + START_SECONDS
        while not healthy():
            assert process.poll() is None and time.monotonic() < until, log.read_text()
    finally:
        process.terminate()
        process.wait(30)
