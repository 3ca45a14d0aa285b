"""Environments of the peers, one each: made once, and anew when what they need has changed."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from tests.serving import ROOT

HERE = Path(__file__).parent
ENVIRONMENTS = ROOT / ".peers"


class PeerUnavailable(RuntimeError):
    """A peer cannot be measured here; the text says why, in one line."""


def python_of(name: str) -> Path:
    """The interpreter of a peer's environment, made where it is missing. Raises `PeerUnavailable`."""
    folder, needed = ENVIRONMENTS / name, _digest(name)
    stamp, python = folder / "installed", folder / "bin" / "python"
    if stamp.exists() and stamp.read_text() == needed:
        return python
    print(f"making .peers/{name} from benchmarks/peers/{name}.txt", file=sys.stderr, flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    _run(sys.executable, "-m", "venv", str(folder))
    install = [str(python), "-m", "pip", "install", "--disable-pip-version-check"]
    install += [] if sys.stderr.isatty() else ["--quiet"]
    _run(*install, "--requirement", str(HERE / f"{name}.txt"))
    stamp.write_text(needed)
    return python


def _digest(name: str) -> str:
    """Of everything that decides what is installed."""
    files = [HERE / f"{name}.txt", HERE / "ours.txt", HERE / "graph.txt", ROOT / "requirements" / "all.txt"]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files) + sys.version.encode()).hexdigest()


def _run(*command: str) -> None:
    # What a command reports goes where progress belongs; its complaints are kept for the reason.
    done = subprocess.run(command, stdout=sys.stderr, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or done.stderr.splitlines()
        raise PeerUnavailable(errors[-1].removeprefix("ERROR: ") if errors else f"{command[0]} failed")
