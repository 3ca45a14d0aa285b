"""A metrics folder for each server.

BentoML's processes share their metrics through files in one folder of the user's home, which every
`bentoml serve` empties when it starts: a second server on the machine would wipe out the first one's figures.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

import psutil

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
PREFIX = "ekiben-metrics-"


def use_own_folder() -> None:
    """In a process that BentoML started, give the server that it belongs to a folder of its own.

    Named after the supervisor, which all processes of a server have as parent. To be called before the first
    metric is made.
    """
    shared = os.environ.get(VARIABLE)
    if not shared or PREFIX in shared:
        return
    home = Path(shared).parent
    _remove_stale(home)
    folder = home / f"{PREFIX}{_identity(psutil.Process(os.getppid()))}"
    folder.mkdir(exist_ok=True)
    os.environ[VARIABLE] = str(folder)


def _identity(process: psutil.Process) -> str:
    """A process id alone may come again."""
    return f"{process.pid}-{int(process.create_time())}"


def _remove_stale(home: Path) -> None:
    """Remove the folders of servers that are gone."""
    for folder in home.glob(f"{PREFIX}*"):
        pid = int(folder.name.removeprefix(PREFIX).partition("-")[0])
        with contextlib.suppress(psutil.NoSuchProcess):
            if folder.name == f"{PREFIX}{_identity(psutil.Process(pid))}":
                continue
        shutil.rmtree(folder, ignore_errors=True)


def forget_the_dead() -> None:
    """Remove what processes that are gone have left of gauges of living ones, which would be counted for ever."""
    folder = os.environ.get(VARIABLE)
    for file in Path(folder).glob("gauge_live*_*.db") if folder else ():
        if not psutil.pid_exists(int(file.stem.rpartition("_")[2])):
            file.unlink(missing_ok=True)  # another process may have seen it too
