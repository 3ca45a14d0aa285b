"""The examples of the README, as they are printed there, against a server of choice."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[1]
README = (PROJECT / "README.md").read_text("utf-8")
URL = "http://localhost:3000"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


PROGRAMS = blocks("python")
SHELL_LINES = [line.partition(" #")[0].strip() for block in blocks("sh") for line in block.splitlines()]
COMMANDS = [line for line in SHELL_LINES if "ekiben " in line and not line.startswith("pip")]
INSTALLS = [line for line in SHELL_LINES if line.startswith("pip")]


def lay_out(folder: Path, photo: bytes, talk: bytes) -> None:
    """The files that the examples name."""
    (folder / "photos").mkdir()
    for name in ("photo.jpg", "photos/a.jpg", "photos/b.jpg"):
        (folder / name).write_bytes(photo)
    (folder / "talk.mp3").write_bytes(talk)


def environment(folder: Path, url: str) -> dict[str, str]:
    """Where `ekiben` is a command, as it is once it is installed."""
    command = folder / "bin" / "ekiben"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -W error -m ekiben_client "$@"\n')
    command.chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if "EKIBEN" not in name}
    path = f"{command.parent}{os.pathsep}{kept['PATH']}"
    return {**kept, "PATH": path, "PYTHONPATH": str(PROJECT / "src"), "EKIBEN_URL": url}


def run_program(program: str, folder: Path, photo: bytes, talk: bytes, url: str) -> str:
    """What it prints. Raises where it fails, or warns."""
    assert URL in program
    lay_out(folder, photo, talk)
    command = [sys.executable, "-W", "error", "-c", program.replace(URL, url)]
    return _run(command, folder, environment(folder, url))


def run_command(line: str, folder: Path, photo: bytes, talk: bytes, url: str) -> str:
    lay_out(folder, photo, talk)
    return _run(["/bin/sh", "-c", line], folder, environment(folder, url))


def _run(command: list[str], folder: Path, variables: dict[str, str]) -> str:
    done = subprocess.run(
        command,
        cwd=folder,
        env=variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout
